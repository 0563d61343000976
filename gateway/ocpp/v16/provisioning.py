"""OCPP 1.6: BootNotification, Heartbeat, DataTransfer."""

from django.conf import settings

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.times import time_text
from stations.models import StationEvent

MORE = ("chargeBoxSerialNumber", "iccid", "imsi", "meterType", "meterSerialNumber")


def boot_notification(call: Call) -> Answer:
    """A station that is switched off here is told so, and asks again after the interval."""
    payload = call.payload
    boot = calls.Boot(
        vendor=payload["chargePointVendor"],
        model=payload["chargePointModel"],
        serial_number=payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber") or "",
        firmware_version=payload.get("firmwareVersion") or "",
        more={name: payload[name] for name in MORE if payload.get(name)},
    )
    accepted = calls.station_booted(station=call.station, boot=boot, version=call.version, received_at=call.at)
    return Answer(
        {
            "status": "Accepted" if accepted else "Rejected",
            "currentTime": time_text(call.at),
            "interval": settings.OCPP_HEARTBEAT_S,
        }
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
