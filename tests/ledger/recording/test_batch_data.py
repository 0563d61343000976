"""What the portal says on the chain beside its records: blocks with earlier ones, and what a credit takes back."""

from collections.abc import Callable

import pytest

from accounts.models import User
from ledger.chain import antelope
from ledger.chain.node import Chain, State
from ledger.chain.walk import record_data, walk
from ledger.keys.erasure import customer_erase
from ledger.models import ChainTransaction, LedgerEntry
from ledger.record import credit_mark
from ledger.recording import transactions
from ledger.recording.batch_data import BLOCKS_MAX, irreversible_heads
from stations.charging.corrections import session_credit
from tests.conftest import CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def data_of(row: ChainTransaction) -> antelope.RecordData:
    assert row.packed is not None
    (action,) = antelope.Transaction.unpack(bytes(row.packed)).actions
    return antelope.unpack_record_data(action.data)


def test_all_blocks_with_records_hang_together(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    for _ in range(4):
        close_sessions(2)
        record_all()
    rows = ChainTransaction.objects.filter(status="IRREVERSIBLE").order_by("block_num")
    blocks = [row.block_num or 0 for row in rows]
    found = list(walk(ledger_account.chain))
    assert [block.num for block in found] == sorted(set(blocks), reverse=True)
    recorded = [item[0] for block in found for data in record_data(block, ledger_account.name) for item in data.records]
    assert sorted(recorded) == sorted(LedgerEntry.objects.values_list("pk", flat=True))
    named = [num for row in rows for num in data_of(row).blocks]
    assert named == blocks[:-1], "each is named once, as soon as it is irreversible"
    state = ledger_account.chain.state()
    assert (state.since, state.heads) == (1, (blocks[-1],))


def test_only_irreversible_blocks_are_named_the_oldest_first() -> None:
    state = State(heads=tuple(range(10, 1010, 2)))
    assert irreversible_heads(state, 15) == [10, 12, 14]
    assert irreversible_heads(state, 9) == []
    assert irreversible_heads(state, 5000) == list(range(10, 10 + 2 * BLOCKS_MAX, 2))


def test_a_credit_is_found_from_the_receipt_of_what_it_takes_back(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None], owner: User
) -> None:
    session, other = close_sessions(2)
    record_all()
    credit = session_credit(session=session, reason="Read wrongly.", by=owner)
    record_all()
    original, entry = LedgerEntry.objects.get(session=session), LedgerEntry.objects.get(session=credit)
    assert original.salt is not None
    mark = credit_mark(bytes(original.salt), bytes(original.digest))
    assert ledger_account.chain.marked_id_of(mark) == entry.pk
    assert ledger_account.chain.mark_of(entry.pk) == mark
    for one in (session, other):
        assert ledger_account.chain.mark_of(LedgerEntry.objects.get(session=one).pk) is None
    assert entry.transaction is not None
    assert data_of(entry.transaction).marks == [(entry.pk, mark)]


def test_what_is_erased_gives_no_mark(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None], owner: User
) -> None:
    (session,) = close_sessions()
    record_all()
    credit = session_credit(session=session, reason="Read wrongly.", by=owner)
    entry = LedgerEntry.objects.get(session=credit)
    customer_erase(customer=owner)
    record_all()
    assert ledger_account.chain.row(entry.pk) == bytes(entry.digest)
    assert ledger_account.chain.mark_of(entry.pk) is None


def test_the_state_is_read_once_for_a_group_of_batches(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.LEDGER_BATCH_MAX = 2  # type: ignore[attr-defined]
    close_sessions(6)
    rows = transactions.transactions_batch(limit=4)
    assert len(rows) == 3
    states, read = list[State](), Chain.state

    def noted(chain: Chain) -> State:
        states.append(read(chain))
        return states[-1]

    monkeypatch.setattr(Chain, "state", noted)
    assert transactions.transactions_sign(transactions=rows)
    assert len(states) == 1
    assert [row.status for row in rows] == ["SIGNED"] * 3
