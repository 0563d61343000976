"""Stations have started: what they say of themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils import timezone

from common.database.updating import columns_update
from common.dated import UNTOLD
from stations.models import Station, StationEvent
from stations.places.events import event_of, events_new, plain_text

AGAIN_WITHIN = timedelta(minutes=1)  # the same start, told twice


@dataclass(frozen=True)
class Boot:
    """What BootNotification says; `more`: what has no column (modem, meter, reason), by its name in the message."""

    vendor: str
    model: str
    serial_number: str = ""
    firmware_version: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Booted:
    """One message of it, received then, in this version of OCPP."""

    station: Station
    boot: Boot
    version: str
    received_at: datetime


def stations_booted(booted: Sequence[Booted]) -> list[bool]:
    """Store them; returns of each whether the station may report. Of one that is switched off here nothing is stored.

    What charges there is left open: OCPP says nothing of charges here. A station may have lost its network alone and
    charge on, or have lost its power and send the stop later, from its queue. Ended now, such a charge would be
    corrected by that stop: a credit and another session for what was one charge. It is over by its own stop, by the
    next start at its outlet, when the outlet has been free for a while (stations/charging/ending.py: free_end), or when
    nothing was heard for as long as the site allows. Call it inside a transaction.
    """
    stations = Station.objects.filter(pk__in={one.station.pk for one in booted}, enabled=True).order_by("pk")
    rows = {row.pk: row for row in stations.select_for_update(no_key=True)}
    events = [event for one in booted if one.station.pk in rows and (event := _take(rows[one.station.pk], one))]
    written = {name: [getattr(row, name) for row in rows.values()] for name in (*TOLD, "booted_at", "updated_at")}
    columns_update(Station, list(rows), written)
    events_new(events)
    return [one.station.pk in rows for one in booted]


TOLD = ("vendor", "model", "serial_number", "firmware_version", "ocpp_version")


def _take(row: Station, one: Booted) -> StationEvent | None:
    """Set on the row, which is locked, what is told; the event, unless the same start was told just now."""
    boot = one.boot
    said = (boot.vendor, boot.model, boot.serial_number, boot.firmware_version)
    told = {name: plain_text(value, 50) for name, value in zip(TOLD, said, strict=False)} | {
        "ocpp_version": one.version
    }
    again = row.booted_at is not None and abs(one.received_at - row.booted_at) < AGAIN_WITHIN
    # What is empty was not said: an operator may have entered it.
    changed = {name: value for name, value in told.items() if value and getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    row.booted_at = one.received_at
    if changed.keys() - UNTOLD:
        row.updated_at = timezone.now()
    if again and not changed:
        return None
    data = {name: plain_text(value, 100) for name, value in boot.more.items() if value}
    words = " ".join(part for part in (told["vendor"], told["model"], told["firmware_version"]) if part)
    kind = StationEvent.Kind.BOOT
    return event_of(station=row, kind=kind, words=words or "started", at=one.received_at, data=told | data)
