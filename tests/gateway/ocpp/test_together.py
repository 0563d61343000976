"""What many stations say at once is stored as what each says alone, in a number of queries that does not grow."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateway.ocpp.handling import V16, Call
from gateway.ocpp.server.answering import Job, answer_one, answer_together
from stations.models import ChargingSession, Connector, IdToken, MeterValue, OcppMessage, Station, Tariff
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
    assert many[0] == one[0]
    assert many[1] - one[1] == len(park) - 2, "each end is a statement of its own, and nothing else"
    assert not ChargingSession.objects.filter(status="ACTIVE").exists()


def queries(work: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)
