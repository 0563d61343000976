"""Cases of the receipt itself: its form, its pins, its certification, its credit."""

import json
from collections.abc import Iterator
from typing import Any

import rfc8785

from tests.ledger.receipts.receipt_chain import RECORD
from tests.vectors.chain import (
    CREDIT_ID,
    KEPT,
    KEY,
    MINE,
    OTHER_TPM,
    SALT,
    STRANGER,
    STRANGERS,
    TPM,
    URLS,
    Json,
    SameTpm,
    World,
    action,
    certification,
    digest_of,
    entry,
    mark,
    record_data,
    sha256_hex,
    signature_of,
    transaction,
)
from tests.vectors.making import (
    WORLD,
    both,
    case,
    edit,
    failed,
    no_receipt,
    one,
    put,
    says,
    swap,
    undecided,
)

TEXT = json.dumps(WORLD.receipt(), ensure_ascii=False)
TABLE_ERROR = {"code": 500, "message": "Internal Service Error", "error": {"code": 3060003, "name": "x", "what": "y"}}
MIB = 1024 * 1024


def cases() -> Iterator[Json]:
    yield from _good()
    yield from _texts()
    yield from _members()
    yield from _records()
    yield from _contradictions()
    yield from _pins()
    yield from _certifications()
    yield from _credits()
    yield from _no_marks()


def _good() -> Iterator[Json]:
    yield case("good", "a true receipt of format /1; the contract is given away")
    yield case("good-2", "the same of format /2, not credited", receipt=WORLD.receipt(credited_by=None))
    kept = WORLD.but(permissions=KEPT)
    names = {"replaceable_by": ["evledger@active", "evledger@owner"]}
    yield case("good-kept", "the operator still holds owner and active", world=kept, notices=names)
    spaced = json.dumps(dict(reversed(WORLD.receipt().items())), indent=2)
    yield case("good-spaced", "blanks and the order of members do not matter", receipt=f"\n\t\r {spaced} \n")
    yield case("good-1-mib", "a receipt of exactly 1 MiB, blanks at its end", blanks=MIB - len(TEXT.encode()))
    unpinned: Json = {"chain_id": None, "code_hash": None, "code_updated": None}
    yield case("good-unpinned", "only key and account are pinned", **unpinned)


def _texts() -> Iterator[Json]:
    yield no_receipt("file-utf-16", "P3: a file in UTF-16 is no receipt", TEXT.encode("utf-16"))
    yield no_receipt("file-utf-32", "P3: nor one in UTF-32", TEXT.encode("utf-32-le"))
    yield no_receipt("file-bom", "a byte order mark in front of UTF-8", b"\xef\xbb\xbf" + TEXT.encode())
    yield no_receipt(
        "file-latin-1", "bytes that are no UTF-8", TEXT.replace("Büro", "B\udcfcro").encode("utf-8", "surrogateescape")
    )
    yield no_receipt("file-more-than-1-mib", "one byte too many", TEXT, blanks=MIB - len(TEXT.encode()) + 1)
    yield no_receipt("file-empty", "nothing", "")
    yield no_receipt("file-null", "JSON, but no object", "null")
    yield no_receipt("file-list", "the receipt in a list", f"[{TEXT}]")
    yield no_receipt("file-cut", "the last brace is missing", TEXT[:-1])
    yield no_receipt("file-more-behind", "a second object behind it", TEXT + "{}")
    yield no_receipt("file-deep", "nested without end", '{"record":' * 5000)
    yield no_receipt("file-nul", "a NUL byte behind it", TEXT + "\0")
    yield no_receipt("file-nbsp", "a blank that JSON does not know", TEXT + "\xa0")
    for name, old, new in (
        ("twice", '"format": ', '"format": "evportal-receipt/1", "format": '),
        ("record-twice", '"energy_wh": 7780', '"energy_wh": 7780, "energy_wh": 7780'),
        ("escaped-twice", '"energy_wh": 7780', '"energy_wh": 7780, "\\u0065nergy_wh": 7780'),
        ("float", '"energy_wh": 7780', '"energy_wh": 7780.0'),
        ("exponent", '"energy_wh": 7780', '"energy_wh": 778e1'),
        ("leading-zero", '"energy_wh": 7780', '"energy_wh": 07780'),
        ("minus-zero", '"energy_wh": 7780', '"energy_wh": -0'),
        ("nan", '"energy_wh": 7780', '"energy_wh": NaN'),
        ("true", '"energy_wh": 7780', '"energy_wh": true'),
        ("record-null", '"energy_wh": 7780', '"energy_wh": 7780, "more": null'),
        ("half-surrogate", '"energy_wh": 7780', '"energy_wh": 7780, "more": "\\ud800"'),
        ("control", '"energy_wh": 7780', '"energy_wh": 7780, "more": "\t"'),
        ("2-53", '"energy_wh": 7780', '"energy_wh": 9007199254740992'),
        ("30-digits", '"energy_wh": 7780', f'"energy_wh": {"9" * 30}'),
        ("block-num-float", f'"block_num": {4711}', '"block_num": 4711.0'),
        ("block-num-text", f'"block_num": {4711}', '"block_num": "4711"'),
        ("block-num-true", f'"block_num": {4711}', '"block_num": true'),
        ("block-num-0", f'"block_num": {4711}', '"block_num": 0'),
        ("block-num-33-bits", f'"block_num": {4711}', '"block_num": 4294967296'),
    ):
        assert old in TEXT
        yield no_receipt(f"spelling-{name}", f"{old} as {new[:60]}", TEXT.replace(old, new, 1))


def _members() -> Iterator[Json]:
    good = WORLD.receipt()
    yield no_receipt("member-more", "a member that nothing would prove", {**good, "energy_wh": 1})
    yield no_receipt("member-proto", "a member with a name that means something elsewhere", {**good, "__proto__": {}})
    for name in ("record", "salt", "attestation", "account"):
        rest = {other: value for other, value in good.items() if other != name}
        yield no_receipt(f"member-{name}-missing", "each member has to be there", rest)
    yield no_receipt("format-3", "a format that does not exist", {**good, "format": "evportal-receipt/3"})
    yield no_receipt("format-1-credited", "/1 knows no credited_by", {**good, "credited_by": None})
    yield no_receipt("format-2-without", "/2 has credited_by", {**good, "format": "evportal-receipt/2"})
    for value in (CREDIT_ID, "01912", " 1912", "0", "", str(2**64), True, ["1912"]):
        label = json.dumps(value).strip('"[]').replace(" ", "blank-") or "empty"
        label += "-number" if value == CREDIT_ID else "-list" if isinstance(value, list) else ""
        why = "credited_by is null or a ledger id as decimal text"
        yield no_receipt(f"credited-by-{label}", why, WORLD.receipt(credited_by=value))
    yield no_receipt("signed-meter-values", "[] in these versions", {**good, "signed_meter_values": [1]})
    yield no_receipt("attestation-text", "null or a certification", {**good, "attestation": "x"})
    yield no_receipt("text-101", "texts of up to 100 characters", {**good, "account": "x" * 101})
    yield no_receipt("text-null", "texts are texts", {**good, "chain_id": None})


def _with(record: Json) -> World:
    digest = digest_of(record)
    return WORLD.but(record=record, packed=transaction(action(record_data([(WORLD.ledger_id, digest)]))))


def _nested(levels: int) -> Any:
    """A value of so many levels, the number counted."""
    return 1 if levels == 1 else [_nested(levels - 1)]


def _records() -> Iterator[Json]:
    wide: Json = {**{chr(code): chr(code) for code in (*range(0x20), 0x7F, 0x2028, 0xFB33, 0x1F50C, 0xE9)}}
    wide.update({"big": 2**53 - 1, "small": 1 - 2**53, "10": 1, "9": 2, "list": [[], {}, "\\u0041", '"']})
    yield case("record-wide", "every kind of text; names in the order of UTF-16", world=_with({**RECORD, **wide}))
    yield case("record-8-levels", "as deep as a record may be", world=_with({**RECORD, "deep": _nested(7)}))
    deeper = _with({**RECORD, "deep": _nested(8)})
    yield no_receipt("record-9-levels", "one deeper", deeper.receipt())
    yield no_receipt("record-list", "a record is an object", {**WORLD.receipt(), "record": [1]})


def _contradictions() -> Iterator[Json]:
    good = WORLD.receipt()
    changed = {**good, "record": {**RECORD, "energy_wh": 77800}}
    yield case("record-changed", "ten times the energy", receipt=changed, steps=failed(1))
    salt = good["salt"]
    yield case(
        "salt-changed",
        "another salt",
        receipt={**good, "salt": "0" * 64},
        steps={**failed(1), **undecided(10)},
        nodes=both(),
    )
    short = {**good, "salt": salt[:-2], "digest": sha256_hex(SALT[:-1] + rfc8785.dumps(Json(RECORD)))}
    why = "a salt of 31 bytes is none, though the digest fits; nothing can be asked of the marks"
    yield case("salt-31-bytes", why, receipt=short, steps={**failed(1, 9), **undecided(10)})
    upper = {**good, "salt": salt.upper()}
    yield case("salt-upper-case", "hex is lower-case", receipt=upper, steps={**failed(1), **undecided(10)})
    digest = {**good, "digest": good["digest"].upper()}
    yield case("digest-upper-case", "so is the digest", receipt=digest, steps={**failed(1, 9), **undecided(10)})
    yield case("chain-id-changed", "another chain", receipt={**good, "chain_id": "0" * 64}, steps=failed(2, 8))
    number = {**good, "block_num": 4712}
    why = "the block's number is not that of its id; nobody has block 4712"
    yield case("block-num-changed", why, receipt=number, steps={**failed(4), **undecided(5, 6, 7, 8, 9)})
    other = good["block_id"][:-1] + ("0" if good["block_id"][-1] != "0" else "1")
    yield case("block-id-changed", "another block", receipt={**good, "block_id": other}, steps=failed(4))
    away = {**good, "transaction_id": "0" * 64}
    yield case("transaction-id-changed", "not in the block", receipt=away, steps={**failed(7), **undecided(6, 8, 9)})
    for name, text in (
        ("blank", " 1869"),
        ("zero", "01869"),
        ("plus", "+1869"),
        ("behind", "1869 "),
        ("65-bits", str(2**64)),
    ):
        steps = {**failed(9), **undecided(10)}
        yield case(
            f"ledger-id-{name}", "a ledger id has one spelling", receipt={**good, "ledger_id": text}, steps=steps
        )
    foreign = WORLD.but(entries=[entry(STRANGERS, signatures=[signature_of(STRANGERS, STRANGER)]), entry(WORLD.packed)])
    mixed = foreign.receipt(transaction_id=sha256_hex(STRANGERS))
    why = "the transaction is a stranger's: another signer, no record"
    yield case("transaction-of-another", why, receipt=mixed, steps=failed(8, 9), world=foreign)


def _pins() -> Iterator[Json]:
    good = WORLD.receipt()
    second = WORLD.but(account="evledger2", packed=_of_account("evledger2"))
    why = "P1: all is true of another account on the same chain"
    yield case("account-other", why, world=second, steps=failed(2))
    yield case("account-other-pinned", "the other account is the pinned one", world=second, account="evledger2")
    yield case("chain-other-pinned", "another chain is pinned", chain_id="0" * 64, steps=failed(2))
    yield case("key-other-pinned", "another key is published", key=STRANGER.public, steps=failed(8))
    own = {**good, "public_key": STRANGER.public}
    yield case("key-own", "receipt and pin agree, the chain not", receipt=own, key=STRANGER.public, steps=failed(8))
    yield case("key-of-receipt-other", "the receipt names another key", receipt=own, steps=failed(8))
    slip = KEY.public[:-1] + ("B" if KEY.public[-1] != "B" else "C")
    typo = {**good, "public_key": slip}
    why = "a key with a slip of the pen, the same in receipt and pin"
    yield case("key-checksum", why, receipt=typo, key=slip, steps=undecided(8))
    curve = "PUB_K1_6MRyAjQq8ud7hVNYcfnVPJqcVpscN5So8BhtHuGYqET5BoDq63"
    why = "a key of the other curve"
    yield case("key-k1", why, receipt={**good, "public_key": curve}, key=curve, steps=undecided(8))
    long = WORLD.but(account="evledgerabcdj", packed=_of_account("evledgerabcdj"))
    yield case("account-13", "a name of 13 characters", world=long, account="evledgerabcdj")
    steps, nobody = {**failed(9), **undecided(10, 11)}, {"replaceable_by": None}
    for bad, why in (("evledgerabcdz", "no 13th character"), ("evledger.", "ends with a dot"), ("Evledger", "capital")):
        receipt, label = {**good, "account": bad}, bad.replace(".", "-dot")
        yield case(f"no-name-{label}", f"no name: {why}", receipt=receipt, account=bad, steps=steps, notices=nobody)
    empty = {**good, "account": ""}
    yield case("no-name-empty", "no name at all", receipt=empty, steps={**steps, **failed(2)}, notices=nobody)


def _of_account(account: str) -> bytes:
    return transaction(action(record_data([MINE], [], []), account=account))


def _certifications() -> Iterator[Json]:
    proof = certification()
    receipt = WORLD.receipt(attestation=proof)
    yield case("attested", "the key was made in a TPM; no AK is pinned", receipt=receipt)
    yield case("attested-pinned", "the AK is the pinned one", receipt=receipt, ak=TPM.fingerprint)
    yield case("attested-other", "another AK is pinned", receipt=receipt, ak=OTHER_TPM.fingerprint, steps=failed(8))
    yield case("attested-not", "an AK is pinned, the receipt tells of none", ak=TPM.fingerprint, steps=failed(8))
    foreign = WORLD.receipt(attestation=certification(key=STRANGER))
    yield case("attested-other-key", "it certifies another key", receipt=foreign, steps=failed(8))
    bad = WORLD.receipt(attestation={**proof, "signature": certification(OTHER_TPM)["signature"]})
    yield case("attested-bad-signature", "another AK signed it", receipt=bad, steps=failed(8))
    loose = WORLD.receipt(attestation={**proof, "attest": proof["attest"] + "\n"})
    yield case("attested-base64-loose", "base64 in another spelling", receipt=loose, steps=failed(8))
    none = WORLD.receipt(attestation=certification(SameTpm(ak=TPM.ak, ek_certificate=None)))
    yield case("attested-no-ek", "a TPM without a certificate of its EK", receipt=none)
    less = {name: value for name, value in proof.items() if name != "ak"}
    yield no_receipt("attested-less", "a part is missing", WORLD.receipt(attestation=less))
    yield no_receipt("attested-empty", "a part is empty", WORLD.receipt(attestation={**proof, "attest": ""}))


def _credits() -> Iterator[Json]:
    chain = WORLD.but(credit=CREDIT_ID)
    said, credited = {"credited": str(CREDIT_ID)}, str(CREDIT_ID)
    named = WORLD.receipt(credited_by=credited)
    yield case("credited", "the receipt names the credit, the chain has it", world=chain, receipt=named, notices=said)
    old = WORLD.receipt(credited_by=None)
    yield case("credited-since", "credited after the receipt was made", world=chain, receipt=old, notices=said)
    yield case("credited-since-1", "the same of format /1", world=chain, notices=said)
    yield case("credited-only-said", "the chain has no such credit", receipt=named, steps=failed(10), notices=said)
    other = WORLD.receipt(credited_by="1913")
    yield case("credited-other-id", "the chain has another", world=chain, receipt=other, steps=failed(10), notices=said)
    hidden = [(URLS[0], WORLD.answers()), (URLS[1], chain.answers())]
    yield case("credited-one-tells", "one node is enough to be warned", nodes=hidden, receipt=old, notices=said)
    why = "the receipt names it, one node does not know it"
    yield case("credited-one-hides", why, nodes=hidden, receipt=named, steps=undecided(10), notices=said)
    text = both(chain, swap("marks", f'"id":{CREDIT_ID}', f'"id":"{CREDIT_ID}"'))
    yield case("credited-id-text", "ids may be texts", nodes=text, receipt=named, notices=said)
    for name, change in (
        ("float", swap("marks", f'"id":{CREDIT_ID}', f'"id":{CREDIT_ID}.0')),
        ("zeros", swap("marks", f'"id":{CREDIT_ID}', f'"id":"0{CREDIT_ID}"')),
        ("other-mark", edit("marks", lambda content: content["rows"][0].__setitem__("mark", mark(SALT, bytes(32))))),
        ("upper-case", edit("marks", lambda content: content["rows"][0].__setitem__("mark", mark().upper()))),
        ("rows-object", put("marks", "rows", {})),
    ):
        why = "what is no answer about the mark"
        yield case(f"credited-{name}", why, nodes=both(chain, change), receipt=old, steps=undecided(10))


def _no_marks() -> Iterator[Json]:
    none = says("marks", json.dumps(TABLE_ERROR), 500)
    yield case("marks-none", "a contract without marks", nodes=both(WORLD, none))
    yield case("marks-none-2", "the same, /2", nodes=both(WORLD, none), receipt=WORLD.receipt(credited_by=None))
    named = WORLD.receipt(credited_by="1912")
    why = "the receipt names a credit, there is no such table"
    yield case(
        "marks-none-named", why, nodes=both(WORLD, none), receipt=named, steps=failed(10), notices={"credited": "1912"}
    )
    for name, content, status in (
        ("other-error", {"code": 500, "error": {"code": 3010001}}, 500),
        ("error-as-text", {"code": 500, "error": {"code": "3060003"}}, 500),
        ("error-as-float", '{"code":500,"error":{"code":3060003.0}}', 500),
        ("status-404", TABLE_ERROR, 404),
        ("status-200", TABLE_ERROR, 200),
        ("error-twice", '{"error":{"code":3060003},"error":{"code":3060003}}', 500),
        ("error-cut", '{"error":{"code":3060003}', 500),
    ):
        text = content if isinstance(content, str) else json.dumps(content)
        nodes = both(WORLD, says("marks", text, status))
        yield case(f"marks-{name}", "no answer about the mark", nodes=nodes, steps=undecided(10))
    yield case("marks-one-silent", "one node has no marks, the other does", nodes=one(WORLD, none))
