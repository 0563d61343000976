"""Made-up charges that meters signed, on any curve, right or wrong in one thing or several: for whoever judges them.

The signatures fit mostly, so that the rules behind them have to judge; some texts are changed after they were signed.
"""

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

from dev.stations.ocmf import SignedMeter, json_text

Json = dict[str, Any]
CURVES = ("secp192r1", "secp256k1", "secp256r1", "secp384r1", "secp521r1", "brainpoolP256r1", "brainpoolP384r1")
SPELLED = {"brainpoolP256r1": "brainpool256r1", "brainpoolP384r1": "brainpool384r1"}
HASHES = (*("SHA256",) * 10, "SHA384", "SHA512")
TOKEN = "04AABBCCDD"
READING = ("TM", "TX", "RV", "RI", "RU", "RT", "EF", "ST")
WEIRD: tuple[Any, ...] = (
    None,
    "",
    " ",
    0,
    1,
    -1,
    1.5,
    True,
    False,
    [],
    {},
    "x",
    "É",
    [1],
    {"a": 1},
    "T1",
    10**18,
    "G ",
)
REGISTERS = (
    *(
        "1-b:1.8.0",
        "01-00:01.08.00.FF",
        "01-00:98.08.00.FF",
        "1-0:1.8.0*255",
        "1-0:1.8.0*200",
        "1-0:1.8.0*7",
        "1-0:1.8.0",
    ),
    *("01-00:B2.08.00.FF", "01-00:00.08.06.FF", "1-b:2.8.0", " 1-B:1.8.0 ", "1-b:1.8.e", "01-00:9e.08.00.ff", "none"),
)
TIMES = (
    *("2026-03-01T10:00:00,000+0100 S", "2026-03-01T10:00:00.000+01:00 I", "2026-03-01T10:00:00+01 S"),
    *("2026-03-01T10:00:00,5-0030 R", "2026-02-30T10:00:00,000+0100 S", "2026-03-01T10:00:00,000+0100", "0001-01-01"),
    *("2026-03-01T24:00:00,000+0100 S", "2026-03-01T10:00:00,000+0175 S", "2026-03-01T10:00:00,1234567+0100 S"),
    *("2026-03-01T10:00:00,000Z S", "0001-01-01T00:00:00,000+0100 S", "2026-03-01T10:00:00,000+0100 Q"),
)
VALUES: dict[str, tuple[Any, ...]] = {
    "TM": TIMES,
    "TX": tuple("BCXELRAPST "),
    "RV": (0, 5, 7.5, "  12.50", "00012", "x", 12, 1e3),
    "RI": REGISTERS,
    "RU": ("kWh", "Wh", "KWH", " wh ", "sec", "mOhm"),
    "RT": ("DC",),
    "EF": ("", "t", "E", "Et", "x"),
    "ST": tuple("GTMN"),
}
NUMBERS = (
    *("1.50", "1e1", "1E+400", "9" * 30, "0.0", "-0", "-0.0", "1e-21", "1e20", "1E21", "0e-30", "NaN", "Infinity"),
    *("-Infinity", "01", "1.", ".5", "+1", "1" * 41, "1e9999999999", "1e99999999999999999999999", "-1", "5e0"),
)
NAMES = (
    *(
        TOKEN,
        "04:aa:bb:cc:dd",
        "RFID: 04aabbccdd",
        "contract-id: EMAID: 04AABBCCDD",
        "+49123",
        "straße",
        "STRASSE",
        "other",
    ),
    *("DE-ABC-123456789-1", "DEABC123456789", "DE*ABC*123456789", "", " "),
)
INSIDE = ('"U":"\\ud83d\\ude00",', '"U":"\\ud83d",', '"V":"a|b",', f'"W":{"[" * 9}{"]" * 9},', '"MS":"1",')
MEMBERS = ("SX", "SN", "X", "ABC", "UA", "SB", "SAA", "AD", "ZM", "SE", "SM")


@dataclass(frozen=True)
class Charge:
    """Signed values as a record has them, the registered key (hex, None: none), and the charge's token."""

    values: list[Json]
    key: str | None
    token: str | None


def charge(rng: Random) -> Charge:
    """One charge: one text, two, or three and more, mostly right."""
    curve = rng.choice((*("secp256r1",) * 8, *CURVES))
    spelled = rng.choice((curve, curve.upper(), SPELLED.get(curve, curve)))
    meter = SignedMeter("1EVP1", curve, spelled=spelled, hash_name=rng.choice(HASHES))
    meter.signature_encoding = rng.choice(("hex", "hex", "hex", "base64"))
    texts = [_signed(rng, meter, _altered(rng, payload)) for payload in _payloads(rng)]
    if rng.random() < 0.1:
        texts.append(texts[0])
    if rng.random() < 0.1:
        rng.shuffle(texts)
    if rng.random() < 0.08:
        at = rng.randrange(len(texts))
        texts[at] = changed(rng, texts[at])
    values = [_value(rng, text, is_first=number == 0) for number, text in enumerate(texts)]
    token = rng.choice((None, None, TOKEN, TOKEN.lower(), TOKEN, rng.choice(NAMES)))
    return Charge(values, _key(rng, meter), token)


def changed(rng: Random, text: str) -> str:
    """With another character at one place, one less, or one more; never the same text."""
    while True:
        at = rng.randrange(len(text))
        new = rng.choice((text[at].swapcase(), "", "0", "|", '"', " ", "\\", chr(rng.randrange(32, 127)), "é", "\0"))
        found = text[:at] + new + text[at + rng.choice((0, 1, 1, 1)) :]
        if found != text:
            return found


def _payloads(rng: Random) -> list[Json]:
    number, base = rng.randrange(1, 100), rng.randrange(10**6)
    stop = base + rng.randrange(50_000)
    begin, end = _reading("B", base, 8), _reading(rng.choice("ELRAP"), stop, 9)
    between = _reading(rng.choice("CTSX"), base + 1, 8)
    kind = rng.random()
    if kind < 0.4:
        kept = {name: value for name, value in end.items() if name in READING[:3] or rng.random() < 0.5}
        return [_payload(number, [begin, kept])]
    if kind < 0.8:
        return [_payload(number, [begin]), _payload(number + 1, [end])]
    last = [end] if rng.random() < 0.7 else [begin, end]
    found = [_payload(number, [begin]), _payload(number + 1, [between]), _payload(number + 2, last)]
    return found if rng.random() < 0.9 else [found[0], found[2]]


def _reading(transaction: str, wh: int, hour: int) -> Json:
    at = f"2026-03-01T{hour:02}:00:00,000+0100 S"
    return dict(zip(READING, (at, transaction, wh / 1000, "1-b:1.8.0", "kWh", "AC", "", "G"), strict=True))


def _payload(number: int, readings: list[Json]) -> Json:
    """Members in an order of their own; the readings are copies."""
    named = {"IS": True, "IL": "VERIFIED", "IF": [], "IT": "ISO14443", "ID": TOKEN}
    meter = {"FV": "1.0", "GS": "G1", "PG": f"T{number}", "MS": "1EVP1"}
    return {**meter, **named, "RD": [dict(one) for one in readings]}


def _altered(rng: Random, payload: Json) -> Json:
    """With nothing, one or two things otherwise."""
    for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
        kind = rng.random()
        readings = [one for one in payload.get("RD") or () if isinstance(one, dict)]
        if kind < 0.6 and readings:
            name, one = rng.choice(READING), rng.choice(readings)
            one[name] = rng.choice((rng.choice(VALUES[name]), rng.choice(WEIRD)))
            if rng.random() < 0.3:
                del one[name]
        elif kind < 0.7:
            payload["ID"] = rng.choice(NAMES)
        elif kind < 0.8:
            name = rng.choice(("IL", "IT", "PG", "FV"))
            others = (
                "NONE",
                "MISMATCH",
                " INVALID ",
                "DENIED",
                "EMAID",
                "T2",
                "F1",
                "T01",
                "1.4.12",
                "1.5",
                1.0,
                "1.0\n",
            )
            payload[name] = rng.choice(others)
        elif kind < 0.9:
            payload[rng.choice(list(payload))] = rng.choice(WEIRD)
        elif len(payload) > 1:
            del payload[rng.choice(list(payload))]
    return payload


def _signed(rng: Random, meter: SignedMeter, payload: Json) -> str:
    """As text in one of several forms, some not JSON's; then signed."""
    separators = rng.choice(((",", ":"), (", ", ": "), (" , ", " : ")))
    text = json.dumps(payload, ensure_ascii=rng.random() < 0.5, separators=separators)
    if rng.random() < 0.08:
        number = rng.choice(NUMBERS)
        text = re.sub(r'("RV" ?: ?)[-\d.e+]+', lambda found: found[1] + number, text, count=1)
    if rng.random() < 0.06:
        text = text.replace("{", "{" + rng.choice(INSIDE), 1)
    sealed = meter.sealed(text)
    head, part = sealed[: len("OCMF|") + len(text) + 1], json.loads(sealed[len("OCMF|") + len(text) + 1 :])
    if meter.spelled == "secp256r1" and meter.hash_name == "SHA256" and rng.random() < 0.5:
        del part["SA"]
    if rng.random() < 0.03:
        part[rng.choice(MEMBERS)] = rng.choice(("x", "hex", "base64"))
    forms: list[Callable[[], str]] = [lambda: json_text(part)] * 6
    forms += [
        lambda: json.dumps(part),
        lambda: json.dumps(part, separators=(" , ", " : ")),
        lambda: json.dumps(part, indent=2),
    ]
    forms += [lambda: json.dumps(part, indent="\t"), lambda: json.dumps(part, indent=1)]
    around = rng.choice(("", "", "", "", " ", "\n", "\t", "\r\n"))
    return f"{around}{head}{rng.choice(forms)()}{around}"


def _value(rng: Random, text: str, *, is_first: bool) -> Json:
    encoding, spelled = "plain", text
    if rng.random() < 0.1:
        encoding, spelled = "hex", text.encode().hex()
    elif rng.random() < 0.1:
        encoding, spelled = "base64", base64.b64encode(text.encode()).decode()
        spelled = rng.choice((spelled, spelled, f"{spelled[:20]}\n{spelled[20:]}", spelled.rstrip("=")))
    context = rng.choice(("", "", "Transaction.Begin" if is_first else "Transaction.End", "Sample.Periodic"))
    if rng.random() < 0.03:
        context = rng.choice(("Transaction.Begin", "Transaction.End"))
    form = "OCMF" if rng.random() < 0.98 else rng.choice(("ALFEN", "EDL40"))
    return {"format": form, "encoding": encoding, "text": spelled, **({"context": context} if context else {})}


@cache
def _public_key(curve: str) -> str:
    return SignedMeter("1EVP1", curve).public_key.hex()


def _key(rng: Random, meter: SignedMeter) -> str | None:
    if rng.random() < 0.95:
        return _public_key(meter.curve)
    own = _public_key(meter.curve)
    return rng.choice((None, "", "00", own[:-2], own + "00", own.upper(), _public_key(rng.choice(CURVES))))
