"""Many messages in few queries, and the same message at the same moment, as when a station has two connections."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from gateway.ocpp.handling import V16, Call
from gateway.ocpp.v16.charging import meter_values_many
from stations.models import ChargingSession, MeterValue, SetAside, Station
from tests.gateway.ocpp.v16.station16 import NOW, Station16, station16, text
from tests.stations.conftest import Ear, crowd, in_thread

TIMES = 6
FOUR = [
    {"value": "2000"},
    {"value": "11000", "measurand": "Power.Active.Import", "unit": "W"},
    {"value": "16.1", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
    {"value": "230.4", "measurand": "Voltage", "unit": "V", "phase": "L1"},
]


def values_call(cp: Station16, number: int | None, minute: int, sampled: Any = FOUR, connector: int = 1) -> Call:
    at = NOW + timedelta(minutes=minute)
    payload = {"connectorId": connector, "meterValue": [{"timestamp": text(at), "sampledValue": sampled}]}
    payload |= {"transactionId": number} if number is not None else {}
    station = Station.objects.select_related("site").get(pk=cp.station.pk)
    return Call(station, V16, "MeterValues", payload, uuid.uuid4().hex, at)


def queries(work: Callable[[], Any]) -> int:
    with (
        CaptureQueriesContext(
            connection,
        ) as captured,
        transaction.atomic(),
    ):
        work()
    return len([one for one in captured if "SAVEPOINT" not in one["sql"]])


@pytest.mark.django_db
def test_values_of_many_take_as_many_queries_as_of_one(cp: Station16) -> None:
    stations = [cp, *(station16(f"CP-{number}") for number in range(2, 32))]
    numbers = [station.start()["transactionId"] for station in stations]
    cp.wait(1)
    first = [values_call(stations[0], numbers[0], 1)]
    one = queries(lambda: meter_values_many(first))
    cp.wait(1)
    calls = [values_call(*pair, 2) for pair in zip(stations, numbers, strict=True)]
    many = queries(lambda: meter_values_many(calls))
    assert one == many == 4  # charges, what is there, the new values, that they were heard
    assert MeterValue.objects.count() == 4 + len(calls) * 4
    again = queries(lambda: meter_values_many(calls))
    assert again == 2 and MeterValue.objects.count() == 4 + len(calls) * 4


@pytest.mark.django_db
def test_each_of_many_is_about_its_own_charge(cp: Station16) -> None:
    other = station16("CP-2")
    first, second = cp.start()["transactionId"], other.start(5000, connector=2)["transactionId"]
    answers = meter_values_many(
        [
            values_call(cp, first, 1),
            values_call(other, second, 1, [{"value": "5100"}], connector=2),
            values_call(cp, None, 2, [{"value": "2100"}]),
            values_call(other, None, 2, [{"value": "1"}], connector=1),
            values_call(other, 77, 2, [{"value": "5200"}], connector=2),
            values_call(cp, first, 2, [{"value": "2100"}]),
            values_call(cp, first, 3, [{"value": "x"}]),
            values_call(other, second, 3, [{"value": "x"}], connector=2),
            values_call(cp, first, 3, [{"value": "x"}]),
        ]
    )
    of = {session.pk: name for session, name in ((of_station(cp), "a"), (of_station(other), "b"))}
    assert [of.get(answer.session_id) if answer.session_id else None for answer in answers] == [
        "a",
        "b",
        "a",
        None,
        "b",
        "a",
        "a",
        "b",
        "a",
    ]
    assert [int(one.value) for one in of_station(cp).meter_values.filter(phase="", unit="Wh")] == [2000, 2100]
    assert [int(one.value) for one in of_station(other).meter_values.all()] == [5100, 5200]
    assert list(SetAside.objects.order_by("station").values_list("station__identity", "count")) == [
        ("CP-1", 2),
        ("CP-2", 1),
    ]


def of_station(cp: Station16) -> ChargingSession:
    return ChargingSession.objects.get(station=cp.station)


@pytest.mark.django_db
def test_starts_and_stops_take_few_queries(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.stop(number, 2000)
    starting = queries(lambda: cp.start(3000))
    assert starting <= 12
    last = ChargingSession.objects.get(status="ACTIVE")
    cp.wait(10)
    assert queries(lambda: cp.stop(int(last.transaction_id), 4000)) <= 16


# --- At the same moment


@pytest.mark.usefixtures("crowd_database")
class TestAtOnce:
    @pytest.fixture
    def station(self) -> Station16:
        made: Station16 = in_thread(lambda: station16(f"CP-{uuid.uuid4().hex[:8]}"))
        return made

    def test_one_start_has_one_number(self, station: Station16) -> None:
        answers = crowd([station.start] * TIMES)
        assert len({answer["transactionId"] for answer in answers}) == 1

    def test_starts_at_several_outlets_have_numbers_of_their_own(self, station: Station16) -> None:
        works = [lambda number=number: station.start(connector=number) for number in range(1, TIMES + 1)]
        assert len({answer["transactionId"] for answer in crowd(works)}) == TIMES

    def test_one_stop_ends_it_once(self, station: Station16, ear: Ear) -> None:
        number = in_thread(station.start)["transactionId"]
        station.wait(10)
        assert crowd([lambda: station.stop(number, 2000)] * TIMES) == [{}] * TIMES
        assert ear.calls == 1

    def test_the_same_values_are_stored_once(self, station: Station16) -> None:
        number = in_thread(station.start)["transactionId"]
        station.wait(10)
        crowd([lambda: station.values(number, "2000", "2000")] * TIMES)
        stored = MeterValue.objects.filter(session__transaction_id=str(number), session__station=station.station)
        assert in_thread(stored.count) == 1
        assert not in_thread(SetAside.objects.filter(station=station.station).exists)
