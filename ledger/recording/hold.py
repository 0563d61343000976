"""What may not be recorded now: a database put back from an older backup than the chain would use ids a second time.

Its sessions of the lost time are on the chain, under ids that new sessions would get again. So nothing goes out until
`ledger_restore` has brought them back, and never a batch whose ids the chain has already with other digests.
"""

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.chain.node import Chain, State, chain
from ledger.chain.records import rows_of
from ledger.errors import DatabaseBehind, LedgerError
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording.ids import ids_above

CODE = "database_behind"
S = ChainTransaction.Status
OURS = (S.SIGNED, S.SENT, S.IN_BLOCK, S.IRREVERSIBLE, S.DEFERRED)  # what carries an entry then carries its digest


def check(state: State) -> None:
    """Raise DatabaseBehind while the chain's highest id is of a record that the database does not have.

    New sessions get ids above it from now on. A person who has closed the alert wants to go on all the same, as where
    the lost records cannot be brought back; it is raised again for another highest id only.
    """
    subject = f"id {state.last}"
    if _is_ours(state.last, chain()):
        Alert.objects.filter(code=CODE, subject__startswith="id ", closed_at__isnull=True).update(closed_at=clock.now())
        return
    if Alert.objects.filter(code=CODE, subject=subject, closed_at__isnull=False).exists():
        return
    message = f"the chain has records up to ledger id {state.last}, and that one is not in the database"
    try:
        ids_above(state.last)
    except LedgerError as error:
        message = f"{message}; {error}"
    raise DatabaseBehind(message, subject)


def _is_ours(last: int, node: Chain) -> bool:
    """Whether the entry with this id has the digest that is on the chain, or is known to have another.

    The node is asked only where no transaction of ours carries it.
    """
    if last == 0:
        return True
    entry = LedgerEntry.objects.filter(pk=last).values_list("digest", "conflict", "transaction__status").first()
    if entry is None:
        return False
    digest, conflict, status = entry
    return bool(conflict) or status in OURS or node.row(last) in (None, bytes(digest))  # no row: it was pruned


def collisions_end(row: ChainTransaction, state: State) -> bool:
    """Whether this batch may go out. Raises DatabaseBehind where the chain has other records under ids of it.

    Only those stay in it; the others are free for another batch. What has lost all its members is over.
    """
    digests = {pk: bytes(digest) for pk, digest in row.entries.order_by("id").values_list("id", "digest")}
    known = [pk for pk in digests if pk <= state.last]  # usually none: new ids are above
    rows = rows_of(chain(), known) if known else {}
    taken = [pk for pk in known if pk <= state.floor or rows.get(pk, digests[pk]) != digests[pk]]
    subject = f"batch {row.pk}"
    if taken:
        LedgerEntry.objects.filter(transaction=row).exclude(pk__in=taken).update(transaction=None)
        numbers = ", ".join(map(str, taken[:5]))
        raise DatabaseBehind(
            f"the chain has other records under the ledger ids {numbers} ({len(taken)} in all)", subject
        )
    if row.error_code == CODE or not digests:
        alert_close(CODE, subject)
    if not digests:
        ChainTransaction.objects.filter(pk=row.pk, status=S.BATCHED).update(status=S.EXPIRED, claimed_until=None)
    return bool(digests)


def watch() -> None:
    """Raise or close the alert before there is anything to record."""
    try:
        check(chain().state())
    except DatabaseBehind as error:
        alert_raise(CODE, error.subject, str(error))
