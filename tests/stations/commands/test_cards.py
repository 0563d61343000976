"""The list of cards that a station keeps: which, whole and by difference, and again after a card was blocked."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from stations.commands.asking import command_ask
from stations.commands.cards import local_list_taken, local_lists_renew
from stations.commands.listing import Entry, cards_of, local_list_prepare
from stations.models import ChargingSession, Command, Connector, IdToken, LocalList, Site, Station, StationVariable

pytestmark = pytest.mark.django_db


@pytest.fixture
def station(connector: Any) -> Station:
    found: Station = connector.station
    Station.objects.filter(pk=found.pk).update(ocpp_version="2.0.1")
    found.refresh_from_db()
    return found


@pytest.fixture
def driver() -> User:
    return User.objects.create_user("dora")


def charged(station: Station, uid: str, *, days_ago: int = 1, **card: Any) -> IdToken:
    """A card that charged there."""
    token = IdToken.objects.create(uid=uid, **card)
    at = timezone.now() - timedelta(days=days_ago)
    ChargingSession.objects.create(
        station=station,
        connector=station.connectors.get(),
        transaction_id=uid,
        id_token=token,
        started_at=at,
        source=ChargingSession.Source.OCPP,
    )
    return token


def sent(station: Station, mode: str) -> tuple[Command, list[Entry], bool]:
    command = command_ask(station=station, kind="send_local_list", params={"mode": mode})
    listed = local_list_prepare(command)
    assert listed.version == command.pk
    return command, listed.entries, listed.is_full


def accept(command: Command) -> Command | None:
    """The station takes it; what is asked next, if anything."""
    command.state, command.sent_at = Command.State.ACCEPTED, timezone.now()
    command.save()
    local_list_taken(command, status="Accepted")
    return Command.objects.filter(pk__gt=command.pk, kind="send_local_list").first()


def test_who_is_on_it(station: Station, driver: User) -> None:
    charged(station, "OWN", customer=driver)
    charged(station, "OVER", customer=driver, expires_at=timezone.now() - timedelta(hours=1), group="FLEET")
    charged(station, "ENTERED", days_ago=2)  # by an operator, for nobody
    charged(station, "STRANGER", days_ago=2, entered=False)
    charged(station, "BAD", days_ago=3, blocked=True)
    IdToken.objects.create(uid="ELSEWHERE", customer=driver)
    found = cards_of(station)
    assert {key: entry[0] for key, entry in found.items()} == {
        "ISO14443 OWN": "Accepted",
        "ISO14443 OVER": "Expired",
        "ISO14443 ENTERED": "Accepted",
        "ISO14443 BAD": "Blocked",
    }
    assert found["ISO14443 OVER"][2] == "FLEET"
    station.site.unknown_cards = True
    assert "ISO14443 STRANGER" in cards_of(station)
    StationVariable.objects.create(station=station, variable="LocalAuthListMaxLength", value="1")
    assert len(cards_of(station)) == 1


def test_over_1_6_a_number_is_one_card(station: Station, driver: User) -> None:
    charged(station, "04A1", customer=driver)
    charged(station, "04a1", customer=driver, type="Local", blocked=True, days_ago=3)
    charged(station, "X" * 21, customer=driver)
    station.ocpp_version = "1.6"
    assert {key.upper(): entry[0] for key, entry in cards_of(station).items()} == {"ISO14443 04A1": "Blocked"}


def test_whole_then_what_differs(station: Station, driver: User) -> None:
    one, two = charged(station, "ONE", customer=driver), charged(station, "TWO", customer=driver)
    command, entries, is_full = sent(station, "differential")
    assert is_full, "the station has none yet"
    assert {entry.uid for entry in entries} == {"ONE", "TWO"}
    assert accept(command) is None
    station.refresh_from_db()
    assert station.local_list_version == command.pk
    assert local_lists_renew() == 0
    IdToken.objects.filter(pk=one.pk).update(blocked=True)
    two.delete()
    assert local_lists_renew() == 1
    assert local_lists_renew() == 0, "one is under way"
    command = Command.objects.filter(kind="send_local_list").latest("pk")
    listed = local_list_prepare(command)
    assert not listed.is_full
    assert [(entry.uid, entry.status) for entry in listed.entries] == [("TWO", None), ("ONE", "Blocked")]
    assert accept(command) is None
    assert LocalList.objects.get().entries == cards_of(station)


def test_many_are_looked_at_with_as_many_queries_as_one(
    site: Site, driver: User, django_assert_max_num_queries: Any
) -> None:
    def another(number: int, **fields: Any) -> Station:
        made = Station.objects.create(site=site, identity=f"L-{number}", ocpp_version="2.0.1", **fields)
        Connector.objects.create(station=made, evse_id=1, connector_id=1)
        charged(made, f"L{number}", customer=driver)
        LocalList.objects.create(station=made, version=1)
        return made

    another(0)
    with CaptureQueriesContext(connection) as of_one:
        assert local_lists_renew() == 1
    made = [another(number) for number in range(1, 13)]
    another(99, enabled=False)
    StationVariable.objects.create(station=made[0], variable="LocalAuthListMaxLength", value="3")
    with django_assert_max_num_queries(len(of_one)):
        assert local_lists_renew() == 12
    assert len(cards_of(made[0])) == 3 and len(cards_of(made[1])) == 14
    assert Command.objects.filter(kind="send_local_list", by=Command.By.PORTAL).count() == 13


def test_what_only_2_1_knows_takes_no_place_of_others(station: Station, driver: User) -> None:
    for number in range(3):
        charged(station, f"VIN{number}", customer=driver, type=IdToken.Type.VIN)
    charged(station, "OLD", customer=driver, days_ago=9)
    StationVariable.objects.create(station=station, variable="LocalAuthListMaxLength", value="2")
    assert list(cards_of(station)) == ["ISO14443 OLD"]
    station.ocpp_version = "2.1"
    assert len(cards_of(station)) == 2 and "ISO14443 OLD" not in cards_of(station)


def test_a_long_one_goes_in_parts(station: Station, driver: User) -> None:
    StationVariable.objects.create(
        station=station, component="LocalAuthListCtrlr", variable="ItemsPerMessage", value="2"
    )
    for number in range(5):
        charged(station, f"C{number}", customer=driver, days_ago=number)
    command, entries, is_full = sent(station, "full")
    assert is_full and [entry.uid for entry in entries] == ["C0", "C1"]
    following = accept(command)
    assert following is not None and following.params == {"mode": "differential"}
    assert [entry.uid for entry in local_list_prepare(following).entries] == ["C2", "C3"]
    last = accept(following)
    assert last is not None
    assert [entry.uid for entry in local_list_prepare(last).entries] == ["C4"]
    assert accept(last) is None


def test_a_station_that_has_another_version_gets_the_whole(station: Station, driver: User) -> None:
    charged(station, "ONE", customer=driver)
    command, _, _ = sent(station, "full")
    accept(command)
    command, entries, is_full = sent(station, "differential")
    assert not is_full and entries == []
    local_list_taken(command, status="VersionMismatch")
    asked = Command.objects.latest("pk")
    assert asked.params == {"mode": "full"}
    assert local_list_prepare(asked).is_full
