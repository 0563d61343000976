"""PURE. What the signed texts of one charge prove: begin, end and energy, or why they prove nothing.

`judge` is the one door. The key is the one that somebody registered for the meter, never one that comes along. The
rules are those by which the transparency software of S.A.F.E. lets a charge be billed, and where it looks at less than
OCMF asks for (pagination, serials, identification), OCMF's.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from stations.metering import identification, ocmf, rules
from stations.metering.keys import KeyUnreadable, meter_key
from stations.metering.readings import Reading
from stations.metering.refused import Refused

__all__ = ["Judgement", "Reading", "SignedValue", "Verdict", "half_up", "judge"]

Verdict = Literal["VERIFIED", "FAILED", "NOT CHECKED", "NOT SIGNED"]
VALUES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class SignedValue:
    """One signed text as it was received; `context` is OCPP's reading context, "" where unknown."""

    format: str
    encoding: str
    context: str
    text: str

    @classmethod
    def of(cls, element: Mapping[str, Any]) -> "SignedValue":
        """From an element of a record's `signed_meter_values`."""
        return cls(element["format"], element["encoding"], element.get("context", ""), element["text"])

    def element(self) -> dict[str, str]:
        """As an element of a record's `signed_meter_values`: the context is left out where it is not known."""
        found = {"format": self.format, "encoding": self.encoding, "context": self.context, "text": self.text}
        return found if self.context else {name: text for name, text in found.items() if name != "context"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict over a charge; `reason` is a code of `stations.metering.words.REASONS`, "" where VERIFIED."""

    verdict: Verdict
    reason: str = ""
    detail: str = ""
    meter_serial: str = ""
    begin: Reading | None = None
    end: Reading | None = None

    @property
    def energy_wh(self) -> int | None:
        """End less begin, exact, then rounded half up to whole Wh; None where it is not verified."""
        if self.verdict != "VERIFIED" or self.begin is None or self.end is None:
            return None
        return half_up(self.end.register_wh - self.begin.register_wh)


def half_up(wh: Fraction) -> int:
    """Whole Wh, halves upwards: 0.5 is 1."""
    return (2 * wh.numerator + wh.denominator) // (2 * wh.denominator)


def judge(
    values: Sequence[SignedValue],
    key_der: bytes | None,
    *,
    token_uid: str | None = None,
    meter_serial: str | None = None,
) -> Judgement:
    """The verdict over the signed texts of one charge, in order of arrival; a text that came twice counts once.

    `key_der` is the registered key of the meter (DER SubjectPublicKeyInfo), None where there is none. `token_uid`
    is whom the charge belongs to, `meter_serial` which meter the key was registered for; None does not compare.
    """
    if not values:
        return Judgement("NOT SIGNED")
    formats = {value.format for value in values}
    if "OCMF" not in formats:
        return Judgement("NOT CHECKED", "format_not_checked", ", ".join(sorted(formats)))
    if key_der is None:
        return Judgement("NOT CHECKED", "no_key")
    judgement = Judgement("FAILED")
    try:
        if len(formats) > 1 or len(values) > VALUES_MAX:
            raise Refused("formats_mixed", ", ".join(sorted(formats)))
        records = [rules.Record.of(text, contexts) for text, contexts in _verified(values, key_der)]
        serial = rules.same_meter(records)
        judgement = replace(judgement, meter_serial=serial)
        if meter_serial is not None and meter_serial.strip() != serial:
            raise Refused("other_meter", f"{serial}, the key is registered for {meter_serial}")
        rules.paginated(records)
        identification.check([record.payload for record in records], token_uid)
        begin, end = rules.begin_and_end(records)
        judgement = replace(judgement, begin=begin, end=end)
        rules.may_be_billed(records, begin, end)
    except Refused as refused:
        return replace(judgement, reason=refused.reason, detail=refused.detail)
    return replace(judgement, verdict="VERIFIED")


def _verified(values: Sequence[SignedValue], key_der: bytes) -> list[tuple[ocmf.OcmfText, set[str]]]:
    """Every text once, read and verified, with the contexts in which it came. Raises Refused."""
    try:
        key = meter_key(key_der)
    except KeyUnreadable as error:
        raise Refused("key_unreadable", str(error)) from error
    contexts: dict[str, set[str]] = {}
    for value in values:
        contexts.setdefault(plain(value), set()).add(value.context)
    texts = [(ocmf.read(text), found) for text, found in contexts.items()]
    for number, (text, _) in enumerate(texts, start=1):
        try:
            ocmf.verify(text, key)
        except Refused as refused:
            raise Refused(refused.reason, f"text {number} of {len(texts)} {refused.detail}".strip()) from refused
    return texts


def each(values: Sequence[SignedValue], key_der: bytes) -> list[str]:
    """Of every text by itself, whether this key signed it: the code of the reason why not, "" where it did."""
    found = []
    for value in values:
        try:
            _verified([value], key_der)
            found.append("")
        except Refused as refused:
            found.append(refused.reason)
    return found


def plain(value: SignedValue) -> str:
    """The OCMF text itself, where it came in another spelling. Raises Refused."""
    if value.encoding == "plain":
        return value.text.strip(" \r\n")
    try:
        packed = "".join(value.text.split())
        data = bytes.fromhex(packed) if value.encoding == "hex" else base64.b64decode(packed, validate=True)
        return data.decode().strip(" \r\n")
    except (binascii.Error, ValueError) as error:
        raise Refused("not_ocmf", f"not {value.encoding}") from error
