"""Why a session has no receipt, as its page, its paper and its file say it."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ledger.kept import kept_record
from ledger.models import ChainTransaction, LedgerEntry
from ledger.state.words import state_of
from stations.models import ChargingSession

ALTERED = _(
    "The record that is kept of this session was altered itself: it no longer gives the digest that was recorded, so "
    "nothing can be proven with it. Keep the receipt that you have, if any: it still can be checked. Ask the operator "
    "of your charges for an explanation, and name the session's id."
)


def no_receipt(session: ChargingSession, entry: LedgerEntry | None) -> str:
    """Why there is no receipt of this session, in a sentence; "" where there is one."""
    if entry is None:
        return str(state_of(session).reason)
    if entry.erased_at:
        return gettext("Its personal data were erased, and with them what a receipt is made of.")
    if entry.state == ChainTransaction.Status.IRREVERSIBLE:
        return "" if kept_record(entry) is not None else str(ALTERED)
    state = state_of(session)
    if state.kind == "mismatch":
        return str(state.reason)
    going = gettext("It is still being recorded.")
    return f"{going} {state.reason}".rstrip()
