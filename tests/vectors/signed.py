"""Cases of step 12: what the meter signed, or did not, against what is recorded. Texts: those of vectors/meter."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dev.stations.ocmf import SignedMeter
from tests.ledger.receipts.receipt_chain import RECORD
from tests.vectors.chain import Json, World, action, digest_of, record_data, transaction
from tests.vectors.making import WORLD, case, failed

METERS = Path(__file__).parent / "meter"
PINNED, OF_RECORD, UNCHECKED = "VERIFIED (key pinned)", "VERIFIED (key of the record)", "NOT CHECKED"
OTHER = SignedMeter("1EVP0000000002", secret=0xBEEF).public_key.hex()
BEGIN, END = 1_000_000, 1_011_250  # of the vector "base64"


def charge(name: str = "base64", **changed: Any) -> Json:
    """The record of a charge whose meter signed the texts of this vector; None takes a member away."""
    meter = json.loads((METERS / f"{name}.json").read_text())
    made: Json = {**RECORD, "format": "evportal-session/2", "meter_start_wh": BEGIN, "meter_stop_wh": END}
    made |= {"energy_wh": END - BEGIN, "signed_meter_values": meter["values"], "signed_verdict": "VERIFIED"}
    made |= {"meter_public_key": meter["key"], "id_token": {"uid": meter["token"] or "04", "type": "ISO14443"}}
    return {name: value for name, value in {**made, **changed}.items() if value is not None}


def world(record: Json) -> World:
    return WORLD.but(record=record, packed=transaction(action(record_data([(WORLD.ledger_id, digest_of(record))]))))


def _case(name: str, why: str, record: Json, signed: str, *, bad: bool = False, **more: Any) -> Json:
    steps = failed(12) if bad else {}
    return case(f"signed-{name}", why, world=world(record), steps=steps, notices={"signed": signed}, **more)


def cases() -> Iterator[Json]:
    yield from _good()
    yield from _not_checked()
    yield from _pinned()
    yield from _contradictions()
    yield from _forms()


def _good() -> Iterator[Json]:
    yield _case("good", "the meter signed what is recorded; its key is in the record", charge(), OF_RECORD)
    yield _case("good-nobody", "a charge without a card: nobody to compare with", charge(id_token=None), OF_RECORD)
    values = [
        {name: text for name, text in one.items() if name != "context"} for one in charge()["signed_meter_values"]
    ]
    yield _case("good-without-context", "contexts may be unknown", charge(signed_meter_values=values), OF_RECORD)
    altered = {**world(charge()).receipt(), "record": charge(energy_wh=1)}
    why = "altered after it was recorded: neither the digest nor the meter agree"
    asked, said = world(charge()), {"signed": "FAILED"}
    yield case("signed-altered", why, world=asked, receipt=altered, steps=failed(1, 12), notices=said)


def _not_checked() -> Iterator[Json]:
    yield _case("no-key", "no key was registered", charge(meter_public_key=None, signed_verdict=UNCHECKED), UNCHECKED)
    why = "the record says more than can be checked"
    yield _case("no-key-verified", why, charge(meter_public_key=None), UNCHECKED)
    alfen = [{"format": "ALFEN", "encoding": "plain", "text": "AP;0;3;ALCV3;BIHAAA==;"}]
    record = charge(signed_meter_values=alfen, signed_verdict=UNCHECKED, signed_reason="format_not_checked")
    yield _case("other-format", "signed in a format that is not checked here", record, UNCHECKED)


def _pinned() -> Iterator[Json]:
    key = charge()["meter_public_key"]
    yield _case("pinned", "the meter's key is pinned", charge(), PINNED, meter_keys=[key])
    yield _case("pinned-several", "one of several", charge(), PINNED, meter_keys=[OTHER, key])
    yield _case("pinned-other", "another key is pinned", charge(), "FAILED", bad=True, meter_keys=[OTHER])
    nothing = "a key is pinned, the charge is not signed"
    yield case("signed-pinned-not-signed", nothing, meter_keys=[OTHER])
    bare = charge(meter_public_key=None, signed_verdict=UNCHECKED)
    yield _case("pinned-no-key", "a key is pinned, the record names none", bare, UNCHECKED, meter_keys=[OTHER])


def _contradictions() -> Iterator[Json]:
    for name, why, changed in (
        ("energy", "a watt-hour more than the meter signed", {"energy_wh": END - BEGIN + 1}),
        ("begin", "another register at the begin", {"meter_start_wh": BEGIN - 1}),
        ("end", "another register at the end", {"meter_stop_wh": END + 1}),
        ("no-end", "no register at the end", {"meter_stop_wh": None}),
        ("energy-as-text", "a number as text", {"energy_wh": str(END - BEGIN)}),
        ("verdict", "the record says less than the meter signed", {"signed_verdict": UNCHECKED}),
        (
            "failed",
            "the operator found that it does not hold",
            {"signed_verdict": "FAILED", "signed_reason": "signature"},
        ),
        ("card", "another card than the meter signed", {"id_token": {"uid": "04FFFFFFFFFFFF", "type": "ISO14443"}}),
        ("other-key", "the key of another meter", {"meter_public_key": OTHER}),
        ("key-upper", "a key in capital letters", {"meter_public_key": charge()["meter_public_key"].upper()}),
        ("key-empty", "a key that is none", {"meter_public_key": ""}),
    ):
        yield _case(name, why, charge(**changed), "FAILED", bad=True)
    yield _case("changed", "a digit of a signed text was changed", charge("changed-value"), "FAILED", bad=True)


def _forms() -> Iterator[Json]:
    good = charge()["signed_meter_values"]
    for name, why, values in (
        ("none", "an empty list is not absent", []),
        ("object", "no list", {"0": good[0]}),
        ("texts", "texts alone", [one["text"] for one in good]),
        ("more", "a member that means nothing", [{**good[0], "key": "00"}, good[1]]),
        ("less", "a member is missing", [{"format": "OCMF", "text": good[0]["text"]}]),
        ("number", "a context that is a number", [{**good[0], "context": 1}, good[1]]),
        ("encoding", "an encoding that is not known", [{**good[0], "encoding": "BASE64"}, good[1]]),
    ):
        yield _case(f"form-{name}", why, charge(signed_meter_values=values), "FAILED", bad=True)
    verdict = charge(signed_meter_values=None)
    yield _case("form-verdict-alone", "a verdict over nothing", verdict, "FAILED", bad=True)
    yield _case("form-no-verdict", "values without a verdict", charge(signed_verdict=None), "FAILED", bad=True)
    yield _case("form-verdict-other", "a verdict that is none", charge(signed_verdict="verified"), "FAILED", bad=True)
    yield _case("form-key-number", "a key that is a number", charge(meter_public_key=1), "FAILED", bad=True)
    alone = charge(signed_meter_values=None, signed_verdict=None)
    yield _case("form-key-alone", "a meter with a key that signed nothing", alone, "NOT SIGNED")
