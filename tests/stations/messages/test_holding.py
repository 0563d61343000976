"""How long messages are kept; what a customer gets of them, and that they are forgotten with the customer."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Erasure, User
from common.database import pruning
from stations.commands.asking import command_ask
from stations.messages import holding
from stations.messages.cards import cards_in
from stations.messages.holding import commands_prune, events_prune, messages_files, messages_holds, messages_prune
from stations.messages.tasks import prune
from stations.models import ChargingSession, Command, IdToken, OcppMessage, StationEvent
from stations.personal_data import cards_forget
from tests.stations.conftest import StationClient
from tests.stations.messages.conftest import Say, many


def test_what_is_older_than_it_is_kept_goes_in_batches(
    owner: StationClient, say: Say, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OCPP_MESSAGES_KEEP_DAYS = 30
    monkeypatch.setattr(pruning, "BATCH_ROWS", 4)
    many(owner.station, 10, at=timezone.now() - timedelta(days=31))
    kept = say([2, "1", "Heartbeat", {}], at=timezone.now() - timedelta(days=29))
    turns = iter([True, False])
    assert messages_prune(go_on=lambda: next(turns)) == 4
    assert prune() == 6
    assert list(OcppMessage.objects.all()) == [kept]


def test_events_and_commands_are_kept_for_as_long_as_is_set(owner: StationClient, settings: Settings) -> None:
    settings.OCPP_EVENTS_KEEP_DAYS, settings.OCPP_COMMANDS_KEEP_DAYS = 60, 90
    for days in (59, 61):
        at = timezone.now() - timedelta(days=days)
        StationEvent.objects.create(station=owner.station, at=at, kind=StationEvent.Kind.BOOT, words="started")
    states = ((Command.State.EXPIRED, 89), (Command.State.EXPIRED, 91), (Command.State.WAITING, 91))
    for state, days in states:
        command = command_ask(station=owner.station, kind="clear_cache")
        Command.objects.filter(pk=command.pk).update(state=state, asked_at=timezone.now() - timedelta(days=days))
    assert (events_prune(), commands_prune(), prune()) == (1, 1, 0)
    assert StationEvent.objects.count() == 1
    assert set(Command.objects.values_list("state", flat=True)) == {"EXPIRED", "WAITING"}


def test_the_archive_has_the_messages_of_their_charges(say: Say, charge: ChargingSession, customer: User) -> None:
    say([2, "h", "Heartbeat", {}])
    say([2, "s1", "StartTransaction", {"idTag": "04A1B2C3"}], session=charge)
    ((path, chunks),) = messages_files(customer)
    (row,) = json.loads("".join(str(chunk) for chunk in chunks))
    assert path == "ocpp-messages.json"
    assert (row["message_id"], row["session"]) == ("s1", str(charge.pk))
    assert "04A1B2C3" in row["text"]
    assert messages_holds(customer) == "1 message of a station"
    assert messages_holds(User.objects.create_user("ben")) == "no messages of stations"


def test_the_archive_has_their_commands(charge: ChargingSession, customer: User, owner: StationClient) -> None:
    card = {"id_token": {"uid": "04A1B2C3"}}
    command_ask(station=owner.station, kind="remote_start", params=card, user=customer, by=Command.By.DRIVER)
    command_ask(station=owner.station, kind="remote_stop", params={"transaction_id": "7"}, session=charge)
    command_ask(station=owner.station, kind="clear_cache")
    ((path, chunks),) = holding.commands_files(customer)
    started, stopped = json.loads("".join(str(chunk) for chunk in chunks))
    assert path == "commands.json"
    assert (started["kind"], started["params"], started["state"]) == ("remote_start", card, "WAITING")
    assert (stopped["charge"], stopped["station"]) == (str(charge.pk), owner.station.identity)
    assert holding.commands_holds(customer) == "2 commands to stations"
    assert holding.commands_holds(User.objects.create_user("ben")) == "no commands to stations"


def test_a_command_that_waits_is_not_sent_without_its_card(
    charge: ChargingSession, customer: User, owner: StationClient
) -> None:
    command = command_ask(station=owner.station, kind="remote_start", params={"id_token": {"uid": "04A1B2C3"}})
    cards_forget(Erasure(customer_id=customer.pk, pseudonym="erased-1"))
    command.refresh_from_db()
    assert (command.state, command.params) == (Command.State.CANCELLED, {})


def test_messages_are_forgotten_with_the_cards_that_they_name(
    say: Say, charge: ChargingSession, customer: User, owner: StationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "LOOKED_THROUGH", 2)
    for uid, kind in (("0815", "ISO14443"), ("DE-8AC-C12E46L89-X", "eMAID"), ("ü-größe", "Central")):
        IdToken.objects.create(uid=uid, type=kind, customer=customer)
    gone = [
        say([2, "1", "Authorize", {"idTag": "04a1b2c3"}]),
        say([2, "2", "Authorize", {"idToken": {"idToken": "0815", "type": "ISO14443"}}]),
        say([2, "3", "Authorize", {"idToken": {"idToken": "DE8ACC12E46L89", "type": "eMAID"}}]),
        say([2, "4", "DataTransfer", {"data": json.dumps({"card": "04A1B2C3"})}]),
        say([2, "5", "StartTransaction", {"idTag": "04:A1:B2:C3"}], session=charge),
        say([2, "6", "Authorize", {"idTag": "ü-größe"}]),
        say('[2,"7","Authorize",{"idTag":"ü-größe"}]'),
    ]
    kept = [
        say([2, "8", "MeterValues", {"value": "108150"}]),  # 0815 by chance
        say([2, "9", "MeterValues", {"meterValue": []}], session=charge),
        say([2, "10", "Authorize", {"idTag": "04FFFFFF"}]),
    ]
    event = StationEvent.objects.create(station=owner.station, kind="DATA", words="said", data={"card": "04A1B2C3"})
    command = Command.objects.create(
        station=owner.station,
        kind="remote_start",
        params={"id_token": {"uid": "04A1B2C3"}},
        valid_until=timezone.now(),
    )
    cards_forget(Erasure.objects.create(customer=customer, pseudonym="erased-1"))
    assert set(OcppMessage.objects.all()) == set(kept) and gone
    event.refresh_from_db()
    command.refresh_from_db()
    assert (event.data, command.params) == ({}, {})


def test_which_cards_a_message_names() -> None:
    texts = [
        '[2,"1","Authorize",{"idTag":"04A1"}]',
        '[2,"2","TransactionEvent",{"idToken" : {"idToken": "a\\"b", "type": "Central"}}]',
        '[3,"3",{"idTagInfo":{"parentIdTag":"P1","status":"Accepted"}}]',
        '[2,"4","Authorize",{"idTag":"bad\\q"}]',
    ]
    assert cards_in(texts) == {"04A1", 'a"b', "P1"}
