"""What a receipt proves without a node (`evportal-receipt/3`): its log part, its chain part, and witnesses.

    verify_receipt.py RECEIPT --offline --key PUB_R1_… --log-key VKEY --witness VKEY --witness VKEY [--quorum N]

Take the keys of log and witnesses from where they are published, the witnesses' from the witnesses themselves: whoever
made the receipt could have made all keys in it, too. The rules are those of docs/receipts.md. (13) The log holds the
record: its leaf and the proof give the root of the checkpoint. (14) The log's key signed the checkpoint. (15) Witnesses
signed it, too: at least as many of the pinned ones as --quorum says, more than half without it. A chain part shows the
transaction, its path to the block's header, and who produced the block, where that was to be had (4 to 9).
Nothing else than Python's standard library is used here, for P-256, secp256k1 and Ed25519 neither; what a receipt has
in common with older ones is verify_receipt.py's, which calls this."""
# ruff: noqa: E401, E701, I001
import base64, contextlib, functools, hashlib, re, struct
from typing import Any

TITLES = ("The log holds the record", "The log's key signed the checkpoint", "Witnesses signed the checkpoint")
LOG = {"index", "proof", "checkpoint", "key", "key_attestation", "witnesses"}
WITNESS, NAME = {"name", "key", "ak_certificate"}, r"[!-*,-~]+"  # a name: ASCII without blanks and +
CHAIN = {"packed", "signatures", "compression", "stored", "context_free_data", "status", "cpu_usage_us",
         "net_usage_words", "path", "header", "producer_signature", "producer_key", "signed_with"}
SIGNED_WITH, AK_TEXTS = {"blockroot_merkle", "schedule_hash"}, ("format", "ak", "ek_certificate", "root", "signature")
AK_FORMAT, MIB, SAVANNA, NODES_ALONE = "evportal-ak-certificate/1", 1 << 20, 1 << 31, (3, 10, 11)
LOOKED_AT = "; this TPM was looked at by "
P256_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
def fail(what: str) -> Any: raise ValueError(what)
def need(good: Any, what: str) -> Any: return good or fail(what)
def sha256(data: bytes) -> bytes: return hashlib.sha256(data).digest()
def unbase64(text: str) -> bytes:  # in its one canonical spelling
    need(re.fullmatch("[A-Za-z0-9+/]*={0,2}", text) and len(text) % 4 == 0, "not base64")
    data = base64.b64decode(text)
    return data if base64.b64encode(data).decode() == text else fail("base64 with bits that mean nothing")
def hash_of(text: str) -> bytes: return bytes.fromhex(need(re.fullmatch("[0-9a-f]{64}", text), "not 32 bytes")[0])
def unhex(text: str) -> bytes: return bytes.fromhex(need(re.fullmatch("([0-9a-f]{2})*", text), "not hex")[0])

# --- curves: y² = x³ + ax + b, points as (x, y), None at infinity; between them Jacobian, (x / z², y / z³)
class Curve:
    def __init__(self, p: int, a: int, b: int, n: int, x: int, y: int) -> None:
        self.p, self.a, self.b, self.n, self.g = p, a, b, n, (x, y)
    def double(self, point: Any) -> Any:
        (x, y, z), p = point, self.p
        square = y * y % p
        s, m = 4 * x * square % p, (3 * x * x + self.a * pow(z, 4, p)) % p
        x2 = (m * m - 2 * s) % p
        return x2, (m * (s - x2) - 8 * square * square) % p, 2 * y * z % p
    def plus(self, one: Any, two: Any) -> Any:
        if not one[2] or not two[2]: return two if not one[2] else one
        (x1, y1, z1), (x2, y2, z2), p = one, two, self.p
        u1, u2, s1, s2 = x1 * z2 * z2 % p, x2 * z1 * z1 % p, y1 * pow(z2, 3, p) % p, y2 * pow(z1, 3, p) % p
        if u1 == u2: return self.double(one) if s1 == s2 else (1, 1, 0)
        h, r = u2 - u1, s2 - s1
        h2 = h * h % p
        h3, v = h * h2 % p, u1 * h2 % p
        x3 = (r * r - h3 - 2 * v) % p
        return x3, (r * (v - x3) - s1 * h3) % p, h * z1 * z2 % p
    def sum(self, k1: int, one: Any, k2: int, two: Any) -> Any:  # k1 * one + k2 * two
        a, b = (*one, 1), (*two, 1)
        both, found = self.plus(a, b), (1, 1, 0)
        for bit in range(max(k1.bit_length(), k2.bit_length()) - 1, -1, -1):
            found = self.double(found)
            which = (k1 >> bit & 1) + 2 * (k2 >> bit & 1)
            if which: found = self.plus(found, (a, b, both)[which - 1])
        if not found[2]: return None
        inverse = pow(found[2], -1, self.p)
        return found[0] * inverse**2 % self.p, found[1] * inverse**3 % self.p
    def has(self, x: int, y: int) -> bool:
        return x < self.p and y < self.p and (y * y - x**3 - self.a * x - self.b) % self.p == 0
    def verifies(self, key: Any, digest: bytes, r: int, s: int) -> bool:
        if not (0 < r < self.n and 0 < s < self.n): return False
        w, e = pow(s, -1, self.n), int.from_bytes(digest, "big")
        found = self.sum(e * w % self.n, self.g, r * w % self.n, key)
        return found is not None and found[0] % self.n == r
P256 = Curve(2**256 - 2**224 + 2**192 + 2**96 - 1, -3,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)
K1 = Curve(2**256 - 2**32 - 977, 0, 7, 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)
@functools.lru_cache(maxsize=64)
def recovered(digest: bytes, signature: bytes) -> bytes:  # the compressed key of secp256k1 that signed (SEC 1, 4.1.6)
    number, r, s = signature[0] - 31, int.from_bytes(signature[1:33], "big"), int.from_bytes(signature[33:], "big")
    need(len(signature) == 65 and 0 <= number < 4 and 0 < r < K1.n and 0 < s < K1.n, "no signature of secp256k1")
    x = r + K1.n * (number >> 1)
    y = pow(x**3 + 7, (K1.p + 1) // 4, K1.p)
    y = y if y % 2 == number & 1 else K1.p - y
    need(K1.has(x, y), "r belongs to no point")
    inverse, e = pow(r, -1, K1.n), int.from_bytes(digest, "big")
    key = need(K1.sum(s * inverse % K1.n, (x, y), -e * inverse % K1.n, K1.g), "the signature belongs to no key")
    return bytes([2 + key[1] % 2]) + int(key[0]).to_bytes(32, "big")
Q, L, D = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493, 0  # Ed25519, RFC 8032
D = -121665 * pow(121666, -1, Q) % Q
def ed_plus(one: Any, two: Any) -> Any:  # extended coordinates: x = X / Z, y = Y / Z, T = X * Y / Z
    a, b = (one[1] - one[0]) * (two[1] - two[0]) % Q, (one[1] + one[0]) * (two[1] + two[0]) % Q
    c, d = 2 * one[3] * two[3] * D % Q, 2 * one[2] * two[2] % Q
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % Q, g * h % Q, f * g % Q, e * h % Q
def ed_point(data: bytes) -> Any:
    number = int.from_bytes(data, "little")
    y, sign = (number & (1 << 255) - 1) % Q, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, Q) % Q
    x = pow(square, (Q + 3) // 8, Q)
    if (x * x - square) % Q: x = x * pow(2, (Q - 1) // 4, Q) % Q
    if (x * x - square) % Q: return None
    x = -x % Q if x % 2 != sign else x
    return x, y, 1, x * y % Q
ED_G = ed_point((4 * pow(5, -1, Q) % Q).to_bytes(32, "little"))
@functools.lru_cache(maxsize=64)
def ed25519(public: bytes, signature: bytes, data: bytes) -> bool:
    a, s = ed_point(public) if len(public) == 32 else None, int.from_bytes(signature[32:], "little")
    if a is None or len(signature) != 64 or s >= L: return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + data).digest(), "little") % L
    minus, found = (-a[0] % Q, a[1], 1, -a[3] % Q), (0, 1, 1, 0)
    both = ed_plus(ED_G, minus)
    for bit in range(252, -1, -1):
        found = ed_plus(found, found)
        which = (s >> bit & 1) + 2 * (k >> bit & 1)
        if which: found = ed_plus(found, (ED_G, minus, both)[which - 1])
    inverse = pow(found[2], -1, Q)
    x, y = found[0] * inverse % Q, found[1] * inverse % Q
    return (y | (x & 1) << 255).to_bytes(32, "little") == signature[:32]
def der(signature: bytes) -> tuple[int, int]:  # r and s of ECDSA, in the one form of DER
    def number(data: bytes) -> tuple[int, bytes]:
        need(data[:1] == b"\2" and len(data) > 2 and 0 < data[1] < 128 and len(data) >= 2 + data[1], "no DER")
        return int.from_bytes(data[2:2 + data[1]], "big"), data[2 + data[1]:]
    def written(value: int) -> bytes:
        return b"\2" + bytes([size := value.bit_length() // 8 + 1]) + value.to_bytes(size, "big")
    r, rest = number(signature[2:])
    s, rest = number(rest)
    body = written(r) + written(s) if r < 1 << 256 and s < 1 << 256 else fail("no DER")
    return (r, s) if not rest and b"\x30" + bytes([len(body)]) + body == signature else fail("no DER in its one form")

# --- keys and notes (C2SP signed-note, tlog-checkpoint, tlog-cosignature)
class Key:
    def __init__(self, text: str, kind: int) -> None:
        found = need(re.fullmatch(rf"({NAME})\+([0-9a-f]{{8}})\+([A-Za-z0-9+/]+={{0,2}})", text), f"no vkey: {text:.9}")
        self.text, self.name, self.id, data = text, found[1], bytes.fromhex(found[2]), unbase64(found[3])
        need(data[:1] == bytes([kind]), f"vkey: expected type {kind}")
        self.public = data[1:]
        if kind == 2: need(len(data) == 92 and data[1:28] == P256_SPKI, "vkey: expected a key of P-256")
        self.point = tuple(int.from_bytes(data[at:at + 32], "big") for at in (28, 60)) if kind == 2 else None
        need(self.point is None or P256.has(*self.point), "vkey: not on the curve")
        need(kind == 2 or len(data) == 33, "vkey: expected 32 bytes")
        of = self.public if kind == 2 else self.name.encode() + b"\n" + data
        need(self.id == sha256(of)[:4], "vkey: another key id than the key's")
    def signed(self, text: str, blob: bytes) -> bool:  # the log's line
        with_der: Any = der(blob)
        return P256.verifies(self.point, sha256(text.encode()), *with_der)
    def cosigned_at(self, text: str, blob: bytes) -> int | None:  # a witness': seconds, None where it is not right
        if len(blob) != 72: return None
        at = int.from_bytes(blob[:8], "big")
        signed = f"cosignature/v1\ntime {at}\n{text}".encode()
        return at if at < 1 << 53 and ed25519(self.public, blob[8:], signed) else None
    def antelope(self) -> str:  # as PUB_R1_…
        assert self.point is not None
        data = bytes([2 + self.point[1] % 2]) + self.point[0].to_bytes(32, "big")
        with_ripemd = "ripemd160" in hashlib.algorithms_available
        data += hashlib.new("ripemd160", data + b"R1", usedforsecurity=False).digest()[:4] if with_ripemd else bytes(4)
        number, text = int.from_bytes(data, "big"), ""
        while number: number, text = number // 58, BASE58[number % 58] + text
        return f"PUB_R1_{text}"
class Checkpoint:
    def __init__(self, note: str) -> None:
        self.text, gap, lines = (note.partition("\n\n")[0] + "\n", *note.partition("\n\n")[1:])
        found = re.fullmatch(rf"({NAME})\n([1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n", self.text)
        need(found and gap and lines.endswith("\n"), "no checkpoint")
        assert found is not None
        self.origin, self.size, self.root = found[1], int(found[2]), unbase64(found[3])
        need(self.size < 1 << 53, "a size above 2^53-1")
        each = [re.fullmatch(rf"— ({NAME}) ([A-Za-z0-9+/]+={{0,2}})", line) for line in lines[:-1].split("\n")]
        need(all(each), "no signature line")
        self.lines = [(line[1], unbase64(line[2])[:4], unbase64(line[2])[4:]) for line in each if line]
        need(all(len(key_id) == 4 and blob for _, key_id, blob in self.lines), "a signature line without a signature")
@functools.lru_cache(maxsize=64)
def checkpoint_of(note: str) -> Checkpoint: return Checkpoint(note)
def root_of(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:  # RFC 9162, 2.1.3.2
    last, found = size - 1, sha256(b"\0" + leaf)
    need(index < size, "the index is beyond the checkpoint's size")
    for one in proof:
        need(last, "more hashes than the proof needs")
        if index & 1 or index == last:
            found = sha256(b"\1" + one + found)
            while index and not index & 1: index, last = index >> 1, last >> 1
        else: found = sha256(b"\1" + found + one)
        index, last = index >> 1, last >> 1
    return found if not last else fail("fewer hashes than the proof needs")

# --- the form, which step 1 asks for
def text(value: Any, most: int = MIB) -> Any:
    return value if type(value) is str and len(value) <= most else fail(f"expected text: {value!r:.60}")
def number(value: Any, most: int) -> Any:
    return value if type(value) is int and 0 <= value <= most else fail(f"expected a number: {value!r:.60}")
def texts(value: Any, count: int, most: int) -> Any:
    return [text(one, most) for one in need(type(value) is list and len(value) <= count and [value], "a list")[0]]
def members(value: Any, names: Any) -> Any:
    return value if type(value) is dict and set(value) == {*names} else fail(f"expected exactly {sorted(names)}")
def form(r: Any, is_certification: Any) -> None:
    """The two members of /3; raises ValueError where their form is another one."""
    if (log := r["log"]) is not None:
        number(members(log, LOG)["index"], (1 << 53) - 1), texts(log["proof"], 64, 100)
        text(log["checkpoint"], 65_536), text(log["key"], 1000)
        need(log["key_attestation"] is None or is_certification(log["key_attestation"]), "log.key_attestation")
        need(type(log["witnesses"]) is list and len(log["witnesses"]) <= 16, "log.witnesses")
        for one in log["witnesses"]:
            text(members(one, WITNESS)["name"], 255), text(one["key"], 1000)
            if (stated := one["ak_certificate"]) is not None:
                number(members(stated, (*AK_TEXTS, "time"))["time"], (1 << 53) - 1)
                for name in AK_TEXTS: text(stated[name], 1000)
    if (chain := r["chain"]) is not None:
        texts(members(chain, CHAIN)["signatures"], 100, 4100), texts(chain["path"], 32, 100)
        for name in ("packed", "context_free_data", "header"): text(chain[name])
        for name in ("compression", "status"): text(chain[name], 100)
        for name, most in (("stored", MIB), ("producer_signature", 4100), ("producer_key", 100)):
            if chain[name] is not None: text(chain[name], most)
        for name in ("cpu_usage_us", "net_usage_words"): number(chain[name], (1 << 32) - 1)
        if chain["signed_with"] is not None:
            for one in members(chain["signed_with"], SIGNED_WITH).values(): text(one, 100)

# --- steps 4 to 9, from the chain part; `main` is verify_receipt.py. Each: expected, found, is it good
def entry_of(main: Any, chain: Any) -> Any:  # as a node would show it
    stored = unbase64(chain["packed"] if chain["stored"] is None else chain["stored"]).hex()
    trx = {"compression": chain["compression"], "packed_trx": stored, "signatures": chain["signatures"]}
    usage = {name: chain[name] for name in ("status", "cpu_usage_us", "net_usage_words")}
    return main.Entry({**usage, "trx": [1, {**trx, "packed_context_free_data": chain["context_free_data"]}]})
def header_of(chain: Any) -> tuple[bytes, bool, bytes]:  # the header, is it Savanna's, the block's id
    header = need(116 <= len(chain["header"]) // 2 <= 65_535, "header: another size") and unhex(chain["header"])
    before, version = int.from_bytes(header[14:18], "big"), struct.unpack("<I", header[110:114])[0]
    return header, version == SAVANNA, struct.pack(">I", (before + 1) % 2**32) + sha256(header)[4:]
def producer_key(main: Any, chain: Any) -> str | None:  # with which the producer signed, where it is told
    header, savanna, digest = header_of(chain)
    signature, key, others = chain["producer_signature"], chain["producer_key"], chain["signed_with"]
    if None in (signature, key):
        return None if (signature, key, others) == (None, None, None) else fail("the producer's: all or none")
    need((others is None) == savanna, "signed_with: expected before Savanna, and only there")
    if not savanna:
        digest = sha256(sha256(header) + hash_of(others["blockroot_merkle"]))
        digest = sha256(digest + hash_of(others["schedule_hash"]))
    data, public = main.base58(signature, "SIG"), main.base58(key, "PUB")
    need(data[0] == public[0] == 0, "the producer's signature and key: expected K1")
    return str(key) if recovered(digest, data[1:]) == public[1:] else fail("the producer's signature: another key's")
def path_root(main: Any, chain: Any) -> bytes:
    _, savanna, _ = header_of(chain)
    node = entry_of(main, chain).leaf()
    for step in chain["path"]:
        side, one = need(step[:1] in ("L", "R") and step[:1], "path: L or R"), hash_of(step[1:])
        if not savanna:
            need((one[0] >> 7 == 1) == (side == "R"), "path: the first bit says another side")
            node = bytes([node[0] & 127 | (128 if side == "L" else 0)]) + node[1:]
            need(side == "R" or bytes([node[0] & 127]) + node[1:] != one, "path: beside itself, on the left")
        node = sha256(one + node if side == "L" else node + one)
    return bytes(node)
def stored_of(main: Any, chain: Any, packed: bytes) -> bytes:  # what stands in the block has to give it
    need((chain["stored"] is None) == (chain["compression"] == "none"), "stored: where it is compressed, only there")
    same = chain["stored"] is None or entry_of(main, chain).packed == packed
    return packed if same else fail("stored: another transaction than packed")
def chain_step(main: Any, r: Any, pins: Any, step: int) -> tuple[Any, Any, Any]:
    chain = r["chain"]
    if step == 4:
        found = header_of(chain)[2].hex()
        producer_key(main, chain)
        return r["block_id"], found, found == r["block_id"] and found[:8] == f"{r['block_num']:08x}"
    if step == 5: return (e := header_of(chain)[0][46:78].hex()), (f := path_root(main, chain).hex()), e == f
    if step == 6: return "executed", chain["status"], chain["status"] == "executed"
    packed = unbase64(chain["packed"])
    if step == 7:
        found = sha256(stored_of(main, chain, packed)).hex()
        return r["transaction_id"], found, found == r["transaction_id"]
    if step == 8:
        message = sha256(hash_of(r["chain_id"]) + packed + bytes(32))
        return pins["key"], (f := main.signed(message, chain["signatures"], pins["key"])), f == pins["key"]
    wanted, told = f"{r['ledger_id']} {r['digest']}", main.recorded(packed, r["account"])
    return wanted, (f := ", ".join([one for one in told if one.startswith(r["ledger_id"] + " ")])), f == wanted

# --- steps 13 to 15, from the log part
def log_step(main: Any, r: Any, pins: Any, step: int) -> tuple[Any, Any, Any]:
    log = r["log"]
    note = checkpoint_of(log["checkpoint"])
    if step == 13:
        leaf = main.uint64(r["ledger_id"]).to_bytes(8, "big") + hash_of(r["digest"])
        found = root_of(leaf, log["index"], note.size, [hash_of(one) for one in log["proof"]])
        return note.root.hex(), found.hex(), found == note.root
    return signed_by_log(main, log, note, pins) if step == 14 else signed_by_witnesses(r, log, note, pins)
def signed_by_log(main: Any, log: Any, note: Any, pins: Any) -> tuple[Any, Any, Any]:
    pin, key = pins.get("log_key"), Key(log["key"], 2)
    need(pin in (None, key.text), "another key than the pinned one")
    name, key_id, blob = note.lines[0]
    need(key.name == note.origin == name and key_id == key.id, "signed by another name or key id")
    need(key.signed(note.text, blob), "the log's signature is wrong")
    by = log["key_attestation"] and main.certified(log["key_attestation"], key.antelope())
    need(not pins["ak"] or by == pins["ak"], f"made in the TPM of AK {by}" if by else "no TPM certifies the log's key")
    made = f", made in the TPM of AK {by}" if by else ""
    return pin or key.text, f"{key.text}{made}{'' if pin else ', key of the receipt'}", True
def signatures_of(log: Any, note: Any) -> list[tuple[Any, Any]]:  # of each witness in its place its key, and when
    keys = [Key(one["key"], 4) for one in log["witnesses"]]
    need(len(note.lines) == len(keys) + 1, "another number of signature lines than of witnesses")
    return [(key, key.cosigned_at(note.text, blob) if (name, key_id) == (key.name, key.id) else None)
            for key, (name, key_id, blob) in zip(keys, note.lines[1:], strict=True)]
def signed_by_witnesses(r: Any, log: Any, note: Any, pins: Any) -> tuple[Any, Any, Any]:
    pinned, signed = {text: Key(text, 4) for text in pins.get("witnesses") or ()}, signatures_of(log, note)
    for (key, at), one in zip(signed, log["witnesses"], strict=True):
        need(at is not None and key.name == one["name"], f"{one['name'][:60]}: a signature that is not right")
        other = any(pin.name == key.name and pin.text != key.text for pin in pinned.values())
        need(not other, f"{key.name[:60]}: another key than the pinned one")
        if one["ak_certificate"] is not None: enrolled(key, one["ak_certificate"], r)
    need(len({key.name for key, _ in signed}) == len({key.public for key, _ in signed}) == len(signed), "one twice")
    if not pinned: return "", f"{len(signed)} witnesses of the receipt's own naming, none pinned", True
    there, quorum = [key.name for key, _ in signed if key.text in pinned], quorum_of(pins)
    looked = [key.name for (key, _), one in zip(signed, log["witnesses"], strict=True)
              if one["ak_certificate"] and key.text in pinned]
    found = f"{len(there)}: {', '.join(there)}{LOOKED_AT + ', '.join(looked) if looked else ''}"
    return f"at least {quorum} of {len(pinned)}", found, len(there) >= quorum or None
def quorum_of(pins: Any) -> int:
    quorum = pins.get("quorum")
    return len({*(pins.get("witnesses") or ())}) // 2 + 1 if quorum is None else int(quorum)
def enrolled(key: Any, stated: Any, r: Any) -> None:  # what a witness says of the TPM
    lines = stated["format"], key.name, stated["ak"], stated["ek_certificate"], stated["root"], str(stated["time"])
    hashes = [hash_of(stated[name]) for name in ("ak", "ek_certificate", "root")]
    need(stated["format"] == AK_FORMAT, f"ak_certificate: no {AK_FORMAT}")
    signed = "".join(f"{line}\n" for line in lines).encode()
    need(ed25519(key.public, unbase64(stated["signature"]), signed), f"{key.name[:60]}: ak_certificate is not signed")
    proofs = [one for one in (r["attestation"], r["log"]["key_attestation"]) if one and one["ek_certificate"]]
    known = [[sha256(unbase64(one[part])) for part in ("ak", "ek_certificate")] for one in proofs]
    need(hashes[:2] in known, f"{key.name[:60]}: ak_certificate is of another TPM")

# --- all of it
def said(take: Any, main: Any, r: Any, pins: Any, step: int) -> Any:  # as verify_receipt.py's findings
    try: return "receipt", *take(main, r, pins, step)
    except Exception as error:  # noqa: BLE001  whatever is wrong with it, it proves nothing
        return "receipt", "", f"it does not hold: {error!r}"[:200], False
def added(main: Any, r: Any, pins: Any, steps: Any, notices: Any) -> Any:
    """Steps and notices with what log and chain part say; `r` is None where there is no receipt."""
    offline, notices = pins.get("offline"), {**notices, "log": None, "producer_key": None}
    unread = ["undecided", "there is no receipt", []]
    if r is None: return [*steps, *([title, *unread] for title in TITLES if offline)], notices
    log, chain = r.get("log"), r.get("chain")
    for step, one in enumerate(steps, start=1):
        if chain and 4 <= step <= 9: one[3].append(said(chain_step, main, r, pins, step))
        outcome, why = main.judge(one[3], 0 if offline or step in (1, 12) else 2)
        if offline and outcome != "failed" and (step in NODES_ALONE or (4 <= step <= 9 and not chain)):
            outcome, why = "not asked", "only a node can tell" if step in NODES_ALONE else "no chain part"
        one[1:3] = outcome, why
    unpinned = offline and not pins.get("log_key") and not pins.get("witnesses")
    for step, title in enumerate(TITLES if log or offline else (), start=13):
        findings = [said(log_step, main, r, pins, step) if log else ("receipt", "", "there is no log part", None)]
        if unpinned and step > 13: findings.append(("receipt", "", "neither log key nor witness is pinned", None))
        steps.append([title, *main.judge(findings, 0), findings])
    with contextlib.suppress(ValueError): notices["log"] = log and log_notice(log)  # else no note
    if chain and steps[3][3][-1][3]: notices["producer_key"] = producer_key(main, chain)
    return steps, notices
def log_notice(log: Any) -> Any:
    note, signed = checkpoint_of(log["checkpoint"]), []
    for one in log["witnesses"]:  # those whose signature is right, wherever its line stands
        try: signed += [(key.name, at) for key in [Key(one["key"], 4)] if (at := at_of(key, note)) is not None]
        except ValueError: continue  # no key
    newest = max((at for _, at in signed), default=None)
    return {"size": note.size, "origin": note.origin, "witnesses": [name for name, _ in signed], "time": newest}
def at_of(key: Any, note: Any) -> int | None:
    mine = [blob for name, key_id, blob in note.lines if (name, key_id) == (key.name, key.id)]
    found = [key.cosigned_at(note.text, blob) for blob in mine]
    return next((at for at in found if at is not None), None)
def words(said: Any, steps: Any, notices: Any, pins: Any) -> Any:
    """What the verdict is worth, in sentences: offline which trust is left."""
    log, pinned = notices["log"], [Key(text, 4).name for text in dict.fromkeys(pins.get("witnesses") or ())]
    yield from [line for line in said if not pins.get("offline") or line.startswith(("The meter", "CREDITED"))]
    if log:
        of = "pinned" if pins.get("log_key") else "of the receipt's own naming, not pinned"
        yield f"The log {log['origin']}, at size {log['size']}; its key: {of}."
        there = [name for name in log["witnesses"] if name in pinned]
        if pinned: yield f"{len(there)} of {len(pinned)} pinned witnesses signed: {', '.join(there) or 'none'}."
        seen = steps[14][3][0][2].partition(LOOKED_AT)[2] if steps[14][1] != "failed" else ""
        if seen: yield f"This TPM was looked at by {seen}."
        else: yield f"{len(log['witnesses'])} witnesses of the receipt's own naming, none pinned."
    if not pins.get("offline"): return
    if notices["producer_key"]:
        yield f"The block's header is signed by its producer with {notices['producer_key']}, which the receipt names."
    elif steps[3][1] == "not asked":
        yield "The receipt has no chain part: that a block holds the record was not checked."
    else: yield "The block's header: the producer's signature was not checked."
    yield "No node was asked: that the chain still holds it, and that the contract is unchanged, was not checked."
def options(parser: Any) -> None:
    def vkey(kind: int) -> Any: return lambda text: Key(text, kind).text
    parser.add_argument("--log-key", type=vkey(2), metavar="VKEY", help="the log's key, as published")
    parser.add_argument("--witness", action="append", dest="witnesses", type=vkey(4), metavar="VKEY",
                        help="a witness' key, as the witness publishes it; again for each")
    parser.add_argument("--quorum", type=int, metavar="N", help="how many have to have signed (more than half)")
    parser.add_argument("--offline", action="store_true", help="ask nobody; needs --log-key or --witness")
def two_faces(receipts: Any) -> list[str]:
    """Checkpoints of one origin and size with different roots, in a ZIP of receipts: a log that shows two faces."""
    roots: dict[Any, Any] = {}
    for log in [one["log"] for one in receipts if one.get("log")]:
        try: note = checkpoint_of(log["checkpoint"])
        except (ValueError, TypeError, KeyError): continue  # its receipt fails
        roots.setdefault((note.origin, note.size), set()).add(note.root)
    return sorted(f"{origin} at size {size}" for (origin, size), found in roots.items() if len(found) > 1)
