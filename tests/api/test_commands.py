"""Commands over REST: who may ask what of which station, what becomes of it, and that it can be taken back."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from stations.commands.asking import command_ask
from stations.models import ChargingSession, Command, Connector, Station
from tests.api.conftest import Caller, problem

pytestmark = pytest.mark.django_db
WHERE = "stations/CP-HARBOUR-1/commands"
RESET = {"kind": "reset", "params": {"type": "soft"}}


@pytest.fixture
def station(connector: Connector) -> Station:
    return connector.station


def test_an_operator_asks_and_reads_what_became_of_it(station: Station, operator_api: Caller) -> None:
    answer = operator_api.post(WHERE, RESET | {"valid_for_s": 600})
    assert answer.status_code == 202, answer.content
    body, command = answer.json(), Command.objects.get()
    assert (body["id"], body["state"], body["by"], body["params"]) == (
        command.pk,
        "WAITING",
        "OPERATOR",
        RESET["params"],
    )
    assert command.valid_until - command.asked_at == timedelta(seconds=600)
    assert command.user is not None and command.user.username == "olga"
    assert answer["Location"].endswith(f"/api/v1/commands/{command.pk}")
    said = {"status": "Accepted"}
    command.state, command.sent_at, command.answer, command.words = "ACCEPTED", timezone.now(), said, "Accepted"
    command.save()
    found = operator_api.get(f"commands/{command.pk}").json()
    assert (found["state"], found["answer"], found["words"]) == ("ACCEPTED", said, "Accepted")
    listed = operator_api.get(f"{WHERE}?state=ACCEPTED&kind=reset").json()["results"]
    assert [row["id"] for row in listed] == [command.pk]
    assert operator_api.get(f"{WHERE}?state=WAITING").json()["results"] == []


def test_the_same_key_asks_once(station: Station, operator_api: Caller) -> None:
    first = operator_api.post(WHERE, RESET, Idempotency_Key="k1")
    again = operator_api.post(WHERE, RESET, Idempotency_Key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json() and Command.objects.count() == 1
    problem(operator_api.post(WHERE, {"kind": "clear_cache"}, Idempotency_Key="k1"), 422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"kind": "reboot"}, "kind", "expected one of"),
        ({"kind": "set_credential", "params": {"sealed": "x"}}, "kind", "expected one of"),
        ({"kind": "reset"}, "params.type", "is required"),
        ({"kind": "reset", "params": []}, "params", "expected an object, got a list"),
        ({"kind": "reset", "params": {"type": "soft", "x": 1}}, "params.x", "expected only type, evse_id"),
        (RESET | {"valid_for_s": 0}, "valid_for_s", "expected 1 to 2592000"),
    ],
)
def test_what_is_wrong_is_named(station: Station, operator_api: Caller, body: Any, field: str, words: str) -> None:
    errors = problem(operator_api.post(WHERE, body), 400, "invalid_request")["errors"]
    assert [error["field"] for error in errors] == [field] and words in errors[0]["message"]
    assert not Command.objects.exists()


def test_a_station_is_asked_what_its_version_knows(station: Station, operator_api: Caller) -> None:
    Station.objects.update(ocpp_version="1.6")
    body = {"kind": "get_base_report", "params": {"report": "FullInventory"}}
    problem(operator_api.post(WHERE, body), 409, "command_refused")
    errors = problem(
        operator_api.post(WHERE, RESET | {"params": {"type": "soft", "evse_id": 1}}), 400, "invalid_request"
    )
    assert errors["errors"][0]["message"] == "OCPP 1.6 has no such parameter"
    Station.objects.update(enabled=False)
    problem(operator_api.post(WHERE, RESET), 409, "command_refused")


def test_what_waits_can_be_taken_back_once(station: Station, operator_api: Caller) -> None:
    command = command_ask(station=station, kind="reset", params={"type": "soft"})
    assert operator_api.delete(f"commands/{command.pk}").status_code == 204
    problem(operator_api.delete(f"commands/{command.pk}"), 409, "not_waiting")
    command.refresh_from_db()
    assert command.state == Command.State.CANCELLED and command.answered_at is not None


def test_who_may(station: Station, auditor_api: Caller, api: Caller, owner: User, other_api: Caller) -> None:
    problem(auditor_api.post(WHERE, RESET), 403, "permission_denied")
    assert auditor_api.get(WHERE).status_code == 200
    ChargingSession.objects.create(
        station=station,
        connector=station.connectors.get(),
        customer=owner,
        transaction_id="1",
        started_at=timezone.now(),
        source="OCPP",
    )
    command_ask(station=station, kind="reset", params={"type": "soft"})
    own = command_ask(station=station, kind="remote_stop", params={"transaction_id": "1"}, user=owner)
    assert [row["id"] for row in api.get(WHERE).json()["results"]] == [own.pk]
    problem(api.post(WHERE, RESET), 403, "permission_denied")
    problem(api.delete(f"commands/{own.pk}"), 403, "permission_denied")
    problem(other_api.get(WHERE), 404, "not_found")
    problem(other_api.get(f"commands/{own.pk}"), 404, "not_found")


def test_a_secret_is_not_shown(station: Station, operator_api: Caller) -> None:
    command = command_ask(station=station, kind="set_credential", params={"sealed": "gAAAAsecret"})
    assert operator_api.get(f"commands/{command.pk}").json()["params"] == {}
    assert b"gAAAA" not in operator_api.get(WHERE).content


def test_the_charge_is_found_by_its_number(station: Station, operator_api: Caller) -> None:
    session = ChargingSession.objects.create(
        station=station,
        connector=station.connectors.get(),
        transaction_id="4711",
        started_at=timezone.now(),
        source="OCPP",
    )
    body = operator_api.post(WHERE, {"kind": "remote_stop", "params": {"transaction_id": "4711"}}).json()
    assert body["session"] == str(session.pk)


def test_a_station_has_only_so_many_waiting(station: Station, operator_api: Caller) -> None:
    for _ in range(100):
        command_ask(station=station, kind="clear_cache")
    assert "cancel some first" in problem(operator_api.post(WHERE, RESET), 409, "command_refused")["detail"]
