"""The driver's page of one session: its figures, its record, its meter values."""

from datetime import timedelta
from statistics import median
from uuid import UUID

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.privacy.access_log import Look
from ledger.kept import kept_record
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts.published import pins_of
from ledger.receipts.receipt import Pins
from ledger.receipts.words import TITLES
from ledger.state.corrected import corrected_of
from ledger.state.counting import recorded_of
from ledger.state.differences import differences_of
from ledger.state.words import entry_of, state_of
from portal.proof.reasons import no_receipt
from portal.reading import reader_of, session_read
from portal.session.csv import meter_csv_lines
from portal.session.figures import figures_of
from stations.charging.words import period, zone

METER_VALUES_SHOWN = 500


@require_safe
@login_required
@never_cache
def session_page(request: HttpRequest, session_id: UUID) -> HttpResponse:
    session = session_read(request, session_id)
    prefetch_related_objects([session], "meter_values")  # for the state, the curve and the list
    entry = entry_of(session)
    state = state_of(session, read_meter_values=True)
    values = list(session.meter_values.all())
    shown, changed = session, []
    if state.kind == "mismatch":  # then the page shows what was recorded, and says what is different today
        shown, changed = recorded_of(session) or session, differences_of(session, entry)
    context = {
        "session": shown,
        "period": period(shown),
        "zone": zone(shown),
        "state": state,
        "entry": entry,
        "changed": changed,
        "corrected": corrected_of(session) if session.is_closed else None,
        "unsure": entry is not None and entry.erased_at is None and kept_record(entry) is None,
        "usual": _usual_duration() if state.kind in {"pending", "late"} else None,
        "no_receipt": no_receipt(session, entry),
        "exact": _exact_terms(entry, pins := pins_of(entry)),
        "pins": pins,
        "steps": len(TITLES),
        "meter_values": values[:METER_VALUES_SHOWN],
        "more_meter_values": len(values) > METER_VALUES_SHOWN,
        **figures_of(shown, values, reader_of(request)),
    }
    return render(request, "portal/session/session.html", context)


@require_safe
@login_required
@never_cache
def meter_values_csv(request: HttpRequest, session_id: UUID) -> StreamingHttpResponse:
    session = session_read(request, session_id, Look.EXPORT)
    headers = {"Content-Disposition": f'attachment; filename="evportal-meter-values-{session.pk}.csv"'}
    return StreamingHttpResponse(meter_csv_lines(session), content_type="text/csv; charset=utf-8", headers=headers)


def _usual_duration() -> timedelta | None:
    """How long recording took lately: the median of the last hundred transactions."""
    recorded = ChainTransaction.objects.filter(
        status=ChainTransaction.Status.IRREVERSIBLE, irreversible_at__isnull=False
    )
    times = recorded.values_list("created_at", "irreversible_at")[:100]
    seconds = [(end - start).total_seconds() for start, end in times if end is not None]
    return timedelta(seconds=max(1.0, median(seconds))) if seconds else None


def _exact_terms(entry: LedgerEntry | None, pins: Pins | None) -> list[tuple[str, str]]:
    """The second level: each id in full, under its exact name."""
    if entry is None:
        return []
    row = entry.transaction
    terms = [
        (gettext("Ledger id"), str(entry.pk)),
        (gettext("State"), entry.state),
        (gettext("Digest: SHA-256 of salt and record"), bytes(entry.digest).hex()),
        (gettext("Chain id"), settings.LEDGER_CHAIN_ID),
        (gettext("Contract account"), settings.LEDGER_ACCOUNT),
    ]
    if row:
        terms += [
            (gettext("Transaction id"), row.transaction_id or ""),
            (gettext("Block number"), str(row.block_num or "")),
            (gettext("Block id"), row.block_id),
            (gettext("Signature"), row.signature),
            (gettext("Signer's public key"), row.public_key),
        ]
    if pins:
        terms += [
            (gettext("Made in the TPM of AK"), pins.ak or ""),
            (gettext("Contract's code, SHA-256"), pins.code_hash or ""),
            (gettext("Contract last changed"), pins.code_updated or ""),
        ]
    return [(name, value) for name, value in terms if value]
