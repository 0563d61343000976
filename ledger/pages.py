"""The driver's pages: his history, one session with its record, its receipt, and the check of it."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from statistics import median
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.access import public
from accounts.access_log import Look, access_note, access_note_all
from accounts.models import User
from ledger import checks, history, receipt
from ledger.errors import NotRecordedYet, RecordError
from ledger.export import csv_lines
from ledger.history import HistoryFilter
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipt import ReceiptError, Step
from ledger.record import canonical, record_of
from ledger.words import StateWords, entry_of, state_of
from stations.models import ChargingSession, ChargingSessionQuerySet
from stations.words import Period, period, zone, zone_names

PAGE_SIZE = 50
METER_VALUES_SHOWN = 500
STANDALONE = Path(__file__).parent / "standalone" / "verify_receipt.py"
VERDICTS = {"VERIFIED": "Verified", "NOT VALID": "Invalid", "NOT DECIDED": "Undecided"}


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind login_required
    return request.user


def _with_record(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """All that a row of the page reads, in one query; without the transactions' bytes."""
    related = ("station", "connector", "id_token", "ledger_entry__transaction")
    return sessions.select_related(*related).defer("ledger_entry__transaction__packed")


def _session(request: HttpRequest, session_id: UUID, look: Look = Look.SESSION) -> ChargingSession:
    """The session, if this reader may see it; else 404, whether it exists or not. A look of staff is noted."""
    session = _with_record(ChargingSession.objects.visible_to(request.user)).filter(pk=session_id).first()
    if session is None:
        raise Http404(f"no session {session_id} for this reader")
    access_note(viewer=_user(request), customer=session.customer_id, what=look, subject=str(session.pk))
    return session


# --- History


@dataclass(frozen=True)
class Row:
    session: ChargingSession
    period: Period
    state: StateWords


def _filtered(request: HttpRequest) -> tuple[HistoryFilter, ChargingSessionQuerySet, ChargingSession | None]:
    """The filter of the address, what this reader may see at all, and the newest of it."""
    user = _user(request)
    visible = ChargingSession.objects.visible_to(user)
    newest = history.newest(visible)
    where = history.reading_zone(user, newest)
    return HistoryFilter(request.GET, sites=history.sites_of(user, visible), where=where), visible, newest


@require_safe
@login_required
@never_cache
def history_page(request: HttpRequest) -> HttpResponse:
    form, visible, newest = _filtered(request)
    everybody = _user(request).has_perm("stations.view_chargingsession")
    if newest is None:
        return render(request, "history/empty.html", {"everybody": everybody})
    found = form.narrow(visible)
    totals = history.totals(found)
    paginator = Paginator(_with_record(found), PAGE_SIZE)
    paginator.count = totals.sessions  # known already, not counted again
    page = paginator.get_page(request.GET.get("page"))
    sessions = list(page)
    if everybody:
        customers = {session.customer_id for session in sessions}
        access_note_all(viewer=_user(request), customers=customers, what=Look.HISTORY)
    rows = [Row(session, period(session), state_of(session)) for session in sessions]
    context = {
        "everybody": everybody,
        "form": form,
        "totals": totals,
        "months": history.months(visible, newest, form.where),
        "page": page,
        "days": [(day, list(group)) for day, group in groupby(rows, key=lambda row: row.period.day)],
        "zones": zone_names(sessions),
        "refresh": any(row.state.kind in {"pending", "late"} for row in rows),
    }
    return render(request, "history/history.html", context)


@require_safe
@login_required
@never_cache
def history_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    """The sessions that the same filter shows on the history page, all of them, as a file."""
    form, visible, _ = _filtered(request)
    if not form.is_valid():
        problems = "; ".join(f"{name}: {' '.join(map(str, errors))}" for name, errors in form.errors.items())
        return _problem(
            request, 400, "This filter cannot be used", problems, "Set the filter anew on the history page."
        )
    found = form.narrow(visible)
    if _user(request).is_staff:
        customers = found.order_by().values_list("customer_id", flat=True).distinct()
        access_note_all(viewer=_user(request), customers=customers, what=Look.EXPORT)
    lines = csv_lines(_with_record(found))
    name = f"evportal-sessions-{timezone.now():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


# --- One session


@require_safe
@login_required
@never_cache
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _session(request, session_id)
    entry = entry_of(session)
    state = state_of(session, read_meter_values=True)
    values = list(session.meter_values.all()[: METER_VALUES_SHOWN + 1])
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
    }
    return render(request, "session/session.html", context)


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
        return "Its personal data were erased, and with them what a receipt is made of."
    if entry.state == ChainTransaction.Status.IRREVERSIBLE:
        return ""
    state = state_of(session)
    if state.kind == "mismatch":
        return state.reason
    return f"It is still being recorded. {state.reason}".rstrip()


@require_safe
@login_required
@never_cache
def receipt_file(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = _session(request, session_id, Look.RECEIPT)
    reason = _no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, "There is no receipt of this session", reason)
    try:
        text = receipt.dumps(checks.receipt_for(session))
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, "No receipt can be made of this session", _broken(error))
    headers = {"Content-Disposition": f'attachment; filename="{_receipt_name(session)}"'}
    return HttpResponse(text, content_type="application/json", headers=headers)


@require_safe
@login_required
@never_cache
def verify_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    """Take the ten steps now, with the nodes of the settings."""
    session = _session(request, session_id)
    reason = _no_receipt(session, entry_of(session))
    if reason:
        return _not_now(request, session, "There is nothing to verify yet", reason)
    try:
        steps = checks.verify_session(session)
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        return _not_now(request, session, "This session cannot be verified", _broken(error))
    verdict = receipt.verdict(steps)
    context = {
        "session": session,
        "period": period(session),
        "verdict": VERDICTS[verdict],
        "failed": [step for step in steps if step.outcome == "failed"],
        "steps": steps,
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
    key = entry.transaction.public_key if entry and entry.transaction else ""
    nodes = [*settings.LEDGER_NODES, "URL_OF_A_SECOND_NODE"][: max(2, len(settings.LEDGER_NODES))]
    parts = [
        f"python3 verify_receipt.py {_receipt_name(session)}",
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
    return f"What our database holds of it is not in the form of a record: {error}."


def _not_now(request: HttpRequest, session: ChargingSession, title: str, reason: str) -> HttpResponse:
    back = reverse("session", args=[session.pk])
    return _problem(request, 409, title, reason, "Look at the session: it says how far its record is.", back=back)


def _problem(request: HttpRequest, status: int, title: str, what: str, todo: str, *, back: str = "") -> HttpResponse:
    kept = "Nothing was changed by this, and nothing is lost."
    context = {"title": title, "what": what, "kept": kept, "todo": todo, "back": back or reverse("history")}
    return render(request, "errors/problem.html", context, status=status)
