"""Cases of the block: its header, its tree, its transactions, signatures, and what the action says."""

from collections.abc import Callable, Iterator
from typing import Any

from ledger.chain import antelope
from ledger.chain.antelope import Action, name_to_int, varuint_pack
from tests.vectors.chain import (
    ACCOUNT,
    CREDIT_ID,
    KEY,
    LEDGER_ID,
    MINE,
    OTHER_RECORD,
    STRANGER,
    STRANGERS,
    Json,
    World,
    action,
    deferred,
    entry,
    mark,
    other_signature,
    record_data,
    signature_of,
    transaction,
)
from tests.vectors.making import WORLD, both, case, edit, failed, one, undecided

TRANSACTIONS = undecided(5, 6, 7, 8, 9)
SAVANNA = 1 << 31


def cases() -> Iterator[Json]:
    yield from _headers()
    yield from _bad_headers()
    yield from _headers_and_trees()
    yield from _trees()
    yield from _bad_entries()
    yield from _zipped()
    yield from _signatures()
    yield from _actions()
    yield from _context_free()
    yield from _packed()


def _of(packed: bytes, **more: Any) -> World:
    return WORLD.but(packed=packed, **more)


def _headers() -> Iterator[Json]:
    producers = [{"producer_name": "prodaa", "block_signing_key": KEY.public}]
    producers.append(
        {"producer_name": "prodabcdefghj", "block_signing_key": "EOS6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5GDW5CV"}
    )
    producers.append(
        {"producer_name": "prodab", "block_signing_key": "PUB_K1_6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5BoDq63"}
    )
    for name, why, header in (
        (
            "new-producers",
            "a new schedule in its old form, before WTMSIG",
            {"new_producers": {"version": 2, "producers": producers}},
        ),
        ("new-producers-none", "an empty one", {"new_producers": {"version": 2, "producers": []}}),
        (
            "extensions",
            "header extensions of any kind",
            {"header_extensions": [[0, "00"], [1, "0102" * 100], [65535, ""]]},
        ),
        ("producer-13", "a producer's name of 13 characters", {"producer": "prodabcdefghj"}),
        ("producer-empty", "a block without a producer's name, as the first", {"producer": ""}),
        ("confirmed", "blocks confirmed", {"confirmed": 65535}),
        ("schedule", "a schedule of the old consensus", {"schedule_version": 2**31 - 1}),
        ("slot-first", "the first half second", {"timestamp": "2000-01-01T00:00:00.000"}),
        ("slot-last", "the last of 32 bits", {"timestamp": "2068-01-19T03:14:07.500"}),
        ("leap-day", "the 29th of February", {"timestamp": "2028-02-29T23:59:59.500"}),
    ):
        yield case(f"header-{name}", why, world=WORLD.but(header=header))
    missing = both(WORLD, edit("block", _drop("new_producers")))
    yield case("header-new-producers-missing", "no member new_producers", nodes=missing)


def _drop(name: str) -> Any:
    return lambda content: content.pop(name)


def _set(**members: Any) -> Any:
    return lambda content: content.update(members)


def _bad_headers() -> Iterator[Json]:
    key = {"producer_name": "prodaa", "block_signing_key": KEY.public[:-1] + "1"}
    for name, change in (
        ("timestamp-missing", _drop("timestamp")),
        ("timestamp-number", _set(timestamp=1)),
        ("timestamp-zone", _set(timestamp="2026-03-01T08:00:00.500Z")),
        ("timestamp-short", _set(timestamp="2026-03-01T08:00:00")),
        ("timestamp-third", _set(timestamp="2026-03-01T08:00:00.300")),
        ("timestamp-no-day", _set(timestamp="2026-02-29T08:00:00.500")),
        ("timestamp-24-h", _set(timestamp="2026-02-28T24:00:00.000")),
        ("timestamp-basic", _set(timestamp="20260301T080000.500")),
        ("timestamp-1999", _set(timestamp="1999-12-31T23:59:59.500")),
        ("timestamp-2068", _set(timestamp="2068-01-19T03:14:08.000")),
        ("producer-upper-case", _set(producer="Eosio")),
        ("producer-dot", _set(producer="eosio.")),
        ("producer-13th", _set(producer="prodabcdefghz")),
        ("producer-number", _set(producer=1)),
        ("confirmed-float", _set(confirmed=0.0)),
        ("confirmed-text", _set(confirmed="0")),
        ("confirmed-17-bits", _set(confirmed=65536)),
        ("previous-upper-case", _set(previous=WORLD.block["previous"].upper())),
        ("action-mroot-blank", _set(action_mroot=WORLD.block["action_mroot"][:-1] + " ")),
        ("action-mroot-short", _set(action_mroot=WORLD.block["action_mroot"][:-2])),
        ("extensions-object", _set(header_extensions={})),
        ("extensions-missing", _drop("header_extensions")),
        ("extension-17-bits", _set(header_extensions=[[65536, "00"]])),
        ("extension-text", _set(header_extensions=[["0", "00"]])),
        ("extension-three", _set(header_extensions=[[0, "00", 1]])),
        ("extension-upper-case", _set(header_extensions=[[0, "0A"]])),
        ("new-producers-text", _set(new_producers="x")),
        ("new-producers-list", _set(new_producers=[])),
        ("new-producers-no-version", _set(new_producers={"producers": []})),
        ("new-producers-checksum", _set(new_producers={"version": 1, "producers": [key]})),
    ):
        why = "no header that can be read"
        yield case(f"header-{name}", why, nodes=both(WORLD, edit("block", change)), steps=undecided(4))


def _headers_and_trees() -> Iterator[Json]:
    why = "schedule and root are needed for the tree as well"
    for name, change in (
        ("schedule-text", _set(schedule_version="1")),
        ("schedule-missing", _drop("schedule_version")),
        ("root-upper-case", _set(transaction_mroot=WORLD.block["transaction_mroot"].upper())),
        ("root-missing", _drop("transaction_mroot")),
    ):
        yield case(f"header-{name}", why, nodes=both(WORLD, edit("block", change)), steps=undecided(4, 5))
    other = both(WORLD, edit("block", _set(transaction_mroot="0" * 64)))
    yield case("header-root-other", "another root: neither id nor tree fit", nodes=other, steps=failed(4, 5))
    wrapped = both(WORLD, edit("block", _set(previous="f" * 64)))
    yield case("header-previous-ff", "the number wraps round: another block", nodes=wrapped, steps=failed(4))
    behind = one(WORLD, edit("block", _set(confirmed=1)))
    yield case("header-one-other", "one node has another header", nodes=behind, steps=undecided(4))


def _trees() -> Iterator[Json]:
    others = [entry(transaction(action(bytes([n]), account="alice", name="greet"))) for n in range(8)]
    mine = entry(WORLD.packed)
    for count in (0, 1, 2, 3, 4, 6, 8):
        for name, version in (("", 1), ("savanna-", SAVANNA)):
            entries = [*others[:count], mine]
            world = WORLD.but(entries=entries, header={"schedule_version": version})
            yield case(f"tree-{name}{count + 1}", f"{count + 1} transactions, ours the last", world=world)
    yield case(
        "tree-deferred",
        "a deferred transaction in the block",
        world=WORLD.but(entries=[deferred(), mine, deferred(2)]),
    )
    world = WORLD.but(
        entries=[mine, *(entry(STRANGERS, status=word) for word in ("soft_fail", "hard_fail", "delayed", "expired"))]
    )
    yield case("tree-statuses", "others' transactions that failed", world=world)
    wrong = WORLD.but(entries=[*others[:2], mine])
    nodes = both(wrong, edit("block", _set(schedule_version=SAVANNA)))
    yield case("tree-other-kind", "the tree is of the other consensus", world=wrong, nodes=nodes, steps=failed(4, 5))
    left = both(WORLD, edit("block", lambda content: content["transactions"].pop(0)))
    yield case("tree-left-out", "a transaction is left out", nodes=left, steps=failed(5))
    gone = both(WORLD, edit("block", lambda content: content["transactions"].pop(1)))
    yield case("tree-ours-left-out", "ours is", nodes=gone, steps={**failed(5, 7), **undecided(6, 8, 9)})
    for status in ("soft_fail", "hard_fail", "delayed", "expired"):
        fail = WORLD.but(entries=[entry(STRANGERS), entry(WORLD.packed, status=status)])
        yield case(
            f"status-{status.replace('_', '-')}", "our transaction was not executed", world=fail, steps=failed(6)
        )


def _entry(number: int, **members: Any) -> Any:
    return edit("block", lambda content: content["transactions"][number].update(members))


def _trx(number: int, **members: Any) -> Any:
    return edit("block", lambda content: content["transactions"][number]["trx"][1].update(members))


def _bad_entries() -> Iterator[Json]:
    packed = STRANGERS.hex()
    for name, change in (
        ("net-text", _entry(0, net_usage_words="57")),
        ("net-float", _entry(0, net_usage_words=57.0)),
        ("net-33-bits", _entry(0, net_usage_words=2**32)),
        ("cpu-text", _entry(1, cpu_usage_us="628")),
        ("cpu-minus", _entry(1, cpu_usage_us=-1)),
        ("cpu-true", _entry(0, cpu_usage_us=True)),
        ("status-unknown", _entry(0, status="done")),
        ("status-upper-case", _entry(1, status="Executed")),
        ("status-number", _entry(1, status=0)),
        ("trx-text", _entry(0, trx="0" * 64)),
        ("trx-2", _entry(0, trx=[2, "0" * 64])),
        ("trx-true", _entry(0, trx=[False, "0" * 64])),
        ("trx-float", _entry(0, trx=[0.0, "0" * 64])),
        ("trx-three", _entry(0, trx=[0, "0" * 64, 1])),
        ("trx-id-upper-case", _entry(0, trx=[0, "A" * 64])),
        ("trx-id-short", _entry(0, trx=[0, "0" * 62])),
        ("trx-list", _entry(0, trx=[1, []])),
        ("compression-unknown", _trx(0, compression="gzip")),
        ("compression-number", _trx(0, compression=0)),
        ("packed-upper-case", _trx(0, packed_trx=packed.upper())),
        ("packed-blank", _trx(0, packed_trx=packed[:2] + " " + packed[2:])),
        ("packed-odd", _trx(0, packed_trx=packed[:-1])),
        ("packed-null", _trx(0, packed_trx=None)),
        ("free-blank", _trx(0, packed_context_free_data=" ")),
        ("free-null", _trx(0, packed_context_free_data=None)),
        ("signatures-object", _trx(0, signatures={})),
        ("signature-number", _trx(0, signatures=[1])),
        ("missing", edit("block", _drop("transactions"))),
        ("object", edit("block", _set(transactions={}))),
        ("number", edit("block", lambda content: content["transactions"].append(7))),
    ):
        yield case(f"entry-{name}", "transactions that cannot be read", nodes=both(WORLD, change), steps=TRANSACTIONS)
    free = both(WORLD, _trx(0, packed_context_free_data="00"))
    yield case("entry-free-data", "a leaf more, so another tree", nodes=free, steps=failed(5))
    for number, steps in ((0, undecided(5)), (1, undecided(5, 8))):
        for name, text in (
            ("checksum", signature_of(STRANGERS)[:-1] + "1"),
            ("prefix", "SIG_XX_1111"),
            ("cut", "SIG_R1_111111"),
        ):
            nodes = both(WORLD, _trx(number, signatures=[text]))
            yield case(f"signature-{name}-{number}", "a signature that cannot be read", nodes=nodes, steps=steps)


def _zipped() -> Iterator[Json]:
    ours = WORLD.but(entries=[entry(STRANGERS), entry(WORLD.packed, zipped=True)])
    yield case("zlib-ours", "our transaction is packed with zlib", world=ours)
    yield case(
        "zlib-other", "a stranger's is", world=WORLD.but(entries=[entry(STRANGERS, zipped=True), entry(WORLD.packed)])
    )
    for name, hex_text in (("none", "00"), ("empty", "")):
        entries = [entry(STRANGERS, zipped=True), entry(WORLD.packed)]
        entries[0]["trx"][1]["packed_trx"] = hex_text
        world = WORLD.but(entries=entries)
        yield case(f"zlib-{name}", "it does not inflate", world=world, steps=undecided(6, 7, 8, 9))
    damages: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
        ("behind", lambda data: data + b"\0"),
        ("cut", lambda data: data[:-1]),
        ("adler", lambda data: data[:-1] + bytes([data[-1] ^ 1])),
    )
    for name, change in damages:
        entries = [entry(STRANGERS, zipped=True), entry(WORLD.packed)]
        trx = entries[0]["trx"][1]
        trx["packed_trx"] = change(bytes.fromhex(trx["packed_trx"])).hex()
        world = WORLD.but(entries=entries)
        yield case(f"zlib-{name}", "not one stream to its end", world=world, steps=undecided(6, 7, 8, 9))


def _signatures() -> Iterator[Json]:
    good, packed = signature_of(WORLD.packed), WORLD.packed
    second = signature_of(packed, STRANGER)
    for name, why, signatures, steps in (
        (
            "beside",
            "others signed as well, with other curves",
            [other_signature("K1"), other_signature("WA"), second, good],
            {},
        ),
        ("first", "ours is the first", [good, other_signature("WA")], {}),
        ("k1", "a K1 signature alone", [other_signature("K1")], failed(8)),
        ("wa", "a WebAuthn signature alone", [other_signature("WA")], failed(8)),
        ("none", "none at all", [], failed(8)),
        ("other", "another key's", [second], failed(8)),
        ("of-another", "ours, of another transaction", [signature_of(STRANGERS)], failed(8)),
        ("of-another-chain", "ours, for another chain", [signature_of(packed, chain_id="0" * 64)], failed(8)),
        ("recovery", "the recovery byte is not looked at", [_recovery(good)], {}),
        ("zero", "r and s are 0", [_zero()], failed(8)),
    ):
        world = WORLD.but(entries=[entry(STRANGERS), entry(packed, signatures=signatures)])
        yield case(f"signatures-{name}", why, world=world, steps=steps)


def _recovery(text: str) -> str:
    _, data = antelope.signature_decode(text)
    return antelope.signature_encode(bytes([data[0] ^ 1]) + data[1:])


def _zero() -> str:
    return antelope.signature_encode(b"\x1f" + bytes(64))


def _actions() -> Iterator[Json]:
    marks = [(CREDIT_ID, bytes.fromhex(mark()))]
    full = record_data([OTHER_RECORD, MINE], [4000, 4001, 4002], marks)
    for name, why, actions in (
        ("old", "data of the first contract end after the records", [action(record_data([OTHER_RECORD, MINE]))]),
        ("blocks", "only blocks are named", [action(record_data([MINE], [4000, 4001]))]),
        ("full", "blocks and marks", [action(full)]),
        ("two", "two record actions", [action(record_data([OTHER_RECORD])), action(full)]),
        ("beside", "beside others' actions", [action(b"x", account="alice"), action(full), action(b"y", name="prune")]),
    ):
        yield case(f"action-{name}", why, world=_of(transaction(*actions)))
    extended = _of(transaction(extensions=[(1, b"abc"), (2, b"")]))
    yield case("action-extended", "a transaction with extensions", world=extended)
    for name, why, actions in (
        ("other-id", "another id", [action(record_data([OTHER_RECORD]))]),
        ("other-digest", "another digest", [action(record_data([(LEDGER_ID, bytes(32))]))]),
        ("twice", "the id twice", [action(record_data([MINE, MINE]))]),
        (
            "twice-other",
            "the id twice, with another digest",
            [action(record_data([MINE])), action(record_data([(LEDGER_ID, bytes(32))]))],
        ),
        ("other-account", "another account's", [action(full, account="evledger2")]),
        ("other-name", "another action", [action(full, name="recorded")]),
        ("marks-only", "the id is in a mark only", [action(record_data([OTHER_RECORD], [], [MINE]))]),
    ):
        yield case(f"action-{name}", why, world=_of(transaction(*actions)), steps=failed(9))
    for name, data in (
        ("behind", full + b"\0"),
        ("cut", full[:-1]),
        ("cut-records", record_data([MINE])[:-1]),
        ("empty", b""),
        ("blocks-cut", record_data([MINE], [4000])[:-1]),
        ("not-minimal", b"\x81\x00" + record_data([MINE])[1:]),
    ):
        world = _of(transaction(action(data)))
        yield case(f"action-data-{name}", "data that are not those of record", world=world, steps=undecided(9))


def _context_free() -> Iterator[Json]:
    null = Action("eosio.null", "nonce", (), b"x")
    beside = _of(transaction(action(record_data([MINE])), free=[null]))
    yield case("context-free", "P2: a transaction with a context-free action is refused", world=beside, steps=failed(9))
    world = _of(_hidden(), row=False, floor=1900)
    why = "P2: a context-free action shifts what a careless reader reads, another's data hide a record of a pruned id"
    yield case("context-free-hidden", why, world=world, steps=failed(9))


def _hidden() -> bytes:
    """Who reads both counts first reads two actions: nonsense of 20 + 16 bytes, and a `record` that nobody executed."""
    record = record_data([MINE])
    inner = name_to_int(ACCOUNT).to_bytes(8, "little") + name_to_int("record").to_bytes(8, "little") + b"\0"
    inner += varuint_pack(len(record)) + record
    assert len(inner) < 16384
    free = Action("evilevilevik1", "x", (), b"\0")  # its packed name begins with 0x01: the second of two actions
    filler = inner + bytes(max(0, 128 - len(inner)))  # a length of two bytes
    name = "a.e"
    assert name_to_int(name).to_bytes(8, "little")[6] == 20, name_to_int(name).to_bytes(8, "little").hex()
    assert name_to_int(free.account).to_bytes(8, "little")[0] == 1
    return transaction(action(filler, account="hider", name=name), free=[free])


def _packed() -> Iterator[Json]:
    good = transaction(action(record_data([MINE])))
    for name, packed in (
        ("behind", good + b"\0"),
        ("cut", good[:-1]),
        ("not-minimal", good[:10] + b"\x80\x00" + good[11:]),
        ("empty", b""),
    ):
        entries = [entry(STRANGERS), entry(packed)]
        world = _of(packed, entries=entries)
        yield case(f"packed-{name}", "a transaction that cannot be read to its end", world=world, steps=undecided(9))
