"""The ways out of an open session at the same moment: on SQLite and PostgreSQL, with real threads."""

import uuid
from functools import partial
from typing import Any

import pytest

from stations.charging.ending import silent_end
from stations.models import ChargingSession, Site
from stations.models.corrections import Correction
from tests.stations.conftest import Ear, StationClient, at, crowd, in_thread, station_make

pytestmark = pytest.mark.usefixtures("crowd_database")
TIMES = 6


@pytest.fixture
def station() -> StationClient:
    made: StationClient = in_thread(lambda: station_make(f"CS-{uuid.uuid4().hex[:8]}", max_power_w=22_000))
    return made


def again(station: StationClient) -> StationClient:
    return StationClient(station.station, station.credential)


def told(station: StationClient, minutes: int, value: int) -> Any:
    return station.post("/T1/meter-values", {"values": [{"sampled_at": at(minutes), "value": value}]})


def states(station: StationClient) -> dict[str, str]:
    rows = ChargingSession.objects.filter(station=station.station, transaction_id__startswith="T")
    found: dict[str, str] = in_thread(lambda: dict(rows.values_list("transaction_id", "status")))
    return found


def test_starts_on_one_outlet_at_once_leave_at_most_the_latest_open_of_those_that_began_before(
    station: StationClient,
) -> None:
    works = [
        partial(again(station).start, f"T{n}", started_at=at(n - 30), meter_start_wh=1000 + n) for n in range(TIMES)
    ]
    assert [answer.status_code for answer in crowd(works)] == [201] * TIMES
    last = f"T{TIMES}"
    assert in_thread(lambda: station.start(last, started_at=at(0), meter_start_wh=5000).status_code) == 201
    assert states(station) == {**{f"T{n}": "INVALID" for n in range(TIMES)}, last: "ACTIVE"}


def test_a_number_that_comes_again_at_once_is_one_charge(station: StationClient) -> None:
    in_thread(lambda: (station.start(), station.stop(stopped_at=at(-40), meter_stop_wh=1500)))
    works = [partial(again(station).start, started_at=at(-30), meter_start_wh=1500) for _ in range(TIMES)]
    assert sorted(answer.status_code for answer in crowd(works)) == [200] * (TIMES - 1) + [201]


def test_a_stop_and_the_next_start_at_once_lose_nothing(station: StationClient, ear: Ear) -> None:
    in_thread(lambda: (station.start(), told(station, -40, 3000)))
    stop: dict[str, Any] = {"stopped_at": at(-25), "meter_stop_wh": 4000}
    works = [partial(again(station).stop, **stop) for _ in range(TIMES - 1)]
    works.append(partial(again(station).start, "T2", started_at=at(-20), meter_start_wh=5000))
    assert {answer.status_code for answer in crowd(works)} <= {200, 201}

    def energy() -> int | None:
        session = ChargingSession.objects.get(station=station.station, transaction_id="T1")
        correction = Correction.objects.filter(session=session).first()
        return correction.replacement.energy_wh if correction and correction.replacement else session.energy_wh

    assert in_thread(energy) == 3000
    assert states(station)["T2"] == "ACTIVE" and states(station)["T1"] == "COMPLETED"


def test_silence_and_the_stop_at_once_close_once(station: StationClient, ear: Ear) -> None:
    in_thread(lambda: (station.start(), told(station, -40, 3000), Site.objects.update(end_after_hours=1)))
    in_thread(lambda: ChargingSession.objects.filter(station=station.station).update(updated_at=at(-120)))
    works: list[Any] = [silent_end, partial(again(station).stop, stopped_at=at(-40), meter_stop_wh=3000)]
    ended, stopped = crowd(works)
    assert stopped.status_code == 200 and ended in {0, 1} and ear.calls == 1
