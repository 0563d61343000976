"""Meter values as stations send them: one that nobody understands is counted, and costs the others nothing."""

from typing import Any

import pytest

from accounts.models import Role
from stations.charging.asides import EVERYTHING_ELSE, SUBJECTS_MAX
from stations.models import ChargingSession, MeterValue, SetAside
from tests.people import browser_of, person
from tests.stations.conftest import StationClient, at

pytestmark = pytest.mark.django_db
LIST = "/admin/stations/setaside/"
GOOD = {"sampled_at": at(-30), "value": 1100}
NO_NUMBERS: list[object] = [True, None, 10**13, "NaN", "", [], "1e5000"]


def tell(station: StationClient, *values: Any) -> Any:
    return station.post("/T1/meter-values", {"values": list(values)})


@pytest.mark.parametrize(
    "other",
    [
        {"value": "21.5", "measurand": "Temperature", "unit": "Celcius"},
        {"value": "50.01", "measurand": "Frequency", "unit": "Hertz"},
        {"value": "900", "measurand": "RPM", "unit": "RPM"},
        {"value": "1", "measurand": "Energy.Apparent.Import", "unit": "VAh"},
        {"value": "1", "measurand": "Energy.Reactive.Net", "unit": "varh"},
        {"value": "229.89999389648438", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": "1.234", "unit": "kWh"},
        {"value": "1200.0"},
        {"value": 1200.5},
    ],
    ids=lambda other: f"{other.get('measurand', 'energy')}-{other['value']}",
)
def test_what_stations_really_send_is_stored(owner: StationClient, other: dict[str, Any]) -> None:
    owner.start()
    message = [GOOD, {"sampled_at": at(-20), **other}]
    assert tell(owner, *message).json() == {"accepted": 2, "repeated": 0}
    assert tell(owner, *message).json() == {"accepted": 0, "repeated": 2}
    assert not SetAside.objects.exists()


@pytest.mark.parametrize(
    "change",
    [
        *({"value": value} for value in NO_NUMBERS),
        {"unit": "V"},
        {"measurand": "Power.Active.Import"},
        {"measurand": "Energy"},
        {"phase": "L4"},
        {"sampled_at": "yesterday"},
        {"sampled_at": at(60 * 24 * 2)},
        {"sampled_at": None},
        {"extra": 1},
    ],
    ids="-".join,  # not what they say: the times of two workers differ
)
def test_one_that_is_not_understood_costs_no_other(owner: StationClient, change: dict[str, Any]) -> None:
    owner.start()
    bad = GOOD | {"sampled_at": at(-20)} | change
    for times in (1, 2):
        answer = tell(owner, GOOD, bad)
        assert answer.status_code == 200
        (left,) = answer.json()["set_aside"]
        assert left["index"] == 1 and left["reason"]
        row = SetAside.objects.get()
        assert (row.station, row.kind, row.count, row.reason) == (owner.station, "VALUE", times, left["reason"])
        assert '"sampled_at"' in row.example
    assert [value.value for value in MeterValue.objects.all()] == [1100]
    assert owner.stop(meter_stop_wh=1200).json()["energy_wh"] == 200


def test_nothing_in_it_is_understood(owner: StationClient) -> None:
    owner.start()
    answer = tell(owner, {"timestamp": at(0)}, {"v": 1}).json()
    assert (answer["accepted"], answer["repeated"], len(answer["set_aside"])) == (0, 0, 2)
    assert ChargingSession.objects.get().status == "ACTIVE"


def test_a_station_that_invents_words_fills_no_table(owner: StationClient) -> None:
    owner.start()
    for first in range(0, SUBJECTS_MAX + 50, 50):
        tell(owner, *({"sampled_at": at(-9), "value": 1, "unit": f"u{n}"} for n in range(first, first + 50)))
    assert SetAside.objects.count() == SUBJECTS_MAX + 1
    assert SetAside.objects.get(subject=EVERYTHING_ELSE).count == 50


def test_a_large_value_is_kept_in_part(owner: StationClient) -> None:
    owner.start()
    tell(owner, {"sampled_at": at(-9), "value": "9" * 60_000})
    assert len(SetAside.objects.get().example) == 2000


def test_the_operator_sees_it_settles_it_and_it_comes_back(owner: StationClient) -> None:
    browser = browser_of(person("olga", Role.OPERATOR))
    owner.start()
    tell(owner, GOOD | {"unit": "Furlong"})
    row = SetAside.objects.get()
    open_rows = f"{LIST}?open=yes"
    for page in ("/admin/", open_rows, f"{LIST}{row.pk}/change/"):
        assert "Furlong" in browser.get(page).content.decode(), page
    settle = {"action": "settle", "_selected_action": [row.pk]}
    assert "Are these settled?" in browser.post(LIST, settle).content.decode()
    browser.post(LIST, settle | {"confirmed": "1"})
    row.refresh_from_db()
    assert row.settled_at is not None and str(row.settled_by) == "olga"
    assert "What stations said" not in browser.get("/admin/").content.decode()
    assert "Furlong" not in browser.get(open_rows).content.decode()
    tell(owner, GOOD | {"unit": "Furlong"})
    row.refresh_from_db()
    assert [row.count, row.settled_at] == [2, None]


def test_an_auditor_reads_and_settles_nothing(owner: StationClient) -> None:
    browser = browser_of(person("anna", Role.AUDITOR))
    owner.start()
    tell(owner, GOOD | {"unit": "Furlong"})
    row = SetAside.objects.get()
    assert "Furlong" in browser.get(LIST).content.decode()
    browser.post(LIST, {"action": "settle", "_selected_action": [row.pk], "confirmed": "1"})
    row.refresh_from_db()
    assert row.settled_at is None


def test_another_station_is_counted_apart(owner: StationClient, other: StationClient) -> None:
    for station in (owner, other):
        station.start()
        tell(station, GOOD | {"unit": "Furlong"})
    assert sorted(row.count for row in SetAside.objects.all()) == [1, 1]
