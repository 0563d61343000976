"""What many stations say at once is stored as what each says alone, in a number of queries that does not grow."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.ocpp.handling import V16, Call
from gateway.ocpp.server.answering import Job, answer_one, answer_together
from stations.models import ChargingSession, Connector, IdToken, MeterValue, OcppMessage, Station, StationEvent, Tariff
from tests.gateway.ocpp.conftest import Make

STATIONS = 6
Say = Callable[[list[Job]], list[Any]]
# Rows are compared without what differs by nature: keys, moments of ours, and numbers that we give.
APART = {
    "id",
    "updated_at",
    "heard_at",
    "transaction_id",
    "number",
    "station_id",
    "connector_id",
    "meter_values_sha256",
}


BEGUN = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=60)


def at(minutes: float) -> str:
    return (BEGUN + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


@pytest.fixture
def park(charger_row: Make) -> list[Station]:
    """Stations with a tariff, and cards: one that is known to each, one blocked, one that nobody has seen."""
    first, _ = charger_row("CP-0")
    tariff = Tariff.objects.create(code="T", name="T", currency="EUR", price_per_kwh="0.4000")
    first.site.tariff = tariff
    first.site.save()
    for number in range(1, STATIONS):
        charger_row(f"CP-{number}")
    IdToken.objects.bulk_create(IdToken(uid=f"CARD{number}") for number in range(STATIONS - 1))
    IdToken.objects.filter(uid="CARD1").update(blocked=True)
    IdToken.objects.filter(uid="CARD2").update(group="FLEET", expires_at=timezone.now() + timedelta(days=1))
    return list(Station.objects.select_related("site").order_by("identity"))


def job(station: Station, action: str, payload: dict[str, Any]) -> Job:
    return Job(Call(station, V16, action, payload, "1", timezone.now()), "{}")


def whole_charges(park: list[Station], say: Say) -> None:
    """Of all stations: plain ones, a blocked card, a card that nobody knows, a clock without zone, a repeat."""
    starts = [
        {"connectorId": 1, "idTag": f"card{number}", "meterStart": 1000 + number, "timestamp": at(number)}
        for number in range(STATIONS)
    ]
    starts[3]["timestamp"] = at(3).removesuffix("Z")
    answers = say([job(*one) for one in zip(park, ["StartTransaction"] * STATIONS, starts, strict=True)])
    again = say([job(*one) for one in zip(park, ["StartTransaction"] * STATIONS, starts, strict=True)])
    assert again == answers, "the same start has the same number"
    numbers = list(ChargingSession.objects.order_by("station__identity").values_list("transaction_id", flat=True))
    values = [
        {"connectorId": 1, "transactionId": int(number), "meterValue": [{"timestamp": at(10), "sampledValue": sample}]}
        for number, sample in zip(numbers, samples(), strict=True)
    ]
    say([job(*one) for one in zip(park, ["MeterValues"] * STATIONS, values, strict=True)])
    stops = [
        {"transactionId": int(number), "meterStop": 3000 + place, "timestamp": at(20 + place), "reason": "Local"}
        for place, number in enumerate(numbers)
    ]
    stops[0]["idTag"], stops[2]["idTag"], stops[4]["meterStop"] = "CARD0", "CARD2", 900
    say([job(*one) for one in zip(park, ["StopTransaction"] * STATIONS, stops, strict=True)])
    say([job(*one) for one in zip(park, ["StopTransaction"] * STATIONS, stops, strict=True)])


def samples() -> Iterator[list[dict[str, str]]]:
    for place in range(STATIONS):
        yield [{"value": str(2000 + place)}, {"value": "7.4", "measurand": "Power.Active.Import", "unit": "kW"}]


def stored() -> list[Any]:
    rows = ChargingSession.objects.order_by("station__identity", "started_at").values()
    sessions = [{name: value for name, value in row.items() if name not in APART} for row in rows]
    values = MeterValue.objects.order_by("session__station__identity", "measurand")
    return [sessions, list(values.values_list("sampled_at", "measurand", "value", "unit"))]


@pytest.mark.django_db(transaction=True)
def test_together_and_alone_store_the_same(park: list[Station]) -> None:
    whole_charges(park, lambda jobs: [answer_one(one) for one in jobs])
    alone, messages = stored(), OcppMessage.objects.count()
    assert {row["status"] for row in alone[0]} == {"COMPLETED", "INVALID"}
    for model in (MeterValue, ChargingSession, OcppMessage):
        model.objects.all().delete()
    whole_charges(park, answer_together)
    assert stored() == alone
    assert OcppMessage.objects.count() == messages


@pytest.mark.django_db(transaction=True)
def test_the_number_of_queries_does_not_grow(park: list[Station]) -> None:
    def counted(stations: list[Station], minute: int) -> list[int]:
        counts = []
        starts = [
            job(one, "StartTransaction", {"connectorId": 1, "idTag": "CARD0", "meterStart": 0, "timestamp": at(minute)})
            for one in stations
        ]
        counts.append(queries(lambda: answer_together(starts)))
        open_now = ChargingSession.objects.filter(status="ACTIVE", station__in=stations)
        stops = [
            job(one.station, "StopTransaction", {"transactionId": int(one.number), "meterStop": 9, "timestamp": at(30)})
            for one in open_now.select_related("station__site")
        ]
        counts.append(queries(lambda: answer_together(stops)))
        return counts

    Connector.objects.update(max_power_w=None)
    one, many = counted(park[:1], 1), counted(park[1:], 2)
    assert many == one
    assert not ChargingSession.objects.filter(status="ACTIVE").exists()


@pytest.mark.django_db(transaction=True)
def test_cards_that_nobody_has_seen_are_stored_once_as_they_were_first_written(park: list[Station]) -> None:
    cards = ("newA", "NEWA", "newB", "", "CARD0", "newA")
    starts = [
        job(one, "StartTransaction", {"connectorId": 1, "idTag": card, "meterStart": 0, "timestamp": at(1)})
        for one, card in zip(park, cards, strict=True)
    ]
    answers = [orjson.loads(str(text))[2]["idTagInfo"]["status"] for text in answer_together(starts)]
    assert answers == ["Accepted"] * STATIONS, "the site takes cards that it does not know"
    new = IdToken.objects.filter(entered=False).order_by("uid")
    assert list(new.values_list("uid", "canonical", "type")) == [
        ("newA", "NEWA", "ISO14443"),
        ("newB", "NEWB", "ISO14443"),
    ]
    assert ChargingSession.objects.filter(id_token__uid="newA").count() == 3
    assert ChargingSession.objects.filter(id_token=None).count() == 1


def told(park: list[Station], say: Say, minute: int) -> list[Any]:
    """What stations say besides charges; the answers without the time of day, and what is stored of it."""
    boots: list[dict[str, Any]] = [{"chargePointVendor": "V", "chargePointModel": f"M{n % 2}"} for n in range(STATIONS)]
    boots[2] |= {"firmwareVersion": "1.0\x00", "chargeBoxSerialNumber": "S", "iccid": "89"}
    states = ["Available", "Charging", "Faulted", "Reserved", "Preparing", "Unavailable"]
    said = [
        *(job(*one) for one in zip(park, ["BootNotification"] * STATIONS, boots, strict=True)),
        *(
            job(station, "StatusNotification", {"connectorId": number, "errorCode": "NoError", "status": state})
            for station, number, state in zip(park, (1, 1, 1, 0, 2, 1), states, strict=True)
        ),
        *(job(station, "Authorize", {"idTag": card}) for station, card in zip(park, CARDS, strict=True)),
    ]
    for one in said:
        if one.call.action == "StatusNotification":
            one.call.payload["timestamp"] = at(minute)
    answers = [orjson.loads(text)[2] for text in say(said)]
    stations = Station.objects.order_by("pk").values("pk", "vendor", "model", "serial_number", "firmware_version")
    outlets = Connector.objects.order_by("station", "evse_id").values(
        "station", "evse_id", "status", "ocpp_status", "error_code", "status_info", "status_at"
    )
    events = StationEvent.objects.order_by("station", "kind", "words").values("station", "kind", "words", "data")
    return [
        [{**one, "currentTime": ""} if "currentTime" in one else one for one in answers],
        [list(stations), list(outlets), list(events)],
    ]


CARDS = ("CARD0", "card1", "CARD2", "CARD3", "NEW", "")


@pytest.mark.django_db(transaction=True)
def test_what_else_stations_say_is_the_same_together_and_alone(park: list[Station]) -> None:
    def alone(jobs: list[Job]) -> list[Any]:
        return [answer_one(one) for one in jobs]

    Station.objects.filter(pk=park[4].pk).update(enabled=False)
    with transaction.atomic():
        one_by_one = told(park, alone, 5), told(park, alone, 4), told(park, alone, 6)
        transaction.set_rollback(True)
    assert (
        told(park, answer_together, 5),
        told(park, answer_together, 4),
        told(park, answer_together, 6),
    ) == one_by_one
    assert Station.objects.exclude(booted_at=None).count() == STATIONS - 1, "one is switched off"
    assert Connector.objects.filter(status_at=at(6)).count() == 5
    assert StationEvent.objects.count() == STATIONS, "five starts and a fault, each once"


@pytest.mark.django_db(transaction=True)
def test_the_number_of_queries_of_what_else_they_say_does_not_grow(park: list[Station]) -> None:
    for action, payload in (
        ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Charging"}),
        ("Authorize", {"idTag": "CARD0"}),
    ):
        counts = [
            queries(lambda: answer_together([job(one, action, payload) for one in park[:count]]))  # noqa: B023 - at once
            for count in (1, STATIONS)
        ]
        assert counts[0] == counts[1], action


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)
