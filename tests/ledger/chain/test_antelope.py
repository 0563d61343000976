"""The encodings of the chain against two foreign implementations (`eospy`, `antelopy`) and the real node."""

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime

import antelopy.serializers.names
import base58
import eospy.types
import eospy.utils
import pytest
from antelopy.types.abi import Abi
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dev.chain import setup
from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import bootstrap, push_actions
from dev.chain.transactions import call
from ledger.chain import antelope, block, p256
from ledger.chain.antelope import Action, AntelopeError, Authorization, Reader, Transaction
from tpm import base58 as ours

FEWER = settings(max_examples=50)
LETTERS = ".12345abcdefghijklmnopqrstuvwxyz"
names = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: not name.endswith("."))
digests = st.binary(min_size=32, max_size=32)
ids = st.integers(0, 2**64 - 1)
records = st.lists(st.tuples(ids, digests, st.binary(max_size=300)), max_size=5)
authorizations = st.lists(st.builds(Authorization, names, names), max_size=3).map(tuple)
actions = st.builds(Action, names, names, authorizations, st.binary(max_size=300))
seconds = st.integers(0, 2**32 - 1).map(lambda second: datetime.fromtimestamp(second, UTC))
transactions = st.builds(
    Transaction,
    expiration=seconds,
    ref_block_num=st.integers(0, 2**16 - 1),
    ref_block_prefix=st.integers(0, 2**32 - 1),
    actions=st.lists(actions, max_size=3).map(tuple),
    max_net_usage_words=st.integers(0, 2**32 - 1),
    max_cpu_usage_ms=st.integers(0, 255),
    delay_sec=st.integers(0, 2**32 - 1),
    context_free_actions=st.lists(actions, max_size=2).map(tuple),
    extensions=st.lists(st.tuples(st.integers(0, 2**16 - 1), st.binary(max_size=20)), max_size=2).map(tuple),
)

# --- names and numbers


@FEWER
@given(names)
def test_names_as_eospy_and_antelopy(name: str) -> None:
    number = antelope.name_to_int(name)
    assert number == eospy.utils.string_to_name(name)
    assert antelope.name_pack(name) == bytes(antelopy.serializers.names.serialize_name(name))
    assert antelope.int_to_name(number) == name == eospy.utils.name_to_string(number)


@FEWER
@given(st.text(LETTERS, min_size=12, max_size=12), st.sampled_from("12345abcdefghij"))
def test_names_of_13_characters_as_antelopy(start: str, last: str) -> None:
    """eospy packs these wrongly (it takes the 12th character twice)."""
    packed = antelope.name_pack(start + last)
    assert antelopy.serializers.names.deserialize_name(packed)[:12] == start
    assert antelope.int_to_name(antelope.name_to_int(start + last)) == start + last


@FEWER
@given(st.integers(0, 2**64 - 1))
def test_every_number_has_its_name(number: int) -> None:
    assert antelope.name_to_int(antelope.int_to_name(number)) == number


@pytest.mark.parametrize("name", ["A", "6", "abc.", ".", "a b", "abcdefghijklmn", "abcdefghijklk", "ä", "a\n", "0"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(AntelopeError, match="expected a name"):
        antelope.name_to_int(name)


@FEWER
@given(st.integers(0, 2**32 - 1))
def test_varuints_as_eospy(number: int) -> None:
    packed = antelope.varuint_pack(number)
    assert packed == bytes(eospy.types.VarUInt(number).encode())
    reader = Reader(packed)
    assert reader.varuint() == number
    reader.end()


@pytest.mark.parametrize("packed", [b"", b"\x80", b"\x80\x00", b"\xff\xff\xff\xff\x1f", b"\x80\x80\x80\x80\x80\x01"])
def test_varuints_that_are_not_minimal_or_too_large_are_refused(packed: bytes) -> None:
    with pytest.raises(AntelopeError):
        Reader(packed).varuint()


@pytest.mark.parametrize("number", [-1, 2**32])
def test_numbers_that_fit_no_varuint_are_refused(number: int) -> None:
    with pytest.raises(AntelopeError, match="expected 0 to"):
        antelope.varuint_pack(number)


# --- records


ABI = {
    "version": "eosio::abi/1.1",
    "structs": [
        {
            "name": "rec",
            "base": "",
            "fields": [
                {"name": "id", "type": "uint64"},
                {"name": "digest", "type": "checksum256"},
                {"name": "sealed", "type": "bytes"},
            ],
        },
        {
            "name": "mark",
            "base": "",
            "fields": [{"name": "id", "type": "uint64"}, {"name": "mark", "type": "checksum256"}],
        },
        {
            "name": "record",
            "base": "",
            "fields": [
                {"name": "records", "type": "rec[]"},
                {"name": "blocks", "type": "uint32[]"},
                {"name": "marks", "type": "mark[]"},
            ],
        },
    ],
    "actions": [{"name": "record", "type": "record", "ricardian_contract": ""}],
}


blocks = st.lists(st.integers(0, 2**32 - 1), max_size=3)
marks = st.lists(st.tuples(st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32)), max_size=3)


@FEWER
@given(records, blocks, marks)
def test_record_data_as_antelopy(entries: list[antelope.Record], named: list[int], marked: list[antelope.Mark]) -> None:
    packed = antelope.pack_record_data(entries, named, marked)
    abi = Abi("evledger", **ABI)
    action = abi.get_action("record")
    assert action is not None
    values = [{"id": number, "digest": digest.hex(), "sealed": sealed} for number, digest, sealed in entries]
    mark_values = [{"id": number, "mark": mark.hex()} for number, mark in marked]
    expected = abi.serialize(action, {"records": values, "blocks": named, "marks": mark_values})
    assert packed == bytes(expected)
    assert antelope.unpack_record_data(packed) == antelope.RecordData(entries, named, marked)
    assert antelope.unpack_records(packed) == entries


@FEWER
@given(records)
def test_the_first_contracts_data_are_read_without_blocks_and_marks(entries: list[antelope.Record]) -> None:
    packed = antelope.pack_records(entries)
    assert antelope.unpack_record_data(packed) == antelope.RecordData(entries, [], [])


@FEWER
@given(records, blocks, marks, st.data())
def test_truncated_or_longer_record_data_are_refused(
    entries: list[antelope.Record], named: list[int], marked: list[antelope.Mark], data: st.DataObject
) -> None:
    packed = antelope.pack_record_data(entries, named, marked)
    whole = {len(antelope.pack_records(entries)), len(antelope.pack_record_data(entries, named)) - 1}
    cut = data.draw(st.integers(0, len(packed) - 1).filter(lambda size: size not in whole))
    with pytest.raises(AntelopeError, match="truncated"):
        antelope.unpack_record_data(packed[:cut])
    with pytest.raises(AntelopeError, match="more"):
        antelope.unpack_record_data(packed + data.draw(st.binary(min_size=1, max_size=3)))


@pytest.mark.parametrize(
    ("named", "marked"), [([-1], []), ([2**32], []), ([], [(1, bytes(31))]), ([], [(-1, bytes(32))])]
)
def test_blocks_and_marks_that_cannot_be_packed_are_refused(named: list[int], marked: list[antelope.Mark]) -> None:
    with pytest.raises(AntelopeError, match="expected"):
        antelope.pack_record_data([], named, marked)


@pytest.mark.parametrize("entry", [(-1, bytes(32), b""), (2**64, bytes(32), b""), (1, bytes(31), b"")])
def test_records_that_cannot_be_packed_are_refused(entry: antelope.Record) -> None:
    with pytest.raises(AntelopeError, match="expected"):
        antelope.pack_records([entry])


# --- transactions


@FEWER
@given(transactions)
def test_a_transaction_is_read_as_it_was_packed(transaction: Transaction) -> None:
    assert Transaction.unpack(transaction.pack()) == transaction


@FEWER
@given(transactions)
def test_transactions_as_eospy(transaction: Transaction) -> None:
    """eospy writes neither context-free actions nor extensions, and numbers of up to 32 bits signed."""
    assume(transaction.actions and transaction.ref_block_prefix)
    plain = Transaction(
        transaction.expiration.replace(year=2026),
        transaction.ref_block_num,
        transaction.ref_block_prefix,
        transaction.actions,
    )
    fields = {
        "expiration": plain.expiration.strftime("%Y-%m-%dT%H:%M:%S"),
        "ref_block_num": plain.ref_block_num,
        "ref_block_prefix": plain.ref_block_prefix,
        "net_usage_words": 0,
        "max_cpu_usage_ms": 0,
        "delay_sec": 0,
        "context_free_actions": [],
        "transaction_extensions": [],
        "actions": [
            {
                "account": action.account,
                "name": action.name,
                "authorization": [
                    {"actor": level.actor, "permission": level.permission} for level in action.authorization
                ],
                "data": action.data.hex(),
            }
            for action in plain.actions
        ],
    }
    packed = bytes(eospy.types.Transaction(fields, {}, {}).encode())
    assert plain.pack() == packed
    digest = antelope.signing_digest(bytes(range(32)), packed)
    assert digest.hex() == eospy.utils.sig_digest(packed, bytes(range(32)).hex())
    assert antelope.transaction_id(packed).hex() == eospy.utils.sha256(packed)


@FEWER
@given(transactions, st.data())
def test_truncated_or_longer_transactions_are_refused(transaction: Transaction, data: st.DataObject) -> None:
    packed = transaction.pack()
    with pytest.raises(AntelopeError, match="truncated"):
        Transaction.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))])
    with pytest.raises(AntelopeError, match="more"):
        Transaction.unpack(packed + b"\0")


@FEWER
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(AntelopeError):
        assert Transaction.unpack(data).pack() == data


# --- keys and signatures


@FEWER
@given(st.binary(max_size=80))
def test_base58_as_the_base58_package(data: bytes) -> None:
    text = ours.encode(data)
    assert text.encode() == base58.b58encode(data)
    assert ours.decode(text) == data


@FEWER
@given(st.binary(min_size=33, max_size=33), st.binary(min_size=65, max_size=65), st.sampled_from(["R1", "K1"]))
def test_keys_and_signatures_as_text(point: bytes, signature: bytes, curve: str) -> None:
    assert antelope.public_key_decode(antelope.public_key_encode(point, curve)) == (curve, point)
    assert antelope.signature_decode(antelope.signature_encode(signature, curve)) == (curve, signature)


def test_any_changed_character_of_a_key_is_refused() -> None:
    key = new_keypair("R1").public
    for place in range(len(key)):
        changed = key[:place] + ("2" if key[place] != "2" else "3") + key[place + 1 :]
        with pytest.raises(AntelopeError):
            antelope.public_key_decode(changed)


@pytest.mark.parametrize(
    "text", ["", "PUB_R1_", "PUB_R1_0", "SIG_R1_1", "PUB_XX_11", "EOS", "EOS1", "PUB_R1_" + "z" * 9999]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(AntelopeError):
        antelope.public_key_decode(text)


@settings(max_examples=10)
@given(digest=digests)
def test_the_signer_is_recovered(digest: bytes) -> None:
    pair = new_keypair("R1")
    curve, signature = antelope.signature_decode(pair.sign(digest))
    assert curve == "R1"
    assert antelope.public_key_encode(p256.recover(digest, signature)) == pair.public
    other = bytes([digest[0] ^ 1]) + digest[1:]
    assert antelope.public_key_encode(p256.recover(other, signature)) != pair.public


@settings(max_examples=10)
@given(st.integers(1, p256.N - 1))
def test_points_as_the_cryptography_package(factor: int) -> None:
    numbers = ec.derive_private_key(factor, ec.SECP256R1()).public_key().public_numbers()
    assert p256.multiply(factor, p256.G) == (numbers.x, numbers.y)


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(65),
        b"\x1f" + bytes(64),
        b"\x1f" + b"\xff" * 64,
        b"\x23" + b"\1" * 64,
        b"\x1f" + bytes(31) + b"\1" + b"\1" * 32,
    ],
)
def test_signatures_of_nobody_are_refused(signature: bytes) -> None:
    with pytest.raises(p256.RecoveryError):
        p256.recover(bytes(32), signature)


# --- blocks


def test_every_block_of_a_real_chain_proves_itself(
    chain_node: Nodeos, producer_key: KeyPair, account_names: Iterator[str]
) -> None:
    """Ids from headers (also those that activate features), roots from transactions, ids of transactions."""
    account, key = next(account_names), new_keypair()
    bootstrap(
        chain_node.url,
        producer_key=producer_key,
        owner_key=key,
        active_key=key,
        record_public_key=new_keypair("R1").public,
        account=account,
    )
    for number in range(1, 8):
        record = antelope.pack_records([(number, hashlib.sha256(bytes([number])).digest(), b"")])
        push_actions(chain_node.url, [setup.Action(account, "record", record, f"{account}@active")], [key])
    extended = several = 0
    for num in range(1, chain_node.info()["head_block_num"]):
        raw = call(chain_node.url, "chain/get_raw_block", {"block_num_or_id": num})
        shown = call(chain_node.url, "chain/get_block", {"block_num_or_id": num})
        assert block.block_num(raw) == num
        assert block.block_id(raw).hex() == shown["id"]
        assert block.transaction_root(raw).hex() == shown["transaction_mroot"]
        found = block.transactions(raw)
        assert [entry.id.hex() for entry in found] == [entry["trx"]["id"] for entry in shown["transactions"]]
        assert all(Transaction.unpack(entry.packed).pack() == entry.packed for entry in found)
        extended += bool(raw["header_extensions"])
        several += len(found) > 1
    assert extended and several


def test_the_root_of_uneven_numbers() -> None:
    """The vectors are of eosio::chain's merkle: "Node1" to "Node3", digests marked left and right."""
    one, two, three = (hashlib.sha256(f"Node{i}".encode()).digest() for i in (1, 2, 3))

    def pair(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(bytes([left[0] & 0x7F]) + left[1:] + bytes([right[0] | 0x80]) + right[1:]).digest()

    assert block.merkle_root([]) == block.merkle_root_savanna([]) == bytes(32)
    assert block.merkle_root([one]) == block.merkle_root_savanna([one]) == one
    assert block.merkle_root([one, two, three]) == pair(pair(one, two), pair(three, three))


def test_savanna_s_root_splits_at_powers_of_two() -> None:
    leaves = [hashlib.sha256(bytes([number])).digest() for number in range(7)]

    def pair(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(left + right).digest()

    four = pair(pair(*leaves[:2]), pair(*leaves[2:4]))
    assert block.merkle_root_savanna(leaves[:3]) == pair(pair(*leaves[:2]), leaves[2])
    assert block.merkle_root_savanna(leaves[:4]) == four
    assert block.merkle_root_savanna(leaves) == pair(four, pair(pair(*leaves[4:6]), leaves[6]))
