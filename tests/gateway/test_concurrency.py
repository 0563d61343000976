"""Stations repeat themselves, and a proxy may do it at the same moment: on SQLite and PostgreSQL, with real threads."""

import threading
import uuid
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from stations.cards.services import TokenRef, id_token_get, id_token_link, id_token_unlink
from stations.charging.sessions import session_start
from stations.errors import TokenTakenError
from stations.models import ChargingSession, IdToken, MeterValue
from tests.stations.conftest import Ear, StationClient, at, crowd, in_thread, start_message, station_make

pytestmark = pytest.mark.usefixtures("crowd_database")
TIMES = 8


@pytest.fixture
def station() -> StationClient:
    made: StationClient = in_thread(lambda: station_make(f"CS-{uuid.uuid4().hex[:8]}", max_power_w=22_000))
    return made


def again(station: StationClient) -> StationClient:
    """The same station on a connection of its own."""
    return StationClient(station.station, station.credential)


def count(model: Any, **which: Any) -> int:
    counted: int = in_thread(lambda: model.objects.filter(**which).count())
    return counted


def test_identical_starts_at_once_give_one_session(station: StationClient) -> None:
    answers = crowd([lambda: again(station).start()] * TIMES)
    assert sorted(answer.status_code for answer in answers) == [200] * (TIMES - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert count(ChargingSession, station=station.station) == 1


def test_different_starts_of_one_transaction_at_once_let_one_in(station: StationClient) -> None:
    answers = crowd([partial(again(station).start, meter_start_wh=wh) for wh in range(TIMES)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * (TIMES - 1)


def test_an_unknown_token_shown_at_once_is_stored_once(station: StationClient) -> None:
    uid = uuid.uuid4().hex
    works = [partial(again(station).start, f"T{n}", id_token={"uid": uid}) for n in range(TIMES)]
    assert [answer.status_code for answer in crowd(works)] == [201] * TIMES
    assert count(IdToken, uid=uid) == 1
    assert count(ChargingSession, id_token__uid=uid) == TIMES


def test_stops_at_once_close_once_and_are_heard_once(station: StationClient, ear: Ear) -> None:
    in_thread(station.start)
    answers = crowd([lambda: again(station).stop()] * TIMES)
    assert [answer.status_code for answer in answers] == [200] * TIMES
    assert len({answer.content for answer in answers}) == 1
    assert ear.calls == 1 and len(ear.heard) == 1


def test_different_stops_at_once_close_once(station: StationClient, ear: Ear) -> None:
    in_thread(station.start)
    works = [partial(again(station).stop, meter_stop_wh=1000 + wh) for wh in range(TIMES)]
    answers = crowd(works)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * (TIMES - 1)
    assert ear.calls == 1


def test_the_same_meter_values_at_once_are_stored_once(station: StationClient) -> None:
    in_thread(station.start)
    body = {"values": [{"sampled_at": at(-minute), "value": 2000 - minute} for minute in range(1, 6)]}
    answers = crowd([lambda: again(station).post("/T1/meter-values", body)] * TIMES)
    assert [answer.status_code for answer in answers] == [200] * TIMES
    assert sum(answer.json()["accepted"] for answer in answers) == 5
    assert count(MeterValue, session__station=station.station) == 5


def test_meter_values_and_the_stop_at_once_never_leave_values_behind_a_stop(station: StationClient) -> None:
    in_thread(station.start)
    body = {"values": [{"sampled_at": at(-5), "value": 9999}]}  # above the stop's: the session must then be INVALID
    works = [lambda: again(station).post("/T1/meter-values", body), lambda: again(station).stop()]
    values, stop = crowd(works)
    assert stop.status_code == 200
    expected = "INVALID" if values.status_code == 200 else "COMPLETED"
    assert (values.status_code, stop.json()["status"]) in {(200, expected), (409, expected)}


def test_a_token_linked_while_sessions_start_misses_none(station: StationClient) -> None:
    uid = uuid.uuid4().hex
    token = in_thread(lambda: IdToken.objects.create(uid=uid))
    driver = in_thread(lambda: User.objects.create_user(uid))
    starts = [partial(again(station).start, f"T{n}", id_token={"uid": uid}) for n in range(TIMES)]
    crowd([*starts, lambda: id_token_link(id_token=token, customer=driver)])
    assert count(ChargingSession, customer=driver) == TIMES


def test_linking_waits_for_a_start_that_has_read_the_token(station: StationClient) -> None:
    uid = uuid.uuid4().hex
    token = in_thread(lambda: IdToken.objects.create(uid=uid))
    driver = in_thread(lambda: User.objects.create_user(uid))
    token_read, linked = threading.Event(), threading.Event()

    def start() -> None:
        with transaction.atomic():
            id_token_get(token=TokenRef(uid))
            token_read.set()
            assert not linked.wait(0.3), "the token was linked while a session was about to start with it"
            message = start_message() | {"token": TokenRef(uid)}
            session_start(station=station.station, **times_read(without(message, "id_token")))

    def link() -> None:
        assert token_read.wait(60)
        id_token_link(id_token=token, customer=driver)
        linked.set()

    crowd([start, link])
    assert count(ChargingSession, customer=driver) == 1


def test_a_token_goes_to_one_of_two_who_want_it(station: StationClient) -> None:
    message = without(start_message(), "id_token")
    token = in_thread(lambda: IdToken.objects.create(uid=uuid.uuid4().hex))
    drivers = [in_thread(lambda: User.objects.create_user(uuid.uuid4().hex)) for _ in range(2)]
    in_thread(lambda: session_start(station=station.station, token=TokenRef(token.uid), **times_read(message)))

    def link(driver: User) -> str:
        try:
            return f"{id_token_link(id_token=token, customer=driver)} session"
        except TokenTakenError:
            return "taken"

    results = crowd([lambda: link(drivers[0]), lambda: link(drivers[1])])
    assert sorted(results) == ["1 session", "taken"]
    assert in_thread(lambda: id_token_unlink(id_token=token, mistaken=True)) == 1


def times_read(message: dict[str, Any]) -> dict[str, Any]:
    return message | {"started_at": datetime.fromisoformat(message["started_at"])}


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}
