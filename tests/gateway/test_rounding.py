"""Figures that were rounded by two hands: a watt-hour or a part of a second says nothing against a charge."""

from datetime import UTC, datetime
from typing import Any

import pytest

from stations.charging.power import curve_of, progress_of
from stations.models import ChargingSession, Connector
from tests.stations.conftest import StationClient, at

pytestmark = pytest.mark.django_db
BEGIN, END = "Transaction.Begin", "Transaction.End"


def sample(minutes: int, value: int, context: str = "Sample.Periodic") -> dict[str, Any]:
    return {"sampled_at": at(minutes), "value": value, "context": context}


@pytest.mark.parametrize(
    ("start", "samples", "stop", "energy_wh"),
    [
        # 133.7 was cut, 8133.6 rounded, and cut again
        (133, [sample(-30, 4133), sample(0, 8134, END)], 8133, 8000),
        (134, [], 133, 0),
        (1000, [sample(-60, 999, BEGIN)], 1100, 100),
        (1000, [sample(-60, 1001, BEGIN), sample(0, 1101, END)], 1100, 100),
    ],
)
def test_a_watt_hour_of_rounding_is_no_meter_that_goes_backwards(
    owner: StationClient, start: int, samples: list[Any], stop: int, energy_wh: int
) -> None:
    Connector.objects.filter(station=owner.station).update(max_power_w=22_000)
    owner.start(meter_start_wh=start)
    for one in samples:
        assert owner.post("/T1/meter-values", {"values": [one]}).json()["accepted"] == 1
    ended = owner.stop(meter_stop_wh=stop).json()
    assert (ended["status"], ended["energy_wh"]) == ("COMPLETED", energy_wh)
    assert "meter_backwards" not in ended["flags"]
    assert (ended["meter_start_wh"], ended["meter_stop_wh"]) == (start, stop)  # as they came


@pytest.mark.parametrize(("samples", "stop"), [([998], 1100), ([1102], 1100), ([], 998)])
def test_two_watt_hours_are_more_than_rounding(owner: StationClient, samples: list[int], stop: int) -> None:
    owner.start()
    for value in samples:
        owner.post("/T1/meter-values", {"values": [sample(-30, value)]})
    ended = owner.stop(meter_stop_wh=stop).json()
    assert (ended["status"], ended["energy_wh"], ended["flags"][0]) == ("INVALID", None, "meter_backwards")


@pytest.mark.parametrize(
    ("told", "status"), [(("12.3", "14.8", "17.3"), "COMPLETED"), (("12.3", "14.8", "17.36"), "INVALID")]
)
def test_samples_of_a_hundred_watt_hours_beside_a_start_in_single_ones(
    owner: StationClient, told: tuple[str, ...], status: str
) -> None:
    """A kWh with one digit is cut below a start of 12,345 Wh; with two digits somewhere it was no cut."""
    owner.start(meter_start_wh=12_345)
    values = [
        sample(minutes, 0) | {"value": kwh, "unit": "kWh"} for minutes, kwh in zip((-55, -30, -5), told, strict=True)
    ]
    assert owner.post("/T1/meter-values", {"values": values}).json()["accepted"] == 3
    ended = owner.stop(meter_stop_wh=17_365).json()
    assert ended["status"] == status


def test_a_stop_that_is_cut_to_the_second_of_its_start(owner: StationClient) -> None:
    owner.start(started_at=at(-60).replace("Z", ".700Z"))
    ended = [owner.stop(stopped_at=at(-60), meter_stop_wh=1000) for _ in range(2)]
    assert [answer.status_code for answer in ended] == [200, 200]
    assert ended[0].json() == ended[1].json()
    assert ended[0].json()["stopped_at"] == ended[0].json()["started_at"]


def test_a_watt_hour_less_is_no_power(owner: StationClient) -> None:
    owner.start()
    values = [sample(-60, 1000), sample(-40, 999), sample(-20, 2000)]
    owner.post("/T1/meter-values", {"values": values})
    session = ChargingSession.objects.get()
    curve = curve_of(session, list(session.meter_values.all()))
    assert curve is not None and [point.power_w for point in curve.points] == [0, 3003]
    assert progress_of(session, list(session.meter_values.all()[:2])).energy_wh == 0
    assert session.started_at < datetime.now(UTC)
