"""The digest of a session's meter values: part of its record, so that the power curve cannot be altered either."""

import hashlib
import json
from collections.abc import Iterable
from datetime import UTC

from stations.models import MeterValue


def meter_values_sha256(values: Iterable[MeterValue]) -> str:
    """SHA-256 (hex) over one JSON line a value, in the order of time, measurand, phase, context; "" for no values.

    A line is [sampled_at in UTC, measurand, value with 4 decimals, unit, phase, context].
    """
    lines = sorted(
        json.dumps(
            [
                value.sampled_at.astimezone(UTC).isoformat(timespec="microseconds"),
                value.measurand,
                f"{value.value:.4f}",
                value.unit,
                value.phase,
                value.context,
            ]
        )
        for value in values
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest() if lines else ""
