"""Vectors of signed meter values: true ones, and every fake that we could think of, with the reason that is right."""

import base64
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from dev.stations.ocmf import SignedMeter, json_text
from stations.metering.curves import CURVES
from stations.metering.keys import public_key_read

DATA = Path(__file__).parents[1] / "data" / "ocmf"
TOKEN, SERIAL = "04AB076A345B85", "1EVP0000000001"
SHARED = {
    "test_ocmf_keba_kcp30.xml": "",
    "test_ocmf_keba_kcp30_fail.xml": "signature",
    "test_ocmf_ebee_02.xml": "signature",
    "ocmf_tariff_1.xml": "",
    "ocmf_sec.xml": "",
}
FIRST = datetime(2026, 11, 30, 18, 0, tzinfo=timezone(timedelta(hours=1)))


def at(minutes: int) -> datetime:
    """So many minutes after the first begin."""
    return FIRST + timedelta(minutes=minutes)


def meter(**changed: Any) -> SignedMeter:
    """The meter of most cases, with these attributes changed."""
    return SignedMeter(**({"serial": SERIAL} | changed))


def value(text: str, context: str = "", encoding: str = "plain", format_name: str = "OCMF") -> dict[str, str]:
    found = {"format": format_name, "encoding": encoding, "context": context, "text": text}
    return {name: member for name, member in found.items() if member or name != "context"}


def case(
    name: str,
    why: str,
    values: Sequence[dict[str, str] | str],
    reason: str = "",
    *,
    key: bytes | str | None = b"",
    token: str | None = TOKEN,
    verdict: str = "",
    energy_wh: int | None = None,
) -> dict[str, Any]:
    """`reason` "" is VERIFIED; key b"" is the meter's that `meter()` makes."""
    key = meter().public_key if key == b"" else key
    expected: dict[str, Any] = {"verdict": verdict or ("FAILED" if reason else "VERIFIED"), "reason": reason}
    return {
        **{"name": name, "why": why, "values": [one if isinstance(one, dict) else value(one) for one in values]},
        **{"key": key.hex() if isinstance(key, bytes) else key, "token": token},
        "expected": expected | ({} if energy_wh is None else {"energy_wh": energy_wh}),
    }


def pair(begin: dict[str, Any] | None = None, end: dict[str, Any] | None = None, **changed: Any) -> list[str]:
    """Texts of begin and end, with members of the readings changed before they are signed."""
    one = meter(**changed)
    return [one.begin(1_000_000, at(0), TOKEN, **(begin or {})), one.end(1_011_250, at(90), TOKEN, **(end or {}))]


def cases() -> Iterator[dict[str, Any]]:
    yield from others()
    yield from forms()
    yield from keys()
    yield from texts()
    yield from readings()
    yield from together()


def others() -> Iterator[dict[str, Any]]:
    """What other makers signed."""
    for file, reason in SHARED.items():
        found, key = [], ""
        for element in ElementTree.parse(DATA / file).getroot().findall("value"):  # noqa: S314 - files of the repository
            found.append(value(element.findtext("signedData") or "", element.get("context") or ""))
            key = "".join((element.findtext("publicKey") or "").split()).lower()
        yield case(f"shared-{file[:-4]}", "of S.A.F.E.'s own tests", found, reason, key=key, token=None)
    for public in json.loads((DATA / "public.json").read_text()):
        made = case(f"public-{public['name']}", public["source"], public["texts"], public["reason"], token=None)
        yield made | {"key": public_key_read(public["key"])[0].hex()}


def forms() -> Iterator[dict[str, Any]]:
    """Every form in which a true record may come."""
    for curve in CURVES:
        short = curve.replace("brainpoolP", "brainpool")
        for spelled in dict.fromkeys((curve, short)):
            one = meter(curve=curve, spelled=spelled)
            texts = [one.begin(1000, at(0), TOKEN), one.end(2000, at(60), TOKEN)]
            yield case(f"curve-{spelled}", "a curve of OCMF", texts, key=one.public_key, energy_wh=1000)
    for name in ("SHA384", "SHA512"):
        yield case(f"hash-{name.lower()}", "the hash is the one that SA names", pair(hash_name=name))
    yield case("base64", "SE is base64", pair(signature_encoding="base64"), energy_wh=11_250)
    yield case("unit-wh", "in Wh", pair(unit="Wh"), energy_wh=11_250)
    one = meter()
    between = [one.begin(10, at(0), TOKEN), one.during(500, at(5), TOKEN), one.end(900, at(9), TOKEN)]
    yield case("between", "a text while the car charges", between, energy_wh=890)
    yield case("twice", "a text that came twice counts once", [between[0], *between], energy_wh=890)
    yield case("late-begin", "the order of arrival does not matter, the meter's numbers do", between[::-1])
    both = meter().both((Fraction(1, 10), at(0)), (Fraction(26, 10), at(1)), TOKEN)
    yield case("both-in-one", "one text with begin and end; 2.5 Wh are billed as 3", [both], energy_wh=3)
    one = meter()
    again = [one.begin(10, at(0), TOKEN), one.both((10, at(0)), (60, at(1)), TOKEN)]
    yield case("begin-again-in-the-end", "the begin by itself, and again in the text of the end", again, energy_wh=50)
    yield from spellings()


def spellings() -> Iterator[dict[str, Any]]:
    """What makers and stations write differently."""
    yield case("encoded-hex", "the text in hexadecimal", [value(x.encode().hex(), encoding="hex") for x in pair()])
    packed = [value(base64.b64encode(x.encode()).decode(), encoding="base64") for x in pair()]
    yield case("encoded-base64", "the text in base64", packed)
    yield case("line-ends", "blanks and line ends around a text", [f"\n{x}\r\n " for x in pair()])
    contexts = ("Transaction.Begin", "Transaction.End")
    yield case("contexts", "with OCPP's contexts", [value(x, c) for x, c in zip(pair(), contexts, strict=True)])
    swapped = [value(x, c) for x, c in zip(pair(), reversed(contexts), strict=True)]
    yield case("contexts-swapped", "the end was sent as the begin", swapped, "context")
    yield case("bar-in-a-text", "a bar in a JSON text ends no part", pair(more={"TT": 'day|night \\"|{'}))
    for written in (
        "1-b:1.8.0",
        "01-00:01.08.00.FF",
        "1-0:1.8.0*255",
        "1-0:1.8.0*FF",
        "1-0:1.8.e",
        "01-00:B2.08.00*ff",
    ):
        name = f"obis-{written.replace(':', '_').replace('*', 'x')}"
        yield case(name, "an OBIS code as written", pair(register=written))
    for number, clock in (("0", "U"), ("1", "I"), ("2", "R")):
        states = pair(clock=clock, pagination=int(number))
        yield case(f"clock-{clock}", "states of the clock that S.A.F.E. bills by", states)
    relative = pair(end=time_of(90, "R"), clock="I")
    yield case("clock-i-to-r", "the duration is measured rightly from an informative begin", relative)
    yield case(
        "padded", "a text with blanks as number", pair({"RV": "       1.000"}, {"RV": "000002.500"}), energy_wh=1500
    )
    yield case("version-none", "FV may be left out", [changed(x, FV=None) for x in pair()])
    yield case("nobody", "a meter that does not know whom it measured for", [meter().both((1, at(0)), (2, at(1)))])
    one = meter()
    late = [one.begin(1, at(0)), one.end(2, at(1), TOKEN)]
    yield case("known-later", "the card was shown after the begin", late)
    yield case("token-spelled", "separators and capitals do not matter", pair(), token="04:ab:07:6a:34:5b:85")
    yield case("pretty", "a signature part over several lines", [pretty(x) for x in pair()])
    compensated = [
        *({"RI": "01-00:B0.08.00", "RV": 5}, {"RI": "01-00:B1.08.00", "RV": 4}),
        *({"RI": "01-00:B0.08.00", "RV": 9, "TX": "E", "TM": time_of(9)["TM"]}, {"RI": "01-00:B1.08.00", "RV": 7}),
    ]
    loss = meter().text([meter().reading("B", 0, at(0)) | compensated[0], *compensated[1:]], TOKEN)
    yield case("cable-loss", "where the meter knows it, less the cable's loss", [loss], energy_wh=3000)


def time_of(minutes: int, state: str = "S") -> dict[str, str]:
    moment = at(minutes)
    return {"TM": f"{moment:%Y-%m-%dT%H:%M:%S},000{moment:%z} {state}"}


def changed(text: str, **members: Any) -> str:
    """The text with members of the payload replaced (None: left out), signed again."""
    payload = json.loads(text[5 : text.rindex("|")]) | members
    return meter().sealed(json_text({name: member for name, member in payload.items() if member is not None}))


def payload_of(text: str) -> str:
    return text[5 : text.rindex("|")]


def pretty(text: str) -> str:
    parts = json.dumps(json.loads(text[text.rindex("|") + 1 :]), indent=4)
    return f"{text[: text.rindex('|')]}|\n{parts}\n"


def keys() -> Iterator[dict[str, Any]]:
    """Which key, and which algorithm."""
    good = pair()
    yield case("key-none", "no key is registered: nothing was checked", good, "no_key", key=None, verdict="NOT CHECKED")
    yield case("key-other", "another meter's key", good, "signature", key=meter(secret=7).public_key)
    yield case("key-other-curve", "a key on another curve", good, "curve", key=meter(curve="secp256k1").public_key)
    yield case("key-none-at-all", "the registered key is none", good, "key_unreadable", key="00")
    forged = [x + "|" + meter(secret=7).public_key.hex() for x in pair(secret=7)]
    yield case("key-in-the-text", "a key that comes along proves nothing", forged, "trailing")
    named = [x.replace("secp256r1", "secp256k1") for x in good]
    yield case("algorithm-other-curve", "SA names another curve than the key's", named, "curve")
    unknown = [x.replace("ECDSA-secp256r1-SHA256", "RSA-2048-SHA256") for x in good]
    yield case("algorithm-unknown", "SA is not known", unknown, "algorithm")
    weak = [x.replace("-SHA256", "-SHA1") for x in good]
    yield case("algorithm-weak", "SHA-1 is no hash of OCMF", weak, "algorithm")
    stronger = [x.replace("-SHA256", "-SHA512") for x in good]
    yield case("algorithm-other-hash", "SA names another hash than was used", stronger, "signature")
    yield case(
        "format-alfen",
        "a format that is not checked",
        [value("AP;0;3;ALCV…", format_name="ALFEN")],
        "format_not_checked",
        verdict="NOT CHECKED",
    )
    mixed: list[dict[str, str] | str] = [good[0], value("00", "", "hex", "EDL40")]
    yield case("formats-mixed", "one OCMF, one of another format", mixed, "formats_mixed")
    yield case("not-signed", "no signed values at all", [], verdict="NOT SIGNED")


def texts() -> Iterator[dict[str, Any]]:
    """Fakes within one text."""
    begin, end = pair()
    body, seal = end[: end.rindex("|")], end[end.rindex("|") + 1 :]
    sd = json.loads(seal)["SD"]
    fakes = {
        "changed-value": (end.replace("1011.25", "1091.25"), "signature"),
        "changed-blank": (end.replace('"TX":"E"', '"TX": "E"'), "signature"),
        "changed-signature": (end.replace(sd, sd[:-2] + ("00" if sd[-2:] != "00" else "01")), "signature"),
        "not-ocmf": ("CMF|" + end[5:], "not_ocmf"),
        "one-part": ("OCMF|{}", "not_ocmf"),
        "no-json": (f"OCMF|{{'PG':1}}|{seal}", "json"),
        "payload-no-object": (f"OCMF|[]|{seal}", "json"),
        "trailing-bytes": (end + "x", "trailing"),
        "trailing-part": (end + "|{}", "trailing"),
        "signature-twice": (f'{body}|{seal[:-1]},"SD":"{sd}"}}', "duplicate_member"),
        "signature-lower": (end.replace(sd, sd[:40] + sd[40:].lower()), "signature_form"),
        "signature-blank": (end.replace('"SD":', '"SD":\t'), "signature_form"),
        "signature-member": (end.replace('"SD":', '"SX":"1","SD":'), "signature_form"),
        "signature-odd": (end.replace(sd, sd[:-1]), "signature_form"),
        "signature-none": (f"{body}|{{}}", "signature_form"),
        "signature-mime": (end.replace('"SD":', '"SM":"text/plain","SD":'), "signature_form"),
        "signature-not-base64": (end.replace('"SD":"', '"SE":"base64","SD":"-'), "signature_form"),
    }
    for name, (text, reason) in fakes.items():
        yield case(name, "one text is not as it was signed, or not OCMF", [begin, text], reason)
    yield case("too-long", "longer than any meter writes", [begin, changed(end, GV="x" * 70_000)], "too_long")
    yield from signed_nonsense()


def signed_nonsense() -> Iterator[dict[str, Any]]:
    """Payloads that are no OCMF to bill by, although the meter signed them."""
    begin, end = pair()
    payload = payload_of(end)
    signed = {
        "duplicate-member": (payload.replace('"RV":', '"RV":1000,"RV":'), "duplicate_member"),
        "duplicate-pagination": (payload.replace('"PG":"T2"', '"PG":"T2","PG":"T2"'), "duplicate_member"),
        "number-nan": (payload.replace("1011.25", "NaN"), "number"),
        "number-infinite": (payload.replace("1011.25", "-Infinity"), "number"),
        "number-exponent": (payload.replace("1011.25", "1e999999999"), "number"),
        "number-long": (payload.replace("1011.25", "1" * 60), "number"),
        "number-hexadecimal": (payload.replace("1011.25", '"0x3F3"'), "value"),
        "number-as-word": (payload.replace("1011.25", '"1e3"'), "value"),
        "number-zeros": (payload.replace("1011.25", "01011.25"), "json"),
        "number-negative": (payload.replace("1011.25", "-1011.25"), "value"),
        "number-true": (payload.replace("1011.25", "true"), "value"),
        "number-huge": (payload.replace("1011.25", "1e18"), "value"),
        "half-a-character": (payload.replace('"SIM-1"', '"\\ud800"'), "json"),
        "control-character": (payload.replace('"SIM-1"', '"\t"'), "json"),
        "version-2": (payload.replace('"FV":"1.4"', '"FV":"2.0"'), "version"),
        "version-0": (payload.replace('"FV":"1.4"', '"FV":"0.4"'), "version"),
        "version-next": (payload.replace('"FV":"1.4"', '"FV":"1.5"'), "version"),
        "no-readings": (payload[: payload.index('"RD"')] + '"RD":[]}', "fields"),
        "readings-no-objects": (payload[: payload.index('"RD"')] + '"RD":[1]}', "fields"),
        "serial-number": (payload.replace(f'"MS":"{SERIAL}"', '"MS":1'), "fields"),
        "fiscal": (payload.replace('"PG":"T2"', '"PG":"F2"'), "no_end"),
        "pagination-zeros": (payload.replace('"PG":"T2"', '"PG":"T02"'), "pagination"),
        "pagination-none": (payload.replace('"PG":"T2",', ""), "pagination"),
    }
    for name, (text, reason) in signed.items():
        yield case(name, "the meter signed it, and it is no OCMF to bill by", [begin, meter().sealed(text)], reason)


def readings() -> Iterator[dict[str, Any]]:
    """What a meter may say about its readings, and what forbids to bill."""
    ends: dict[str, tuple[dict[str, Any], str]] = {
        "no-value": ({"RV": None}, "value"),
        "unit-other": ({"RU": "MWh"}, "unit"),
        "unit-seconds": ({"RU": "sec"}, "unit"),
        "units-mixed": ({"RU": "Wh", "RV": 1_011_250}, "units_differ"),
        "status-manipulated": ({"ST": "M"}, "meter_status"),
        "status-substitute": ({"ST": "S"}, "meter_status"),
        "status-lower": ({"ST": "g"}, "meter_status"),
        "status-empty": ({"ST": ""}, "meter_status"),
        "energy-error": ({"EF": "E"}, "error_flag"),
        "both-errors": ({"EF": "tE"}, "error_flag"),
        "backwards": ({"RV": 999}, "backwards"),
        "time-earlier": (time_of(-1), "time_backwards"),
        "time-no-state": ({"TM": time_of(90)["TM"][:-2]}, "time_state"),
        "time-other-state": (time_of(90, "X"), "time_state"),
        "time-no-zone": ({"TM": "2026-11-30T19:30:00,000 S"}, "time"),
        "time-no-time": ({"TM": "yesterday"}, "time"),
        "time-never": ({"TM": "2026-02-30T19:30:00,000+0100 S"}, "time"),
        "time-number": ({"TM": 5}, "fields"),
        "obis-reactive": ({"RI": "1-0:3.8.0"}, "no_end"),
        "obis-export": ({"RI": "1-0:2.8.0"}, "no_end"),
        "obis-earlier": ({"RI": "1-0:1.8.0*198"}, "no_end"),
        "obis-other-channel": ({"RI": "1-1:1.8.0"}, "registers_differ"),
        "obis-other-tariff": ({"RI": "1-b:1.8.1"}, "registers_differ"),
        "begin-only": ({"TX": "C"}, "no_end"),
        "two-begins": ({"TX": "B"}, "several_begins"),
        "unknown-reason": ({"TX": "Z"}, "no_end"),
    }
    for name, (change, reason) in ends.items():
        yield case(f"end-{name}", "the end forbids to bill", pair(end=change), reason)
    yield from other_readings()


def other_readings() -> Iterator[dict[str, Any]]:
    """Of begin and end, and of other registers."""
    for name, letter in {"local": "L", "remote": "R", "abort": "A", "power": "P"}.items():
        yield case(f"ended-{name}", "every way in which a transaction ends", pair(end={"TX": letter}))
    yield case("time-error", "an error of time alone lets energy be billed", pair({"EF": "t"}, {"EF": "t"}))
    begins: dict[str, tuple[dict[str, Any], str]] = {
        "status-timeout": ({"ST": "T"}, "meter_status"),
        "energy-error": ({"EF": "E"}, "error_flag"),
        "end-only": ({"TX": "C"}, "no_begin"),
        "relative-clock": (time_of(0, "R"), "time_state"),
    }
    for name, (change, reason) in begins.items():
        yield case(f"begin-{name}", "the begin forbids to bill", pair(begin=change), reason)
    for name, register in {"reactive": "1-0:3.8.0", "export": "01-00:C2.08.00*FF", "power": "1-0:1.7.0"}.items():
        yield case(f"register-{name}", "no register of energy that the car got", pair(register=register), "register")
    yield case("register-gas", "group A is not electricity", pair(register="7-0:1.8.0"), "register")
    yield case("register-none", "no OBIS code", pair(register="total"), "register")


def together() -> Iterator[dict[str, Any]]:
    """Fakes over several texts, each of them truly signed."""
    begin, end = pair()
    yield case("no-end", "the end is missing", [begin], "no_end")
    yield case("no-begin", "the begin is missing", [end], "no_begin")
    one = meter()
    first = [one.begin(10, at(0), TOKEN), one.end(20, at(1), TOKEN)]
    three = [*first, one.begin(20, at(2), TOKEN), one.end(99, at(3), TOKEN)]
    yield case("two-transactions", "two whole transactions", three, "several_begins")
    yield case("begin-of-another", "the begin of the transaction before", [three[0], three[3]], "pagination_gap")
    yield case("end-twice", "two ends", [*three[:2], meter(pagination=2).end(30, at(2), TOKEN)], "several_ends")
    yield case("end-first", "the end was made before the begin", three[1:3], "order")
    one = meter()
    between = [one.begin(10, at(0), TOKEN), one.during(500, at(5), TOKEN), one.end(900, at(9), TOKEN)]
    yield case("gap", "a text between is missing", between[::2], "pagination_gap")
    repeated = [begin, meter(pagination=0).end(1_011_250, at(90), TOKEN)]
    yield case("pagination-repeated", "two texts with one number", repeated, "pagination_repeated")
    other = meter(serial="1EVP0000000002", pagination=1).end(1_011_250, at(90), TOKEN)
    yield case("other-meter", "the end is another meter's", [begin, other], "meters_differ")
    yield case("other-token", "the charge belongs to somebody else", [begin, end], "other_token", token="DEADBEEF")
    stranger = meter(pagination=1).end(1_011_250, at(90), "DEADBEEF")
    yield case("tokens-differ", "begin and end name different cards", [begin, stranger], "identifications_differ")
    for level in ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"):
        failed = [changed(begin, IL=level), end]
        yield case(f"level-{level.lower()}", "the identification failed", failed, "identification_level")
    error = meter(pagination=1)
    given_up = error.text([error.reading("X", 1_005_000, at(5))], TOKEN)
    yield case("exception", "an error gave the charge up", [begin, given_up, changed(end, PG="T3")], "exception")
    high = meter(pagination=1).during(2_000_000, at(5), TOKEN)
    yield case(
        "between-too-high", "the register was higher on its way", [begin, high, changed(end, PG="T3")], "backwards"
    )
