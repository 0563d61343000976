"""PURE: time zones by their names, and the month of whose statement a charge is."""

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_named(name: object) -> ZoneInfo:
    """The IANA time zone of that name, UTC where there is none such."""
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else ZoneInfo("UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # unknown, a path, or a directory
        return ZoneInfo("UTC")


def month_of(started_at: datetime, *, own_zone: str, location: object) -> date:
    """The first day of the month in which it began, by the driver's own zone, else by the place's."""
    place = location.get("time_zone") if isinstance(location, dict) else None
    return started_at.astimezone(zone_named(own_zone or place)).date().replace(day=1)
