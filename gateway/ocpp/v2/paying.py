"""OCPP 2.1: payment terminals at a station, VAT numbers, and stations that swap batteries."""

from decimal import Decimal

from gateway import calls
from gateway.ocpp.handling import Answer, Call
from gateway.ocpp.v2.noting import Kind, Severity, charge_of, noted, status_info


def notify_settlement(call: Call) -> Answer:
    """A terminal took the money, or did not: kept, and worth a look where it is not what the charge cost."""
    said = call.payload
    session = charge_of(call, said["transactionId"]) if said.get("transactionId") else None
    amount = Decimal(repr(said["settlementAmount"]))
    words = f"payment {said['status']}: {amount}, reference {said['pspRef']}"
    severity = Severity.INFO if said["status"] in {"Settled", "Canceled"} else Severity.WARNING
    cost = calls.cost_of(calls.counting_now(session)) if session else None
    if said["status"] == "Settled" and (cost is None or cost != amount):
        severity = Severity.WARNING
        words += ", but no cost is known here" if cost is None else f", but the charge cost {cost}"
    noted(call, Kind.OTHER, words, severity=severity, said_at=said["settlementTime"])
    return Answer(session_id=session.pk if session else None)


def vat_number_validation(call: Call) -> Answer:
    """It would have to be asked of the tax authorities."""
    said = call.payload
    same = {name: said[name] for name in ("vatNumber", "evseId") if name in said}
    info = status_info("NotAsked", "VAT numbers are not checked from here.")
    return Answer({"status": "Rejected", "statusInfo": info} | same)


def battery_swap(call: Call) -> Answer:
    """Batteries were put in or taken out; their energy is metered by nobody."""
    said = call.payload
    numbers = ", ".join(battery["serialNumber"] for battery in said["batteryData"])
    return noted(call, Kind.OTHER, f"{said['eventType']}, request {said['requestId']}: {numbers}")
