"""What goes wrong on the way (item 4): each ends in the right energy and cost, or INVALID with its reason.

Repeats, lost and late messages, offline queues, order, clocks, reboots, two outlets, meters, numbers that come again.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Role, User
from gateway.ocpp.handling import Call
from gateway.ocpp.v2.handlers import MANY
from stations.charging.corrections import counting
from stations.models import ChargingSession, Connector, IdToken, MeterValue, SetAside, Station
from tests.gateway.ocpp.v2.stories import CARD, NOW, Story, at, register, story_make
from tests.gateway.ocpp.v2.test_charges import BEGIN, END, EVSE, ended, figures, started
from tests.people import browser_of, person

pytestmark = pytest.mark.django_db


@pytest.fixture(params=["2.0.1", "2.1"])
def story(request: pytest.FixtureRequest, db: None) -> Story:
    return story_make(request.param, tariff=True)


@pytest.fixture(autouse=True)
def apart(ledger_apart: None) -> None:
    """The ledger has tests of its own."""


def counted() -> list[tuple[int | None, int | None]]:
    """Energy and cost of what counts in the end, credits and what they take back left out."""
    return list(counting(ChargingSession.objects.all()).values_list("energy_wh", "cost_minor"))


def heard_an_hour_ago() -> None:
    """How long a charge can have lasted is asked of our own clock, which these stories do not wait for."""
    ChargingSession.objects.update(heard_at=timezone.now() - timedelta(hours=1))


# --- Lost, late, out of order


def test_a_start_that_never_came(story: Story) -> None:
    story.event("Updated", -30, evse=EVSE, meterValue=[register(3000, -30)])
    ended(story), ended(story)
    charge = story.charge()
    assert figures(charge) == ("INVALID", None, None) and charge.meter_stop_wh == 8000
    assert charge.flags == ["start_unknown", "start_reported_late", "start_not_reported"]


def test_a_start_that_never_came_but_its_reading_did(story: Story) -> None:
    ended(story, meterValue=[register(1000, -60, BEGIN), register(8000, -5, END)], idToken=CARD)
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 7000, 330) and charge.id_token is not None
    assert charge.started_at.isoformat().replace("+00:00", "Z") == at(-60)


def test_whoever_stops_a_charge_of_a_group_need_not_have_begun_it(story: Story) -> None:
    IdToken.objects.update(group="FLEET")
    ended(story, meterValue=[register(1000, -60, BEGIN), register(8000, -5, END)], idToken=CARD)
    assert story.charge().id_token is None


def test_an_operator_knows_the_meter_at_the_start(story: Story) -> None:
    story.event("Updated", -30, evse=EVSE, meterValue=[register(3000, -30)])
    page = f"/admin/stations/chargingsession/{story.charge().pk}/end/"
    operator = browser_of(person("olga", Role.OPERATOR))
    assert "did not say what its meter showed at the start" in operator.get(page).content.decode()
    end = {"stopped_at": at(-20).replace("T", " ").removesuffix("Z"), "meter": "4.000"}
    assert operator.post(page, end | {"meter_start": "1.000"}).status_code == 302
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 3000, 170) and charge.meter_start_wh == 1000
    assert "ended_by_operator" in charge.flags


def test_the_start_comes_after_a_value(story: Story) -> None:
    story.event("Updated", -30, evse=EVSE, meterValue=[register(3000, -30)])
    assert story.charge().flags == ["start_reported_late", "start_not_reported"]
    started(story)
    charge = story.charge()
    assert charge.started_at.isoformat().replace("+00:00", "Z") == at(-60) and charge.meter_start_wh == 1000
    assert charge.id_token is not None and charge.flags == ["start_reported_late"]
    ended(story), started(story)
    assert ChargingSession.objects.count() == 1 and figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_the_start_comes_after_the_end(story: Story) -> None:
    driver = User.objects.create_user("driver")
    IdToken.objects.update(customer=driver)
    ended(story)
    assert figures(story.charge())[0] == "INVALID"
    for _ in range(2):
        started(story)
    assert counted() == [(7000, 330)] and not SetAside.objects.exists()
    right = counting(ChargingSession.objects.all()).get()
    assert right.customer == driver and right.started_at.isoformat().replace("+00:00", "Z") == at(-60)
    assert ended(story)["totalCost"] == 3.3  # told again, it is what counts now


def test_the_card_is_told_after_the_end(story: Story) -> None:
    driver = User.objects.create_user("driver")
    IdToken.objects.update(customer=driver)
    story.event("Started", -60, evse=EVSE, meterValue=[register(1000, -60, BEGIN)])
    ended(story)
    for _ in range(2):
        story.event("Updated", -58, trigger="Authorized", idToken=CARD)
    assert counted() == [(7000, 330)]
    assert counting(ChargingSession.objects.all()).get().customer == driver


def test_a_late_start_that_explains_nothing_waits_for_an_operator(story: Story) -> None:
    ended(story, wh=None)
    started(story)
    late = set(SetAside.objects.values_list("kind", "subject"))
    assert late == {("LATE", "TX-1 start"), ("LATE", "TX-1 meter-values")}
    assert figures(story.charge())[0] == "INVALID"


def test_values_that_come_after_the_end(story: Story) -> None:
    started(story), ended(story)
    story.event("Updated", -30, meterValue=[register(3000, -30)])  # says nothing that the end did not
    assert not SetAside.objects.exists()
    story.event("Updated", -6, meterValue=[register(9000, -6)])
    assert SetAside.objects.get().kind == "LATE" and figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_a_whole_queue_in_any_order(story: Story) -> None:
    offline: dict[str, Any] = {"offline": True}
    ended(story, **offline)
    for minutes, wh in ((-20, 6000), (-40, 3000)):
        story.event("Updated", minutes, meterValue=[register(wh, minutes)], **offline)
    started(story, **offline)
    assert counted() == [(7000, 330)]


def test_a_queue_of_days(story: Story) -> None:
    for day in (3, 2, 1):
        begun, wh, number = -60 * 24 * day, 10_000 - day * 1000, f"TX-{day}"
        values = [register(wh, begun, BEGIN)], [register(wh + 700, begun + 50, END)]
        kept: dict[str, Any] = {"number": number, "offline": True}
        story.event("Started", begun, evse=EVSE, idToken=CARD, meterValue=values[0], **kept)
        story.event("Ended", begun + 50, meterValue=values[1], **kept)
    assert counted() == [(700, 78)] * 3
    assert {one.flags[0] for one in ChargingSession.objects.all()} == {"start_reported_late"}


def test_a_lost_end_and_the_next_start(story: Story) -> None:
    started(story)
    story.event("Updated", -30, meterValue=[register(3000, -30)])
    started(story, -20, 4000, number="TX-2")
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 2000, 130) and "ended_by_next_start" in charge.flags
    ended(story, -21, 4000)  # it comes after all
    assert [one for one in counted() if one != (None, None)] == [(3000, 170)]


def test_another_end_waits_for_an_operator(story: Story) -> None:
    started(story), ended(story)
    ended(story, -4, 9000)
    subjects = set(SetAside.objects.values_list("subject", flat=True))
    assert subjects == {"TX-1 stop", "TX-1 meter-values"} and figures(story.charge()) == ("COMPLETED", 7000, 330)


# --- Clocks


@pytest.mark.parametrize("ahead_h", [-5, 5, -24 * 400], ids=["behind", "ahead", "never set"])
def test_a_clock_that_is_wrong_by_hours(story: Story, ahead_h: int) -> None:
    Station.objects.update(connected_at=NOW - timedelta(days=500))
    off = 60 * ahead_h
    values = [register(1000, off, BEGIN)]
    for _ in range(2):  # told again, a little later, it means the same moment
        received = NOW + timedelta(seconds=5)
        story.event("Started", off, evse=EVSE, idToken=CARD, meterValue=values, received=received)
    heard_an_hour_ago()
    half, end = (NOW + timedelta(minutes=minutes) for minutes in (30, 60))
    story.event("Updated", off + 30, meterValue=[register(4000, off + 30)], received=half)
    for _ in range(2):
        story.event("Ended", off + 60, meterValue=[register(8000, off + 60, END)], received=end)
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 7000, 330) and "clock_wrong" in charge.flags
    assert charge.stopped_at is not None and charge.stopped_at - charge.started_at == timedelta(hours=1)
    assert abs(charge.started_at - NOW) < timedelta(minutes=1)
    assert (ChargingSession.objects.count(), MeterValue.objects.count()) == (1, 3) and not SetAside.objects.exists()


def test_a_clock_of_1970_that_is_set_during_the_charge(story: Story) -> None:
    values = [{"timestamp": "1970-01-01T00:10:00Z", "sampledValue": [{"value": 1000, "context": BEGIN}]}]
    begun = NOW - timedelta(minutes=60)
    story.event("Started", "1970-01-01T00:10:00Z", evse=EVSE, idToken=CARD, meterValue=values, received=begun)
    heard_an_hour_ago()
    story.event("Updated", -30, meterValue=[register(3000, -30)], received=NOW - timedelta(minutes=30))
    ended(story, received=NOW - timedelta(minutes=5))
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 7000, 330) and "clock_wrong" in charge.flags
    assert (charge.started_at, charge.stopped_at) == (begun, NOW - timedelta(minutes=5))


def test_times_without_a_zone_are_the_stations(story: Story) -> None:
    Station.objects.update(time_zone="Asia/Tokyo")
    story.station.time_zone = "Asia/Tokyo"
    local = (NOW + timedelta(hours=9) - timedelta(minutes=60)).strftime("%Y-%m-%dT%H:%M:%S")
    story.event("Started", local, evse=EVSE, idToken=CARD, meterValue=[register(1000, -60, BEGIN)])
    ended(story)
    charge = story.charge()
    assert charge.started_at == NOW - timedelta(minutes=60) and figures(charge) == ("COMPLETED", 7000, 330)
    assert charge.flags == ["start_reported_late", "time_zone_assumed"]


def test_an_end_in_the_hour_that_repeats(story: Story) -> None:
    """25 October 2026, 02:30 in Berlin, is twice: the charge of 02:45 summer time ended in the second."""
    story.station.time_zone = "Europe/Berlin"
    clocks = {"begin": "2026-10-25T00:45:00Z", "end": "2026-10-25T02:30:00"}
    heard = datetime(2026, 10, 25, 1, 31, tzinfo=UTC)
    values = [{"timestamp": clocks["begin"], "sampledValue": [{"value": 1000, "context": BEGIN}]}]
    story.event("Started", clocks["begin"], evse=EVSE, idToken=CARD, meterValue=values, received=heard)
    values = [{"timestamp": clocks["end"], "sampledValue": [{"value": 8000, "context": END}]}]
    story.event("Ended", clocks["end"], evse=EVSE, meterValue=values, received=heard)
    assert story.charge().stopped_at == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_a_time_that_is_none(story: Story) -> None:
    story.event("Started", "now", evse=EVSE, idToken=CARD, meterValue=[register(1000, -1, BEGIN)], received=NOW)
    heard_an_hour_ago()
    ended(story, 30, received=NOW + timedelta(minutes=30))
    assert story.charge().started_at == NOW and "clock_wrong" in story.charge().flags
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


# --- Reboots, outlets, meters, numbers


def test_a_reboot_in_mid_charge(story: Story) -> None:
    boot = {"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}
    started(story)
    story.event("Updated", -30, meterValue=[register(3000, -30)])
    assert story.say("BootNotification", boot)["status"] == "Accepted"
    assert story.charge().status == "ACTIVE"
    story.event("Updated", -20, meterValue=[register(4000, -20)])
    ended(story, info={"stoppedReason": "PowerLoss"})
    assert figures(story.charge()) == ("COMPLETED", 7000, 330) and story.charge().stop_reason == "PowerLoss"


def test_two_outlets_at_once() -> None:
    story = story_make("2.1", outlets=2, tariff=True)
    for evse in (1, 2):
        at_evse = {"evse": {"id": evse, "connectorId": 1}, "number": f"TX-{evse}"}
        started(story, -60, 1000 * evse, **at_evse)
    for minutes in (-40, -20):
        for evse in (1, 2):
            wh = 1000 * evse + (60 + minutes) * 10
            story.event("Updated", minutes, number=f"TX-{evse}", meterValue=[register(wh, minutes)])
    for evse in (2, 1):
        ended(story, -5, 1000 * evse + 700, number=f"TX-{evse}", evse={"id": evse, "connectorId": 1})
    assert counted() == [(700, 78)] * 2
    assert set(ChargingSession.objects.values_list("connector__evse_id", flat=True)) == {1, 2}


def test_a_meter_that_was_reset_is_not_billed(story: Story) -> None:
    started(story)
    story.event("Updated", -30, meterValue=[register(3000, -30)])
    story.event("Updated", -20, meterValue=[register(5, -20)])
    ended(story, wh=900)
    assert figures(story.charge())[0] == "INVALID" and story.charge().flags[0] == "meter_backwards"


def test_a_meter_that_rolled_over_is_not_billed_but_said(story: Story) -> None:
    started(story, wh=999_500)
    ended(story, wh=400)
    assert figures(story.charge())[0] == "INVALID" and story.charge().flags[0] == "meter_rolled_over"


def test_a_number_that_comes_again(story: Story) -> None:
    started(story, -300, 1000), ended(story, -280, 2000)
    started(story, -60, 2000), ended(story, -5, 3000)
    assert counted() == [(1000, 90)] * 2 and "number_reused" in story.charge().flags
    story.event("Updated", -290, meterValue=[register(1500, -290)])  # late, of the older one
    ended(story, -280, 2000)
    assert ChargingSession.objects.count() == 2 and not SetAside.objects.exists()


def test_a_number_that_comes_again_with_a_new_meter(story: Story) -> None:
    started(story, -300, 50_000), ended(story, -280, 51_000)
    started(story, -60, 0, idToken=CARD), ended(story, -5, 1000)
    assert ChargingSession.objects.count() == 2 and "number_reused" in story.charge().flags


def test_impossible_energy_is_not_billed(story: Story) -> None:
    started(story), ended(story, wh=900_000_000)
    assert figures(story.charge())[0] == "INVALID" and story.charge().flags[0] == "power_exceeded"


def test_two_values_for_one_moment(story: Story) -> None:
    started(story)
    for wh in (3000, 3100, 3000):
        story.event("Updated", -30, meterValue=[register(wh, -30)])
    ended(story)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)
    assert SetAside.objects.get().kind == "VALUE"


# --- Many at once


def periodic(story: Story, number: str, wh: int, minutes: float, **more: Any) -> Call:
    payload = {
        "eventType": "Updated",
        "timestamp": at(minutes),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 1,
        "transactionInfo": {"transactionId": number},
        "meterValue": [register(wh, minutes)],
        **more,
    }
    return Call(story.station, story.version, "TransactionEvent", payload, f"{number}{wh}", timezone.now())


def test_many_together_take_as_many_queries_as_few() -> None:
    stories = [story_make("2.0.1", f"CS-{number}") for number in range(12)]
    for story in stories:
        started(story)
    many = MANY["TransactionEvent"]

    def told(some: list[Story], wh: int) -> int:
        calls = [periodic(story, "TX-1", value, -50 + value / 1000) for story in some for value in (wh, wh + 10)]
        assert all(many.takes(call) for call in calls)
        with CaptureQueriesContext(connection) as captured:
            answers = many(calls)
        assert [answer and answer.session_id for answer in answers] == [
            story.charge().pk for story in some for _ in range(2)
        ]
        return len(captured)

    few, all_of_them = told(stories[:2], 1100), told(stories, 2100)
    assert all_of_them == few
    assert MeterValue.objects.count() == 12 + 4 + 24


def test_together_with_one_whose_start_never_came(story: Story) -> None:
    started(story)
    calls = [periodic(story, "TX-1", 3000, -30), periodic(story, "LOST", 3000, -30, evse={"id": 1})]
    first, second = MANY["TransactionEvent"](calls)
    assert first is not None and (first.payload, first.session_id) == ({"totalCost": 1.3}, story.charge().pk)
    assert second is None  # it opens a charge, by itself
    assert not MANY["TransactionEvent"].takes(periodic(story, "TX-1", 1, 1, idToken=CARD))


def test_the_outlets_are_counted_by_the_station(story: Story) -> None:
    """Whoever invents outlets fills no table, and loses no charge."""
    for number in range(101):
        Connector.objects.get_or_create(station=story.station, evse_id=number + 1, connector_id=1)
    nowhere = {"id": 500, "connectorId": 1}
    started(story, evse=nowhere), ended(story, evse=nowhere)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)
    assert story.charge().flags[-1] == "outlet_not_reported"
