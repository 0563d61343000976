"""What OCPP brought of a station, for staff and for programs of its site; its connection and what is written of it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import AccessLogEntry, Role, User
from accounts.programs.scopes import SCOPES
from stations.models import ChargingSession, Connector, OcppMessage, Station, StationEvent, StationVariable
from tests.api.conftest import Caller, caller_for, problem
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def session(make_session: MakeSession) -> ChargingSession:
    return make_session()


@pytest.fixture
def station(session: ChargingSession) -> Station:
    for number in range(30):
        about = {"session": session} if number == 29 else {}
        OcppMessage.objects.create(
            station=session.station,
            at=NOON + timedelta(seconds=number),
            direction="IN" if number % 2 else "OUT",
            kind="CALL",
            action="Heartbeat" if number < 29 else "StopTransaction",
            message_id=str(number),
            text=f'[2,"{number}","Heartbeat",{{}}]',
            **about,
        )
    for severity in ("INFO", "CRITICAL"):
        StationEvent.objects.create(station=session.station, kind="SECURITY", severity=severity, words=severity)
    for name in ("HeartbeatInterval", "MeterValueSampleInterval"):
        StationVariable.objects.create(station=session.station, variable=name, value="60")
    return session.station


def results(api: Caller, path: str) -> list[dict[str, Any]]:
    answer = api.get(path)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


def test_messages_are_read_page_by_page_and_filtered(
    station: Station, session: ChargingSession, operator_api: Caller, owner: User
) -> None:
    where = f"stations/{station.identity.lower()}/messages"
    first = operator_api.get(where).json()
    rest = operator_api.get(first["next"]).json()
    numbers = [row["message_id"] for row in (*first["results"], *rest["results"])]
    assert numbers == [str(number) for number in reversed(range(30))] and rest["next"] is None
    (row,) = results(operator_api, f"{where}?action=StopTransaction")
    assert (row["session"], row["at"], row["text"][:4]) == (str(session.pk), "2026-03-01T12:00:29Z", '[2,"')
    assert len(results(operator_api, f"{where}?direction=OUT")) == 15
    assert len(results(operator_api, f"{where}?session={session.pk}")) == 1
    assert len(results(operator_api, f"{where}?since=2026-03-01T12:00:10Z&until=2026-03-01T12:00:12Z")) == 2
    for query in ("kind=X", "session=7", "since=noon", "station=x"):
        problem(operator_api.get(f"{where}?{query}"), 400, "invalid_request")
    look = AccessLogEntry.objects.get(what="api")
    assert (look.customer, look.subject) == (owner, "OCPP messages")


def test_events_and_variables(station: Station, operator_api: Caller) -> None:
    where = f"stations/{station.identity}"
    assert [row["words"] for row in results(operator_api, f"{where}/events")] == ["CRITICAL", "INFO"]
    assert [row["words"] for row in results(operator_api, f"{where}/events?severity=INFO")] == ["INFO"]
    assert len(results(operator_api, f"{where}/variables")) == 2
    (row,) = results(operator_api, f"{where}/variables?variable=HeartbeatInterval")
    assert (row["value"], row["component"], row["attribute"]) == ("60", "", "Actual")
    problem(operator_api.get("stations/NOBODY/events"), 404, "not_found")


def test_a_token_for_stations_does_not_open_what_names_cards(station: Station, person: Callable[..., User]) -> None:
    api = caller_for(person("olga", Role.OPERATOR), ["stations.read"])
    problem(api.get(f"stations/{station.identity}/messages"), 403, "insufficient_scope")
    assert api.get(f"stations/{station.identity}/events").status_code == 200


def test_a_driver_sees_the_station_and_not_what_it_says(station: Station, owner: User) -> None:
    api = caller_for(owner, tuple(SCOPES))
    shown = api.get(f"stations/{station.identity}").json()
    assert shown["connected"] is False and shown["security_profile"] is None
    for kind in ("messages", "events", "variables"):
        problem(api.get(f"stations/{station.identity}/{kind}"), 404, "not_found")


def test_what_is_set_of_a_station(station: Station, operator_api: Caller, connector: Connector) -> None:
    where = f"stations/{station.identity}"
    Station.objects.update(connection="a" * 32, connected_at=NOON, ocpp_version="2.0.1", booted_at=NOON)
    Connector.objects.update(ocpp_status="Faulted", error_code="GroundFailure", status_at=NOON)
    shown = operator_api.get(where)
    assert shown.json()["connected"] and shown.json()["ocpp_version"] == "2.0.1"
    body = {"enabled": False, "security_profile": 3, "time_zone": "Europe/Berlin"}
    changed = operator_api.patch(where, body, If_Match=shown["ETag"])
    assert changed.status_code == 200 and body.items() <= changed.json().items()
    for wrong in ({"security_profile": 4}, {"time_zone": "Moon/Crater"}, {"enabled": "no"}, {"connected": True}):
        problem(operator_api.patch(where, wrong, If_Match="*"), 400, "invalid_request")
    (outlet,) = results(operator_api, "connectors")
    assert (outlet["ocpp_status"], outlet["error_code"]) == ("Faulted", "GroundFailure")
