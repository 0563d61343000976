"""Charges of OCPP 1.6 over real connections that break, and offline queues that come after."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stations.models import ChargingSession, OcppMessage, SetAside, Site, Station
from tests.gateway.ocpp.client import CallError, Charger
from tests.gateway.ocpp.conftest import Make, Running
from tests.gateway.ocpp.v16.station16 import text

pytestmark = pytest.mark.django_db(transaction=True)
NOW: datetime


@pytest.fixture(autouse=True)
def now() -> None:
    """What `ago` counts from: one moment a test, so that an hour between two times is an hour."""
    global NOW
    NOW = datetime.now(UTC).replace(microsecond=0)


def ago(minutes: float) -> str:
    return text(NOW - timedelta(minutes=minutes))


def start(at: str, meter: Any = 1000, **more: Any) -> dict[str, Any]:
    return {"connectorId": 1, "idTag": "04A1", "meterStart": meter, "timestamp": at} | more


def values(number: int, at: str, *sampled: dict[str, Any]) -> dict[str, Any]:
    return {"connectorId": 1, "transactionId": number, "meterValue": [{"timestamp": at, "sampledValue": list(sampled)}]}


@pytest.fixture
def connect(gateway: Running, charger_row: Make) -> Any:
    station, credential = charger_row()
    Site.objects.update(unknown_cards=True)
    return lambda: Charger(gateway.url, station.identity, credential)


def test_a_connection_that_breaks_after_each_message_costs_nothing(connect: Any) -> None:
    began, numbers = ago(30), set()
    messages = [("StartTransaction", start(began)), ("StartTransaction", start(began))]
    for action, payload in messages:
        with connect() as charger:  # the answer is lost: it is said again, with a new id
            numbers.add(charger.call(action, payload)["transactionId"])
    (number,) = numbers
    told, ended = values(number, ago(20), {"value": "2000"}), ago(10)
    stop = {"transactionId": number, "timestamp": ended, "meterStop": 3000}
    for action, payload in [("MeterValues", told), ("StopTransaction", stop)]:
        for _ in range(2):
            with connect() as charger:
                charger.call(action, payload)
    session = ChargingSession.objects.get()
    assert (session.status, session.energy_wh, session.flags) == ("COMPLETED", 2000, ["start_reported_late"])
    assert session.meter_values.count() == 1 and not SetAside.objects.exists()
    kept = OcppMessage.objects.filter(session=session, direction="IN").values_list("action", flat=True)
    assert sorted(kept) == ["MeterValues"] * 2 + ["StartTransaction"] * 2 + ["StopTransaction"] * 2


def test_a_queue_of_a_day_without_network_is_taken_with_its_own_times(connect: Any) -> None:
    with connect() as charger:
        charger.call("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})
    with connect() as charger:
        number = charger.call("StartTransaction", start(ago(24 * 60)))["transactionId"]
        for hours in (23, 22):
            charger.call("MeterValues", values(number, ago(hours * 60), {"value": str(1000 + (24 - hours) * 500)}))
        charger.call("StopTransaction", {"transactionId": number, "timestamp": ago(21 * 60), "meterStop": 2500})
    session = ChargingSession.objects.get()
    assert (session.energy_wh, session.flags) == (1500, ["start_reported_late"])
    assert session.stopped_at is not None and session.stopped_at - session.started_at == timedelta(hours=3)


def test_words_of_nobody_cost_no_energy(connect: Any) -> None:
    odd = {"value": "50", "unit": "Furlong"}
    with connect() as charger:
        number = charger.call("StartTransaction", start(ago(3), 1000))["transactionId"]
        charger.call("MeterValues", values(number, ago(2), {"value": "1100"}, odd))
        charger.call("MeterValues", values(number, ago(1), odd))
        data = values(number, ago(1), {"value": "1150"}, odd)["meterValue"]
        stop = {"transactionId": number, "timestamp": ago(0), "meterStop": 1200, "transactionData": data}
        assert charger.call("StopTransaction", stop) == {}
    session = ChargingSession.objects.get()
    assert (session.status, session.energy_wh, session.meter_values.count()) == ("COMPLETED", 200, 2)
    assert sum(row.count for row in SetAside.objects.filter(kind="VALUE")) == 3


@pytest.mark.parametrize("meters", [(1000.0, 1200.4), ("1000", " 1199.6 "), (999.6, 1200)])
def test_a_meter_with_a_fraction_or_as_a_text_costs_no_energy(connect: Any, meters: tuple[Any, Any]) -> None:
    with connect() as charger:
        number = charger.call("StartTransaction", start(ago(3), meters[0]))["transactionId"]
        assert (
            charger.call("StopTransaction", {"transactionId": number, "timestamp": ago(0), "meterStop": meters[1]})
            == {}
        )
    assert ChargingSession.objects.get().energy_wh == 200


def test_what_is_refused_takes_nothing_with_it(connect: Any) -> None:
    with connect() as charger:
        with pytest.raises(CallError) as raised:
            charger.call("StatusNotification", {"connectorId": -1, "errorCode": "NoError", "status": "Available"})
        assert raised.value.code == "PropertyConstraintViolation"
        charger.call("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"})
    assert Station.objects.get().connectors.get().status == "AVAILABLE"
