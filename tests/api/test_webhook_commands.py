"""Whoever asked a command of a station hears by webhook what became of it, and nobody else."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import ApiClient, User
from gateway.ocpp.frames import RESULT, Frame
from gateway.ocpp.server.commanding import command_answered, command_take, command_timed_out
from ledger.models import Webhook, WebhookDelivery
from stations.commands.asking import command_ask
from stations.commands.sweeping import command_cancel, commands_expire
from stations.models import Command, Station

pytestmark = pytest.mark.django_db


@pytest.fixture
def station(connector: Any) -> Station:
    found: Station = connector.station
    return found


@pytest.fixture
def program() -> ApiClient:
    client = ApiClient.objects.create(client_id="fleet", name="Fleet")
    Webhook.objects.create(client=client, url="https://fleet.example/hook")
    other = ApiClient.objects.create(client_id="other", name="Other", all_sites=True)
    Webhook.objects.create(client=other, url="https://other.example/hook")
    Webhook.objects.create(user=User.objects.create_user("eve", is_staff=True), url="https://eve.example/hook")
    return client


def told() -> list[tuple[str, int, str]]:
    """(receiver, command, state), in order."""
    rows = WebhookDelivery.objects.filter(event="command.finished").order_by("created_at").select_related("webhook")
    found = [(row.webhook.url.split("/")[2], json.loads(row.body)) for row in rows]
    assert all(body["type"] == "command.finished" for _, body in found)
    return [(host, body["data"]["command"], body["data"]["state"]) for host, body in found]


def asked(station: Station, **who: Any) -> Command:
    return command_ask(station=station, kind="reset", params={"type": "soft"}, **who)


def test_a_program_hears_what_its_station_answered(station: Station, program: ApiClient) -> None:
    command = asked(station, by=Command.By.PROGRAM, client=program)
    taken = command_take(station.pk, "1.6")
    assert taken is not None and told() == []
    command_timed_out(command.pk, "nothing was heard")
    command_answered(command.pk, "1.6", Frame(RESULT, taken.message_id, payload={"status": "Accepted"}))
    assert told() == [("fleet.example", command.pk, "TIMED_OUT"), ("fleet.example", command.pk, "ACCEPTED")]
    data = json.loads(WebhookDelivery.objects.latest("created_at").body)["data"]
    assert (data["station"], data["kind"]) == (station.identity, "reset") and data["finished_at"].endswith("Z")


def test_what_is_never_sent_ends_too(station: Station, program: ApiClient) -> None:
    late, taken_back = asked(station, client=program), asked(station, client=program)
    Command.objects.filter(pk=late.pk).update(valid_until=timezone.now() - timedelta(seconds=1))
    assert commands_expire() == 1 and command_cancel(taken_back) and not command_cancel(taken_back)
    unknown = command_ask(station=station, kind="get_base_report", params={"report": "full"}, client=program)
    assert command_take(station.pk, "1.6") is None
    states = {pk: state for _, pk, state in told()}
    assert states == {late.pk: "EXPIRED", taken_back.pk: "CANCELLED", unknown.pk: "UNSUPPORTED"}


def test_people_hear_of_their_own_and_nobody_of_the_portals(station: Station, program: ApiClient) -> None:
    eve = User.objects.get(username="eve")
    mine = asked(station, by=Command.By.OPERATOR, user=eve)
    for command in (mine, asked(station)):
        assert command_cancel(command)
    assert told() == [("eve.example", mine.pk, "CANCELLED")]
