"""No session stays open for ever: whoever ends it, it is recorded and flagged, and what comes late is not lost."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role
from stations.charging.tasks import sessions_end_silent
from stations.models import ChargingSession, Connector, MeterValue, SetAside, Site
from stations.models.corrections import Correction
from tests.people import browser_of, person
from tests.stations.conftest import Ear, StationClient, at

pytestmark = pytest.mark.django_db


def session(number: str = "T1") -> ChargingSession:
    return ChargingSession.objects.get(transaction_id=number)


def told(station: StationClient, minutes: int, value: int, number: str = "T1") -> Any:
    return station.post(f"/{number}/meter-values", {"values": [{"sampled_at": at(minutes), "value": value}]})


# --- A clock that was set meanwhile


def test_a_clock_that_was_ahead_at_the_start(owner: StationClient, ear: Ear) -> None:
    Connector.objects.update(max_power_w=22_000)
    owner.start(started_at=at(30))
    ChargingSession.objects.update(heard_at=timezone.now() - timedelta(hours=1))
    ended = [owner.stop(stopped_at=at(0)).json() for _ in range(2)]
    assert ended[0] == ended[1] and ear.calls == 1
    assert (ended[0]["status"], ended[0]["energy_wh"], ended[0]["stopped_at"]) == ("COMPLETED", 7000, at(30))
    assert ended[0]["flags"] == ["clock_wrong"]


def test_a_wrong_clock_lets_no_impossible_energy_pass(owner: StationClient) -> None:
    Connector.objects.update(max_power_w=22_000)
    owner.start(started_at=at(30))
    ended = owner.stop(stopped_at=at(0), meter_stop_wh=900_000).json()
    assert (ended["status"], ended["flags"]) == ("INVALID", ["power_exceeded", "clock_wrong"])


# --- The next start on the outlet


def test_the_next_start_ends_it_with_its_last_reading(owner: StationClient, ear: Ear) -> None:
    owner.start(), told(owner, -40, 3000), told(owner, -50, 2000)
    assert owner.start("T2", started_at=at(-20), meter_start_wh=5000).status_code == 201
    old = session()
    assert (old.status, old.energy_wh, old.meter_stop_wh) == ("COMPLETED", 2000, 3000)
    assert old.stopped_at is not None and old.stopped_at.isoformat().replace("+00:00", "Z") == at(-40)
    assert old.flags == ["start_reported_late", "ended_by_next_start"] and [one.pk for one in ear.heard] == [old.pk]
    assert session("T2").status == "ACTIVE"


def test_without_any_reading_it_is_not_billed(owner: StationClient) -> None:
    owner.start(), owner.start("T2", started_at=at(-20), meter_start_wh=5000)
    old = session()
    assert (old.status, old.energy_wh, old.cost_minor) == ("INVALID", None, None)
    assert old.flags[0] == "end_unknown"


def test_only_what_began_before_at_the_same_outlet(owner: StationClient, other: StationClient) -> None:
    Connector.objects.create(station=owner.station, evse_id=2)
    Connector.objects.create(station=owner.station, evse_id=1, connector_id=2)
    owner.start("other-outlet", evse_id=2), other.start("other-station")
    owner.start("same-second"), owner.start("T1")
    owner.start("later", started_at=at(-10))
    assert session("other-outlet").status == session("other-station").status == "ACTIVE"
    assert {session(name).status for name in ("same-second", "T1")} == {"INVALID"}
    owner.start("earlier", started_at=at(-30))  # told late: what goes on now stays
    assert session("later").status == session("earlier").status == "ACTIVE"
    owner.start("other-plug", connector_id=2, started_at=at(-5))  # an EVSE charges one vehicle at a time
    assert session("later").status == "INVALID"


def test_a_receiver_that_cannot_take_it_keeps_the_next_start_out(owner: StationClient, ear: Ear) -> None:
    from stations.errors import RecordingUnavailableError

    owner.start()
    ear.refuse = RecordingUnavailableError("no key yet")
    assert owner.start("T2", started_at=at(-20)).status_code == 503
    assert ChargingSession.objects.get().status == "ACTIVE"
    ear.refuse = None
    assert owner.start("T2", started_at=at(-20)).status_code == 201


# --- What comes late


def test_a_late_stop_corrects_what_was_ended_without_its_station(owner: StationClient, ear: Ear) -> None:
    owner.start(), told(owner, -40, 3000)
    owner.start("T2", started_at=at(-20), meter_start_wh=5000)
    stop = partial(owner.stop, stopped_at=at(-25), meter_stop_wh=4000)
    answers = [stop(), stop(), stop()]
    assert [answer.status_code for answer in answers] == [200] * 3
    correction = Correction.objects.get()
    assert correction.session == session() and correction.by is None
    assert correction.replacement is not None and correction.replacement.energy_wh == 3000
    assert correction.credit.energy_wh == -2000
    assert ear.calls == 2 and not SetAside.objects.exists()
    assert owner.stop(stopped_at=at(-24), meter_stop_wh=4100).status_code == 200  # and then it says something else
    assert SetAside.objects.get().kind == "LATE" and Correction.objects.count() == 1


def test_a_late_stop_bills_what_was_not(owner: StationClient) -> None:
    owner.start(), owner.start("T2", started_at=at(-20), meter_start_wh=5000)
    assert owner.stop(stopped_at=at(-25), meter_stop_wh=4000).status_code == 200
    replacement = Correction.objects.get().replacement
    assert replacement is not None and (replacement.status, replacement.energy_wh) == ("COMPLETED", 3000)


def test_a_late_stop_that_says_the_same_changes_nothing(owner: StationClient) -> None:
    owner.start(), told(owner, -40, 3000), owner.start("T2", started_at=at(-20), meter_start_wh=5000)
    assert owner.stop(stopped_at=at(-40), meter_stop_wh=3000, stop_reason="PowerLoss").status_code == 200
    assert not Correction.objects.exists() and not SetAside.objects.exists()


def test_a_late_stop_that_cannot_be_true_and_late_values_are_kept(owner: StationClient) -> None:
    owner.start(), told(owner, -40, 3000), owner.start("T2", started_at=at(-20), meter_start_wh=5000)
    assert owner.stop(stopped_at=at(-25), meter_stop_wh=900).status_code == 200
    answer = told(owner, -30, 3500)
    assert answer.status_code == 200 and len(answer.json()["set_aside"]) == 1
    assert sorted(row.subject for row in SetAside.objects.all()) == ["T1 meter-values", "T1 stop"]
    assert all("at" in row.example for row in SetAside.objects.all())
    assert MeterValue.objects.count() == 1 and not Correction.objects.exists()


# --- Reboot, silence, operator


def test_a_reboot_ends_what_does_not_go_on(owner: StationClient, other: StationClient) -> None:
    Connector.objects.create(station=owner.station, evse_id=2)
    owner.start(), told(owner, -30, 2500), owner.start("T2", evse_id=2), other.start()
    boot = partial(owner.http.post, "/api/v1/station/boot", content_type="application/json", headers=owner.headers())
    assert boot({"running": ["t2"]}).json() == {"ended": ["T1"]}
    assert boot({"running": ["t2"]}).json() == {"ended": []}
    ended = ChargingSession.objects.get(station=owner.station, transaction_id="T1")
    assert (ended.status, ended.energy_wh, ended.flags[-1]) == ("COMPLETED", 1500, "ended_by_reboot")
    assert ChargingSession.objects.get(station=other.station).status == "ACTIVE"
    assert boot({"booted_at": at(-90)}).json() == {"ended": []}  # before the charge began
    assert boot({}).json() == {"ended": ["T2"]}
    wrongs: list[Any] = [{"running": "T1"}, {"running": [None]}, {"booted_at": "yesterday"}, {"x": 1}, []]
    for wrong in wrongs:
        assert boot(wrong).status_code == 400


def test_silence_ends_it_after_the_time_that_the_site_allows(owner: StationClient, ear: Ear) -> None:
    owner.start(), told(owner, -30, 2500)
    ago = timezone.now() - timedelta(hours=3)
    assert sessions_end_silent() == 0
    ChargingSession.objects.filter(pk=session().pk).update(updated_at=ago)
    assert sessions_end_silent() == 0  # a week, unless the operator says otherwise
    Site.objects.update(end_after_hours=None)
    assert sessions_end_silent() == 0
    Site.objects.update(end_after_hours=2)
    assert (sessions_end_silent(), sessions_end_silent(), ear.calls) == (1, 0, 1)
    assert (session().energy_wh, session().flags[-1]) == (1500, "ended_after_silence")


@pytest.fixture
def operator() -> Client:
    return browser_of(person("olga", Role.OPERATOR))


def test_an_operator_ends_it_with_what_they_know(owner: StationClient, operator: Client, ear: Ear) -> None:
    owner.start(started_at=at(-60)), told(owner, -30, 2500)
    page = f"/admin/stations/chargingsession/{session().pk}/"
    assert "End this session" in operator.get(f"{page}change/").content.decode()
    assert "2.500 kWh" in operator.get(f"{page}end/").content.decode()
    for wrong in ({"stopped_at": "2001-01-01 00:00:00"}, {"stopped_at": "x"}, {"meter": "-1"}, {"meter": "x"}):
        operator.post(f"{page}end/", {"stopped_at": "", "meter": ""} | wrong)
    assert session().status == "ACTIVE"
    end = {"stopped_at": at(-20).replace("T", " ").removesuffix("Z"), "meter": "3.000"}
    assert [operator.post(f"{page}end/", end).status_code for _ in range(2)] == [302, 200]
    assert (session().status, session().energy_wh, session().flags[-1]) == ("COMPLETED", 2000, "ended_by_operator")
    assert ear.calls == 1
    assert "Ended, as its station did not." in operator.get("/admin/admin/logentry/").content.decode()
    assert owner.stop().status_code == 200  # the station's word comes after all: an operator decides
    assert SetAside.objects.get().kind == "LATE" and not Correction.objects.exists()


def test_an_auditor_ends_nothing(owner: StationClient) -> None:
    owner.start()
    auditor = browser_of(person("anna", Role.AUDITOR))
    page = f"/admin/stations/chargingsession/{session().pk}/end/"
    assert auditor.post(page, {"stopped_at": "", "meter": ""}).status_code == 403
    assert session().status == "ACTIVE"
