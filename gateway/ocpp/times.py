"""PURE: times as we write them to stations."""

from datetime import UTC, datetime


def time_text(moment: datetime) -> str:
    """UTC to the second: "2026-11-30T20:00:00Z", which every station reads."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
