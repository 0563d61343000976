"""The driver's pages of one session: its figures and its record, its receipt, and the check of it."""

from datetime import timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import prefetch_related_objects
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import public
from accounts.access_log import Look
from ledger import checks, receipt
from ledger.errors import NotRecordedYet, RecordError
from ledger.export import meter_csv_lines
from ledger.models import ChainTransaction, LedgerEntry
from ledger.proof_words import TITLES
from ledger.reading import problem, reader_of, session_read
from ledger.receipt import ReceiptError, Step
from ledger.record import canonical, record_of
from ledger.session_figures import figures_of
from ledger.words import entry_of, state_of
from stations.models import ChargingSession
from stations.words import period, zone

METER_VALUES_SHOWN = 500
STANDALONE = Path(__file__).parent / "standalone" / "verify_receipt.py"
VERDICTS = {"VERIFIED": _("Verified"), "NOT VALID": _("Invalid"), "NOT DECIDED": _("Undecided")}

# --- One session


@require_safe
@login_required
@never_cache
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = session_read(request, session_id)
    prefetch_related_objects([session], "meter_values")  # for the state, the curve and the list
    entry = entry_of(session)
    state = state_of(session, read_meter_values=True)
    values = list(session.meter_values.all())
    context = {
        "session": session,
        "period": period(session),
        "zone": zone(session),
        "state": state,
        "entry": entry,
        "changed": _changed(session, entry) if state.kind == "mismatch" else [],
        "usual": _usual_duration() if state.kind in {"pending", "late"} else None,
        "no_receipt": _no_receipt(session, entry),
        "exact": _exact_terms(entry),
        "meter_values": values[:METER_VALUES_SHOWN],
        "more_meter_values": len(values) > METER_VALUES_SHOWN,
        **figures_of(session, values, reader_of(request)),
    }
    return render(request, "session/session.html", context)


@require_safe
@login_required
@never_cache
def meter_values_csv(request: HttpRequest, session_id: UUID) -> StreamingHttpResponse:
    session = session_read(request, session_id, Look.EXPORT)
    headers = {"Content-Disposition": f'attachment; filename="evportal-meter-values-{session.pk}.csv"'}
    return StreamingHttpResponse(meter_csv_lines(session), content_type="text/csv; charset=utf-8", headers=headers)


def _changed(session: ChargingSession, entry: LedgerEntry | None) -> list[tuple[str, str, str]]:
    """(field, as recorded, as it is now) of what no longer equals the record."""
    if entry is None or entry.canonical is None or not session.is_closed:
        return []
    try:
        return list(checks.changed_fields(bytes(entry.canonical), canonical(record_of(session))))
    except RecordError:
        return []


def _usual_duration() -> timedelta | None:
    """How long recording took lately: the median of the last hundred transactions."""
    recorded = ChainTransaction.objects.filter(
        status=ChainTransaction.Status.IRREVERSIBLE, irreversible_at__isnull=False
    )
    times = recorded.values_list("created_at", "irreversible_at")[:100]
    seconds = [(end - start).total_seconds() for start, end in times if end is not None]
    return timedelta(seconds=max(1.0, median(seconds))) if seconds else None


def _exact_terms(entry: LedgerEntry | None) -> list[tuple[str, str]]:
    """The second level: each id in full, under its exact name."""
    if entry is None:
        return []
    row = entry.transaction
    terms = [
        ("Ledger id", str(entry.pk)),
        ("State", entry.state),
        ("Digest: SHA-256 of salt and record", bytes(entry.digest).hex()),
        ("Chain id", settings.LEDGER_CHAIN_ID),
        ("Contract account", settings.LEDGER_ACCOUNT),
    ]
    if row:
        terms += [
            ("Transaction id", row.transaction_id or ""),
            ("Block number", str(row.block_num or "")),
            ("Block id", row.block_id),
            ("Signature", row.signature),
            ("Signer's public key", row.public_key),
        ]
    return [(name, value) for name, value in terms if value]


# --- Receipt and check


def _no_receipt(session: ChargingSession, entry: LedgerEntry | None) -> str:
    """Why there is no receipt of this session, in a sentence; "" where there is one."""
    if entry is None:
        return state_of(session).reason
    if entry.erased_at:
        return gettext("Its personal data were erased, and with them what a receipt is made of.")
    if entry.state == ChainTransaction.Status.IRREVERSIBLE:
        return ""
    state = state_of(session)
    if state.kind == "mismatch":
        return state.reason
    return f"{gettext('It is still being recorded.')} {state.reason}".rstrip()


@require_safe
@login_required
@never_cache
def receipt_file(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = session_read(request, session_id, Look.RECEIPT)
    reason = _no_receipt(session, entry_of(session))
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
def verify_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Take the ten steps now, with the nodes of the settings."""
    session = session_read(request, session_id)
    reason = _no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, gettext("There is nothing to verify yet"), reason)
    try:
        steps = checks.verify_session(session)
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, gettext("This session cannot be verified"), _broken(error))
    verdict = receipt.verdict(steps)
    context = {
        "session": session,
        "period": period(session),
        "verdict": VERDICTS[verdict],
        "outcome": {"VERIFIED": "ok", "NOT VALID": "failed"}.get(verdict, "undecided"),
        "failed": [(step.number, TITLES[step.number - 1]) for step in steps if step.outcome == "failed"],
        "steps": list(zip(TITLES, steps, strict=True)),
        "now": timezone.now(),
        "zone": zone(session),
        "nodes": settings.LEDGER_NODES,
        "producers": _producers_note(steps),
        "changed": _changed(session, entry_of(session)),
        "command": _command(session),
    }
    return render(request, "session/verify.html", context)


def _producers_note(steps: list[Step]) -> str:
    """What step 3 heard of the chain's producers: "the chain has 1 producer"."""
    notes = [part for step in steps if step.number == 3 for part in step.note.split("; ") if "producer" in part]
    return notes[0].partition(": ")[0] if notes else ""


def _receipt_name(session: ChargingSession) -> str:
    return f"evportal-receipt-{session.pk}.json"


def _command(session: ChargingSession) -> str:
    """The command by which anybody checks the receipt without us."""
    entry = entry_of(session)
    return _command_for(_receipt_name(session), entry.transaction.public_key if entry and entry.transaction else "")


def _command_for(file: str, key: str) -> str:
    nodes = [*checks.public_nodes(), "URL_OF_A_SECOND_NODE"][: max(2, len(checks.public_nodes()))]
    parts = [
        f"python3 verify_receipt.py {file}",
        *(f"--node {node}" for node in nodes),
        f"--chain-id {settings.LEDGER_CHAIN_ID}",
        f"--key {key}",
    ]
    return " \\\n    ".join(parts)


@public
@require_safe
def standalone_script(request: HttpRequest) -> FileResponse:
    """The script that checks receipts without us, for everybody."""
    return FileResponse(
        STANDALONE.open("rb"), as_attachment=True, filename=STANDALONE.name, content_type="text/x-python"
    )


# --- What cannot be done


def _broken(error: Exception) -> str:
    words = gettext("What our database holds of it is not in the form of a record: %(error)s.")
    return words % {"error": error}


def _not_now(request: HttpRequest, session: ChargingSession, title: str, reason: str) -> HttpResponse:
    back = reverse("session", args=[session.pk])
    todo = gettext("Look at the session: it says how far its record is.")
    return problem(request, 409, title, reason, todo, back=back)
