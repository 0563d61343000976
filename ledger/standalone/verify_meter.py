#!/usr/bin/env python3
"""Verify what a meter signed (OCMF 1.0 to 1.4.1): may this charge be billed, and by how many watt-hours?

    verify_meter.py FILE [--key KEY] [--token UID]        FILE: OCMF texts, one a line or over several; the container of
                                                          S.A.F.E. (XML); or a record's signed_meter_values (JSON)

Take the key from the meter's plate, its maker or a register of keys, never from the file: a key that comes along proves
that somebody signed, not which meter. Without --key the container's own is used, and that is said.
VERIFIED: this key signed each text, character for character; they are of one meter and one charge, with one begin and
one end, none missing between; the meter was well; and this is the energy between. The rules are those of S.A.F.E.'s
transparency software, and where it looks at less than OCMF asks for (pagination, serials, identification), OCMF's:
docs/metering.md. Needs Python 3.11 and `cryptography`; asks nobody.
exit status: 0 VERIFIED; 1 FAILED; 2 NOT CHECKED (another format, no key) or NOT SIGNED (no text)"""
# ruff: noqa: E401, E701, I001, S314, SIM905
import argparse, base64, contextlib, hashlib, json, re, sys
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

# name: (size of a coordinate, object identifier, p, a, b, n, generator); the last ones where no library is asked
CURVES: Any = {
    "secp192k1": (24, "2b8104001f", 2**192 - 2**32 - 4553, 0, 3, 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D,
        (0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D, 0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D)),
    "secp192r1": (24, "2a8648ce3d030101", 2**192 - 2**64 - 1, -3, 0x64210519E59C80E70FA7E9AB72243049FEB8DEECC146B9B1,
        0xFFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831,
        (0x188DA80EB03090F67CBF20EB43A18800F4FF0AFD82FF1012, 0x07192B95FFC8DA78631011ED6B24CDD573F977A11E794811)),
    "secp256k1": (32, "2b8104000a"), "secp256r1": (32, "2a8648ce3d030107"), "secp384r1": (48, "2b81040022"),
    "secp521r1": (66, "2b81040023"), "brainpoolP256r1": (32, "2b2403030208010107"),
    "brainpoolP384r1": (48, "2b240303020801010b")}
LIBRARY = {curve.name: curve for curve in (
    ec.SECP256K1(), ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1(), ec.BrainpoolP256R1(), ec.BrainpoolP384R1())}
HASHES: Any = {"SHA256": hashes.SHA256(), "SHA384": hashes.SHA384(), "SHA512": hashes.SHA512()}
NAMES = {spelled: name for name in CURVES for short in (name, name.replace("poolP", "pool"))
         for spelled in (short, short.upper())}
INHERITED, SIGNS = ("TM", "TX", "RI", "RU", "RT", "EF", "ST"), ("SA", "SE", "SM", "SD")
TOKEN = re.compile(r'[ \t\r\n]*(?:([][{}:,])|("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
                   r'|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![0-9.eE+-])|(true|false|null)(?![a-z])'
                   r'|(-?Infinity|NaN))')
ENDS, GOOD_CLOCKS, LEVELS = "E L R A P".split(), "U I S R".split(), "MISMATCH INVALID OUTDATED UNKNOWN".split()
BILLED, LESS_LOSS = (0x01, 0x9E, 0xB0, 0xB2, 0x98, 0xB1, 0xB3), (0x98, 0xB1, 0xB3)
class Refused(Exception):  # a reason's code, and what exactly
    def __init__(self, reason: str, detail: Any = "") -> None: self.reason, self.detail = reason, str(detail)[:100]
def refuse(reason: str, detail: Any = "") -> Any: raise Refused(reason, detail)
def half_up(wh: Fraction) -> int: return (wh + Fraction(1, 2)).__floor__()
class Reader:  # JSON, strictly: no member twice, numbers exact
    def __init__(self, text: str, at: int) -> None: self.text, self.at = text, at
    def token(self) -> Any:
        found = TOKEN.match(self.text, self.at) or refuse("json", f"character {self.at}")
        self.at = found.end()
        return found
    def value(self, depth: int = 0) -> Any:
        mark, string, number, word, never = (self.token() if depth < 64 else refuse("json", "too deep")).groups()
        if mark == "{": return self.object(depth)
        if mark == "[": return self.list(depth)
        if string is not None: return json.loads(string)
        if number is not None: return exact(number)
        if never: refuse("number", never)
        return {"true": True, "false": False, "null": None}[word or refuse("json", mark)]
    def mark(self, wanted: str) -> str:
        found = self.token()[1] or ""
        return found if found and found in wanted else str(refuse("json", found))
    def closes(self, mark: str) -> bool:
        found = TOKEN.match(self.text, self.at)
        if not found or found[1] != mark: return False
        self.at = found.end()
        return True
    def list(self, depth: int) -> Any:
        found: Any = []
        if self.closes("]"): return found
        while True:
            found.append(self.value(depth + 1))
            if self.mark(",]") == "]": return found
    def object(self, depth: int) -> Any:
        found: Any = {}
        twice, end = False, self.closes("}")
        while not end:
            name = json.loads(self.token()[2] or refuse("json", "expected a name"))
            twice |= name in found
            self.mark(":")
            found[name] = self.value(depth + 1)
            end = self.mark(",}") == "}"
        return refuse("duplicate_member") if twice else found
def whole(text: str) -> str:
    return str(refuse("json", "half a character")) if re.search("[\ud800-\udfff]", text) else text
def exact(number: str) -> Any:
    if len(number) > 40: refuse("number", number)
    digits, _, power = number.lower().partition("e")
    whole, _, behind = digits.lstrip("-").partition(".")
    if not behind and not power: return Fraction(number)
    most = len(whole) - 1 if whole != "0" else -1 - (len(behind) - len(behind.lstrip("0")))  # the first digit's power
    if not (whole + behind).strip("0"): most = -len(behind)
    if len(power) > 9 or not -20 <= most + int(power or 0) <= 20: refuse("number", number)
    return Fraction(number)
def element(tag: int, data: bytes) -> tuple[bytes, bytes]:  # of DER: its content, and what stands behind
    long = data[1:2] == b"\x81"
    start, size = (3, data[2:3]) if long else (2, data[1:2])
    good = data[:1] == bytes([tag]) and size and (size[0] > 127) == long and len(data) >= start + size[0]
    return (data[start:start + size[0]], data[start + size[0]:]) if good else refuse("key_unreadable", "no DER")
class Key:
    def __init__(self, der: bytes) -> None:  # SubjectPublicKeyInfo
        content, behind = element(0x30, der)
        algorithm, bits = element(0x30, content)
        point, rest = element(0x03, bits)
        known = {f"06072a8648ce3d020106{len(curve[1]) // 2:02x}{curve[1]}": name for name, curve in CURVES.items()}
        name = known.get(algorithm.hex())
        if behind or rest or not name or point[:1] != b"\0": refuse("key_unreadable", "no key of a curve of OCMF")
        self.name, self.size, self.point = str(name), CURVES[name][0], point[1:]
        try:
            if self.name in LIBRARY:
                self.key = ec.EllipticCurvePublicKey.from_encoded_point(LIBRARY[self.name], self.point)
                self.xy = self.key.public_numbers().x, self.key.public_numbers().y
            else: self.xy = self.own_point()
        except (ValueError, UnsupportedAlgorithm) as error: refuse("key_unreadable", error)
    def own_point(self) -> tuple[int, int]:
        _, _, p, a, b, _, _ = CURVES[self.name]
        x, form = int.from_bytes(self.point[1:1 + self.size], "big"), self.point[:1]
        y = int.from_bytes(self.point[1 + self.size:], "big")
        if form in (b"\2", b"\3") and len(self.point) == 1 + self.size:
            y = pow(x**3 + a * x + b, (p + 1) // 4, p)
            y = y if y % 2 == form[0] % 2 else p - y
        elif form != b"\4" or len(self.point) != 1 + 2 * self.size: raise ValueError("no point")
        if x >= p or y >= p or (y * y - x**3 - a * x - b) % p: raise ValueError("not on the curve")
        return x, y
    def same(self, other: Any) -> bool: return bool((self.name, self.xy) == (other.name, other.xy))
    def verifies(self, signature: bytes, data: bytes, digest: str) -> bool:
        if (numbers := self.numbers(signature)) is None: return False
        if self.name not in LIBRARY: return self.own_verifies(numbers, hashlib.new(digest, data).digest())
        with contextlib.suppress(InvalidSignature):
            self.key.verify(utils.encode_dss_signature(*numbers), data, ec.ECDSA(HASHES[digest]))
            return True
        return False
    def numbers(self, signature: bytes) -> Any:  # DER; its frame around unsigned numbers; r and s alone
        with contextlib.suppress(Refused):
            content, behind = element(0x30, signature)
            r, rest = element(0x02, content)
            s, rest = element(0x02, rest)
            if not behind and not rest and 0 < len(r) <= self.size + 1 and 0 < len(s) <= self.size + 1:
                return int.from_bytes(r, "big"), int.from_bytes(s, "big")
        halves = signature[:self.size], signature[self.size:]
        return tuple(int.from_bytes(half, "big") for half in halves) if len(signature) == 2 * self.size else None
    def own_verifies(self, numbers: Any, digest: bytes) -> bool:
        (r, s), (_, _, p, a, _, n, g) = numbers, CURVES[self.name]
        if not (0 < r < n and 0 < s < n): return False
        def plus(one: Any, two: Any) -> Any:
            if one is None or two is None: return one or two
            (x1, y1), (x2, y2) = one, two
            if x1 == x2 and (y1 + y2) % p == 0: return None
            slope = ((3 * x1 * x1 + a) * pow(2 * y1, -1, p) if one == two else (y2 - y1) * pow(x2 - x1, -1, p)) % p
            x = (slope * slope - x1 - x2) % p
            return x, (slope * (x1 - x) - y1) % p
        def times(k: int, point: Any) -> Any:
            found = None
            while k:
                found, point, k = plus(found, point) if k & 1 else found, plus(point, point), k >> 1
            return found
        e, w = int.from_bytes(digest[:self.size], "big"), pow(s, -1, n)
        found = plus(times(e * w % n, g), times(r * w % n, self.xy))
        return found is not None and found[0] % n == r
MEMBER = r'"[A-Z]{1,8}" ?: ?"(?:[^"\\\x00-\x1f]|\\.)*"'
ONE_LINE, NEW = rf"\{{ ?{MEMBER}(?: ?, ?{MEMBER})* ?\}}", r"\r?\n(?: {2,}|\t*)"
SEAL = re.compile(rf"(?:\r?\n)?(?:{ONE_LINE}|\{{{NEW}{MEMBER}(?:,{NEW}{MEMBER})*{NEW}\}})")
def opened(text: str) -> tuple[Any, bytes, str, str, bytes]:  # payload, what is signed, curve, hash, signature
    if len(text) > 65536: refuse("too_long", len(text))
    if text[:5] != "OCMF|": refuse("not_ocmf", "expected OCMF|")
    reader = Reader(text, 5)
    payload = reader.value()
    if type(payload) is not dict: refuse("json", "expected an object")
    bar = reader.at + len(text[reader.at:]) - len(text[reader.at:].lstrip(" \t\r\n"))
    if text[bar:bar + 1] != "|": refuse("not_ocmf", "expected |")
    reader.at = bar + 1
    seal = reader.value()
    if type(seal) is not dict: refuse("json", "expected an object")
    if reader.at != len(text): refuse("trailing", text[reader.at:])
    if not SEAL.fullmatch(text, bar + 1): refuse("signature_form", "blanks or members of another form")
    whole(json.dumps([payload, seal], ensure_ascii=False, default=str))
    return payload, whole(text[5:bar]).encode(), *algorithm(seal), unpacked(seal)
def algorithm(seal: Any) -> tuple[str, str]:
    for name in seal:
        near = len(name) == 2 and name[1] in "ADEM"
        if name not in SIGNS and (near or name[0] not in "ABCDEFUVWXYZ"): refuse("signature_form", name)
    parts = seal.get("SA", "ECDSA-secp256r1-SHA256").split("-")
    good = len(parts) == 3 and parts[0] == "ECDSA" and parts[1] in NAMES and parts[2] in HASHES
    if not good: refuse("algorithm", parts)
    return NAMES[parts[1]], parts[2]
def unpacked(seal: Any) -> bytes:
    data, kind = seal.get("SD", ""), seal.get("SE", "hex")
    if seal.get("SM", "application/x-der") == "application/x-der":
        if kind == "hex" and re.fullmatch("([0-9a-f]{2})+|([0-9A-F]{2})+", data): return bytes.fromhex(data)
        with contextlib.suppress(ValueError):
            found = base64.b64decode(data, validate=True)
            if kind == "base64" and "SD" in seal and base64.b64encode(found).decode() == data: return found
    return bytes(refuse("signature_form", "SD is not written as SE and SM say"))
def plain(value: Any) -> str:
    text: str = value["text"]
    try:
        if value["encoding"] == "hex": text = bytes.fromhex("".join(text.split())).decode()
        if value["encoding"] == "base64": text = base64.b64decode("".join(text.split()), validate=True).decode()
    except ValueError: refuse("not_ocmf", "not " + value["encoding"])
    return text.strip(" \r\n")
def obis(code: Any) -> Any:  # its six groups, hexadecimal; F 255: the current value
    form = r"([0-9a-f]{1,2})-([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-9a-f]{1,2})\.([0-9a-f]{1,2})(?:[.*&]([0-9a-f]{1,3}))?"
    if type(code) is not str or not (found := re.fullmatch(form, code.strip().lower())): return None
    *groups, last = (int(group or "0", 16) for group in found.groups())
    return *groups, 255 if last in (0, 0xFF, 0x200, 0x255) else last
def string(found: Any, name: str) -> str:
    return found if type(found) is str else "" if found is None else str(refuse("fields", name))
class Row:  # one reading with what it inherits
    def __init__(self, members: Any, number: int) -> None:
        self.members, self.number, self.obis = members, number, obis(members.get("RI"))
        energy = self.obis is not None and self.obis[0] == 1 and self.obis[3] == 8
        self.less_loss = energy and self.obis[2] in LESS_LOSS
        self.billed = energy and self.obis[2] in BILLED and self.obis[5] == 255
    def text(self, name: str) -> str: return string(self.members.get(name), name)
    @property
    def kind(self) -> str: return self.text("TX").strip()
    def read(self) -> Any:  # Wh, moment, state of the clock, unit
        unit, value = self.text("RU").strip().lower(), self.members.get("RV")
        padded = type(value) is str and re.fullmatch(r" *([0-9]{1,30}(\.[0-9]{1,20})?) *", value)
        value = Fraction(padded[1]) if padded else value
        if type(value) is not Fraction: refuse("value", value)
        if unit not in ("kwh", "wh"): refuse("unit", unit)
        form = (r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):\d\d:\d\d)(?:[,.](\d{1,6}))?"
                r"([+-])([01]\d|2[0-3]):?([0-5]\d|)( [A-Za-z])?")
        found = re.fullmatch(form, tm := self.text("TM"), re.ASCII) or refuse("time", tm)
        try:
            offset = timedelta(hours=int(found[4]), minutes=int(found[5] or 0))
            at = datetime.fromisoformat(found[1]) + timedelta(microseconds=int((found[2] or "0").ljust(6, "0")))
            at = at - offset if found[3] == "+" else at + offset
        except (ValueError, OverflowError): refuse("time", tm)
        wh = value * (1000 if unit == "kwh" else 1)
        return (wh, at, (found[6] or "").strip(), unit) if 0 <= wh <= 10**15 else refuse("value", value)
class Record:  # a verified text
    def __init__(self, payload: Any, contexts: Any) -> None:
        self.payload, self.contexts, version, page = payload, contexts, payload.get("FV"), payload.get("PG")
        if type(version) is Fraction: version = f"1.{version * 10 - 10}"
        good = type(version) is str and re.fullmatch(r"1(\.[0-4](\.[0-9]{1,2})?)?", version)
        if version is not None and not good: refuse("version", version)
        numbered = re.fullmatch("([TF])(0|[1-9][0-9]{0,18})", page) if type(page) is str else None
        found = numbered or refuse("pagination", page)
        self.number, listed, before = int(found[2]) if found[1] == "T" else None, payload.get("RD"), dict[str, Any]()
        if type(listed) is not list or not listed or {type(one) for one in listed} != {dict}: refuse("fields", "RD")
        self.rows = []
        for one in listed:
            before = {**{name: before[name] for name in INHERITED if name in before}, **one}
            self.rows.append(Row(before, self.number or 0))
def judge(values: Any, der: bytes | None, token: str | None = None) -> dict[str, Any]:
    """The verdict with its reason; where VERIFIED also meter, begin, end, energy, and the first and last number."""
    formats = {value["format"] for value in values}
    if not values: return {"verdict": "NOT SIGNED", "reason": ""}
    if "OCMF" not in formats: return {"verdict": "NOT CHECKED", "reason": "format_not_checked"}
    if der is None: return {"verdict": "NOT CHECKED", "reason": "no_key"}
    try:
        if len(formats) > 1 or len(values) > 10_000: refuse("formats_mixed", formats)
        return {"verdict": "VERIFIED", "reason": "", **charge(records(values, Key(der)), token)}
    except Refused as refused: return {"verdict": "FAILED", "reason": refused.reason, "detail": refused.detail}
def records(values: Any, key: Key) -> list[Record]:
    contexts: Any = {}
    for value in values: contexts.setdefault(plain(value), set()).add(value.get("context", ""))
    read = [(opened(text), found) for text, found in contexts.items()]
    for (_, signed, curve, digest, signature), _ in read:
        if curve != key.name: refuse("curve", f"{curve}, the key is on {key.name}")
        if not key.verifies(signature, signed, digest): refuse("signature")
    return [Record(parts[0], found) for parts, found in read]
def alone(value: Any, der: Any) -> str:  # of one text
    try: return f"signed by this key: {records([value], Key(der))[0].payload.get('PG')}"
    except Refused as refused: return f"{refused.reason} {refused.detail}"
def charge(texts: list[Record], token: str | None) -> dict[str, Any]:
    serial = one_meter(texts)
    numbers = sorted(text.number for text in texts if text.number is not None) or refuse("pagination", "no T")
    for before, after in pairwise(numbers):
        reason = "pagination_repeated" if after == before else "pagination_gap"
        if after != before + 1: refuse(reason, f"T{before}, T{after}")
    identified(texts, token)
    ordered = sorted((text for text in texts if text.number is not None), key=lambda text: text.number or 0)
    every = [(text, row) for text in ordered for row in text.rows]
    rows = [one for one in every if one[1].less_loss] or [one for one in every if one[1].billed] or refuse("register")
    found: Any = {}
    for kinds, none, several in ((["B"], "no_begin", "several_begins"), (ENDS, "no_end", "several_ends")):
        read = {(*row.read(), row.text("ST"), row.text("RI")): row for _, row in rows if row.kind in kinds}
        alike = {(*values[:3], *values[4:]): row for values, row in reversed(read.items())}
        if len(alike) != 1: refuse(several if alike else none, len(alike))
        found[kinds[0]] = next(iter(alike.values())).read()
    allowed(rows, found["B"], found["E"])
    begin, end = found["B"][0], found["E"][0]
    energy = {"begin_wh": half_up(begin), "end_wh": half_up(end), "energy_wh": half_up(end - begin)}
    return {"meter": serial, **energy, "begin_at": found["B"][1], "end_at": found["E"][1],
            "numbers": (numbers[0], numbers[-1]), "_exact": (begin, end)}
def one_meter(texts: list[Record]) -> str:
    serials = {tuple(string(text.payload.get(name) or None, name) for name in ("GS", "MS")) for text in texts}
    if len(serials) > 1: refuse("meters_differ", serials)
    gateway, meter = serials.pop()
    return meter or gateway or str(refuse("fields", "neither MS nor GS"))
def identified(texts: list[Record], token: str | None) -> None:
    named = set()
    for text in texts:
        level, kind, identity = (string(text.payload.get(name), name).strip() for name in ("IL", "IT", "ID"))
        if level in LEVELS: refuse("identification_level", level)
        if kind not in ("", "NONE", "DENIED") and identity: named.add(normal(identity))
    if len(named) > 1: refuse("identifications_differ", named)
    for one in named if token is not None else ():
        short, long = sorted((one, normal(str(token))), key=len)
        checked = len(long) == len(short) + 1 and long.startswith(short) and re.fullmatch("[a-z]{2}[a-z0-9]{12}", short)
        if short != long and not checked: refuse("other_token", one)
def normal(identity: str) -> str:  # without what makers write differently
    labelled = re.fullmatch(r"(?:contract-id: *)?(?:rfid|emaid|evcoid|idtag): *([^,]+)(?:,.*)?", identity.strip(), re.I)
    return re.sub(r"[\s:*-]", "", labelled[1] if labelled else identity).casefold()
def allowed(rows: Any, begin: Any, end: Any) -> None:
    if len({row.obis for _, row in rows}) > 1: refuse("registers_differ", [row.text("RI") for _, row in rows])
    if begin[3] != end[3]: refuse("units_differ", f"{begin[3]}, {end[3]}")
    if rows[0][1].kind != "B" or rows[-1][1].kind not in ENDS: refuse("order", [row.kind for _, row in rows])
    for text in {id(text): text for text, _ in rows}.values():
        kinds = {row.kind for other, row in rows if other is text}
        sent_as_begin, sent_as_end = (f"Transaction.{name}" in text.contexts for name in ("Begin", "End"))
        if sent_as_begin and kinds & {*ENDS} and "B" not in kinds: refuse("context", "an end as Transaction.Begin")
        if sent_as_end and not sent_as_begin and kinds == {"B"}: refuse("context", "a begin as Transaction.End")
    if end[0] < begin[0]: refuse("backwards", f"{begin[0]} to {end[0]}")
    if end[1] < begin[1]: refuse("time_backwards", f"{begin[1]} to {end[1]}")
    clocks = begin[2], end[2]
    if not {*clocks} <= {*GOOD_CLOCKS} or clocks[0] == "R" != clocks[1]: refuse("time_state", clocks)
    for _, row in rows:
        flags = row.text("EF")
        if (row.kind == "B" or row.kind in ENDS) and row.text("ST") != "G": refuse("meter_status", row.text("ST"))
        if "E" in flags: refuse("error_flag", flags)
        if row.kind == "X" and flags != "t": refuse("exception", flags)
    before = begin[0]
    for row in [row for _, row in rows if row.members.get("RV") is not None]:
        wh, _ = row.read()[0], row.text("ST")
        if not before <= wh <= end[0]: refuse("backwards", f"{before} to {wh}")
        before = wh
def step(record: Any, pinned: Any) -> tuple[str, str, bool, str]:
    """Expected, found, is it good, and the notice: the table of docs/receipts.md."""
    values, verdict, key = (record.get(name) for name in ("signed_meter_values", "signed_verdict", "meter_public_key"))
    parts, packings = {"format", "encoding", "text"}, ("plain", "base64", "hex")
    good = type(values) is list and values and all(
        type(one) is dict and {*one} - {"context"} == parts and all(type(text) is str for text in one.values())
        and one["encoding"] in packings for one in values)
    if not good or verdict not in ("VERIFIED", "NOT CHECKED", "FAILED") or type(key) not in (str, type(None)):
        return "signed meter values and what was found of them", "another form", False, "FAILED"
    if verdict == "FAILED":
        return "VERIFIED", f"the record says FAILED: {record.get('signed_reason', 'none')}", False, "FAILED"
    if key is not None and pinned and not any(same_key(key, one) for one in pinned):
        return "a pinned key of the meter", key, False, "FAILED"
    holder = record.get("id_token")
    token = holder.get("uid") if type(holder) is dict and type(holder.get("uid")) is str else None
    judged = judge(values, None if key is None else hexadecimal(key), token)
    if judged["verdict"] == "FAILED": return "VERIFIED", f"FAILED: {judged['reason']}", False, "FAILED"
    if judged["verdict"] != "VERIFIED": return *(f"NOT CHECKED: {judged['reason']}",) * 2, True, "NOT CHECKED"
    said = [record.get(name) for name in ("meter_start_wh", "meter_stop_wh", "energy_wh")]
    found = [judged[name] for name in ("begin_wh", "end_wh", "energy_wh")]
    def words(of: str, begin: Any, end: Any, energy: Any) -> str: return f"{of}: {begin} to {end} Wh, {energy} Wh"
    same = verdict == "VERIFIED" and said == found and {type(number) for number in said} == {int}
    shown = ["none" if number is None else number for number in said]
    notice = f"VERIFIED (key {'pinned' if pinned else 'of the record'})" if same else "FAILED"
    return words(verdict, *shown), words("VERIFIED", *found), same, notice
def hexadecimal(text: str) -> bytes:  # in its one spelling; b"": it is none
    return bytes.fromhex(text) if re.fullmatch("([0-9a-f]{2})+", text) else b""
def same_key(one: str, other: str) -> bool:
    with contextlib.suppress(Refused): return Key(hexadecimal(one)).same(Key(hexadecimal(other)))
    return False
def of_file(data: str) -> tuple[list[dict[str, str]], str]:  # values, and the file's own key
    if data.lstrip()[:1] == "<":
        if "<!DOCTYPE" in data or "<!ENTITY" in data: sys.exit("a container has no document type")
        found, key = [], ""
        for value in ElementTree.fromstring(data).iter("value"):
            nodes = [node for name in ("signedData", "encodedData") if (node := value.find(name)) is not None]
            text, named = (nodes[0].text or "", nodes[0].attrib) if nodes else ("", {})
            kind = named.get("format") or ("OCMF" if text.strip()[:5] == "OCMF|" else "unknown")
            packing, key = named.get("encoding") or "plain", value.findtext("publicKey") or key
            found.append({"format": kind.upper(), "encoding": packing.lower(), "text": text})
            found[-1]["context"] = value.get("context") or ""
        return found, key
    if data.lstrip()[:1] == "{":
        record = json.loads(data)
        return record.get("signed_meter_values", record.get("values")), record.get("key") or ""
    parts = re.split(r"[\r\n]+(?=OCMF\|)", data.strip())
    return [{"format": "OCMF", "encoding": "plain", "text": part} for part in parts], ""
def key_of(text: str) -> bytes:
    packed = "".join(re.sub("-----[A-Z ]+-----", "", text).split()).replace(":", "")
    if re.fullmatch("([0-9a-fA-F]{2})+", packed): return bytes.fromhex(packed)
    with contextlib.suppress(ValueError): return base64.b64decode(packed, validate=True)
    sys.exit("--key: expected SubjectPublicKeyInfo in hexadecimal, base64 or PEM")
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=argparse.FileType("r", encoding="utf-8"), help="- reads standard input")
    parser.add_argument("--key", help="the meter's public key: SubjectPublicKeyInfo in hexadecimal, base64 or PEM")
    parser.add_argument("--token", help="whom the charge belongs to: the card's UID or the contract")
    args = parser.parse_args()
    values, own = of_file(args.file.read())
    judged = judge(values, der := key_of(given) if (given := args.key or own) else None, args.token)
    for number, value in enumerate(values if der else (), start=1): print(f"text {number}", alone(value, der))
    print("".join(f"{name:10}{said}\n" for name, said in judged.items() if name[:1] not in "v_" and said != ""), end="")
    if given and not args.key: print("the key came with the file: it does not say which meter signed", file=sys.stderr)
    print(judged["verdict"])
    sys.exit({"VERIFIED": 0, "FAILED": 1}.get(judged["verdict"], 2))
if __name__ == "__main__": main()
