"""PURE: what the meter said at begin and end of a charge, from its record: signed, or as the station reported it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from stations.metering.containers import written
from stations.metering.judging import SignedValue, judge


@dataclass(frozen=True)
class Registers:
    """In Wh, None where nobody knows; `signed`: read from texts that the meter signed with the key of the record."""

    serial: str = ""
    begin_wh: Fraction | None = None
    end_wh: Fraction | None = None
    signed: bool = False


def registers_of(record: Mapping[str, Any]) -> Registers:
    """Of a record as it was kept; what cannot be verified is shown as the station's word."""
    try:
        values = [SignedValue.of(element) for element in record.get("signed_meter_values", [])]
        key = bytes.fromhex(record.get("meter_public_key", ""))
    except (KeyError, TypeError, ValueError):  # a record that somebody else wrote
        values, key = [], b""
    if values and key and record.get("signed_verdict") == "VERIFIED":
        found = judge(values, key)
        if found.verdict == "VERIFIED" and found.begin and found.end:
            return Registers(found.meter_serial, found.begin.register_wh, found.end.register_wh, signed=True)
    return Registers("", _wh(record.get("meter_start_wh")), _wh(record.get("meter_stop_wh")))


def container_of(record: Mapping[str, Any]) -> bytes | None:
    """The signed texts in S.A.F.E.'s container, for its transparency software; None where the meter signed nothing."""
    try:
        values = [SignedValue.of(element) for element in record.get("signed_meter_values", [])]
        return written(values, record.get("meter_public_key", ""), str(record["transaction_id"])) if values else None
    except (KeyError, TypeError, ValueError):
        return None


def _wh(value: Any) -> Fraction | None:
    return Fraction(value) if isinstance(value, int) else None


def kwh_of(wh: Fraction | int) -> Decimal:
    """Exact: meters show decimal fractions of a Wh."""
    exact = Fraction(wh) / 1000
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).normalize()
