"""What a station says in OCPP 1.6, and what the answers mean to it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dev.stations.device.clock import read_time
from dev.stations.device.meter import Sample
from dev.stations.device.state import Charge, Json, Message
from dev.stations.device.told import Token

if TYPE_CHECKING:
    from dev.stations.station import Station

UNKNOWN_NUMBER = -1  # of a charge whose start no CSMS has answered


class Words16:
    """`began`, `updated` and `ended` are messages of a charge: they are queued, and none is lost."""

    start_points = ("PowerPathClosed",)
    stop_points = ("Authorized",)

    def __init__(self, station: "Station") -> None:
        self.station = station

    def boot(self, reason: str) -> Json:
        """BootNotification."""
        told = self.station.told
        named = {"chargePointVendor": told.vendor[:20], "chargePointModel": told.model[:20]}
        return named | {"chargePointSerialNumber": told.serial, "firmwareVersion": self.station.state.firmware}

    def status(self, outlet: int) -> Json:
        """StatusNotification; 0 is the station itself."""
        fault = self.station.state.outlets[outlet].fault if outlet else ""
        said = {"connectorId": outlet, "errorCode": fault or "NoError", "status": self._status(outlet)}
        return {**said, "timestamp": self.station.clock.text()}

    def _status(self, number: int) -> str:
        if not number:
            return "Available" if self.station.state.operative else "Unavailable"
        outlet, charge = self.station.state.outlets[number], self.station.state.outlets[number].charge
        if outlet.fault:
            return "Faulted"
        if charge is not None:
            return "SuspendedEVSE" if charge.suspended else "Charging"
        if not (outlet.operative and self.station.state.operative):
            return "Unavailable"
        if outlet.plugged:
            return "Finishing" if outlet.finished else "Preparing"
        return "Preparing" if outlet.token else "Reserved" if self.station.reserved(number) else "Available"

    def authorize(self, token: Token) -> Json:
        """Authorize."""
        return {"idTag": token.uid}

    def began(self, charge: Charge, trigger: str, samples: Sequence[Sample], reservation: int | None) -> None:
        """StartTransaction. What the meter shows then is said again when it stops."""
        charge.begin_samples = [self._value(sample) for sample in samples]
        uid = charge.token.uid if charge.token else ""
        said = {"connectorId": charge.outlet, "idTag": uid, "meterStart": charge.meter_start_wh}
        said |= {"timestamp": self.station.clock.text(charge.began)}
        self.station.put("StartTransaction", said | _given(reservationId=reservation), charge.key)

    def updated(self, charge: Charge, trigger: str, samples: Sequence[Sample]) -> None:
        """MeterValues, where there is something to say."""
        if samples:
            said = {"connectorId": charge.outlet, "meterValue": [self._values(samples)]}
            self.station.put("MeterValues", said, charge.key)

    def ended(
        self, charge: Charge, at: float, meter_wh: int, reason: str, trigger: str, samples: Sequence[Sample]
    ) -> None:
        """StopTransaction, with the samples of begin and end."""
        said: Json = {
            "meterStop": meter_wh,
            "timestamp": self.station.clock.text(at),
            "reason": _REASONS.get(reason, reason),
        }
        if charge.token and reason in ("Local", "DeAuthorized"):
            said["idTag"] = charge.token.uid
        values = [(charge.began, charge.begin_samples), (at, [self._value(sample) for sample in samples])]
        text = self.station.clock.text
        written = [{"timestamp": text(when), "sampledValue": value} for when, value in values if value]
        self.station.put("StopTransaction", said | _given(transactionData=written or None), charge.key)

    def metered(self, outlet: int, samples: Sequence[Sample]) -> Json:
        """MeterValues outside of a charge."""
        return {"connectorId": outlet, "meterValue": [self._values(samples)]}

    def filled(self, message: Message) -> Json:
        """A message as it leaves: the number of its charge is known only when the start was answered."""
        if message.action == "StartTransaction" or not message.charge or "transactionId" in message.payload:
            return message.payload
        number = self.station.state.numbers.get(message.charge)
        if number is None and message.action == "MeterValues":
            return message.payload
        return {**message.payload, "transactionId": UNKNOWN_NUMBER if number is None else number}

    def answered(self, message: Message, answer: Json) -> None:
        """What follows from the answer to a queued message."""
        state = self.station.state
        if message.action == "StartTransaction":
            state.numbers[message.charge] = answer["transactionId"]
            if state.books is not None:
                state.books.numbered(message.charge, answer["transactionId"])
            charge = self.station.charge_of(message.charge)
            if charge is not None:
                charge.number = answer["transactionId"]
                self.station.judged(charge, answer["idTagInfo"]["status"])
        elif message.action == "StopTransaction":
            state.numbers.pop(message.charge, None)

    def verdict(self, answer: Json) -> Json:
        """What an Authorize was answered, in the words of all versions: status, group, until."""
        return self.info(answer["idTagInfo"])

    def info(self, said: Mapping[str, Any]) -> Json:
        """An idTagInfo in the words of all versions."""
        until = read_time(said["expiryDate"]) if "expiryDate" in said else None
        return {"status": said["status"], "group": said.get("parentIdTag", ""), "until": until}

    def _values(self, samples: Sequence[Sample]) -> Json:
        return {"timestamp": self.station.clock.text(), "sampledValue": [self._value(sample) for sample in samples]}

    def _value(self, sample: Sample) -> Json:
        if sample.signed:
            return {"value": sample.signed, "format": "SignedData", "context": sample.context}
        said = {"value": f"{sample.value:.10g}", "measurand": sample.measurand, "unit": sample.unit}
        return said | {"context": sample.context} | _given(phase=sample.phase or None, location=sample.location or None)


# Reasons of 2.x that 1.6 has no word for
_REASONS = {"Timeout": "Other", "ImmediateReset": "HardReset", "MasterPass": "Other"}


def _given(**members: Any) -> Json:
    return {name: value for name, value in members.items() if value is not None}
