#!/usr/bin/env python3
"""Verify a receipt of EVPortal: was this charging session recorded on the chain, and is it unchanged since?

Asks nodes of the chain, none of our servers: at least two, better of different people, for one may lie. Take the key
and the chain id from where the operator published them. Needs Python 3.11 and the package `cryptography`.
VERIFIED proves: the record in the receipt is, byte for byte, the one whose salted hash a transaction wrote on the
chain; the holder of the key signed that transaction; it stands in an irreversible block; the chain's table agrees.
It does not prove that the station measured rightly, nor who holds the key; nor anything against the operator where the
chain has one producer or all the nodes asked are the operator's.
A receipt may say, under "attestation", in which TPM the key was made: the attestation key (AK) of that TPM certifies
that the key was made there and cannot leave it. That is worth as much as the AK: take its fingerprint from where the
operator published it and give it with --ak, or it is only shown. Whether the AK is one of a real TPM is for those who
know its endorsement key to say; the operator's portal checks that, a receipt cannot.
A step is ok when all nodes, at least two, agree with the receipt. It failed when the receipt contradicts itself, the
key or the chain id, or when two nodes contradict it and none agrees. Otherwise it is undecided.
exit status: 0 VERIFIED; 1 NOT VALID: a step failed; 2 NOT DECIDED: a node does not answer, the block is not
irreversible yet, the nodes disagree, or there are fewer than two"""
# ruff: noqa: S310, SIM905
import argparse
import base64
import contextlib
import hashlib
import io
import json
import re
import sys
import urllib.request
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256

TITLES = (
    "The record and the salt give the digest|The chain is the pinned one|The block is irreversible|The block id is the "
    "hash of its header|The block's transaction root is that of all its transactions|The transaction was executed|The "
    "transaction id is the hash of a transaction in the block|The published key signed the transaction|The transaction "
    "records this id and digest|The chain's table holds the same digest").split("|")
FIXED: Any = {"format": "evportal-receipt/1", "signed_meter_values": []}
CERTIFICATION, PARTS = "evportal-key-certification/1", ("key", "attest", "signature", "ak", "ek_certificate")
TEXTS = ("salt", "digest", "ledger_id", "chain_id", "account", "transaction_id", "block_id", "public_key")
STATUSES = ("executed", "soft_fail", "hard_fail", "delayed", "expired")
ALONE = " (one proves nothing against its operator)"
BASE58, NAME = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", ".12345abcdefghijklmnopqrstuvwxyz"
TIMEOUT_S, ANSWER_MAX, RECEIPT_MAX, LAST = 10, 32 * 1024 * 1024, 1024 * 1024, "last_irreversible_block_num"
PART_MAX = 8000  # characters of a part of a certification
# TPM 2.0 Library, Part 2: TPMA_OBJECT (8.3; sign, sensitiveDataOrigin, fixedParent, fixedTPM), TPM_ALG_ID (6.3)
MADE_THERE, RESTRICTED, DECRYPT = 1 << 18 | 1 << 5 | 1 << 4 | 1 << 1, 1 << 16, 1 << 17
RSAES, ECC, SHA_256, NONE, P256, OWNER, ENDORSEMENT = 0x15, 0x23, 0x0B, 0x10, 0x03, 0x40000001, 0x4000000B
WITH_HASH, KDFS = (0x14, 0x16, 0x17, 0x18, 0x19, 0x1B, 0x1C, 0x1D), (0x20, 0x21, 0x22)
urllib.request.HTTPRedirectHandler.redirect_request = lambda *_: None  # type: ignore  # no redirects

def sha256(data: bytes) -> bytes: return hashlib.sha256(data).digest()
def little(number: int, size: int) -> bytes: return number.to_bytes(size, "little")
def varuint(n: int) -> bytes: return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varuint(n >> 7)
def name(text: str) -> bytes: return little(sum(NAME.index(c) << 59 - 5 * i for i, c in enumerate(text[:12])), 8)

def base58(text: str) -> bytes:  # PUB_R1_…, SIG_K1_… as type and bytes; the last 4 only find slips of the pen
    kind, digits = re.findall(r"\A(?:PUB|SIG)_(K1|R1|WA)_(.{1,4000})\Z", text)[0]
    number = sum(BASE58.index(char) * 58**power for power, char in enumerate(reversed(digits)))
    data: bytes = bytes(len(digits) - len(digits.lstrip("1"))) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([("K1", "R1", "WA").index(kind)]) + data[:-4]

def merkle(digests: list[bytes], savanna: bool) -> bytes:  # Spring's Savanna builds another tree than EOSIO and Leap
    if len(digests) < 2:
        return digests[0] if digests else bytes(32)
    if savanna:
        middle = 1 << (len(digests) - 1).bit_length() - 1
        return sha256(merkle(digests[:middle], True) + merkle(digests[middle:], True))
    pairs = zip(digests[::2], digests[1::2] + digests[-1:], strict=False)
    return merkle([sha256(bytes([a[0] & 127]) + a[1:] + bytes([b[0] | 128]) + b[1:]) for a, b in pairs], False)

def block_id(block: Any) -> str:  # the hash of the header, the block's number in front
    slot = (datetime.fromisoformat(block["timestamp"]) - datetime(2000, 1, 1)) // timedelta(milliseconds=500)
    hashes = [bytes.fromhex(block[field]) for field in ("previous", "transaction_mroot", "action_mroot")]
    pairs = [(kind, bytes.fromhex(data)) for kind, data in block["header_extensions"]]
    extensions = [little(kind, 2) + varuint(len(data)) + data for kind, data in pairs]
    header = little(slot, 4) + name(block["producer"]) + little(block["confirmed"], 2) + b"".join(hashes)
    header += little(block["schedule_version"], 4) + b"\0" + varuint(len(extensions)) + b"".join(extensions)
    return f"{int.from_bytes(hashes[0][:4], 'big') + 1:08x}{sha256(header).hex()[8:]}"

def leaf(entry: Any) -> bytes:  # the hash that stands for a transaction in the block's tree
    trx, head = entry["trx"][1], bytes([STATUSES.index(entry["status"])]) + little(entry["cpu_usage_us"], 4)
    data, free = bytes.fromhex(trx["packed_trx"]), bytes.fromhex(trx["packed_context_free_data"])
    prunable = varuint(len(trx["signatures"])) + b"".join(map(base58, trx["signatures"])) + varuint(len(free)) + free
    body = bytes([trx["compression"] == "zlib"]) + varuint(len(data)) + data + sha256(prunable)
    return sha256(head + varuint(entry["net_usage_words"]) + sha256(body))

def signed(digest: bytes, signatures: list[str], key: str) -> str:  # the key, if it made one of the signatures
    point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), base58(key)[1:])
    for signature in map(base58, signatures):
        r, s = (int.from_bytes(part, "big") for part in (signature[2:34], signature[34:66]))
        with contextlib.suppress(InvalidSignature):
            point.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(SHA256())))
            return key
    return "another key"

def recorded(packed: bytes, account: str) -> Any:  # "id digest" of each record in the account's `record` actions
    def number(stream: io.BytesIO) -> int:
        byte = stream.read(1)[0]
        return byte if byte < 128 else byte - 128 + (number(stream) << 7)
    trx = io.BytesIO(packed[10:] if re.fullmatch("[.1-5a-z]{0,11}[1-5a-z]", account) else bytes(9))  # no name: nothing
    number(trx), trx.read(1), number(trx)  # after expiration and reference block: limits, delay
    for _ in range(number(trx) + number(trx)):  # 0 context-free actions, then the actions
        code, _, data = trx.read(16), trx.read(16 * number(trx)), io.BytesIO(trx.read(number(trx)))
        for _ in range(number(data) if code == name(account) + name("record") else 0):
            yield f"{int.from_bytes(data.read(8), 'little')} {data.read(32).hex()}"
            data.read(number(data))

def need(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)

class Tpm:  # takes a TPM's big-endian values one after the other, none too few and none too many
    def __init__(self, data: bytes, what: str) -> None: self.stream, self.what = io.BytesIO(data), what
    def number(self, size: int) -> int: return int.from_bytes(self.take(size), "big")
    def sized(self) -> bytes: return self.take(self.number(2))
    def end(self) -> None: need(not self.stream.read(1), f"{self.what}: trailing bytes")

    def take(self, size: int) -> bytes:
        need(len(part := self.stream.read(size)) == size, f"{self.what}: truncated")
        return part

def tpm_name(public: bytes) -> bytes: return b"\0\x0b" + sha256(public)  # Part 1, 16: a TPM's name of an object

def tpm_key(data: bytes, what: str) -> tuple[int, ec.EllipticCurvePublicKey]:  # attributes and key of a TPMT_PUBLIC
    public = Tpm(data, what)
    need((public.number(2), public.number(2)) == (ECC, SHA_256), f"{what}: no ECC key with the name algorithm SHA-256")
    attributes, policy = public.number(4), public.sized()
    need(len(policy) in (0, 32), f"{what}: authPolicy of {len(policy)} bytes")
    if (symmetric := public.number(2)) != NONE:
        need(symmetric == 6 and len(public.take(4)) == 4, f"{what}: symmetric 0x{symmetric:04x}")
    if (scheme := public.number(2)) not in (NONE, RSAES):
        need(scheme in WITH_HASH and len(public.take(2)) == 2, f"{what}: scheme 0x{scheme:04x}")
    need(public.number(2) == P256, f"{what}: another curve than P-256")
    if (kdf := public.number(2)) != NONE:
        need(kdf in KDFS and len(public.take(2)) == 2, f"{what}: kdf 0x{kdf:04x}")
    x, y = public.sized(), public.sized()
    public.end()
    point = b"\4" + x.rjust(32, b"\0") + y.rjust(32, b"\0")
    need(max(len(x), len(y)) <= 32, f"{what}: coordinates of {len(x)} and {len(y)} bytes")
    return attributes, ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)  # ValueError off the curve

def part_of(proof: Any, part: str) -> bytes:  # base64, in its one canonical spelling
    data = base64.b64decode(proof[part], validate=True)
    need(base64.b64encode(data).decode() == proof[part], f"{part}: base64 with bits that mean nothing")
    return data

def certified(proof: Any, key: str) -> str:  # the fingerprint of the AK that certifies the key, or ValueError
    public, attest, signature, ak = (part_of(proof, part) for part in PARTS[:4])
    certificate = b"" if proof["ek_certificate"] is None else part_of(proof, "ek_certificate")
    attributes, ak_key = tpm_key(ak, "ak")
    need(attributes & MADE_THERE == MADE_THERE, "ak: not a signing key made in a TPM and fixed to it")
    need(bool(attributes & RESTRICTED), "ak: not restricted, it signs also what no TPM states")
    need(not attributes & DECRYPT, "ak: a decryption key")
    try:
        ak_key.verify(signature, attest, ec.ECDSA(SHA256()))
    except InvalidSignature:
        raise ValueError("signature: not the AK's over attest") from None
    stated = Tpm(attest, "attest")  # TPMS_ATTEST (10.12.12)
    need(stated.number(4) == 0xFF544347, "attest: not made by a TPM (magic)")
    need(stated.number(2) == 0x8017, "attest: not a certification (type)")
    signer, extra = stated.sized(), stated.sized()
    need(stated.take(17)[16] < 2 and len(stated.take(8)) == 8, "attest: clockInfo")
    name, _ = stated.sized(), stated.sized()
    stated.end()
    primary = [tpm_name(handle.to_bytes(4, "big") + tpm_name(ak)) for handle in (OWNER, ENDORSEMENT)]
    need(signer in primary, "attest: made by another AK (qualifiedSigner)")
    need(extra == sha256(CERTIFICATION.encode() + certificate), "attest: made for another EK certificate (extraData)")
    need(name == tpm_name(public), "attest: certifies another key")
    attributes, point = tpm_key(public, "key")
    need(attributes & (MADE_THERE | RESTRICTED | DECRYPT) == MADE_THERE, "key: not made in a TPM, fixed to it, to sign")
    compressed = point.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    need(base58(key)[1:] == compressed, "key: not the receipt's public key")
    return sha256(ak).hex()

def origin(proof: Any, key: str, ak: str | None) -> tuple[str, str, str, bool]:  # in which TPM was the key made?
    expected = f"made in the TPM of AK {ak}" if ak else "made in a TPM, where the receipt tells of one"
    if proof is None:
        return "receipt", expected, "the receipt does not say in which TPM the key was made", not ak
    try:
        found = certified(proof, key)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it certifies nothing
        return "receipt", expected, f"no certification: {error}"[:200], False
    worth = "worth as much as that AK, published beside the key"
    return "receipt", expected, f"made in the TPM of AK {found}; {worth}", ak in (None, found)

def parse(text: bytes) -> Any:  # strictly; adds the record's canonical form: RFC 8785, for integers and texts only
    def members(pairs: list[tuple[str, Any]]) -> Any:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a member stands twice in an object")
        return dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be")))
    receipt = json.loads(text, object_pairs_hook=members)
    canonical = json.dumps(receipt["record"], ensure_ascii=False, separators=(",", ":"))
    structure = re.sub(r'"(\\.|[^"\\])*"', "", canonical)  # all but the texts: no null, no true, no 1.5
    good = [bool(re.fullmatch(r"\{[][{}:,0-9-]*\}", structure)), type(receipt["block_num"]) is int]
    good += [set(receipt) == {*FIXED, *TEXTS, "record", "block_num", "attestation"}, {**receipt, **FIXED} == receipt]
    if (proof := receipt["attestation"]) is not None:
        parts = [proof[part] for part in PARTS if (part, proof[part]) != ("ek_certificate", None)]
        good += [set(proof) == {"format", *PARTS}, proof["format"] == CERTIFICATION]
        good += [isinstance(part, str) and 0 < len(part) <= PART_MAX for part in parts]
    good += [isinstance(receipt[field], str) and len(receipt[field]) <= 100 for field in TEXTS]
    if not (all(good) and len(text) <= RECEIPT_MAX and 0 < receipt["block_num"] < 2**32):
        raise ValueError(f"expected {FIXED}, a record of integers and texts, block_num, and as texts {TEXTS}; "
                         f"as attestation null or {CERTIFICATION} with {PARTS}")
    return receipt | {"canonical": canonical.encode()}

def examine(url: str, r: Any, key: str) -> Any:  # ask one node; what follows an unusable answer stays undecided
    def ask(call: str, **query: Any) -> Any:
        with urllib.request.urlopen(f"{url}/v1/chain/{call}", json.dumps(query).encode(), TIMEOUT_S) as response:
            return json.loads(response.read(ANSWER_MAX))
    def row(table: str, **bounds: str) -> Any:
        query = {"code": r["account"], "scope": r["account"], "table": table, "json": True, "limit": 1}
        return (ask("get_table_rows", **query, **bounds)["rows"] or [None])[0]
    info, producers = ask("get_info"), len(ask("get_producer_schedule")["active"]["producers"])
    yield 2, r["chain_id"], info["chain_id"], info["chain_id"] == r["chain_id"]
    found = f"up to block {info[LAST]}; producers: {producers}" + ALONE * (producers < 2)
    yield 3, f"block {r['block_num']} irreversible", found, info[LAST] >= r["block_num"] or None
    block = ask("get_raw_block", block_num_or_id=r["block_num"])
    yield 4, r["block_id"], block_id(block), block_id(block) == r["block_id"]
    root = merkle([leaf(entry) for entry in block["transactions"]], block["schedule_version"] == 1 << 31).hex()
    yield 5, block["transaction_mroot"], root, block["transaction_mroot"] == root
    here = {sha256(bytes.fromhex(entry["trx"][1]["packed_trx"])).hex(): entry for entry in block["transactions"]}
    yield 7, r["transaction_id"], f"in the block: {', '.join(here)}", r["transaction_id"] in here
    assert r["transaction_id"] in here, "the block does not hold the transaction"
    status, (_, trx) = here[r["transaction_id"]]["status"], here[r["transaction_id"]]["trx"]
    yield 6, "executed", status, status == "executed"
    packed = bytes.fromhex(trx["packed_trx"])
    signer = signed(sha256(bytes.fromhex(r["chain_id"]) + packed + bytes(32)), trx["signatures"], key)
    yield 8, key, signer, signer == key
    mine = f"{r['ledger_id']} {r['digest']}"
    records = ", ".join(found for found in recorded(packed, r["account"]) if found.startswith(r["ledger_id"] + " "))
    yield 9, mine, records, records == mine
    found = row("records", lower_bound=r["ledger_id"], upper_bound=r["ledger_id"])
    floor = 0 if found else int((row("state") or {"floor": 0})["floor"])
    found = f"{found['id']} {found['digest']}" if found else f"absent, the floor is {floor}"
    yield 10, mine, found, 0 < int(r["ledger_id"]) <= floor or found == mine

def judge(findings: Any, nodes_min: int) -> tuple[str, str]:  # outcome of a step and why
    nodes = [good for source, *_, good in findings if source != "receipt"]
    if any(source == "receipt" and not good for source, *_, good in findings):
        return "failed", ""
    if True in nodes and False in nodes:
        return "undecided", "the nodes disagree, one of them is wrong: ask a third"
    if len(nodes) < nodes_min:
        return "undecided", f"at least {nodes_min} nodes, got {len(nodes)}"
    return "ok" if all(nodes) else "failed" if nodes.count(False) > 1 else "undecided", ""

def verify(text: bytes, urls: list[str], key: str, chain_id: str | None, ak: str | None = None) -> Any:
    # yields title, outcome, why, findings
    try:
        r = parse(text)
        found = sha256(bytes.fromhex(r["salt"]) + r["canonical"]).hex() if re.fullmatch("[0-9a-f]*", r["salt"]) else ""
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it is no receipt
        yield "A receipt is there", "failed", f"{error!r}"[:300], []
        return
    findings: Any = {step: [] for step in range(1, 11)}
    for step, expected, have in ((1, r["digest"], found), (2, chain_id or r["chain_id"], r["chain_id"]),
                                 (4, f"{r['block_num']:08x}", r["block_id"][:8]), (8, key, r["public_key"])):
        findings[step].append(("receipt", expected, have, expected == have))
    findings[8].append(origin(r["attestation"], r["public_key"], ak))
    for url in dict.fromkeys(url.rstrip("/") for url in urls):
        missing = set(range(2, 11))
        try:
            for step, *finding in examine(url, r, key):
                findings[step].append((url, *finding))
                missing.remove(step)
        except Exception as error:  # noqa: BLE001  whatever a node causes, it is no usable answer
            for step in missing:
                findings[step].append((url, "", f"no usable answer: {error!r}"[:200], None))
    for step, title in enumerate(TITLES, start=1):
        yield title, *judge(findings[step], 0 if step == 1 else 2), findings[step]

def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipt", metavar="RECEIPT", type=argparse.FileType("rb"), help="a file, - for standard input")
    parser.add_argument("--node", action="append", default=[], metavar="URL", help="a node; give it twice or more")
    parser.add_argument("--key", required=True, metavar="PUB_R1_…", help="the operator's key, as published")
    parser.add_argument("--chain-id", metavar="HEX", help="the chain's id, as published; without it no id is pinned")
    parser.add_argument("--ak", metavar="FINGERPRINT", type=str.lower,
                        help="SHA-256 of the TPM's AK in hex, as published; without it no AK is pinned, and a receipt "
                        "that does not say in which TPM the key was made is taken too")
    parser.add_argument("--json", action="store_true", help="print the steps as JSON")
    args = parser.parse_args()
    steps = list(verify(args.receipt.read(RECEIPT_MAX + 1), args.node, args.key, args.chain_id, args.ak))
    outcomes = {step[1] for step in steps}
    verdict = "NOT VALID" if "failed" in outcomes else "NOT DECIDED" if "undecided" in outcomes else "VERIFIED"
    for number, (title, outcome, reason, findings) in enumerate(steps if not args.json else (), start=1):
        print(f"{number:2} {outcome:9} {title}" + (f": {reason}" if reason else ""))
        said = {(e, f): [source for source, *rest, _ in findings if rest == [e, f]] for _, e, f, _ in findings}
        for (expected, found), sources in said.items():
            print(f"      {', '.join(sources)}\n        expected  {expected!r:.200}\n        found     {found!r:.200}")
    hint = "" if args.chain_id else "Without --chain-id the chain is compared with the receipt's only.\n"
    print(json.dumps({"verdict": verdict, "steps": steps}) if args.json else hint + verdict)
    sys.exit(("VERIFIED", "NOT VALID", "NOT DECIDED").index(verdict))

if __name__ == "__main__":
    main()
