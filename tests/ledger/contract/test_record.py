"""Recording: what is kept, what is refused, and that a refused action leaves nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dev.chain.transactions import ChainError, varuint
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, digest_of, make_records, pack_data, pack_records

ASSERTION_FAILED = 3050003


@contextmanager
def refused(message: str) -> Iterator[None]:
    """Expect the contract to abort with exactly this message."""
    with pytest.raises(ChainError) as caught:
        yield
    assert caught.value.code == ASSERTION_FAILED, caught.value
    assert caught.value.message.endswith(f"assertion failure with message: {message}"), caught.value


def test_rows_keep_id_and_digest_and_the_block_keeps_the_sealed_copy(ledger: LedgerAccount) -> None:
    records = [Rec(1, "one", b"sealed copy of one"), Rec(2, "two", b"")]
    trace = ledger.record(*records)
    assert trace["receipt"]["status"] == "executed"
    assert ledger.rows() == [{"id": record.id, "digest": record.digest.hex()} for record in records]
    assert ledger.state() == {"floor": 0, "count": 2, "last": 2}
    on_chain = trace["action_traces"][0]["act"]["data"]["records"]
    assert [record["sealed"] for record in on_chain] == [b"sealed copy of one".hex(), ""]


def test_ids_need_not_come_in_order(ledger: LedgerAccount) -> None:
    ledger.record(Rec(7, "seven"), Rec(3, "three"))
    ledger.record(Rec(5, "five"))
    assert ledger.ids() == [3, 5, 7]
    assert ledger.state() == {"floor": 0, "count": 3, "last": 7}


def test_the_largest_id_fits(ledger: LedgerAccount) -> None:
    largest = 2**64 - 2  # nodeos keeps the last one for itself: it marks the end of a table
    ledger.record(Rec(largest, "largest"))
    assert [int(row["id"]) for row in ledger.rows()] == [largest]


def test_a_row_is_found_by_its_digest(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 20))
    for number in (1, 13, 20):
        digest = digest_of(f"session {number}").hex()
        found = ledger.rows(index_position=2, key_type="sha256", lower_bound=digest, upper_bound=digest)
        assert found == [{"id": number, "digest": digest}]
    absent = digest_of("never recorded").hex()
    assert ledger.rows(index_position=2, key_type="sha256", lower_bound=absent, upper_bound=absent) == []


def test_rows_come_in_the_order_of_their_digests(ledger: LedgerAccount) -> None:
    """The halves of the key are in the right order too, or a range of digests would miss rows."""
    ledger.record(*make_records(1, 20))
    digests = [row["digest"] for row in ledger.rows(index_position=2, key_type="sha256")]
    assert digests == sorted(digests)
    assert len(digests) == 20


@pytest.mark.parametrize(
    ("first", "again", "message"),
    [
        (Rec(1, "one"), Rec(1, "another"), "evledger: duplicate id"),
        (Rec(1, "one"), Rec(2, "one"), "evledger: duplicate digest"),
        (Rec(1, "one"), Rec(1, "one"), "evledger: duplicate id"),
        (Rec(5, "five"), Rec(3, "five"), "evledger: duplicate digest"),
    ],
)
def test_a_duplicate_aborts_the_whole_action(ledger: LedgerAccount, first: Rec, again: Rec, message: str) -> None:
    new = Rec(9, "nine")
    with refused(message):
        ledger.record(new, first, again)  # both in one action
    assert ledger.ids() == []
    ledger.record(first)
    with refused(message):
        ledger.record(new, again)  # and across transactions
    assert ledger.ids() == [first.id]
    assert ledger.state() == {"floor": 0, "count": 1, "last": first.id}


def test_the_id_of_an_older_row_is_a_duplicate(ledger: LedgerAccount) -> None:
    ledger.record(*make_records(1, 3))
    with refused("evledger: duplicate id"):
        ledger.record(Rec(2, "another"))


def test_id_zero_is_refused(ledger: LedgerAccount) -> None:
    with refused("evledger: id at or below floor"):
        ledger.record(Rec(0, "zero"))


def test_an_empty_list_is_refused(ledger: LedgerAccount) -> None:
    with refused("evledger: no records"):
        ledger.record()


def test_data_cut_at_any_byte_is_refused(ledger: LedgerAccount) -> None:
    records = make_records(1, 2)
    data = pack_data(records, [1], [(2, digest_of("mark"))])
    whole = {len(pack_records(records)), len(pack_data(records, [1])) - 1}  # without an extension they are good too
    for size in set(range(len(data))) - whole:
        with refused("evledger: truncated data"):
            ledger.record_packed(data[:size])
    assert ledger.ids() == []
    ledger.record_packed(data)  # whole, the same data is good
    assert ledger.ids() == [1, 2]


@pytest.mark.parametrize("trailing", [b"\x00\x00\x00", bytes(41)])
def test_trailing_bytes_are_refused(ledger: LedgerAccount, trailing: bytes) -> None:
    with refused("evledger: trailing bytes"):
        ledger.record_packed(pack_records([Rec(1, "one")]) + trailing)
    assert ledger.ids() == []


@pytest.mark.parametrize(
    ("length", "message"),
    [
        (bytes.fromhex("ffffffff0f"), "evledger: truncated data"),  # 2^32 - 1, behind the end
        (bytes.fromhex("ffffffff1f"), "evledger: bad varuint"),  # more than 32 bits
        (bytes.fromhex("808080808000"), "evledger: bad varuint"),  # more than five bytes
        (bytes.fromhex("8100"), "evledger: bad varuint"),  # one, but longer than it need be
    ],
)
def test_a_wrong_length_is_refused(ledger: LedgerAccount, length: bytes, message: str) -> None:
    record = Rec(1, "one", b"x").pack()
    with refused(message):
        ledger.record_packed(length + record)  # the number of records
    with refused(message):
        ledger.record_packed(varuint(1) + record[:40] + length + b"x")  # the size of `sealed`
    assert ledger.ids() == []


def test_200_records_of_400_bytes_fit_in_one_action(ledger: LedgerAccount) -> None:
    records = [Rec(number, f"session {number}", bytes(400)) for number in range(1, 201)]
    receipt = ledger.record(*records)["receipt"]
    print(f"200 records: {receipt['cpu_usage_us']} us CPU, {receipt['net_usage_words'] * 8} bytes net")
    assert ledger.state() == {"floor": 0, "count": 200, "last": 200}
    assert receipt["net_usage_words"] * 8 < 512 * 1024  # the limit that Antelope's chains have by default
    assert receipt["cpu_usage_us"] < 100_000


def test_an_action_larger_than_the_modules_first_memory_is_read(ledger: LedgerAccount) -> None:
    sealed = bytes(range(256)) * 1200  # 300 kB: the module has to ask for more pages
    ledger.record(Rec(1, "one", sealed), Rec(2, "two"))
    assert ledger.ids() == [1, 2]
