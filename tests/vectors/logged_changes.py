"""Cases of `evportal-receipt/3`: each changed part fails in the step that names it."""

import base64
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from ledger.chain import antelope
from ledger.chain.antelope import sha256
from tests.vectors.chain import (
    KEY,
    LEDGER_ID,
    STRANGERS,
    Json,
    action,
    deferred,
    entry,
    other_signature,
    transaction,
)
from tests.vectors.log_world import (
    AUDITOR,
    CLUB,
    FLEET,
    LOG_KEY,
    OTHER_LOG_KEY,
    SAVANNA,
    SIGNED_AT,
    LogKey,
    LogWorld,
    b64,
    producer_public,
    producer_sign,
)
from tests.vectors.logged_making import (
    LOGGED,
    Change,
    changed_receipt,
    offline_case,
    online_case,
)
from tests.vectors.making import WORLD, both, failed, put


def cases() -> Iterator[Json]:
    yield from _of_log()
    yield from _of_notes()
    yield from _of_lines()
    yield from _of_chain()


def _set(member: str, value: Any, content: Json) -> None:
    content[member] = value


def _log(**members: Any) -> Change:
    return lambda content: content["log"].update(members)


def _chain(**members: Any) -> Change:
    return lambda content: content["chain"].update(members)


def _bad(name: str, why: str, change: Change, *numbers: int, logged: LogWorld = LOGGED, **notices: Any) -> Json:
    return offline_case(
        f"bad-{name}", why, logged, receipt=changed_receipt(change, logged), steps=failed(*numbers), notices=notices
    )


def _flip(text: str, at: int = 0) -> str:
    """Another digit of hex there."""
    return text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]


def _of_log() -> Iterator[Json]:
    log = LOGGED.log()
    proof = log["proof"]
    yield _bad("index", "another leaf", _log(index=2), 13)
    yield _bad("index-beyond", "beyond the size", _log(index=5), 13)
    yield _bad("index-large", "far beyond it", _log(index=2**53 - 1), 13)
    for name, changed in (
        ("changed", [_flip(proof[0]), *proof[1:]]),
        ("short", proof[:-1]),
        ("long", [*proof, proof[0]]),
        ("empty", []),
        ("order", proof[::-1]),
        ("upper-case", [proof[0].upper(), *proof[1:]]),
        ("31-bytes", [proof[0][:-2], *proof[1:]]),
    ):
        yield _bad(f"proof-{name}", "no proof of this leaf", _log(proof=changed), 13)
    yield _bad("ledger-id", "another ledger id", lambda content: content.update(ledger_id=str(LEDGER_ID + 1)), 9, 13)
    digest = sha256(b"another").hex()
    yield _bad("digest", "another digest", lambda content: content.update(digest=digest), 1, 9, 13)
    for name, key in (
        ("id", LOG_KEY.vkey.replace(LOG_KEY.key_id.hex(), "00000000")),
        ("name", LogKey(name="log.operator.example/evporta1").vkey),
        ("other", OTHER_LOG_KEY.vkey),
        ("type", LOG_KEY.vkey.replace("+A", "+B")),
        ("text", "no key"),
        ("witness", CLUB.vkey),
        ("compressed", _compressed()),
        ("off-curve", _off_curve()),
    ):
        yield _bad(f"key-{name}", "the log's key in the receipt is not its key", _log(key=key), 14)
    for name, key in (
        ("id", CLUB.vkey.replace(CLUB.key_id.hex(), "00000000")),
        ("other", FLEET.vkey),
        ("text", ""),
        ("log", LOG_KEY.vkey),
        ("short", _short_key()),
    ):
        change = _witness(key=key)
        said = {**LOGGED.notice(), "witnesses": [AUDITOR.name]}
        yield _bad(f"witness-key-{name}", "a witness' key is not its key", change, 15, log=said)
    yield _bad("witness-name", "a witness is named otherwise", _witness(name="club"), 15)
    yield _bad("witness-left-out", "a line of nobody", lambda content: content["log"]["witnesses"].pop(), 15,
               log={**LOGGED.notice(), "witnesses": [CLUB.name]})  # fmt: skip
    twice = LOGGED.but(witnesses=(CLUB, CLUB))
    yield offline_case("bad-witness-twice", "a witness twice", twice, steps=failed(15))


def _witness(**members: Any) -> Change:
    return lambda content: content["log"]["witnesses"][0].update(members)


def _compressed() -> str:
    """The same point in its short form: another text of the same key."""
    point = LOG_KEY.spki[27:59]
    head = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
    der = head + bytes([2 + LOG_KEY.spki[-1] % 2]) + point
    return f"{LOG_KEY.name}+{sha256(der)[:4].hex()}+{b64(bytes([2]) + der)}"


def _short_key() -> str:
    data = b"\4x"
    return f"{CLUB.name}+{sha256(CLUB.name.encode() + bytes([10]) + data)[:4].hex()}+{b64(data)}"


def _off_curve() -> str:
    der = LOG_KEY.spki[:-1] + bytes([LOG_KEY.spki[-1] ^ 1])
    return f"{LOG_KEY.name}+{sha256(der)[:4].hex()}+{b64(bytes([2]) + der)}"


def _note(change: Callable[[str], str]) -> Change:
    def apply(content: Json) -> None:
        before = content["log"]["checkpoint"]
        content["log"]["checkpoint"] = after = change(before)
        assert before != after

    return apply


def _of_notes() -> Iterator[Json]:
    """What is signed, changed: the signatures are of another text; and notes that are none."""
    nobody = {**LOGGED.notice(), "witnesses": [], "time": None}
    other_root = b64(sha256(b"another root"))
    root = LOGGED.text.split("\n")[2]
    yield _bad("note-root", "another root", _note(lambda note: note.replace(root, other_root)), 13, 14, 15, log=nobody)
    bigger = {**nobody, "size": 6}
    # the tree has another shape beyond our leaf only: the proof leads to this root at size 6, too
    yield _bad("note-size", "another size", _note(lambda note: note.replace("\n5\n", "\n6\n")), 14, 15, log=bigger)
    origin = {**nobody, "origin": "log.operator.example/evporta1"}
    renamed = _note(lambda note: note.replace(LOG_KEY.name, "log.operator.example/evporta1", 1))
    yield _bad("note-origin", "another origin", renamed, 14, 15, log=origin)
    for name, change in (
        ("empty", lambda note: ""),
        ("size-0", lambda note: note.replace("\n5\n", "\n0\n")),
        ("size-zero-first", lambda note: note.replace("\n5\n", "\n05\n")),
        ("size-54-bits", lambda note: note.replace("\n5\n", f"\n{2**53}\n")),
        ("size-plus", lambda note: note.replace("\n5\n", "\n+5\n")),
        ("extension", lambda note: note.replace("\n\n", "\nextension\n\n", 1)),
        ("no-gap", lambda note: note.replace("\n\n", "\n", 1)),
        ("two-gaps", lambda note: note.replace("\n\n", "\n\n\n", 1)),
        ("no-lines", lambda note: note.partition("\n\n")[0] + "\n\n"),
        ("no-end", lambda note: note[:-1]),
        ("blank-behind", lambda note: note + "\n"),
        ("cr", lambda note: note.replace("\n", "\r\n")),
        ("dash", lambda note: note.replace("—", "-", 1)),
        ("two-blanks", lambda note: note.replace("— ", "—  ", 1)),
        ("tab", lambda note: note.replace("— ", "—\t", 1)),
        ("root-short", lambda note: note.replace(root, b64(bytes(31)))),
        ("root-bits", lambda note: note.replace(root, root[:-2] + _bits(root[-2]) + "=")),
        ("line-bits", lambda note: note.replace("==\n", "=\n", 1) if "==\n" in note else note[:-2] + "\n"),
        ("line-short", lambda note: note + f"— {FLEET.name} {b64(b'1234')}\n"),
        ("name-plus", lambda note: note.replace("auditor.example", "auditor+example")),
        ("name-blank", lambda note: note.replace("auditor.example", "auditor example")),
        ("name-umlaut", lambda note: note.replace("auditor.example", "prüfer.example")),
        ("origin-no-break", lambda note: note.replace("operator", "oper\u00a0ator")),
    ):
        yield _bad(f"note-{name}", "no checkpoint that can be read", _note(change), 13, 14, 15, log=None)


def _of_lines() -> Iterator[Json]:
    text = LOGGED.text
    lines = LOGGED.log()["checkpoint"].splitlines(keepends=True)[4:]
    for name, first in (
        ("signature", LOG_KEY.line(text + "x")),
        ("key-id", lines[0].replace(lines[0].split()[2][:4], "AAAA", 1)),
        ("name", lines[0].replace("— log", "— lag")),
        ("der", _log_line(lambda der: der + b"\0")),
        ("der-long", _log_line(_long_form)),
        ("der-negative", _log_line(lambda der: bytes.fromhex("3006020180020101"))),
        ("raw", _log_line(lambda der: bytes(64))),
    ):
        note = f"{text}\n{first}{''.join(lines[1:])}"
        yield _bad(f"line-{name}", "the log's line is not its signature", _log(checkpoint=note), 14)
    second = {**LOGGED.notice(), "witnesses": [AUDITOR.name]}
    for name, line in (
        ("signature", CLUB.line(text + "x")),
        ("time", _later(lines[1])),
        ("key-id", lines[1].replace(lines[1].split()[2][:4], "AAAA", 1)),
        ("time-54-bits", CLUB.line(text, 2**53)),
        ("short", f"— {CLUB.name} {b64(CLUB.key_id + bytes(71))}\n"),
        ("long", f"— {CLUB.name} {b64(CLUB.key_id + bytes(73))}\n"),
    ):
        note = f"{text}\n{lines[0]}{line}{lines[2]}"
        yield _bad(f"cosignature-{name}", "a witness' line is not its signature", _log(checkpoint=note), 15, log=second)
    moved = f"{text}\n{''.join([*lines[1:], lines[0]])}"
    yield _bad("line-order", "the log's line is not the first", _log(checkpoint=moved), 14, 15)
    more = LOGGED.log()["checkpoint"] + FLEET.line(text)
    yield _bad("line-stranger", "a line of a witness that is not named", _log(checkpoint=more), 15)


def _bits(last: str) -> str:
    """The same bytes of base64, but for bits that mean nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return alphabet[alphabet.index(last) ^ 1]


def _log_line(change: Callable[[bytes], bytes]) -> str:
    data = base64.b64decode(LOG_KEY.line(LOGGED.text).split()[2])
    return f"— {LOG_KEY.name} {b64(data[:4] + change(data[4:]))}\n"


def _long_form(der: bytes) -> bytes:
    """BER: a length of two bytes where one is enough."""
    return der[:1] + b"\x81" + der[1:]


def _later(line: str) -> str:
    data = base64.b64decode(line.split()[2])
    return f"— {CLUB.name} {b64(data[:4] + (SIGNED_AT + 1).to_bytes(8) + data[12:])}\n"


def _of_chain() -> Iterator[Json]:
    chain = LOGGED.chain()
    other = b64(transaction(action(b"another")))
    yield _bad("packed", "another transaction", _chain(packed=other), 5, 7, 8, 9)
    yield _bad("packed-base64", "bits that mean nothing", _chain(packed="Zh=="), 5, 7, 8, 9)
    yield _bad(
        "packed-url", "base64 of another alphabet", _chain(packed=chain["packed"].replace("=", "") + "_-"), 5, 7, 8, 9
    )
    yield _bad("signatures-none", "no signature", _chain(signatures=[]), 5, 8)
    foreign = other_signature("K1")
    yield _bad("signatures-other", "another's signature", _chain(signatures=[foreign]), 5, 8)
    yield _bad("signatures-more", "one more", _chain(signatures=[*chain["signatures"], foreign]), 5)
    broken = [chain["signatures"][0][:-1] + ("2" if chain["signatures"][0][-1] == "1" else "1")]
    yield _bad("signatures-checksum", "a slip of the pen", _chain(signatures=broken), 5, 8)
    for status in ("soft_fail", "expired", "EXECUTED", ""):
        yield _bad(f"status-{status or 'empty'}", "not executed", _chain(status=status), 5, 6)
    yield _bad("cpu", "another use of the processor", _chain(cpu_usage_us=629), 5)
    yield _bad("net", "another use of the network", _chain(net_usage_words=58), 5)
    yield _bad("free", "context-free data", _chain(context_free_data="00"), 5)
    yield _bad("free-upper-case", "hex of another spelling", _chain(context_free_data="0A"), 5)
    stored = b64(zlib.compress(WORLD.packed))
    yield _bad("stored", "stored, though not compressed", _chain(stored=stored), 5, 7)
    yield _bad("compression", "compressed, though nothing is stored", _chain(compression="zlib"), 5, 7)
    yield _bad("compression-other", "of another kind", _chain(compression="brotli"), 5, 7)
    yield from _of_stored()
    yield from _of_paths(chain["path"])
    yield from _of_headers(chain["header"])
    yield from _of_producers(chain)
    yield from _of_ids(chain["header"])


def _of_stored() -> Iterator[Json]:
    zipped = LOGGED.but(world=WORLD.but(entries=[entry(STRANGERS), entry(WORLD.packed, zipped=True)]))
    foreign_stored = b64(zlib.compress(STRANGERS))
    yield _bad("stored-other", "another transaction is stored", _chain(stored=foreign_stored), 5, 7, logged=zipped)
    yield _bad(
        "stored-level",
        "the same, packed otherwise",
        _chain(stored=b64(zlib.compress(WORLD.packed, 0))),
        5,
        logged=zipped,
    )
    garbage = b64(b"no stream")
    yield _bad("stored-no-stream", "no zlib stream", _chain(stored=garbage), 5, 7, logged=zipped)


def _of_ids(header: str) -> Iterator[Json]:
    for name, change in (("id", _flip(LOGGED.receipt()["transaction_id"])), ("id-text", "none")):
        yield _bad(
            f"transaction-{name}",
            "another transaction id",
            partial(_set, "transaction_id", change),
            7,
        )
    other_id = _flip(LOGGED.receipt()["block_id"], 20)
    yield _bad("block-id", "another block id", lambda content: content.update(block_id=other_id), 4, producer_key=None)
    yield _bad("block-num", "another number", lambda content: content.update(block_num=4712), 4, producer_key=None)
    changed = changed_receipt(_chain(cpu_usage_us=629))
    yield online_case(
        "bad-online-chain", "a chain part that does not hold, whatever nodes say", receipt=changed, steps=failed(5)
    )
    changed = changed_receipt(_chain(header=_flip(header, 60)))
    yield online_case("bad-online-header", "another header than the nodes'", receipt=changed, steps=failed(4),
                  notices={"producer_key": None})  # fmt: skip
    lying = both(WORLD, put("block", "confirmed", 1))
    yield online_case("bad-online-nodes", "nodes that show another block", nodes=lying, steps=failed(4))
    unsigned = LOGGED.but(world=WORLD.but(entries=[entry(STRANGERS), entry(WORLD.packed, signatures=[])]))
    yield offline_case("bad-unsigned", "nobody signed the transaction", unsigned, steps=failed(8))
    elsewhere = WORLD.but(packed=transaction(action(b"hello", account="alice", name="greet")))
    yield offline_case("bad-action", "it records nothing", LOGGED.but(world=elsewhere), steps=failed(9))


def _of_paths(path: Sequence[str]) -> Iterator[Json]:
    first = path[0]
    savanna = LOGGED.but(world=WORLD.but(header={"schedule_version": SAVANNA}))
    for name, changed in (
        ("changed", [_flip(first, 9), *path[1:]]),
        ("side", [("R" if first[0] == "L" else "L") + first[1:], *path[1:]]),
        ("bit", [first[0] + f"{int(first[1], 16) ^ 8:x}" + first[2:], *path[1:]]),
        ("short", path[:-1]),
        ("long", [*path, first]),
        ("lower-case", [first.lower(), *path[1:]]),
        ("upper-case", [first.upper(), *path[1:]]),
        ("no-side", [first[1:], *path[1:]]),
    ):
        yield _bad(f"path-{name}", "no way to the root", _chain(path=list(changed)), 5)
    there = savanna.chain()["path"][0]
    for name, one in (("side", ("R" if there[0] == "L" else "L") + there[1:]), ("bit", _flip(there, 1))):
        yield _bad(f"path-savanna-{name}", "no way to the root", _chain(path=[one]), 5, logged=savanna)
    # an odd last one stands beside itself, on the right only
    odd = LOGGED.but(world=WORLD.but(entries=[entry(STRANGERS), deferred(), entry(WORLD.packed)]))
    own = odd.chain()["path"]
    left = f"L{int(own[0][1], 16) & 7:x}{own[0][2:]}"
    yield _bad("path-itself-left", "beside itself on the left", _chain(path=[left, *own[1:]]), 5, logged=odd)


def _of_headers(header: str) -> Iterator[Json]:
    for name, at, numbers in (
        ("time", 0, (4,)),
        ("producer", 8, (4,)),
        ("previous-number", 35, (4,)),
        ("previous", 60, (4,)),
        ("root", 92, (4, 5)),
        ("actions", 156, (4,)),
        ("extensions", len(header) - 1, (4,)),
    ):
        yield _bad(f"header-{name}", "another header", _chain(header=_flip(header, at)), *numbers, producer_key=None)
    version = header[:220] + "00000080" + header[228:]
    one = "a single sibling has the same order in both, but the legacy bits are gone"
    yield _bad("header-savanna", one, _chain(header=version), 4, 5, producer_key=None)
    for name, changed in (
        ("short", header[:230]),
        ("empty", ""),
        ("upper-case", header.upper()),
        ("odd", header[:-1]),
        ("long", header + "00" * 65_535),
    ):
        yield _bad(f"header-{name}", "no header", _chain(header=changed), 4, 5, producer_key=None)
    yield _bad("header-more", "a byte more", _chain(header=header + "00"), 4, producer_key=None)


def _of_producers(chain: Json) -> Iterator[Json]:
    none = {"producer_signature": None, "producer_key": None, "signed_with": None}
    with_ = chain["signed_with"]
    stranger = producer_sign(sha256(b"another block"))
    savanna = LOGGED.but(world=WORLD.but(header={"schedule_version": SAVANNA}))
    for name, changed in (
        ("signature", {"producer_signature": stranger}),
        ("signature-r1", {"producer_signature": KEY.sign(sha256(b"x"))}),
        ("signature-none", {"producer_signature": None}),
        ("signature-text", {"producer_signature": "SIG_K1_none"}),
        ("signature-zero", {"producer_signature": antelope.signature_encode(b"\x1f" + bytes(64), "K1")}),
        ("signature-header", {"producer_signature": _recovery(chain["producer_signature"], 4)}),
        ("signature-recovery", {"producer_signature": _recovery(chain["producer_signature"], 1)}),
        ("key", {"producer_key": producer_public(5)}),
        ("key-r1", {"producer_key": KEY.public}),
        ("key-none", {"producer_key": None}),
        ("key-text", {"producer_key": "EOS"}),
        ("with-none", {"signed_with": None}),
        ("with-merkle", {"signed_with": {**with_, "blockroot_merkle": _flip(with_["blockroot_merkle"])}}),
        ("with-schedule", {"signed_with": {**with_, "schedule_hash": _flip(with_["schedule_hash"])}}),
        ("with-upper-case", {"signed_with": {**with_, "schedule_hash": with_["schedule_hash"].upper()}}),
        ("with-alone", {**none, "signed_with": with_}),
    ):
        yield _bad(f"producer-{name}", "not what the producer signed", _chain(**changed), 4, producer_key=None)
    yield _bad("producer-savanna-with", "nothing else is signed under Savanna", _chain(signed_with=with_), 4,
               logged=savanna, producer_key=None)  # fmt: skip


def _recovery(text: str, more: int) -> str:
    data = antelope.signature_decode(text)[1]
    number = data[0] + more if more > 3 else 31 + ((data[0] - 31) ^ more)
    return antelope.signature_encode(bytes([number]) + data[1:], "K1")
