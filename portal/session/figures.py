"""What the page of a session says of the charge itself, apart from its record. Works on what was read, asks nothing."""

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from accounts.models import User
from stations.charging.power import curve_of, mean_w, progress_of
from stations.charging.words import also_text, zone
from stations.models import ChargingSession, MeterValue
from stations.tariffs.bill import bill_of, cost_so_far
from stations.zones import zone_named

Figures = dict[str, Any]


def figures_of(session: ChargingSession, values: Sequence[MeterValue], reader: User) -> Figures:
    """For the template: power over time, cost or how far it has come, and its times on this reader's clock.

    `values` are all meter values of the session in the order of time.
    """
    there = zone(session)
    here = zone_named(reader.time_zone) if reader.time_zone else there
    return {
        "curve": curve_of(session, values),
        "reader_zone": here,
        "also_start": also_text(session.started_at, there, here),
        "also_stop": also_text(session.stopped_at, there, here),
        **(_finished(session) if session.is_closed else _going_on(session, values)),
    }


def _finished(session: ChargingSession) -> Figures:
    return {"bill": bill_of(session), "mean_w": mean_w(session)}


def _going_on(session: ChargingSession, values: Sequence[MeterValue]) -> Figures:
    progress = progress_of(session, values)
    return {
        "progress": progress,
        "cost_so_far": cost_so_far(session, progress.energy_wh, values),
        "last_value": values[-1] if values else None,
        "so_far": timezone.now() - session.started_at,
    }
