"""Pruning: rows go, the floor rises, and what went never comes back."""

import pytest

from dev.chain.transactions import ChainError
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records
from tests.ledger.contract.test_record import refused

HEAD_BYTES = 4


def test_a_pruned_id_is_never_accepted_again(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 6))
    ledger.prune(4, 100)
    assert ledger.ids() == [5, 6]
    assert ledger.state() == {"floor": 4, "count": 2, "last": 6}
    for number in (1, 4):
        with refused("evledger: id at or below floor"):
            ledger.record(Rec(number, "something else"))
    ledger.record(Rec(7, "seven"))
    assert ledger.state() == {"floor": 4, "count": 3, "last": 7}


def test_a_partial_prune_raises_the_floor_to_the_last_erased_id(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3), *make_records(8, 12))
    ledger.prune(10, 4)
    assert ledger.ids() == [9, 10, 11, 12]
    assert ledger.state() == {"floor": 8, "count": 4, "last": 12}
    ledger.prune(10, 4)
    assert ledger.ids() == [11, 12]
    assert ledger.state() == {"floor": 10, "count": 2, "last": 12}


def test_the_floor_reaches_upto_when_exactly_max_rows_were_left(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3), Rec(9, "nine"))
    ledger.prune(6, 3)  # ids 4 to 6 were never used
    assert ledger.state() == {"floor": 6, "count": 1, "last": 9}
    with refused("evledger: id at or below floor"):
        ledger.record(Rec(5, "five"))


def test_all_rows_can_go(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    ledger.prune(3, 3)
    assert ledger.ids() == []
    assert ledger.state() == {"floor": 3, "count": 0, "last": 3}
    ledger.record(Rec(4, "four"))
    assert ledger.ids() == [4]


def test_pruning_twice_changes_nothing_more(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    ledger.prune(2, 10)
    before = ledger.state()
    ledger.prune(2, 10)
    ledger.prune(1, 10)
    assert ledger.state() == before == {"floor": 2, "count": 1, "last": 3}


def test_the_digest_of_a_pruned_row_is_free_and_its_memory_too(ledger: LedgerAccount) -> None:
    def used() -> int:
        """Without the state's list of blocks, which has one more where the second record came into another block."""
        return int(ledger.account()["ram_usage"]) - HEAD_BYTES * len(ledger.heads())

    ledger.record(Rec(1, "one"))
    before = used()
    ledger.record(Rec(2, "two"))
    ledger.prune(1, 1)
    assert used() == before
    ledger.record(Rec(3, "one"))
    assert ledger.ids() == [2, 3]


@pytest.mark.parametrize(
    ("upto", "maximum", "message"),
    [
        (4, 10, "evledger: upto above last id"),
        (2**64 - 1, 10, "evledger: upto above last id"),
        (3, 0, "evledger: max is zero"),
    ],
)
def test_a_slip_of_the_hand_is_refused(ledger: LedgerAccount, upto: int, maximum: int, message: str) -> None:
    ledger.record(*make_records(1, 3))
    with refused(message):
        ledger.prune(upto, maximum)
    assert ledger.state() == {"floor": 0, "count": 3, "last": 3}


def test_data_cut_or_too_long_is_refused(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    data = ledger.prune_action(2, 10).data
    for size in range(len(data)):
        with refused("evledger: truncated data"):
            ledger.push(ledger.action("prune", data[:size], "prune"), ledger.prune_key)
    with refused("evledger: trailing bytes"):
        ledger.push(ledger.action("prune", data + b"\x00", "prune"), ledger.prune_key)
    assert ledger.ids() == [1, 2, 3]


@pytest.mark.parametrize("permission", ["owner", "active"])
def test_no_other_permission_prunes(ledger: LedgerAccount, permission: str) -> None:
    ledger.record(*make_records(1, 3))
    key = {"owner": ledger.owner_key, "active": ledger.active_key}[permission]
    with pytest.raises(ChainError, match="missing authority"):
        ledger.push(ledger.prune_action(2, 10, permission), key)
    assert ledger.ids() == [1, 2, 3]
