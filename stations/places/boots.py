"""A station has started: what it says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stations.models import Station, StationEvent
from stations.places.events import event_note, plain_text

AGAIN_WITHIN = timedelta(minutes=1)  # the same start, told twice


@dataclass(frozen=True)
class Boot:
    """What BootNotification says; `more`: what has no column (modem, meter, reason), by its name in the message."""

    vendor: str
    model: str
    serial_number: str = ""
    firmware_version: str = ""
    more: Mapping[str, str] = field(default_factory=dict)


def station_booted(*, station: Station, boot: Boot, version: str, received_at: datetime) -> bool:
    """Store it; returns whether the station may report. One that is switched off here may not, and nothing is stored.

    What charges there is left open: OCPP says nothing of charges here. A station may have lost its network alone and
    charge on, or have lost its power and send the stop later, from its queue. Ended now, such a charge would be
    corrected by that stop: a credit and another session for what was one charge. It is over by its own stop, by the
    next start at its outlet, when the outlet has been free for a while (stations/charging/ending.py: free_end), or when
    nothing was heard for as long as the site allows.
    """
    row = Station.objects.select_for_update(no_key=True).get(pk=station.pk)
    if not row.enabled:
        return False
    told = {
        "vendor": plain_text(boot.vendor, 50),
        "model": plain_text(boot.model, 50),
        "serial_number": plain_text(boot.serial_number, 50),
        "firmware_version": plain_text(boot.firmware_version, 50),
        "ocpp_version": version,
    }
    again = row.booted_at is not None and abs(received_at - row.booted_at) < AGAIN_WITHIN
    # What is empty was not said: an operator may have entered it.
    changed = {name: value for name, value in told.items() if value and getattr(row, name) != value}
    Station.objects.filter(pk=row.pk).update(booted_at=received_at, **changed)
    if not again or changed:
        data = {name: plain_text(value, 100) for name, value in boot.more.items() if value}
        words = " ".join(part for part in (told["vendor"], told["model"], told["firmware_version"]) if part)
        event_note(
            station=station, kind=StationEvent.Kind.BOOT, words=words or "started", at=received_at, data=told | data
        )
    return True
