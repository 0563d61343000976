"""The digest of a session's meter values: part of its record, so that the power curve cannot be altered either."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from stations.models import MeterValue

_quoted = lru_cache(maxsize=1024)(json.dumps)  # the same words come again and again


def meter_value_line(sampled_at: datetime, measurand: str, value: Decimal, unit: str, phase: str, context: str) -> str:
    """[sampled_at in UTC, measurand, value with 4 decimals, unit, phase, context] as JSON."""
    moment = sampled_at.astimezone(UTC).isoformat(timespec="microseconds")
    return f'["{moment}", {_quoted(measurand)}, "{value:.4f}", {_quoted(unit)}, {_quoted(phase)}, {_quoted(context)}]'


def lines_sha256(lines: Iterable[str]) -> str:
    """SHA-256 (hex) over the sorted lines, one a value; "" for none."""
    ordered = sorted(lines)
    return hashlib.sha256("\n".join(ordered).encode()).hexdigest() if ordered else ""


def meter_values_sha256(values: Iterable[MeterValue]) -> str:
    """SHA-256 (hex) over one JSON line a value, in the order of time, measurand, phase, context; "" for no values."""
    return lines_sha256(
        meter_value_line(value.sampled_at, value.measurand, value.value, value.unit, value.phase, value.context)
        for value in values
    )
