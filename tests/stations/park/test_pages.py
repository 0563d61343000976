"""A station's page with its connection, its configuration, refusals and events; what the home says of them."""

import html
import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Role
from stations.models import Station, StationEvent, StationRefusal, StationVariable
from stations.park.refusals import refusal_note, refusals_waiting
from stations.park.words import ADVICE
from tests.people import browser_of, person

Reason = StationRefusal.Reason


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


def page(browser: Client, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return " ".join(answer.content.decode().split())


def change(row: object, model: str = "station") -> str:
    return reverse(f"admin:stations_{model}_change", args=[row.pk])  # type: ignore[attr-defined]


def test_a_new_station_says_how_to_connect_it(staff: Client, park: dict[str, Station], settings: Settings) -> None:
    settings.OCPP_PUBLIC_URL = "wss://charge.example/ocpp"
    text = page(staff, change(park["never"]))
    assert "Never connected." in text and "Connect a charger in five steps" in text
    assert "wss://charge.example/ocpp/CP-NEW" in text
    assert reverse("admin:stations_station_credential", args=[park["never"].pk]) in text
    assert "five steps" not in page(staff, change(park["charging"]))


def test_a_stations_page_shows_its_connection_and_what_it_said(staff: Client, park: dict[str, Station]) -> None:
    for state in ("fault", "away"):  # the first is connected, and let in
        refusal_note(identity="-", station=park[state], reason=Reason.TLS, address="192.0.2.7")
    text = page(staff, change(park["fault"]))
    assert "Connected since" in text and "with OCPP 2.1" in text
    assert "1: GroundFailure, relay welded" in text and "connector 1: GroundFailure" in text
    assert "Enter the address with wss://" not in text
    away = page(staff, change(park["away"]))
    assert "192.0.2.7" in away and "Enter the address with wss://" in away
    for link in (
        "ocppmessage/?station=CP-ILL",
        "configuration/",
        f"stationevent/?station__id__exact={park['fault'].pk}",
    ):
        assert link in text
    assert "it is not let in" in page(staff, change(park["off"]))


def test_the_configuration_by_component_is_searched(staff: Client, park: dict[str, Station]) -> None:
    station = park["connected"]
    where = reverse("admin:stations_station_configuration", args=[station.pk])
    assert "has not said anything of its configuration" in page(staff, where)
    for component, evse, name, value in (
        ("OCPPCommCtrlr", 0, "HeartbeatInterval", "300"),
        ("EVSE", 1, "Power", "22000"),
        ("", 0, "MeterValueSampleInterval", "60"),
    ):
        StationVariable.objects.create(station=station, component=component, evse_id=evse, variable=name, value=value)
    text = page(staff, where)
    assert "OCPPCommCtrlr" in text and "EVSE, EVSE 1" in text and "Keys of OCPP 1.6" in text
    text = page(staff, f"{where}?q=heartbeat")
    assert "HeartbeatInterval" in text and "22000" not in text
    assert "22000" in page(staff, f"{where}?q=22000")
    assert "Nothing there is called so" in page(staff, f"{where}?q=zzz%00")
    assert staff.get(reverse("admin:stations_station_configuration", args=[0])).status_code == 404


def test_a_value_is_changed_by_a_command_that_is_filled_in(staff: Client, park: dict[str, Station]) -> None:
    new, old = park["connected"], park["charging"]
    for station, component, name in ((new, "EVSE", "Power"), (old, "", "HeartbeatInterval"), (new, "EVSE", "Fixed")):
        StationVariable.objects.create(
            station=station,
            component=component,
            evse_id=2 if component else 0,
            variable=name,
            value='say "a", b',
            mutability="ReadOnly" if name == "Fixed" else "ReadWrite",
        )
    text = page(staff, reverse("admin:stations_station_configuration", args=[new.pk]))
    (address,) = re.findall(r'href="([^"]+/set_variables/[^"]+)"', text)
    form = page(staff, html.unescape(address))
    assert "EVSE,Power,&quot;say &quot;&quot;a&quot;&quot;, b&quot;" in form.replace(", ,", ",,")
    text = page(staff, reverse("admin:stations_station_configuration", args=[old.pk]))
    (address,) = re.findall(r'href="([^"]+/change_configuration/[^"]+)"', text)
    form = page(staff, html.unescape(address))
    assert 'value="HeartbeatInterval"' in form and "say &quot;a&quot;, b" in form
    auditor = browser_of(person("axel", Role.AUDITOR))
    assert "change_configuration" not in page(auditor, reverse("admin:stations_station_configuration", args=[old.pk]))


def test_each_refusal_says_what_to_do(staff: Client, park: dict[str, Station]) -> None:
    assert set(ADVICE) == set(Reason.values)
    for reason in Reason.values:
        station = None if reason == Reason.UNKNOWN else park["away"]
        refusal_note(identity="CP-<b>", station=station, reason=reason, words="said in English")
    text = page(staff, reverse("admin:stations_stationrefusal_changelist"))
    assert "CP-&lt;b&gt;" in text and "/add/?identity=CP-%3Cb%3E" in text
    unknown, disabled, credential = (
        StationRefusal.objects.get(reason=reason) for reason in (Reason.UNKNOWN, Reason.DISABLED, Reason.CREDENTIAL)
    )
    assert "Add this station" in page(staff, change(unknown, "stationrefusal"))
    assert f"{change(park['away'])}#id_enabled" in page(staff, change(disabled, "stationrefusal"))
    credentials = reverse("admin:stations_station_credential", args=[park["away"].pk])
    assert credentials in page(staff, change(credential, "stationrefusal"))
    refusal_note(identity="cp-new", station=None, reason=Reason.UNKNOWN)
    assert "It was added since" in page(staff, reverse("admin:stations_stationrefusal_changelist"))
    added = page(staff, reverse("admin:stations_station_add") + "?identity=CP-77")
    assert 'value="CP-77"' in added


def test_what_waits_is_who_has_not_come_in_since(park: dict[str, Station]) -> None:
    for state in ("connected", "away", "never"):
        refusal_note(identity=park[state].identity, station=park[state], reason=Reason.CREDENTIAL)
    refusal_note(identity=park["away"].identity, station=park["away"], reason=Reason.REPLACED)
    refusal_note(identity="STRANGER", station=None, reason=Reason.UNKNOWN)
    refusal_note(identity="cp-calm", station=None, reason=Reason.UNKNOWN)  # it was added meanwhile
    refusal_note(identity="LONG-AGO", station=None, reason=Reason.UNKNOWN)
    StationRefusal.objects.filter(identity="LONG-AGO").update(last_at=timezone.now() - timedelta(days=8))
    assert {row.identity for row in refusals_waiting()} == {"CP-AWAY", "CP-NEW", "STRANGER"}
    Station.objects.filter(pk=park["away"].pk).update(booted_at=timezone.now())  # it came in, and went
    assert {row.identity for row in refusals_waiting()} == {"CP-NEW", "STRANGER"}


def test_a_refusal_is_forgotten_by_who_runs_stations_alone(staff: Client, park: dict[str, Station]) -> None:
    refusal_note(identity="STRANGER", station=None, reason=Reason.UNKNOWN)
    where = reverse("admin:stations_stationrefusal_changelist")
    form = {"action": "forget", "_selected_action": [str(StationRefusal.objects.get().pk)]}
    auditor = browser_of(person("axel", Role.AUDITOR))
    auditor.post(where, form | {"confirmed": "yes"})
    assert StationRefusal.objects.exists()
    assert "Forget these refused connections?" in staff.post(where, form).content.decode()
    assert StationRefusal.objects.exists()
    answer = staff.post(where, form | {"confirmed": "yes"}, follow=True)
    assert "Forgotten. (1)" in answer.content.decode() and not StationRefusal.objects.exists()


def test_events_that_matter_come_without_being_asked_for(staff: Client, park: dict[str, Station]) -> None:
    StationEvent.objects.create(station=park["fault"], kind="BOOT", severity="INFO", words="booted as usual")
    where = reverse("admin:stations_stationevent_changelist")
    text = page(staff, where)
    assert "GroundFailure" in text and "booted as usual" not in text
    for query in ("severity=all", "severity=INFO", f"station__id__exact={park['fault'].pk}"):
        assert "booted as usual" in page(staff, f"{where}?{query}")


def test_the_home_says_what_needs_a_person(staff: Client, park: dict[str, Station]) -> None:
    refusal_note(identity="STRANGER", station=None, reason=Reason.UNKNOWN)
    text = page(staff, "/admin/")
    assert reverse("admin:stations_park") in text
    assert "STRANGER" in text and "CP-ILL" in text and "With a fault" in text
    assert "CP-QUIET" in text  # silent, as before
