"""PURE. What the signed texts of one charge prove: begin, end and energy, or why they prove nothing.

`judge` is the one door. The key is the one that somebody registered for the meter, never one that comes along.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

Verdict = Literal["VERIFIED", "FAILED", "NOT CHECKED", "NOT SIGNED"]


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
class Reading:
    """What a signed text says of one register at one moment; what it left out is taken from the reading before."""

    register_wh: Fraction
    at: datetime  # UTC
    time_state: str  # of the clock: U, I, S, R
    status: str  # of the meter: G is good
    obis: str  # as written
    transaction: str  # TX: B, C, …, E, L, R, A, P
    pagination: str  # of the text that it stands in


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
        """End less begin, exact, then rounded half up to whole Wh."""
        if self.begin is None or self.end is None:
            return None
        return half_up(self.end.register_wh - self.begin.register_wh)


def half_up(wh: Fraction) -> int:
    """Whole Wh, halves upwards: 0.5 is 1."""
    return (2 * wh.numerator + wh.denominator) // (2 * wh.denominator)


def judge(values: Sequence[SignedValue], key_der: bytes | None, *, token_uid: str | None = None) -> Judgement:
    """The verdict over the signed texts of one charge, in order of arrival; a text that came twice counts once.

    `key_der` is the registered key of the meter (DER SubjectPublicKeyInfo), None where there is none. `token_uid`
    is whom the charge belongs to; None does not compare.
    """
    if not values:
        return Judgement("NOT SIGNED")
    return Judgement("NOT CHECKED", "no_key" if key_der is None else "format_not_checked")
