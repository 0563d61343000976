"""What a killed worker left, and what waited for its time, taken up again."""

from datetime import timedelta

from django.conf import settings

from common import clock
from ledger.alerts import alert_raise
from ledger.chain.view import View
from ledger.errors import ChainError
from ledger.models import ChainTransaction
from ledger.recording import settlement, transactions

S = ChainTransaction.Status


def sign_and_send(rows: list[ChainTransaction]) -> bool:
    if not transactions.transactions_sign(transactions=rows):
        return False
    for row in rows:
        if row.status == S.SIGNED:
            transactions.transaction_send(row=row)
    return True


def resume_batched() -> bool:
    """Sign what was batched and left; one at a time, so that a TPM that is away is asked once a sweep."""
    free = clock.free(timedelta(seconds=settings.LEDGER_CLAIM_S))
    for row in ChainTransaction.objects.filter(free, transactions.retry_due(), status=S.BATCHED).order_by("id"):
        if transactions.halted():
            break
        if transactions.claim(row) and not sign_and_send([row]):
            return False
    return True


def resume_waiting() -> None:
    """Send again, or settle, what is signed or deferred and whose time has come."""
    due = ChainTransaction.objects.filter(transactions.retry_due(), status__in=[S.SIGNED, S.DEFERRED])
    view = View()
    try:
        settlement.for_each(due.order_by("id"), lambda row: _resume(row, view))
    except ChainError as error:
        alert_raise(error.alert, message=str(error))


def _resume(row: ChainTransaction, view: View) -> None:
    if not transactions.claim(row):
        return
    if row.expires_at is not None and view.info.lib_time > row.expires_at:
        settlement.transaction_settle(row=row, view=view)
    else:
        transactions.transaction_send(row=row)
