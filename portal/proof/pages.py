"""The proof of one session for its driver: its receipt as a file and on paper, and the check of it on our server."""

from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.login.access import public
from accounts.privacy.access_log import Look
from common.throttling import seconds_to_wait
from ledger import standalone
from ledger.errors import NotRecordedYet, RecordError
from ledger.kept import as_recorded
from ledger.receipts import checks, receipt
from ledger.receipts.link import qr_svg, receipt_fragment
from ledger.receipts.notices import notice_words
from ledger.receipts.published import check_command, pins_of, published_pins
from ledger.receipts.receipt import ReceiptError
from ledger.receipts.words import MEANINGS, TITLES, VERDICTS
from ledger.record import canonical
from ledger.state.corrected import corrected_of
from ledger.state.differences import differences_of
from ledger.state.words import entry_of, state_of
from portal.proof.reasons import no_receipt
from portal.proof.signed import signed_of
from portal.reading import problem, session_read
from portal.welcome.operator import operator
from stations.charging.words import period, zone
from stations.models import ChargingSession
from stations.tariffs.vat import vat_sums


@require_safe
@login_required
@never_cache
def receipt_file(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The receipt as JSON, which anybody checks without us; 409 with the reason where there is none."""
    session = session_read(request, session_id, Look.RECEIPT)
    reason = no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, gettext("There is no receipt of this session"), reason)
    try:
        text = receipt.dumps(checks.receipt_for(session))
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, gettext("No receipt can be made of this session"), _broken(error))
    headers = {"Content-Disposition": f'attachment; filename="{_receipt_name(session)}"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@require_safe
@login_required
@never_cache
def receipt_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """The receipt to print: the figures, the record, every id in full, and the QR code that opens the public check."""
    session = session_read(request, session_id, Look.RECEIPT)
    reason = no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, gettext("There is no receipt of this session"), reason)
    try:
        content = checks.receipt_for(session)
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, gettext("No receipt can be made of this session"), _broken(error))
    recorded = as_recorded(session, content["record"])
    if recorded is None:
        reason = _broken(RecordError("its record lacks fields"))
        return _not_now(request, session, gettext("No receipt can be made of this session"), reason)
    return render(request, "portal/proof/receipt.html", _paper(request, session, recorded, content))


def _paper(
    request: HttpRequest, session: ChargingSession, recorded: ChargingSession, content: dict[str, Any]
) -> dict[str, Any]:
    """What the printed receipt says: the figures that were recorded, whatever `session` says of itself today."""
    entry, address = entry_of(session), request.build_absolute_uri(reverse("public_check"))
    link = f"{address}#{receipt_fragment(content)}"
    state = state_of(session, read_meter_values=True)
    return {
        "session": recorded,
        "period": period(recorded),
        "zone": zone(recorded),
        "receipt": content,
        "record": receipt.dumps(content["record"]),
        "canonical": canonical(content["record"]).decode(),
        "pins": pins_of(entry),
        "steps": len(TITLES),
        "link": link,
        "qr": qr_svg(link),
        "address": address,
        "state": state,
        "changed": differences_of(session, entry) if state.kind == "mismatch" else [],
        "corrected": corrected_of(session),
        "checksums": standalone.checksums(),
        "printed_at": timezone.now(),
        "number": f"R-{content['ledger_id']}",
        "signed": signed_of(recorded),
        "operator": operator(),
        "vat": next(iter(vat_sums([recorded])), None),
    }


@require_safe
@login_required
@never_cache
def verify_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Take the twelve steps now, with the nodes of the settings."""
    session = session_read(request, session_id)
    reason = no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, gettext("There is nothing to verify yet"), reason)
    if wait := seconds_to_wait(
        name="verify", key=str(request.user.pk), limit=settings.API_COSTLY_PER_MINUTE, window_s=60
    ):
        return _too_often(request, session, wait)
    try:
        check = checks.verify_session(session)
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, gettext("This session cannot be verified"), _broken(error))
    verdict = check.verdict
    failed = [step for step in check.steps if step.outcome == "failed"]
    context = {
        "session": session,
        "period": period(session),
        "verdict": VERDICTS[verdict],
        "outcome": {"VERIFIED": "ok", "NOT VALID": "failed"}.get(verdict, "undecided"),
        "meaning": next((MEANINGS.get(step.number, "") for step in failed), ""),
        "failed": [(step.number, TITLES[step.number - 1]) for step in failed],
        "steps": list(zip(TITLES, check.steps, strict=True)),
        "now": timezone.now(),
        "zone": zone(session),
        "nodes": settings.LEDGER_NODES,
        "notices": notice_words(check.notices, published_pins("", None)),
        "changed": differences_of(session, entry_of(session)),
        "corrected": corrected_of(session),
        "command": _command(session),
    }
    return render(request, "portal/proof/verify.html", context)


def _receipt_name(session: ChargingSession) -> str:
    return f"evportal-receipt-{session.pk}.json"


def _command(session: ChargingSession) -> str:
    """The command by which anybody checks the receipt without us."""
    entry = entry_of(session)
    key = entry.transaction.public_key if entry and entry.transaction else ""
    return check_command(_receipt_name(session), key, session.meter_public_key)


@public
@require_safe
def standalone_script(request: HttpRequest) -> FileResponse:
    """The script that checks receipts without us, for everybody."""
    return _download(standalone.SCRIPT, "text/x-python")


@public
@require_safe
def standalone_beside(request: HttpRequest, name: str) -> FileResponse:
    """What the script looks for beside itself (ledger.standalone.BESIDE)."""
    return _download(next(path for path in standalone.BESIDE if path.stem == name), "text/x-python")


@public
@require_safe
def standalone_page(request: HttpRequest) -> FileResponse:
    """The check as one page to be saved, for everybody. Never shown here: it would be one more page of ours."""
    return _download(standalone.PAGE, "text/html")


def _download(path: Path, content_type: str) -> FileResponse:
    return FileResponse(path.open("rb"), as_attachment=True, filename=path.name, content_type=content_type)


# --- What cannot be done


def _broken(error: Exception) -> str:
    words = gettext("What our database holds of it is not in the form of a record: %(error)s.")
    return words % {"error": error}


def _too_often(request: HttpRequest, session: ChargingSession, wait_s: int) -> HttpResponse:
    """Each check reads whole blocks of every node."""
    title, what = gettext("Too many checks"), gettext("Many checks were asked for in the last minute.")
    back = reverse("session", args=[session.pk])
    response = problem(request, 429, title, what, gettext("Wait a minute, then check again."), back=back)
    response["Retry-After"] = str(wait_s)
    return response


def _not_now(request: HttpRequest, session: ChargingSession, title: str, reason: str) -> HttpResponse:
    back = reverse("session", args=[session.pk])
    todo = gettext("Look at the session: it says how far its record is.")
    return problem(request, 409, title, reason, todo, back=back)
