"""What a station says in OCPP 2.0.1 and 2.1, and what the answers mean to it."""

import base64
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dev.stations.device.clock import read_time
from dev.stations.device.meter import Sample
from dev.stations.device.state import Charge, Json, Message
from dev.stations.device.told import Token

if TYPE_CHECKING:
    from dev.stations.station import Station

SAYS_TOKEN = ("Authorized", "StopAuthorized", "RemoteStart", "Deauthorized")


class Words2:
    """A charge is TransactionEvents, numbered from 0; where it begins and ends is set at the station."""

    def __init__(self, station: "Station") -> None:
        self.station = station

    @property
    def start_points(self) -> tuple[str, ...]:
        """What of cable and card begins a transaction."""
        return tuple(self.station.settings.words("start_points"))

    @property
    def stop_points(self) -> tuple[str, ...]:
        """What of them ends it."""
        return tuple(self.station.settings.words("stop_points"))

    def boot(self, reason: str) -> Json:
        """BootNotification."""
        told = self.station.told
        named = {"vendorName": told.vendor, "model": told.model[:20], "serialNumber": told.serial}
        return {"reason": reason, "chargingStation": named | {"firmwareVersion": self.station.state.firmware}}

    def status(self, outlet: int) -> Json | None:
        """StatusNotification of a connector; the station itself has none."""
        if not outlet:
            return None
        said = {"timestamp": self.station.clock.text(), "connectorStatus": self._status(outlet)}
        return {**said, "evseId": outlet, "connectorId": 1}

    def _status(self, number: int) -> str:
        outlet = self.station.state.outlets[number]
        if outlet.fault:
            return "Faulted"
        if outlet.charge is None and not (outlet.operative and self.station.state.operative):
            return "Unavailable"
        if outlet.plugged or outlet.charge is not None:
            return "Occupied"
        return "Reserved" if self.station.reserved(number) else "Available"

    def authorize(self, token: Token) -> Json:
        """Authorize."""
        return {"idToken": token.written()}

    def began(self, charge: Charge, trigger: str, samples: Sequence[Sample], reservation: int | None) -> None:
        """The event Started."""
        self._event(charge, "Started", trigger, samples, at=charge.began, reservation=reservation)

    def updated(self, charge: Charge, trigger: str, samples: Sequence[Sample]) -> None:
        """The event Updated."""
        self._event(charge, "Updated", trigger, samples)

    def ended(
        self, charge: Charge, at: float, meter_wh: int, reason: str, trigger: str, samples: Sequence[Sample]
    ) -> None:
        """The event Ended, with the samples of its end."""
        reason = _REASONS.get(reason, reason)
        self._event(charge, "Ended", trigger, samples, at=at, reason=reason)

    def _event(
        self,
        charge: Charge,
        kind: str,
        trigger: str,
        samples: Sequence[Sample],
        *,
        at: float | None = None,
        reason: str = "",
        reservation: int | None = None,
    ) -> None:
        station = self.station
        outlet = station.state.outlets[charge.outlet]
        text = station.clock.text(at)
        state = "Idle" if not outlet.plugged else "EVConnected"
        state = ("SuspendedEVSE" if charge.suspended else "Charging") if charge.flows else state
        about: Json = {"transactionId": charge.key, "chargingState": state}
        if reason:
            about["stoppedReason"] = reason
        if charge.remote_start_id is not None:
            about["remoteStartId"] = charge.remote_start_id
        said: Json = {"eventType": kind, "timestamp": text, "triggerReason": trigger, "seqNo": charge.seq_no}
        said |= {"transactionInfo": about, "offline": not station.ready.is_set()}
        said["evse"] = {"id": charge.outlet, "connectorId": 1}
        if charge.token and (kind == "Started" or trigger in SAYS_TOKEN):
            said["idToken"] = charge.token.written()
        if samples:
            said["meterValue"] = [{"timestamp": text, "sampledValue": [_value(sample) for sample in samples]}]
        if reservation is not None:
            said["reservationId"] = reservation
        charge.seq_no += 1
        station.put("TransactionEvent", said, charge.key)

    def metered(self, outlet: int, samples: Sequence[Sample]) -> Json:
        """MeterValues outside of a charge."""
        values = [_value(sample) for sample in samples]
        return {"evseId": outlet, "meterValue": [{"timestamp": self.station.clock.text(), "sampledValue": values}]}

    def filled(self, message: Message) -> Json:
        """A message as it leaves: as it is, for the station gave its charge the id."""
        return message.payload

    def answered(self, message: Message, answer: Json) -> None:
        """What follows from the answer to a queued message."""
        if "totalCost" in answer:
            self.station.costs[message.charge] = answer["totalCost"]
        charge = self.station.charge_of(message.charge)
        if charge is not None and "idTokenInfo" in answer:
            self.station.judged(charge, answer["idTokenInfo"]["status"])

    def verdict(self, answer: Json) -> Json:
        """What an Authorize was answered, in the words of all versions: status, group, until."""
        return self.info(answer["idTokenInfo"])

    def info(self, said: Mapping[str, Any]) -> Json:
        """An idTokenInfo in the words of all versions."""
        until = read_time(said["cacheExpiryDateTime"]) if "cacheExpiryDateTime" in said else None
        return {"status": said["status"], "group": said.get("groupIdToken", {}).get("idToken", ""), "until": until}


# Reasons of 1.6 that 2.x has another word for
_REASONS = {"SoftReset": "ImmediateReset", "HardReset": "ImmediateReset", "UnlockCommand": "Other"}


def _value(sample: Sample) -> Json:
    said: Json = {"value": sample.value, "measurand": sample.measurand, "context": sample.context}
    said["unitOfMeasure"] = {"unit": sample.unit}
    if sample.signed:
        data = base64.b64encode(sample.signed.encode()).decode()
        said["signedMeterValue"] = {"signedMeterData": data, "encodingMethod": "OCMF", "signingMethod": ""}
        said["signedMeterValue"]["publicKey"] = ""
    named = {"phase": sample.phase, "location": sample.location}
    return said | {name: value for name, value in named.items() if value}
