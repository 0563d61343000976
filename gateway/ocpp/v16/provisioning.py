"""OCPP 1.6: BootNotification, Heartbeat, DataTransfer."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.times import time_text
from stations.models import StationEvent

MORE = ("chargeBoxSerialNumber", "iccid", "imsi", "meterType", "meterSerialNumber")


def boot_notification(call: Call) -> Answer:
    """A station that is switched off here is told so, and asks again after the interval."""
    return boot_notification_many([call])[0]


def boot_notification_many(together: Sequence[Call]) -> list[Answer]:
    """The same of many."""
    booted = [calls.Booted(call.station, _boot(call.payload), call.version, call.at) for call in together]
    return [
        Answer(
            {
                "status": "Accepted" if accepted else "Rejected",
                "currentTime": time_text(call.at),
                "interval": settings.OCPP_HEARTBEAT_S,
            }
        )
        for call, accepted in zip(together, calls.stations_booted(booted), strict=True)
    ]


def _boot(payload: Mapping[str, Any]) -> calls.Boot:
    return calls.Boot(
        vendor=payload["chargePointVendor"],
        model=payload["chargePointModel"],
        serial_number=payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber") or "",
        firmware_version=payload.get("firmwareVersion") or "",
        more={name: payload[name] for name in MORE if payload.get(name)},
    )


def heartbeat(call: Call) -> Answer:
    """The time, by which stations set their clocks."""
    return Answer({"currentTime": time_text(call.at)})


def data_transfer(call: Call) -> Answer:
    """No vendor's messages are understood here. That it came is an event; what it said is in the log of messages alone,
    which forgets: it may name a person.
    """
    payload = call.payload
    vendor, name, said = payload["vendorId"], payload.get("messageId") or "", payload.get("data") or ""
    calls.event_note(
        station=call.station,
        kind=StationEvent.Kind.DATA,
        words=f"{vendor} {name}".strip(),
        at=call.at,
        data={"vendor": vendor, "name": name, "characters": len(said), "message_id": call.message_id},
    )
    return Answer({"status": "UnknownVendorId"})
