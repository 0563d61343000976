"""The pages of the park and of the log in a browser, at both widths and in both schemes; the park refreshes itself."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import product

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from stations.models import ChargingSession, Connector, OcppMessage, Station, StationRefusal, StationVariable
from stations.park.refusals import refusal_note
from tests.readers import SCHEMES, SIZES, Reader, reader_at

pytestmark = pytest.mark.django_db(transaction=True)
PARK = "/admin/stations/station/park/"


@pytest.fixture
def reader(chromium: Browser, live_server: LiveServer, operator: User) -> Iterator[Reader]:
    cache.clear()
    found = reader_at(chromium, live_server.url, "wide")
    found.login(operator)
    yield found
    found.context.close()


def said(station: Station, session: ChargingSession) -> list[OcppMessage]:
    """A call with its answer, an error, and noise."""
    values = {"connectorId": 1, "transactionId": 7, "meterValue": [{"timestamp": "2026-03-01T08:00:00Z"}]}
    values["meterValue"] = [{"sampledValue": [{"value": "7360.0", "measurand": "Power.Active.Import", "unit": "W"}]}]
    frames: list[tuple[str, str, str, object]] = [
        ("IN", "CALL", "MeterValues", [2, "19223201", "MeterValues", values]),
        ("OUT", "RESULT", "MeterValues", [3, "19223201", {}]),
        ("IN", "ERROR", "Reset", [4, "5f1c4a55-9d7e-0d0a8f2d3c11", "InternalError", "the lid is open", {}]),
        ("IN", "OTHER", "", '[2,"broken' + "x" * 400),
    ]
    at = timezone.now()
    return [
        OcppMessage.objects.create(
            station=station,
            session=session if action == "MeterValues" else None,
            at=at + timedelta(seconds=number),
            direction=direction,
            kind=kind,
            action=action,
            message_id=str(frame[1]) if isinstance(frame, list) else "",
            text=frame if isinstance(frame, str) else json.dumps(frame),
        )
        for number, (direction, kind, action, frame) in enumerate(frames)
    ]


def paths(park: dict[str, Station]) -> Iterator[tuple[str, str]]:
    """(name, path) of each page that operators see of stations."""
    session = ChargingSession.objects.get()
    messages = said(park["charging"], session)
    for station, reason in ((None, "UNKNOWN"), (park["away"], "CREDENTIAL"), (park["fault"], "TLS")):
        identity = station.identity if station else "EVB-P1234567-somebody-elses"
        refusal_note(identity=identity, station=station, reason=reason, words="as it was said", address="192.0.2.7")
    for component, name, value in (
        ("OCPPCommCtrlr", "HeartbeatInterval", "300"),
        ("OCPPCommCtrlr", "NetworkConfigurationPriority", "1,2,3"),
        ("SecurityCtrlr", "OrganizationName", "Harbour Energy"),
        ("", "MeterValuesSampledData", "Energy.Active.Import.Register,Power.Active.Import,Current.Import,SoC"),
    ):
        mutability = "ReadOnly" if name.startswith("Network") else "ReadWrite"
        StationVariable.objects.create(
            station=park["connected"], component=component, variable=name, value=value, mutability=mutability
        )
    yield "park", PARK
    yield "home", "/admin/"
    for state in ("never", "fault", "charging"):
        yield f"station-{state}", reverse("admin:stations_station_change", args=[park[state].pk])
    yield "configuration", reverse("admin:stations_station_configuration", args=[park["connected"].pk])
    yield "messages", reverse("admin:stations_ocppmessage_changelist")
    yield "messages-wrong", reverse("admin:stations_ocppmessage_changelist") + "?since=yesterday&station=zzz"
    for number, message in enumerate(messages):
        yield f"message-{number}", reverse("admin:stations_ocppmessage_change", args=[message.pk])
    for model in ("stationrefusal", "stationevent", "stationvariable", "station"):
        yield f"list-{model}", reverse(f"admin:stations_{model}_changelist")
    refusal = StationRefusal.objects.get(reason="UNKNOWN")
    yield "refusal", reverse("admin:stations_stationrefusal_change", args=[refusal.pk])


def test_they_are_read_at_both_widths_and_in_both_schemes(reader: Reader, park: dict[str, Station]) -> None:
    wrong, screens = [], list(product(SIZES, SCHEMES))
    for number, (name, path) in enumerate(paths(park)):
        reader.go(path)
        for place, (size, scheme) in enumerate(screens):
            reader.turn(size, scheme)
            wrong += reader.stumbles()
            if place == number % len(screens) or name == "park":  # axe-core takes most of the time
                wrong += reader.findings(but="#nav-sidebar")
            reader.shoot(name)
    assert wrong == []


def test_the_park_refreshes_itself_until_it_is_paused(reader: Reader, park: dict[str, Station]) -> None:
    reader.go(PARK)
    row = reader.page.locator("tr", has_text="CP-CALM")
    expect(row).to_contain_text("1: Available")
    row.get_by_role("link", name="CP-CALM").focus()
    Connector.objects.filter(station=park["connected"], evse_id=1).update(
        status="FAULTED", error_code="HighTemperature"
    )
    expect(row).to_contain_text("HighTemperature")
    expect(row.get_by_role("link", name="CP-CALM")).to_be_focused()
    reader.press("Pause")
    expect(reader.page.get_by_role("button", name="Go on")).to_be_visible()
    Connector.objects.filter(station=park["connected"]).update(status="AVAILABLE", error_code="")
    reader.press("Go on")
    expect(row).not_to_contain_text("HighTemperature")
    reader.context.clear_cookies()
    expect(reader.page.get_by_text("It is refreshed no more")).to_be_visible()
    reader.complaints.clear()


def test_a_file_says_how_far_it_is_and_arrives(reader: Reader, park: dict[str, Station]) -> None:
    said(park["charging"], ChargingSession.objects.get())
    reader.go(reverse("admin:stations_ocppmessage_changelist") + "?action=Meter")
    content = reader.downloads(reader.page.get_by_role("link", name="JSON lines"))
    lines = [json.loads(line) for line in content.decode().splitlines()]
    assert [line["kind"] for line in lines] == ["RESULT", "CALL"]
    expect(reader.page.get_by_text("The file is whole: 0.0 MB.")).to_be_visible()
    reader.look()
