"""What a TransactionEvent and a MeterValues of OCPP 2.x tell, read from their JSON; nothing is stored here."""

from datetime import datetime
from typing import Any

from gateway import calls
from gateway.ocpp.handling import Call
from gateway.ocpp.v2 import metering
from gateway.ocpp.v2.numbers import number_read

Kind = calls.Kind
# Before these no energy can have flowed (TriggerReasonEnumType).
BEFORE_ENERGY = frozenset({"CablePluggedIn", "EVDetected", "Authorized", "RemoteStart"})
# The token is that of who ends the charge.
STOPPING = frozenset({"StopAuthorized", "RemoteStop", "Deauthorized"})
STOP_REASON_MAX = 20


def told_read(call: Call, token: calls.TokenRef | None) -> calls.Told:
    """A TransactionEvent; `token`: what its idToken names."""
    payload, kind = call.payload, Kind(call.payload["eventType"])
    info, evse = payload["transactionInfo"], payload.get("evse", {})
    samples, asides = metering.read(payload.get("meterValue", ()), time_read(call))
    signed, unread = calls.signed_of(payload.get("meterValue", ()))
    readings = metering.readings_of(samples)
    trigger = payload["triggerReason"]
    is_first = kind is Kind.STARTED or trigger in BEFORE_ENERGY
    begins = trigger == "ChargingStateChanged" and info.get("chargingState") == "Charging"
    reason = info.get("stoppedReason", "Local") if kind is Kind.ENDED else ""
    return calls.Told(
        kind=kind,
        transaction_id=calls.plain_text(info["transactionId"], 36),
        said=calls.said(call.station, payload["timestamp"], call.at),
        received_at=call.at,
        message=_kept(payload),
        offline=payload.get("offline", False),
        token=token,
        stops=trigger in STOPPING or kind is Kind.ENDED,
        evse_id=number_read(evse.get("id")),
        connector_id=number_read(evse.get("connectorId")),
        begin_wh=metering.begin_wh(readings, is_first=is_first),
        first_wh=metering.begin_wh(readings, is_first=begins),
        end_wh=metering.end_wh(readings) if kind is Kind.ENDED else None,
        stop_reason=reason if len(reason) <= STOP_REASON_MAX else "Other",
        samples=samples,
        asides=[*asides, *unread],
        signed=signed,
        number=payload["seqNo"],
        charging=info["chargingState"] == "Charging" if "chargingState" in info else None,
    )


def values_read(call: Call) -> calls.Values:
    """MeterValues: of the charge at that EVSE, if one goes on; EVSE 0 is the main meter, of no charge."""
    samples, asides = metering.read(call.payload["meterValue"], time_read(call))
    signed, unread = calls.signed_of(call.payload["meterValue"])
    return calls.Values(
        station=call.station,
        evse_id=number_read(call.payload["evseId"]),
        number=None,
        samples=samples,
        received_at=call.at,
        message=_kept(call.payload),
        asides=[*asides, *unread],
        signed=signed,
    )


def time_read(call: Call) -> metering.TimeRead:
    """A time of the station's, by its own clock."""

    def read(text: object) -> datetime:
        return calls.said(call.station, text, call.at).at

    return read


def _kept(payload: dict[str, Any]) -> dict[str, Any]:
    """The message as an operator has to see it, where it is set aside: its values last, for the example may be cut."""
    return {name: payload[name] for name in sorted(payload, key=lambda name: name == "meterValue")}
