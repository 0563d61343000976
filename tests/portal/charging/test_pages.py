"""A driver starts and stops charges from the pages: with their own cards, where it can be done, in plain words."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from accounts.models import User
from portal.charging.asking import BEGINS_WITHIN
from stations.models import ChargingSession, Command, Connector, IdToken, Reservation, Station, Tariff
from tests.people import browser_of

pytestmark = pytest.mark.django_db
EVSE = "DE*ABC*E1234*1"
WHERE = f"/charge/{EVSE}"


@pytest.fixture(autouse=True)
def counted_anew() -> None:
    cache.clear()


@pytest.fixture
def outlet(connector: Connector) -> Connector:
    Connector.objects.update(emi3_id=EVSE, status="AVAILABLE", ocpp_status="Available")
    Station.objects.update(ocpp_version="1.6", connection="c1", connected_at=timezone.now())
    connector.refresh_from_db()
    connector.station.refresh_from_db()
    return connector


@pytest.fixture
def driver(owner: User) -> Client:
    return browser_of(owner)


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.status_code
    return " ".join(answer.content.decode().split())


def started(driver: Client, card: IdToken) -> Command:
    answer = driver.post(WHERE, {"card": card.pk})
    command = Command.objects.latest("pk")
    assert answer["Location"] == f"/charge/start/{command.pk}", answer.content
    return command


def charge(outlet: Connector, card: IdToken, **fields: Any) -> ChargingSession:
    return ChargingSession.objects.create(
        station=outlet.station,
        connector=outlet,
        id_token=card,
        customer=card.customer,
        transaction_id="77",
        started_at=timezone.now(),
        meter_start_wh=1000,
        source="OCPP",
        location={"id": "S1", "name": "Harbour office", "country": "DEU", "time_zone": "Europe/Berlin"},
        **fields,
    )


def test_the_whole_way(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    Tariff.objects.create(code="T", name="Day", price_per_kwh="0.35")
    assert 'href="/charge"' in text(driver.get("/"))
    found = driver.get("/charge", {"outlet": "deabce1234*1"})
    assert found["Location"] == WHERE
    page = text(driver.get(WHERE))
    assert "Harbour office" in page and "Ready" in page and "04A2B3C4D5E680" in page and "Start charging" in page
    command = started(driver, id_token)
    assert (command.kind, command.by, command.user) == ("remote_start", "DRIVER", id_token.customer)
    card = {"uid": id_token.uid, "type": "ISO14443"}
    assert command.params == {"id_token": card, "evse_id": 1, "connector_id": 1}
    assert started(driver, id_token) == command, "pressed twice"
    page = text(driver.get(f"/charge/start/{command.pk}"))
    assert "The station is being called." in page and "data-moving" in page
    Command.objects.update(state="ACCEPTED", sent_at=timezone.now(), answered_at=timezone.now())
    assert "plug" in text(driver.get(f"/charge/start/{command.pk}"))
    session = charge(outlet, id_token)
    session.meter_values.create(
        sampled_at=timezone.now(), measurand="Power.Active.Import", value=7400, unit="W", phase="", context=""
    )
    page = text(driver.get(f"/charge/start/{command.pk}"))
    assert "The car charges." in page and f'href="/sessions/{session.pk}"' in page and "data-moving" in page
    page = text(driver.get(f"/sessions/{session.pk}"))
    assert f'href="/sessions/{session.pk}/stop"' in page
    assert "Stop the charge at Harbour office?" in text(driver.get(f"/sessions/{session.pk}/stop"))
    assert driver.post(f"/sessions/{session.pk}/stop")["Location"] == f"/sessions/{session.pk}"
    stop = Command.objects.latest("pk")
    assert (stop.kind, stop.params, stop.session) == ("remote_stop", {"transaction_id": "77"}, session)
    driver.post(f"/sessions/{session.pk}/stop")
    assert Command.objects.count() == 2, "pressed twice"
    page = text(driver.get(f"/sessions/{session.pk}"))
    assert "The station is being called to stop." in page and "/stop" not in page
    Command.objects.filter(pk=stop.pk).update(state="REJECTED", sent_at=timezone.now(), answered_at=timezone.now())
    page = text(driver.get(f"/sessions/{session.pk}"))
    assert "The station refused to stop." in page and f'href="/sessions/{session.pk}/stop"' in page


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("REJECTED", "The station refused. Nothing was started."),
        ("TIMED_OUT", "The station did not answer."),
        ("EXPIRED", "The station could not be reached. Nothing was started."),
        ("UNSUPPORTED", "cannot be started from here"),
        ("REFUSED", "did not understand"),
    ],
)
def test_what_went_wrong_is_said(driver: Client, outlet: Connector, id_token: IdToken, state: str, words: str) -> None:
    command = started(driver, id_token)
    Command.objects.update(state=state, sent_at=timezone.now(), answered_at=timezone.now())
    page = text(driver.get(f"/charge/start/{command.pk}"))
    assert words in page and "data-moving" not in page and f'href="{WHERE}"' in page
    assert started(driver, id_token) != command, "it can be tried again"


def test_a_yes_after_which_nothing_began(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    command = started(driver, id_token)
    long_ago = timezone.now() - BEGINS_WITHIN - timedelta(seconds=1)
    Command.objects.update(state="ACCEPTED", sent_at=long_ago, answered_at=long_ago, asked_at=long_ago)
    page = text(driver.get(f"/charge/start/{command.pk}"))
    assert "No charge began." in page and "data-moving" not in page


@pytest.mark.parametrize(
    ("of_station", "of_outlet", "words"),
    [
        ({"connection": ""}, {}, "The station is away"),
        ({"enabled": False}, {}, "The station is away"),
        ({}, {"status": "FAULTED"}, "Out of order"),
        ({}, {"status": "UNAVAILABLE"}, "Out of service"),
        ({}, {"status": "OCCUPIED", "ocpp_status": "Charging"}, "In use"),
        ({}, {"status": "RESERVED", "ocpp_status": "Reserved"}, "Reserved for somebody else"),
    ],
)
def test_where_nothing_can_be_started(
    driver: Client, outlet: Connector, id_token: IdToken, of_station: Any, of_outlet: Any, words: str
) -> None:
    Station.objects.update(**of_station or {"model": "x"})
    Connector.objects.update(**of_outlet or {"max_voltage": 230})
    page = text(driver.get(WHERE))
    assert words in page and "Start charging" not in page
    assert words in text(driver.post(WHERE, {"card": id_token.pk}))
    assert not Command.objects.exists()


def test_an_outlet_where_a_charge_goes_on(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    charge(outlet, IdToken.objects.create(uid="OTHER"))
    Connector.objects.update(status="OCCUPIED", ocpp_status="Occupied")
    assert "In use" in text(driver.get(WHERE))
    ChargingSession.objects.update(status="INVALID", stopped_at=timezone.now(), statement_month="2026-11-01")
    assert "Ready" in text(driver.get(WHERE)), "plugged in, nothing charges"


def test_what_was_reserved_for_them(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    Connector.objects.update(status="RESERVED", ocpp_status="Reserved")
    until = timezone.now() + timedelta(minutes=5)
    Reservation.objects.create(station=outlet.station, number=1, evse_id=1, id_token=id_token, expires_at=until)
    assert "Start charging" in text(driver.get(WHERE))


def test_only_their_own_good_cards(driver: Client, outlet: Connector, id_token: IdToken, other_customer: User) -> None:
    IdToken.objects.create(uid="THEIRS", customer=other_customer)
    bad = IdToken.objects.create(uid="BLOCKED", customer=id_token.customer, blocked=True)
    over = IdToken.objects.create(uid="OVER", customer=id_token.customer, expires_at=timezone.now())
    page = text(driver.get(WHERE))
    assert not any(uid in page for uid in ("THEIRS", "BLOCKED", "OVER"))
    for card in (bad.pk, over.pk, IdToken.objects.get(uid="THEIRS").pk, 999, "x"):
        assert "Choose the card with which to charge." in text(driver.post(WHERE, {"card": card}))
    IdToken.objects.filter(pk=id_token.pk).update(blocked=True)
    assert "You have no card with which this can be started" in text(driver.get(WHERE))
    assert not Command.objects.exists()


def test_nobody_stops_what_is_not_theirs(
    driver: Client, outlet: Connector, id_token: IdToken, other_customer: User
) -> None:
    session = charge(outlet, id_token)
    stranger = browser_of(other_customer)
    operator = browser_of(User.objects.create_superuser("root"))
    for browser in (stranger, operator):
        assert browser.get(f"/sessions/{session.pk}/stop").status_code == 404
        assert browser.post(f"/sessions/{session.pk}/stop").status_code == 404
    assert "/stop" not in text(operator.get(f"/sessions/{session.pk}"))
    command = Command.objects.create(
        station=outlet.station, kind="remote_start", user=id_token.customer, by="DRIVER", valid_until=timezone.now()
    )
    assert stranger.get(f"/charge/start/{command.pk}").status_code == 404
    assert stranger.get(f"/charge/outlet/{outlet.pk}").status_code == 404
    assert driver.get(f"/charge/outlet/{outlet.pk}").status_code == 200


def test_a_charge_that_has_ended(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    session = charge(outlet, id_token)
    ended = {"status": "INVALID", "stopped_at": timezone.now(), "statement_month": "2026-11-01"}
    ChargingSession.objects.update(**ended)
    assert driver.get(f"/sessions/{session.pk}/stop")["Location"] == f"/sessions/{session.pk}"
    assert "This charge has ended already." in text(driver.post(f"/sessions/{session.pk}/stop", follow=True))
    assert not Command.objects.exists()


def test_where_they_charged_before_and_what_is_unknown(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    assert "Where you charged before" not in text(driver.get("/charge"))
    charge(outlet, id_token)
    page = text(driver.get("/charge"))
    assert f'href="{WHERE}"' in page and "In use" in page
    Connector.objects.update(emi3_id="")
    assert f'href="/charge/outlet/{outlet.pk}"' in text(driver.get("/charge"))
    page = text(driver.get("/charge", {"outlet": "DE*XYZ*E1"}))
    assert "No outlet of ours has this number." in page and 'value="DE*XYZ*E1"' in page
    assert driver.get("/charge/DE*XYZ*E1").status_code == 404


def test_somebody_who_presses_all_the_time(driver: Client, outlet: Connector, id_token: IdToken) -> None:
    for _ in range(20):
        started(driver, id_token)
        Command.objects.update(state="EXPIRED")
    assert "Too many tries at once." in text(driver.post(WHERE, {"card": id_token.pk}))
    assert Command.objects.count() == 20
