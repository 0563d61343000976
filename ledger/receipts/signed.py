"""PURE: step 12, what the meter signed: the signed texts of the record, judged anew, against its own figures.

All of it is in the record, so no node is asked. docs/receipts.md has the table that stands here as code; script and
browser have it in their own words.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ledger.receipts.form import Receipt
from ledger.receipts.pins import Pins
from stations.metering.judging import Judgement, Reading, SignedValue, half_up, judge
from stations.metering.keys import KeyUnreadable, public_key_read

Signed = Literal["VERIFIED (key pinned)", "VERIFIED (key of the record)", "NOT SIGNED", "NOT CHECKED", "FAILED"]
NONE = "the charge has no signed meter values"
VERDICTS = ("VERIFIED", "NOT CHECKED", "FAILED")
ENCODINGS = ("plain", "base64", "hex")
MEMBERS = {"format", "encoding", "text"}
Numbers = tuple[Any, Any, Any]  # begin, end and energy in Wh


@dataclass(frozen=True, slots=True)
class SignedFinding:
    """What step 12 compares, how it comes out, and what is said beside the steps."""

    expected: str
    found: str
    good: bool
    notice: Signed


def signed_finding(receipt: Receipt, pins: Pins) -> SignedFinding:
    """Step 12 of this receipt."""
    return of_record(json.loads(receipt.canonical), pins.meter_keys)


def of_record(record: Mapping[str, Any], pinned: Sequence[str] = ()) -> SignedFinding:
    """What the signed texts of a record are worth; `pinned` are meters' keys from elsewhere, as hex of their DER."""
    verdict, key = record.get("signed_verdict"), record.get("meter_public_key")
    if "signed_meter_values" not in record and "signed_verdict" not in record:
        return SignedFinding(NONE, NONE, True, "NOT SIGNED")
    values = _values(record.get("signed_meter_values"))
    if values is None or verdict not in VERDICTS or not isinstance(key, str | None):
        return _failed("signed meter values and what was found of them", "another form")
    if verdict == "FAILED":
        return _failed("VERIFIED", f"the record says FAILED: {record.get('signed_reason', 'none')}")
    if key is not None and pinned and not any(_is_same(key, one) for one in pinned):
        return _failed("a pinned key of the meter", key)
    judged = judge(values, None if key is None else _der(key), token_uid=_identification(record))
    if judged.verdict == "FAILED":
        return _failed("VERIFIED", f"FAILED: {judged.reason}")
    if judged.begin is None or judged.end is None:
        said = f"NOT CHECKED: {judged.reason}"
        return SignedFinding(said, said, True, "NOT CHECKED")
    return _compared(record, judged, judged.begin, judged.end, bool(pinned))


def _failed(expected: str, found: str) -> SignedFinding:
    return SignedFinding(expected, found, False, "FAILED")


def _values(listed: Any) -> list[SignedValue] | None:
    """The values of a record; None where they have another form."""
    if not isinstance(listed, list) or not listed:
        return None
    for one in listed:
        if not isinstance(one, dict) or {*one} - {"context"} != MEMBERS or one["encoding"] not in ENCODINGS:
            return None
        if not all(isinstance(text, str) for text in one.values()):
            return None
    return [SignedValue.of(one) for one in listed]


def _identification(record: Mapping[str, Any]) -> str | None:
    token = record.get("id_token")
    uid = token.get("uid") if isinstance(token, dict) else None
    return uid if isinstance(uid, str) else None


def _der(key: str) -> bytes:
    """What the record has is lower-case hex; anything else is no key, which the judge says."""
    try:
        found = bytes.fromhex(key)
    except ValueError:
        return b""
    return found if found.hex() == key else b""


def _is_same(key: str, pinned: str) -> bool:
    """The same point of the same curve, however it is written."""
    try:
        return public_key_read(_der(key)) == public_key_read(_der(pinned))
    except KeyUnreadable:
        return False


def _compared(
    record: Mapping[str, Any], judged: Judgement, begin: Reading, end: Reading, pinned: bool
) -> SignedFinding:
    verdict = record["signed_verdict"]
    said: Numbers = (record.get("meter_start_wh"), record.get("meter_stop_wh"), record.get("energy_wh"))
    signed: Numbers = (half_up(begin.register_wh), half_up(end.register_wh), judged.energy_wh)
    same = verdict == judged.verdict and said == signed and all(type(number) is int for number in said)
    notice: Signed = "VERIFIED (key pinned)" if pinned else "VERIFIED (key of the record)"
    return SignedFinding(_text(verdict, said), _text("VERIFIED", signed), same, notice if same else "FAILED")


def _text(verdict: str, numbers: Numbers) -> str:
    begin, end, energy = ("none" if number is None else number for number in numbers)
    return f"{verdict}: {begin} to {end} Wh, {energy} Wh"
