#!/usr/bin/env python3
"""Verify a receipt of EVPortal: was this charging session recorded on the chain, and is it unchanged since?

Asks nodes of the chain, none of our servers: at least two, better of different people, for one may lie. Take the pins
(key, chain id, account, hash and time of the contract) from where the operator published them, never from the receipt.
VERIFIED proves: the record in the receipt is, byte for byte, the one whose salted hash a transaction wrote on the
chain; the holder of the key signed that transaction; it stands in an irreversible block; the chain's table agrees; the
contract that keeps the table is the published one and was not replaced since; what the meter signed is what was charged
(with verify_meter.py beside this file; --meter-key pins the meter's own key). Said above the verdict: that it signed
nothing, that a charge was taken back later (credited), and who could replace the contract.
It does not prove that the station measured rightly, nor who holds the key; nor anything against the operator where the
chain has one producer or all nodes asked are the operator's; nor, without --code-hash and --code-updated, against who
could replace the contract, use another one and put the first back. In which TPM the key was made, if the receipt says
so, is worth as much as the attestation key (AK) that certifies it: without --ak, its fingerprint, it is only shown.
Who made the receipt serves this script, too, and could serve one that always says VERIFIED: take it from somebody else
(a release of EVPortal, `pip install evportal-verify`), or compare its SHA-256 with the one in a release.
A step is ok when all nodes, at least two, agree with the receipt; it failed when the receipt contradicts itself or the
pins, or two nodes contradict it and none agrees; else it is undecided. Needs Python 3.11 and `cryptography`.
exit status: 0 VERIFIED; 1 NOT VALID: a step failed; 2 NOT DECIDED: a node does not answer within 20 s, the block is
not irreversible yet, the nodes disagree, or there are fewer than two (two names of one count once)"""
# ruff: noqa: E401, E701, E702, I001, PTH113, PTH118, PTH120, PTH123, S104, SIM905, RUF017, RUF021, B905
import argparse, base64, contextlib, hashlib, http.client, importlib.util, ipaddress, json, os, re, socket, sys, time
import threading, urllib.parse, zlib; from datetime import datetime, timedelta
from functools import cache, cached_property, partial, reduce; from typing import Any
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
TITLES = ("The record and the salt give the digest|The chain and the account are the pinned ones|The block is "
    "irreversible|The block id is the hash of its header|The block's transaction root is that of all its transactions|"
    "The transaction was executed|The transaction id is the hash of a transaction in the block|The published key "
    "signed the transaction|The transaction records this id and digest|The chain's table holds the same digest|The "
    "contract is the published one, and unchanged since|The meter signed what was charged").split("|")
MORE = ("format", "record", "block_num", "attestation", "signed_meter_values")  # members that are no texts
FORMATS: Any = {"evportal-receipt/1": MORE, "evportal-receipt/2": (*MORE, "credited_by")}
CERTIFICATION, PARTS = "evportal-key-certification/1", ("key", "attest", "signature", "ak", "ek_certificate")
TEXTS = ("salt", "digest", "ledger_id", "chain_id", "account", "transaction_id", "block_id", "public_key")
STATUSES, SET_CODE = ("executed", "soft_fail", "hard_fail", "delayed", "expired"), ("setcode", "setabi", "")
BASE58, NAME = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", ".12345abcdefghijklmnopqrstuvwxyz"
NOBODY, HERE = ("eosio.null", "active"), dict.fromkeys(("localhost", "::1", "::", "0.0.0.0"), "127.0.0.1")
NOTICES = ("credited", "producers", "replaceable_by")
READ_S, NODE_S, MIB, ANSWER_MAX, SAVANNA, NO_TABLE = 10, 20, 1 << 20, 32 << 20, 1 << 31, 3060003
TIME, HASH, ID = r"[0-9]{4}(-[0-9]{2}){2}T([0-9]{2}:){2}[0-9]{2}\.[0-9]{3}", "[0-9a-f]{64}", "0|[1-9][0-9]{0,19}"
# TPM 2.0 Library, Part 2: TPMA_OBJECT (8.3; sign, sensitiveDataOrigin, fixedParent, fixedTPM), TPM_ALG_ID (6.3)
MADE_THERE, RESTRICTED, ALL_KINDS = 1 << 18 | 1 << 5 | 1 << 4 | 1 << 1, 1 << 16, 7 << 16 | 1 << 5 | 1 << 4 | 1 << 1
RSAES, ECC, SHA_256, NONE, P256, OWNER, ENDORSEMENT = 0x15, 0x23, 0x0B, 0x10, 0x03, 0x40000001, 0x4000000B
WITH_HASH, KDFS = (0x14, 0x16, 0x17, 0x18, 0x19, 0x1B, 0x1C, 0x1D), (0x20, 0x21, 0x22); HEX = {HASH: "HEX"}
def fail(what: str) -> Any: raise ValueError(what)
def need(good: Any, what: str) -> Any: return good or fail(what)
def sha256(data: bytes) -> bytes: return hashlib.sha256(data).digest()
def little(number: int, size: int) -> bytes: return number.to_bytes(size, "little")
def varuint(n: int) -> bytes: return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varuint(n >> 7)
def sized(data: bytes) -> bytes: return varuint(len(data)) + data
def levels(item: Any) -> int:  # of nesting, the innermost number or text included
    return 1 + max(map(levels, item.values() if type(item) is dict else item if type(item) is list else ()), default=0)
def loads(data: bytes, most: int) -> Any:  # strictly: what two readers could take for two different things is refused
    def members(pairs: Any) -> Any:  # in the order that RFC 8785 wants
        found = dict(sorted(pairs, key=lambda pair: pair[0].encode("utf-16-be", "surrogatepass")))
        return found if len(found) == len(pairs) else fail("a member stands twice in an object")
    def whole(text: str) -> Any: return int(text) if text != "-0" and len(text) <= 20 else fail("an integer's form")
    need(len(data) <= most, f"expected at most {most} bytes")
    found = json.loads(data.decode(), object_pairs_hook=members, parse_int=whole, parse_constant=fail)
    return found if levels(found) <= 64 else fail("expected at most 64 levels")
def be(kind: type, value: Any) -> Any: return value if type(value) is kind else fail(f"not {kind}: {value!r:.60}")
def match(form: str, value: Any) -> Any: return re.fullmatch(form, be(str, value)) or fail(f"not {form}: {value!r:.60}")
def uint(bits: int, value: Any) -> Any: return value if be(int, value) in range(1 << bits) else fail(f"not {bits} bits")
def uint64(value: Any) -> Any: return uint(64, int(match(ID, value)[0]) if type(value) is str else value)
def unhex(value: Any) -> bytes: return bytes.fromhex(match("([0-9a-f]{2})*", value)[0])
def hash_of(value: Any) -> str: return str(match(HASH, value)[0])
def is_name(value: str) -> Any: return re.fullmatch("[.1-5a-z]{0,11}[1-5a-z]|[.1-5a-z]{12}[1-5a-j]", value)
def name(value: Any) -> bytes:  # an account's name in its 8 bytes; "" is 0
    bits = sum(NAME.index(char) << max(59 - 5 * i, 0) for i, char in enumerate(be(str, value)))
    return little(bits, 8) if value == "" or is_name(value) else fail(f"not a name: {value!r:.60}")
def base58(value: Any, kind: str) -> bytes:  # type and data of SIG_K1_…, PUB_R1_…, and of keys as EOS…
    found = match(("SIG_(K1|R1|WA)_" if kind == "SIG" else "(?:PUB_(K1|R1)_|EOS)") + f"([{BASE58}]{{1,4000}})", value)
    curve, digits, bits = found[1] or "", found[2], reduce(lambda n, char: n * 58 + BASE58.index(char), found[2], 0)
    data = bytes(len(digits) - len(digits.lstrip("1"))) + bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    need(curve == "WA" or len(data) == (69 if kind == "SIG" else 37), f"{kind}: {len(data)} bytes")
    if "ripemd160" in hashlib.algorithms_available:  # the last 4 bytes find slips of the pen
        checksum = hashlib.new("ripemd160", data[:-4] + curve.encode(), usedforsecurity=False).digest()[:4]
        need(checksum == data[-4:], f"{kind}: the checksum does not fit")
    return bytes([("K1", "R1", "WA").index(curve or "K1")]) + data[:-4]
@cache
def sibling(name: str) -> Any:  # the module of that name beside this file, none from elsewhere; None: there is none
    spec: Any = importlib.util.spec_from_file_location(name, os.path.join(os.path.dirname(__file__), f"{name}.py"))
    with contextlib.suppress(FileNotFoundError):
        spec.loader.exec_module(module := sys.modules.setdefault(name, importlib.util.module_from_spec(spec)))
        return module
class Reader:  # takes one value after the other, none too few and none too many
    def __init__(self, data: bytes, what: str) -> None: self.data, self.at, self.what = data, 0, what
    def number(self, size: int) -> int: return int.from_bytes(self.take(size), "big")
    def sized(self) -> bytes: return self.take(self.number(2))  # a TPM's TPM2B
    def blob(self) -> bytes: return self.take(self.varuint())
    def more(self) -> bool: return self.at < len(self.data)
    def end(self) -> None: need(not self.more(), f"{self.what}: trailing bytes")
    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size:self.at] if self.at <= len(self.data) else fail(f"{self.what}: truncated")
    def varuint(self) -> int:
        data = self.take(1)
        while data[-1] > 127 and len(data) < 5: data += self.take(1)
        found = sum((byte & 127) << 7 * place for place, byte in enumerate(data))
        return found if found < 1 << 32 and varuint(found) == data else fail(f"{self.what}: a size in another form")
def merkle(digests: list[bytes], savanna: bool) -> bytes:  # Spring's Savanna builds another tree than EOSIO and Leap
    if len(digests) < 2: return (digests or [bytes(32)])[0]
    middle, pairs = 1 << (len(digests) - 1).bit_length() - 1, zip(digests[::2], digests[1::2] + digests[-1:])
    if savanna: return sha256(merkle(digests[:middle], True) + merkle(digests[middle:], True))
    return merkle([sha256(bytes([a[0] & 127]) + a[1:] + bytes([b[0] | 128]) + b[1:]) for a, b in pairs], False)
def block_id(block: Any) -> str:  # the hash of the header, the block's number in front
    moment = datetime.fromisoformat(match(r".{11}([01].|2[0-3]).{6}\.[05]00", match(TIME, block["timestamp"])[0])[0])
    slot = (moment - datetime(2000, 1, 1)) // timedelta(milliseconds=500)
    previous, *roots = (hash_of(block[field]) for field in ("previous", "transaction_mroot", "action_mroot"))
    header = little(uint(32, slot), 4) + name(block["producer"]) + little(uint(16, block["confirmed"]), 2)
    header += unhex("".join([previous, *roots])) + little(uint(32, block["schedule_version"]), 4)
    if (schedule := block.get("new_producers")) is not None:  # the old form, of chains without WTMSIG
        new = [be(dict, producer) for producer in be(list, be(dict, schedule)["producers"])]
        header += b"\1" + little(uint(32, schedule["version"]), 4) + varuint(len(new))
        header += b"".join(name(one["producer_name"]) + base58(one["block_signing_key"], "PUB") for one in new)
    pairs = [be(list, pair) for pair in be(list, block["header_extensions"])]
    header += b"\0" * (schedule is None) + varuint(len(pairs))
    header += b"".join(little(uint(16, kind), 2) + sized(unhex(data)) for kind, data in pairs)
    return f"{(int(previous[:8], 16) + 1) % 2**32:08x}{sha256(header).hex()[8:]}"
class Entry:  # a transaction in a block, with its receipt; a deferred one is there with its id alone
    def __init__(self, entry: Any) -> None:
        self.status, (kind, trx) = be(dict, entry)["status"], be(list, entry["trx"])
        self.head = bytes([STATUSES.index(self.status)]) + little(uint(32, entry["cpu_usage_us"]), 4)
        self.head += varuint(uint(32, entry["net_usage_words"]))
        self.deferred = unhex(hash_of(trx)) if uint(1, kind) == 0 else b""
        if not self.deferred:
            self.zlib = ("none", "zlib").index(be(dict, trx)["compression"])
            self.stored, self.free = unhex(trx["packed_trx"]), unhex(trx["packed_context_free_data"])
            self.signatures = [be(str, signature) for signature in be(list, trx["signatures"])]
    def leaf(self) -> bytes:  # the hash that stands for it in the block's tree
        if self.deferred: return sha256(self.head + self.deferred)
        prunable = varuint(len(self.signatures)) + b"".join(base58(text, "SIG") for text in self.signatures)
        return sha256(self.head + sha256(bytes([self.zlib]) + sized(self.stored) + sha256(prunable + sized(self.free))))
    @cached_property
    def packed(self) -> bytes:
        inflater = zlib.decompressobj(); data = inflater.decompress(self.stored, 4 * MIB) if self.zlib else self.stored
        return data if not self.zlib or inflater.eof and not inflater.unused_data else fail("not one zlib stream")
def recorded(transaction: bytes, account: str) -> Any:  # "id digest" of each record in its `record` actions
    t = Reader(transaction, "transaction"); t.take(10), t.varuint(), t.take(1), t.varuint()  # expiration to delay
    free, there = ([(t.take(16), t.take(16 * t.varuint()), t.blob()) for _ in range(t.varuint())] for _ in "12")
    for _ in range(t.varuint()): t.take(2), t.blob()  # extensions
    t.end(); ours = [Reader(data, "record") for code, _, data in there if code == name(account) + name("record")]
    for data in ours if not free else ():  # we make none, they are refused
        for _ in range(data.varuint()):
            yield f"{int.from_bytes(data.take(8), 'little')} {data.take(32).hex()}"
            data.blob()  # the sealed copy
        for size in (4, 40): data.take(size * data.varuint() if data.more() else 0)  # contract 2: blocks, marks
        data.end()
def point(data: bytes) -> Any: return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)  # ValueError
def signed(digest: bytes, signatures: list[str], key: str) -> str:  # the key, if it made one of the signatures
    holder = point(need((data := base58(key, "PUB"))[0] == 1, "the key is none of P-256") and data[1:])
    for data in [data for data in [base58(text, "SIG") for text in signatures] if data[0] == 1]:
        r, s = int.from_bytes(data[2:34], "big"), int.from_bytes(data[34:], "big")
        with contextlib.suppress(InvalidSignature):
            holder.verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
            return key
    return "another key"
def tpm_name(public: bytes) -> bytes: return b"\0\x0b" + sha256(public)  # Part 1, 16: a TPM's name of an object
def tpm_key(data: bytes, what: str) -> tuple[int, Any]:  # attributes and key of a TPMT_PUBLIC
    public = Reader(data, what)
    need((public.number(2), public.number(2)) == (ECC, SHA_256), f"{what}: no ECC key with the name algorithm SHA-256")
    attributes, policy = public.number(4), public.sized()
    for plain, others, size in ({NONE}, {6}, 4), ({NONE, RSAES}, WITH_HASH, 2), ({P256}, (), 0), ({NONE}, KDFS, 2):
        kind = public.number(2)  # of symmetric algorithm, scheme, curve, kdf
        need(kind in plain or kind in others and public.take(size), f"{what}: 0x{kind:04x} is not as a signing key's")
    x, y, _ = public.sized(), public.sized(), public.end()  # type: ignore[func-returns-value]
    need(max(len(x), len(y)) <= 32 and len(policy) in (0, 32), f"{what}: coordinates or policy of another size")
    return attributes, point(b"\4" + x.rjust(32, b"\0") + y.rjust(32, b"\0"))
def unbase64(text: str) -> bytes:  # in its one canonical spelling
    data = base64.b64decode(text, validate=True)
    return data if base64.b64encode(data).decode() == text else fail("base64 with bits that mean nothing")
def certified(proof: Any, key: str) -> str:  # the fingerprint of the AK that certifies the key, or ValueError
    public, attest, signature, ak, certificate = (unbase64(proof[part] or "") for part in PARTS)
    attributes, ak_key = tpm_key(ak, "ak")
    need(attributes & ALL_KINDS == MADE_THERE | RESTRICTED, "ak: no restricted signing key fixed to a TPM")
    ak_key.verify(signature, attest, ec.ECDSA(hashes.SHA256()))  # InvalidSignature: not the AK's
    stated = Reader(attest, "attest")  # TPMS_ATTEST (10.12.12)
    need((stated.number(4), stated.number(2)) == (0xFF544347, 0x8017), "attest: no certification made by a TPM")
    signer, extra, clock, _ = stated.sized(), stated.sized(), stated.take(17), stated.take(8)
    stated_name, _, _ = stated.sized(), stated.sized(), stated.end()  # type: ignore[func-returns-value]
    primary = [tpm_name(handle.to_bytes(4, "big") + tpm_name(ak)) for handle in (OWNER, ENDORSEMENT)]
    need(signer in primary and clock[16] < 2, "attest: made by another AK (qualifiedSigner)")
    need(extra == sha256(CERTIFICATION.encode() + certificate), "attest: made for another EK certificate (extraData)")
    attributes, made = tpm_key(public, "key")
    need(attributes & ALL_KINDS == MADE_THERE, "key: not made in a TPM, fixed to it, to sign")
    compressed = made.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint)
    need(stated_name == tpm_name(public) and base58(key, "PUB")[1:] == compressed, "attest: certifies another key")
    return sha256(ak).hex()
def origin(proof: Any, key: str, ak: str | None) -> tuple[str, str, str, bool]:  # in which TPM was the key made?
    expected = f"made in the TPM of AK {ak}" if ak else "made in a TPM, where the receipt tells of one"
    if proof is None: return "receipt", expected, "the receipt does not say in which TPM the key was made", not ak
    try: said = f"made in the TPM of AK {(by := certified(proof, key))}; worth as much as that AK, published beside it"
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it certifies nothing
        return "receipt", expected, f"no certification: {error!r}"[:200], False
    return "receipt", expected, said, ak in (None, by)
def parse(data: bytes) -> Any:  # adds the record's one form: RFC 8785, for objects, lists, texts, integers
    r = be(dict, loads(data, MIB))
    need(set(r) == (members := {*TEXTS, *FORMATS[be(str, r["format"])]}), f"expected exactly {sorted(members)}")
    need(r["signed_meter_values"] == [] and uint(32, r["block_num"]), "expected signed_meter_values [], block_num > 0")
    need(all(len(be(str, r[field])) <= 100 for field in TEXTS), f"expected as texts of up to 100 characters {TEXTS}")
    need(r.get("credited_by") is None or uint64(be(str, r["credited_by"])), "credited_by: expected null or a ledger id")
    if (proof := r["attestation"]) is not None:
        parts = [be(dict, proof)[part] for part in PARTS if (part, proof[part]) != ("ek_certificate", None)]
        good = set(proof) == {"format", *PARTS} and proof["format"] == CERTIFICATION
        need(good and all(0 < len(be(str, part)) <= 8000 for part in parts), f"no {CERTIFICATION} with {PARTS}")
    record = json.dumps(be(dict, r["record"]), ensure_ascii=False, separators=(",", ":"))
    structure = match(r"\{[][{}:,0-9-]*\}", re.sub(r'"(\\.|[^"\\])*"', "", record))[0]  # no null, no true, no 1.5
    good = levels(r["record"]) <= 8 and all(abs(int(digits)) < 1 << 53 for digits in re.findall("-?[0-9]+", structure))
    return {"credited_by": None, **r, "canonical": record.encode() if good else fail("record: too deep or too large")}
def meter(record: Any, pins: Any) -> Any:  # expected, found, is it good, and what is said of it above the verdict
    none = "the charge has no signed meter values"
    if not {"signed_meter_values", "signed_verdict"} & {*record}: return none, none, True, "NOT SIGNED"
    if not (judge := sibling("verify_meter")): return "verify_meter.py beside this", "no such file", None, "NOT CHECKED"
    return judge.step(record, pins.get("meter_keys") or ())
def post(url: str, call: str, query: Any) -> tuple[int, bytes, bytes]:  # status, body, the server's certificate
    parts = urllib.parse.urlsplit(url)
    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", "Connection": "close"}
    kind = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}[parts.scheme]
    connection = kind(str(parts.hostname), parts.port, timeout=READ_S)
    connection.request("POST", f"{parts.path}/v1/chain/{call}", json.dumps(query), headers)
    certificate, response = getattr(connection.sock, "getpeercert", lambda _: b"")(True), connection.getresponse()
    need(response.getheader("Content-Encoding", "identity") == "identity", "expected an answer that is not packed")
    return response.status, response.read(ANSWER_MAX + 1), certificate
class Node:  # one node's answers, each asked for once; a step whose answer cannot be used stays undecided
    def __init__(self, url: str, r: Any, pins: Any) -> None:
        self.url, self.r, self.pins, self.places, self.port = url.rstrip("/"), r, pins, {url}, 0
        self.answers, self.findings, self.certificate = dict[Any, Any](), dict[Any, Any](), b""
    def is_one_with(self, other: Any) -> Any:  # two names may be one node
        return self.port == other.port and self.places & other.places or (self.certificate or 0) == other.certificate
    def ask(self, call: str, **query: Any) -> Any:
        if (key := f"{call} {query}") not in self.answers:
            with self.step(key):
                status, data, self.certificate = post(self.url, call, query)
                found = be(dict, loads(data, ANSWER_MAX))
                none = status == 500 and query.get("table") == "marks" and uint(32, found["error"]["code"]) == NO_TABLE
                self.answers[key] = {"rows": []} if none else found if 200 <= status < 300 else fail(f"status {status}")
        return self.answers.setdefault(key, None) or fail(self.findings[key][1])
    def rows(self, table: str, **bounds: str) -> Any:  # one or none
        query = {"code": self.account(), "scope": self.account(), "table": table, "json": True, "limit": 1, **bounds}
        return [be(dict, row) for row in be(list, self.ask("get_table_rows", **query)["rows"])[:1]]
    def account(self) -> Any: return is_name(self.r["account"])[0]  # nobody is asked about what is no name
    def block(self) -> Any: return self.ask("get_raw_block", block_num_or_id=self.r["block_num"])
    @contextlib.contextmanager
    def step(self, number: Any) -> Any:  # a later step that needs what an earlier one did not get fails, too
        try: yield
        except Exception as error:  # noqa: BLE001  whatever a node causes, it is no usable answer
            self.findings[number] = "", f"no usable answer: {error!r}"[:200], None
    def interview(self) -> None:  # expected, found, is it good (...: if it is the same; None: it cannot tell)
        r, findings, key, wanted = self.r, self.findings, self.pins["key"], "{ledger_id} {digest}".format(**self.r)
        with self.step(0):  # where it is, in one spelling for each address and for this machine
            parts = urllib.parse.urlsplit(self.url)
            host, port = (parts.hostname or "").rstrip("."), parts.port or (443 if parts.scheme == "https" else 80)
            told = socket.getaddrinfo(HERE.get(host, host), port, type=socket.SOCK_STREAM)
            numbers: Any = [ipaddress.ip_address(str(item[4][0]).partition("%")[0]) for item in told]
            spelt = [str(getattr(number, "ipv4_mapped", None) or number) for number in numbers]
            self.places, self.port = {HERE.get(text, text) for text in spelt}, port
        with self.step(2): findings[2] = r["chain_id"], hash_of(self.ask("get_info")["chain_id"]), ...
        with self.step(3):
            producers = be(list, be(dict, self.ask("get_producer_schedule")["active"])["producers"])
            findings["producers"] = "", "", len(producers)
            last = uint(32, self.ask("get_info")["last_irreversible_block_num"])
            found = f"up to block {last}; producers: {len(producers)}"
            findings[3] = f"block {r['block_num']} irreversible", found, last >= r["block_num"] or None
        with self.step(4): findings[4] = r["block_id"], block_id(self.block()), ...
        with self.step(7):  # of equal ids the first
            entries = [Entry(entry) for entry in be(list, self.block()["transactions"])]
            by_id = {sha256(entry.packed).hex(): entry for entry in reversed(entries) if not entry.deferred}
            findings[7] = r["transaction_id"], f"in the block: {', '.join(by_id)}", r["transaction_id"] in by_id
        with self.step(5):
            savanna = uint(32, self.block()["schedule_version"]) == SAVANNA
            root = merkle([entry.leaf() for entry in entries], savanna).hex()
            findings[5] = hash_of(self.block()["transaction_mroot"]), root, ...
        with self.step(6): findings[6] = "executed", (mine := by_id[r["transaction_id"]]).status, ...
        with self.step(8):  # of the transaction without context-free data: 32 zeros
            message = sha256(unhex(hash_of(r["chain_id"])) + mine.packed + bytes(32))
            findings[8] = key, signed(message, mine.signatures, key), ...
        with self.step(9):
            records = recorded(mine.packed, r["account"]) if is_name(r["account"]) or not mine else ()
            findings[9] = wanted, ", ".join([each for each in records if each.startswith(r["ledger_id"] + " ")]), ...
        self.tables(wanted)
    def tables(self, wanted: str) -> None:
        r, findings, by = self.r, self.findings, self.r["credited_by"]
        with self.step(10):  # first the ledger id of the credit that took the session back
            mark = sha256(b"evportal-credit/1" + unhex(hash_of(r["salt"]) + hash_of(r["digest"]))).hex()
            marked = self.rows("marks", index_position="2", key_type="sha256", lower_bound=mark, upper_bound=mark)
            credited = uint64(need(marked[0]["mark"] == mark, "no such mark") and marked[0]["id"]) if marked else None
            findings["credited"] = "", "", credited
            there = self.rows("records", lower_bound=(bound := str(uint64(r["ledger_id"]))), upper_bound=bound)
            (floor,) = [uint64(row["floor"]) for row in ([] if there else self.rows("state"))] or [0]
            found = f"{uint64(there[0]['id'])} {hash_of(there[0]['digest'])}" if there else f"absent, floor {floor}"
            same = (found == wanted if there else 0 < int(bound) <= floor) and by in (None, f"{credited}")
            beside = (f", credited by {by}", f", credited by {credited}") if by else ("", "")
            findings[10] = wanted + beside[0], found + beside[1], same
        with self.step(11):  # a node that is behind cannot tell
            code = hash_of(self.ask("get_code_hash", account_name=self.account())["code_hash"])
            updated = match(TIME, self.ask("get_account", account_name=self.account())["last_code_update"])[0]
            pinned, since = self.pins["code_hash"] or code, self.pins["code_updated"] or updated
            later = ", changed since: what it holds may have been altered" * (updated > since)
            good = None if updated < since else (code, updated) == (pinned, since)
            findings[11] = f"contract {pinned} of {since}", f"contract {code} of {updated}{later}", good
        with self.step("replaceable_by"):
            names = holders(self.ask("get_account", account_name=self.account()))
            findings["replaceable_by"] = "", "", sorted(f"{self.account()}@{who}" for who in names)
def holders(told: Any) -> list[str]:  # who could replace the contract; a parent can what its child can
    def could(links: Any) -> bool:
        found = [(be(str, be(dict, link)["account"]), be(str, link.get("action") or "")) for link in be(list, links)]
        return any(account == "eosio" and action in SET_CODE for account, action in found)
    parents = {be(str, be(dict, one)["perm_name"]): be(str, one["parent"]) for one in be(list, told["permissions"])}
    able, held = {"owner", "active"}, {}
    for one in told["permissions"]:
        auth, who = be(dict, one["required_auth"]), one["perm_name"]
        levels = [be(dict, be(dict, level)["permission"]) for level in be(list, auth["accounts"])]
        others = {(be(str, level["actor"]), be(str, level["permission"])) for level in levels} - {NOBODY}
        held[who] = bool(be(list, auth["keys"]) + be(list, auth["waits"]) or others)
        linked = could(one["linked_actions"])
        while linked and who in parents and who not in able: able, who = able | {who}, parents[who]
    return [who for who in able if held[who]] + ["eosio.any"] * could(told["eosio_any_linked_actions"])
def judge(findings: Any, nodes_min: int) -> tuple[str, str]:  # outcome of a step and why
    own, nodes = ([good for source, *_, good in findings if (source == "receipt") is ours] for ours in (True, False))
    if not all(own): return ("failed", "") if False in own else ("undecided", "it cannot be judged here")
    if True in nodes and False in nodes: return "undecided", "the nodes disagree, one of them is wrong: ask a third"
    if len(nodes) < nodes_min: return "undecided", f"at least {nodes_min} nodes, got {len(nodes)}"
    return "ok" if all(nodes) else "failed" if nodes.count(False) > 1 else "undecided", ""
def notices_of(nodes: list[Node], r: Any, signed: Any) -> Any:  # None where no node tells
    said = [[node.findings[kind][2] for node in nodes if kind in node.findings] for kind in NOTICES]
    credited, producers, holders = ([value for value in values if value is not None] for values in said)
    hosts: list[set[str]] = []; credit = str(credited[0]) if credited else r and r["credited_by"]
    for node in nodes:
        answered = any(node.findings.get(step, [None])[-1] is not None for step in range(2, 12))
        hosts += [node.places] if answered and not any(node.places & host for host in hosts) else []
    names, fewest = sorted({*sum(holders, [])}) if holders else None, min(producers, default=None)
    return {"credited": credit, "producers": fewest, "replaceable_by": names, "hosts": len(hosts), "signed": signed}
def verify(data: bytes, urls: list[str], pins: Any) -> Any:  # steps as (title, outcome, why, findings), and notices
    try: r = parse(data)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it is no receipt
        unread = [[title, "undecided", "there is no receipt", []] for title in TITLES[1:]]
        return [[TITLES[0], "failed", f"no receipt: {error!r}"[:300], []], *unread], notices_of([], None, None)
    asked, nodes, end = [Node(url, r, pins) for url in urls], list[Node](), time.monotonic() + NODE_S
    threads = [threading.Thread(target=node.interview, daemon=True) for node in asked]
    for thread in threads: thread.start()
    for thread in threads: thread.join(max(0.0, end - time.monotonic()))
    for node in asked:  # whoever is late is not heard
        node.findings, silent = {**node.findings}, ("", f"no answer within {NODE_S} s", None)
        nodes += [] if any(map(node.is_one_with, nodes)) else [node]
    said: Any = [[(node.url, *node.findings.get(step, silent)) for node in nodes] for step in range(2, 12)]
    findings = [[], *([(url, e, f, f == e if good is ... else good) for url, e, f, good in each] for each in said)]
    digest = sha256(unhex(r["salt"]) + r["canonical"]).hex() if re.fullmatch(HASH, r["salt"]) else "no digest"
    for step, expected, have in ((1, r["digest"], digest), (2, pins["chain_id"] or r["chain_id"], r["chain_id"]),
                                 (2, pins["account"], r["account"]), (8, pins["key"], r["public_key"]),
                                 (4, f"{r['block_num']:08x}", r["block_id"][:8])):
        findings[step - 1].append(("receipt", expected, have, expected == have))
    findings[7].append(origin(r["attestation"], r["public_key"], pins["ak"]))
    *compared, signed = meter(r["record"], pins); findings.append([("receipt", *compared)])
    judged = [judge(found, 0 if step in (1, 12) else 2) for step, found in enumerate(findings, start=1)]
    return [[title, *how, f] for title, how, f in zip(TITLES, judged, findings)], notices_of(nodes, r, signed)
def meter_key(given: str) -> Any:  # in one spelling
    return need(sibling("verify_meter"), "").key_of(open(given).read() if os.path.isfile(given) else given).hex()
def pinned(form: str, text: str) -> str: return str(match(form, text.lower() if form == HASH else text)[0])
def words(notices: Any, pins: Any) -> Any:  # what the verdict is worth
    credited, count, names, signed = (notices[kind] for kind in (*NOTICES, "signed"))
    doubt = " What was measured is the operator's word." * (signed in ("NOT SIGNED", "NOT CHECKED"))
    if signed: yield f"The meter's signature: {signed}.{doubt}"
    if credited: yield f"CREDITED: this charge was taken back; entry {credited} of the ledger is its credit."
    alone = " A chain with one producer proves nothing against its operator." * (count in (0, 1))
    yield f"Producers of the chain: {'told by no node' if count is None else count}.{alone}"
    if names: yield f"The contract, and what it holds, could be replaced by whoever holds {', '.join(names)}."
    if names == []: yield "Nobody can replace the contract, but the producers of the chain together."
    if names is None: yield "No node says who could replace the contract."
    yield f"Distinct hosts that answered: {notices['hosts']}."
    if not pins["chain_id"]: yield "Without --chain-id the chain is compared with the receipt's only."
    if not pins["code_hash"]: yield "Without --code-hash any contract would do."
    if not pins["code_updated"]: yield "Without --code-updated a contract replaced, used and put back is not noticed."
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("receipt", type=argparse.FileType("rb"), help="a receipt, or a ZIP of them; -: standard input")
    parser.add_argument("--node", action="append", default=[], metavar="URL", help="a node; give it twice or more")
    parser.add_argument("--key", required=True, metavar="PUB_R1_…", help="the operator's key, as published")
    parser.add_argument("--meter-key", action="append", dest="meter_keys", type=meter_key, help="a meter's, hex, file")
    parser.add_argument("--account", default="evledger", metavar="NAME", help="the contract's account (%(default)s)")
    for option, form, what in (
            ("chain-id", HASH, "the chain's id"), ("ak", HASH, "SHA-256 of the AK that certifies the key"),
            ("code-hash", HASH, "SHA-256 of the contract"), ("code-updated", TIME, "the time of its last change")):
        parser.add_argument(f"--{option}", type=partial(pinned, form), metavar=HEX.get(form), help=f"{what}, published")
    parser.add_argument("--json", action="store_true", help="print verdict, steps and notices as JSON")
    args = parser.parse_args(); data = args.receipt.read(MIB + 1)
    whole = data.startswith(b"PK") and (sibling("verify_statement") or parser.error("a ZIP needs verify_statement.py"))
    if whole: sys.exit(whole.check(data + args.receipt.read(), args))
    steps, notices = verify(data, args.node, vars(args)); outcomes = {outcome for _, outcome, *_ in steps}
    verdict = "NOT VALID" if "failed" in outcomes else "NOT DECIDED" if "undecided" in outcomes else "VERIFIED"
    for step, (title, outcome, reason, findings) in enumerate(steps if not args.json else (), start=1):
        print(f"{step:2} {outcome:9} {title}{reason and ': '}{reason}")
        for said in dict.fromkeys((expected, found) for _, expected, found, _ in findings):
            print(f"      {', '.join(source for source, *pair, _ in findings if (*pair,) == said)}")
            print(f"        expected  {said[0]!r:.200}\n        found     {said[1]!r:.200}")
    print(json.dumps({"verdict": verdict, "steps": steps, "notices": notices}) if args.json else
          "\n".join([*words(notices, vars(args)), verdict]))
    sys.exit(("VERIFIED", "NOT VALID", "NOT DECIDED").index(verdict))
if __name__ == "__main__": main()
