"""The list of blocks with records, the marks of credits, and the upgrade from the first contract."""

import pytest

from dev.chain.transactions import ChainError
from tests.ledger.contract.conftest import FIRST_CONTRACT
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, digest_of, make_records, pack_data, pack_records
from tests.ledger.contract.test_record import refused


def test_each_block_with_records_is_a_head_until_a_later_action_names_it(ledger: LedgerAccount) -> None:
    blocks = [ledger.record_naming(record, []) for record in make_records(1, 3)]
    known = sorted(set(blocks))
    assert (ledger.heads(), ledger.since()) == (known, 1)
    later = ledger.record_naming(Rec(4, "four"), [blocks[0]])
    assert ledger.heads() == sorted({*known[1:], later})
    last = ledger.record_naming(Rec(5, "five"), ledger.heads())
    assert ledger.heads() == [last]


def test_a_block_that_is_no_head_may_be_named_and_changes_nothing(ledger: LedgerAccount) -> None:
    first = ledger.record_naming(Rec(1, "one"), [])
    second = ledger.record_naming(Rec(2, "two"), [1])
    assert ledger.heads() == sorted({first, second})


def test_many_heads_are_kept_and_named_at_once(ledger: LedgerAccount) -> None:
    """More than 127: their number takes two bytes."""
    head = ledger.record_naming(Rec(1, "one"), [])
    ledger.record_packed(pack_data([Rec(2, "two")], range(1, head)))
    assert head in ledger.heads()


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([3, 3], "evledger: blocks not ascending"),
        ([3, 2], "evledger: blocks not ascending"),
        ([0], "evledger: blocks not ascending"),
        ([2**32 - 1], "evledger: block not below this one"),
    ],
)
def test_a_wrong_list_of_blocks_is_refused(ledger: LedgerAccount, blocks: list[int], message: str) -> None:
    with refused(message):
        ledger.record_packed(pack_data([Rec(1, "one")], blocks))
    assert ledger.ids() == []


def test_the_current_block_cannot_be_named(ledger: LedgerAccount) -> None:
    """Else it would leave the heads in the action that brings it in."""
    head = ledger.record_naming(Rec(1, "one"), [])
    with refused("evledger: block not below this one"):
        ledger.record_packed(pack_data([Rec(2, "two")], [head + 1000]))
    assert ledger.heads() == [head]


# --- marks


def test_a_credit_is_found_by_its_mark(ledger: LedgerAccount) -> None:
    mark = digest_of("mark")
    ledger.record_packed(pack_data([Rec(1, "session"), Rec(2, "credit")], [], [(2, mark)]))
    query = {"index_position": 2, "key_type": "sha256", "lower_bound": mark.hex(), "upper_bound": mark.hex()}
    assert ledger.marks(**query) == [{"id": 2, "mark": mark.hex()}]
    absent = digest_of("another").hex()
    assert ledger.marks(**query | {"lower_bound": absent, "upper_bound": absent}) == []


def test_two_credits_of_one_session_have_the_same_mark(ledger: LedgerAccount) -> None:
    mark = digest_of("mark")
    ledger.record_packed(pack_data(make_records(1, 2), [], [(1, mark), (2, mark)]))
    assert [row["id"] for row in ledger.marks()] == [1, 2]


def test_a_mark_is_of_a_record_and_one_at_most(ledger: LedgerAccount) -> None:
    mark = digest_of("mark")
    with refused("evledger: mark of no record"):
        ledger.record_packed(pack_data([Rec(1, "one")], [], [(2, mark)]))
    with refused("evledger: duplicate mark"):
        ledger.record_packed(pack_data([Rec(1, "one")], [], [(1, mark), (1, digest_of("other"))]))
    ledger.record_packed(pack_data([Rec(1, "one")], [], [(1, mark)]))
    with refused("evledger: duplicate mark"):
        ledger.record_packed(pack_data([Rec(2, "two")], [], [(1, mark)]))
    assert ledger.marks() == [{"id": 1, "mark": mark.hex()}]


def test_marks_stay_when_their_records_are_pruned(ledger: LedgerAccount) -> None:
    ledger.record_packed(pack_data([Rec(1, "one")], [], [(1, digest_of("mark"))]))
    ledger.prune(1, 10)
    assert (ledger.ids(), [row["id"] for row in ledger.marks()]) == ([], [1])


# --- the first contract


def test_the_old_form_is_still_taken(ledger: LedgerAccount) -> None:
    block = ledger.record_packed(pack_records(make_records(1, 2)))["block_num"]
    assert (ledger.ids(), ledger.heads(), ledger.since()) == ([1, 2], [block], 1)


def test_an_upgraded_ledger_keeps_its_rows_and_says_from_where_its_list_is_complete(empty: LedgerAccount) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    empty.record_packed(pack_records(make_records(1, 3)))
    with pytest.raises(ChainError, match="trailing bytes"):
        empty.record(Rec(4, "four"))
    empty.bootstrap()
    assert empty.state() == {"floor": 0, "count": 3, "last": 3}
    empty.prune(1, 1)  # writes the row anew, before anything is recorded
    assert empty.since() == 0
    block = empty.record_naming(Rec(4, "four"), [])
    assert empty.ids() == [2, 3, 4]
    assert empty.state() == {"floor": 1, "count": 3, "last": 4}
    assert (empty.since(), empty.heads()) == (block, [block])
    with refused("evledger: duplicate id"):
        empty.record(Rec(2, "another"))
