"""A station's number that comes again is another charge; what cannot be decided reaches an operator."""

from typing import Any

import pytest

from accounts.models import Role
from stations.models import ChargingSession, SetAside
from tests.people import browser_of, person
from tests.stations.conftest import Ear, StationClient, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(owner: StationClient) -> Any:
    """x, from 60 to 40 minutes ago, the meter from 1000 to 1500."""
    owner.start("x")
    return owner.stop("x", stopped_at=at(-40), meter_stop_wh=1500).json()


def again(station: StationClient, **changes: Any) -> Any:
    return station.start("x", **{"started_at": at(-30), "meter_start_wh": 1500} | changes)


@pytest.mark.parametrize("change", [{}, {"meter_start_wh": 9000}, {"meter_start_wh": 1499}, {"started_at": at(-40)}])
def test_a_later_start_is_a_charge_of_its_own(
    owner: StationClient, first: Any, ear: Ear, change: dict[str, Any]
) -> None:
    made = again(owner, **change)
    assert made.status_code == 201 and made.json()["id"] != first["id"]
    assert "number_reused" in made.json()["flags"]
    assert again(owner, **change).content == made.content  # repeated
    begun = change.get("meter_start_wh", 1500)
    ended = owner.stop("x", meter_stop_wh=begun + 700).json()
    assert (ended["id"], ended["status"], ended["energy_wh"]) == (made.json()["id"], "COMPLETED", 700)
    assert "number_reused" in ended["flags"]
    assert ear.calls == 1 and not SetAside.objects.exists()


def test_the_old_messages_repeated_change_nothing(owner: StationClient, first: Any) -> None:
    values = {"values": [{"sampled_at": at(-50), "value": 1200}]}
    new = again(owner).json()
    assert owner.start("x").json()["id"] == first["id"]
    assert owner.stop("x", stopped_at=at(-40), meter_stop_wh=1500).json()["id"] == first["id"]
    assert owner.post("/x/meter-values", values).status_code == 409  # new ones of a charge that has stopped
    assert owner.post("/x/meter-values", {"values": [{"sampled_at": at(-9), "value": 1600}]}).json()["accepted"] == 1
    assert owner.get("/x").json()["id"] == new["id"] and owner.get("/x").json()["status"] == "ACTIVE"
    assert [one.status for one in ChargingSession.objects.order_by("started_at")] == ["COMPLETED", "ACTIVE"]


@pytest.mark.parametrize("change", [{"meter_start_wh": 0}, {"meter_start_wh": 1400}, {"started_at": at(-50)}])
def test_what_cannot_be_decided_waits_for_an_operator(owner: StationClient, first: Any, change: dict[str, Any]) -> None:
    for times in (1, 2):
        assert again(owner, **change).status_code == 409
        row = SetAside.objects.get()
        assert (row.kind, row.count, row.settled_at) == ("START", times, None)
    assert ChargingSession.objects.count() == 1
    browser = browser_of(person("olga", Role.OPERATOR))
    assert row.subject in browser.get("/admin/").content.decode()
    settle = {"action": "settle", "_selected_action": [row.pk], "confirmed": "1"}
    browser.post("/admin/stations/setaside/", settle)
    assert again(owner, **change).status_code == 201  # the station repeats it
    assert again(owner, **change).status_code == 200
    assert ChargingSession.objects.count() == 2


def test_a_number_that_comes_while_its_charge_is_open(owner: StationClient) -> None:
    owner.start("x")
    owner.post("/x/meter-values", {"values": [{"sampled_at": at(-50), "value": 1200}]})
    assert again(owner, meter_start_wh=1200).status_code == 409  # a repeat with another clock, or another charge?
    assert again(owner).status_code == 201
    old, new = ChargingSession.objects.order_by("started_at")
    assert (old.status, old.energy_wh, new.status) == ("COMPLETED", 200, "ACTIVE")
    assert "ended_by_next_start" in old.flags


def test_a_stop_that_contradicts_is_seen_too(owner: StationClient, first: Any) -> None:
    assert owner.stop("x", stopped_at=at(-40), meter_stop_wh=1600).status_code == 409
    assert SetAside.objects.get().subject == "x stop"
