"""Reservations, displays, customers' data, vendors' messages."""

from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2.noting import Kind, noted, report_ended, reservation_told


def reservation_status_update(call: Call) -> Answer:
    """It has expired, was removed, or nobody charged (2.1)."""
    said = call.payload
    reservation_told(call, said["reservationId"], said["reservationUpdateStatus"])
    words = f"reservation {said['reservationId']}: {said['reservationUpdateStatus']}"
    return noted(call, Kind.RESERVATION, words)


def notify_display_messages(call: Call) -> Answer:
    """The messages that its display has, for whoever asked."""
    report_ended(call)
    return noted(call, Kind.OTHER, f"messages of its display: {len(call.payload.get('messageInfo', []))}")


def notify_customer_information(call: Call) -> Answer:
    """What the station has stored of a customer: only the message log keeps it, which forgets."""
    report_ended(call)
    words = f"what it has stored of a customer, part {call.payload['seqNo']}: see the message log"
    return noted(call, Kind.OTHER, words, said_at=call.payload["generatedAt"], only=("requestId", "seqNo"))


def data_transfer(call: Call) -> Answer:
    """We have agreed on no message with any vendor; it is kept all the same."""
    said = call.payload
    noted(call, Kind.DATA, f"{said['vendorId']} {said.get('messageId', '')}".strip())
    return Answer({"status": "UnknownVendorId"})
