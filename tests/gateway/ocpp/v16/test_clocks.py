"""Charges of 1.6 stations that do not know the time: by hours, by 1970, without a zone, not at all."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stations.models import ChargingSession, SetAside, Station
from tests.gateway.ocpp.v16.station16 import NOW, Station16, charge, figures

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("hours", [-2, 2, 13], ids=["behind", "ahead", "far-ahead"])
def test_a_clock_that_is_wrong_by_hours(cp: Station16, hours: int) -> None:
    Station.objects.update(connected_at=NOW - timedelta(hours=9))
    cp.clock = timedelta(hours=hours)
    began = cp.time
    number = cp.start()["transactionId"]
    assert cp.start(timestamp=began)["transactionId"] == number
    cp.wait(10), cp.values(number, "2000"), cp.values(number, "2000")
    cp.wait(20)
    assert cp.start(timestamp=began)["transactionId"] == number
    cp.stop(number, 3000), cp.stop(number, 3000)
    session = charge(number)
    assert (session.started_at, session.stopped_at) == (NOW, NOW + timedelta(minutes=30))
    assert figures(number) == ("COMPLETED", 2000, ["clock_wrong"])
    assert [value.sampled_at for value in session.meter_values.all()] == [NOW + timedelta(minutes=10)]
    assert ChargingSession.objects.count() == 1 and not SetAside.objects.exists()


def test_a_clock_that_counts_from_1970_until_it_is_set(cp: Station16) -> None:
    epoch = datetime(1970, 1, 1, 0, 0, 30, tzinfo=UTC)
    cp.clock = epoch - NOW
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000"), cp.values(number, "2000")
    cp.clock = timedelta(0)
    cp.wait(10), cp.values(number, "2500")
    cp.wait(10), cp.stop(number, 3000)
    session = charge(number)
    assert [value.sampled_at for value in session.meter_values.all()] == [NOW + timedelta(minutes=m) for m in (10, 20)]
    assert (session.started_at, session.stopped_at) == (NOW, cp.now)
    assert figures(number) == ("COMPLETED", 2000, ["clock_wrong"])


def test_a_clock_that_is_lost_in_mid_charge(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.clock = datetime(1970, 1, 1, 0, 1, tzinfo=UTC) - cp.now
    cp.wait(10), cp.values(number, "2500")
    cp.wait(10), cp.stop(number, 3000), cp.stop(number, 3000)
    session = charge(number)
    assert (session.stopped_at, session.meter_values.count()) == (NOW + timedelta(minutes=30), 2)
    assert figures(number) == ("COMPLETED", 2000, ["clock_wrong"]) and not SetAside.objects.exists()


@pytest.mark.parametrize("said", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "nonsense", "2026-13-45T99:00:00"])
def test_a_clock_that_does_not_run(cp: Station16, said: str) -> None:
    number = cp.start(timestamp=said)["transactionId"]
    cp.wait(0.5)
    assert cp.start(timestamp=said)["transactionId"] == number
    for meter in ("2000", "2500"):
        cp.wait(10)
        cp.values(number, meterValue=[{"timestamp": said, "sampledValue": [{"value": meter}]}])
    cp.wait(10), cp.stop(number, 3000, timestamp=said)
    cp.wait(1), cp.stop(number, 3000, timestamp=said)
    assert figures(number) == ("COMPLETED", 2000, ["clock_wrong"])
    assert charge(number).meter_values.count() == 2 and not SetAside.objects.exists()


def test_a_wrong_clock_lets_no_impossible_energy_pass(cp: Station16) -> None:
    cp.clock = timedelta(hours=5)
    number = cp.start()["transactionId"]
    cp.wait(10), cp.stop(number, 900_000)
    assert figures(number) == ("INVALID", None, ["power_exceeded", "clock_wrong"])


def berlin(at: datetime) -> str:
    return at.astimezone(ZoneInfo("Europe/Berlin")).strftime("%Y-%m-%dT%H:%M:%S")


def test_times_without_a_zone_are_the_stations(cp: Station16) -> None:
    cp.written = berlin
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.wait(10), cp.stop(number, 3000)
    session = charge(number)
    assert (session.started_at, session.stopped_at) == (NOW, NOW + timedelta(minutes=20))
    assert figures(number) == ("COMPLETED", 2000, ["time_zone_assumed"])
    assert [value.sampled_at for value in session.meter_values.all()] == [NOW + timedelta(minutes=10)]


def test_the_stations_own_zone_comes_before_the_sites(cp: Station16) -> None:
    Station.objects.update(time_zone="Asia/Tokyo")
    cp.written = lambda at: at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%dT%H:%M:%S")
    assert charge(cp.start()["transactionId"]).started_at == NOW


def test_an_hour_that_repeats(cp: Station16) -> None:
    cp.written = berlin
    cp.now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 for the first time
    number = cp.start()["transactionId"]
    cp.wait(60)  # 02:30 for the second time
    assert cp.start()["transactionId"] == number  # nobody can tell it from the first start told again
    cp.values(number, "2000")
    cp.wait(30), cp.stop(number, 3000)
    session = charge(number)
    assert session.stopped_at is not None and session.stopped_at - session.started_at == timedelta(minutes=90)
    assert figures(number) == ("COMPLETED", 2000, ["time_zone_assumed", "ambiguous_time"])
