"""What a charge costs by now, sent to a station of OCPP 2.x whose values come without an answer that could say it."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from stations.costs.hurrying import TASK
from stations.costs.showing import KIND, PAUSE, costs_show
from stations.models import ChargingSession, Command, OcppMessage, StationVariable
from tests.gateway.ocpp.v2.stories import CARD, Story, register, story_make

pytestmark = pytest.mark.django_db
BEGIN = "Transaction.Begin"
Announced = list[tuple[str, Any]]


@pytest.fixture(params=["2.0.1", "2.1"])
def story(request: pytest.FixtureRequest, ledger_apart: None) -> Story:
    story = story_make(request.param, tariff=True)
    story.station.ocpp_version = request.param
    story.station.save(update_fields=["ocpp_version"])
    begin(story)
    return story


def begin(story: Story, number: str = "TX-1", evse: int = 1) -> None:
    where: dict[str, Any] = {"evse": {"id": evse, "connectorId": 1}, "idToken": CARD, "number": number}
    story.event("Started", -60, meterValue=[register(1000, -60, BEGIN)], **where)


def told(story: Story, wh: float, minutes: float) -> None:
    story.say("MeterValues", {"evseId": 1, "meterValue": [register(wh, minutes)]})


def shown(story: Story) -> list[float]:
    """What is asked of the station, in their order."""
    costs_show([str(story.charge().pk)])
    return [one.params["total_cost"] for one in Command.objects.filter(kind=KIND).order_by("pk")]


def long_ago() -> None:
    Command.objects.update(asked_at=timezone.now() - 2 * PAUSE)


@pytest.fixture
def announced(monkeypatch: pytest.MonkeyPatch) -> Announced:
    found: Announced = []
    monkeypatch.setattr("stations.costs.hurrying.announce", lambda name, *said, **more: found.append((name, *said)))
    return found


def test_meter_values_alone_lead_to_it(
    story: Story, announced: Announced, django_capture_on_commit_callbacks: Callable[..., Any]
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        story.event("Updated", -40, meterValue=[register(2000, -40)])
    assert announced == []  # its answer had the cost
    with django_capture_on_commit_callbacks(execute=True):
        told(story, 3000, -30)
    assert announced == [(TASK, [str(story.charge().pk)])]
    assert shown(story) == [1.3]
    command = Command.objects.get()
    assert (command.by, command.session, command.params["transaction_id"]) == ("PORTAL", story.charge(), "TX-1")


def test_only_another_amount_is_told_and_not_at_once(story: Story) -> None:
    told(story, 3000, -30)
    assert shown(story) == shown(story) == [1.3]
    told(story, 5000, -20)
    assert costs_show([str(story.charge().pk)]) == [str(story.charge().pk)]  # looked at again after the pause
    long_ago()
    assert shown(story) == [1.3, 2.1]


def test_what_an_answer_has_just_said_is_not_said_again(story: Story) -> None:
    told(story, 3000, -30)
    frame = json.dumps([3, "id", {"totalCost": 1.3}])
    row = {"station": story.station, "session": story.charge(), "direction": "OUT", "kind": "RESULT"}
    OcppMessage.objects.create(**row, action="TransactionEvent", text=frame, at=timezone.now() - timedelta(hours=1))
    assert shown(story) == []
    told(story, 3500, -25)
    assert shown(story) == [1.5]


@pytest.mark.parametrize("name", ["Enabled", "Available"])
def test_a_station_that_says_that_it_cannot_is_not_asked(story: Story, name: str) -> None:
    said = {"component": "TariffCostCtrlr", "variable": name, "instance": "Cost"}
    row = StationVariable.objects.create(station=story.station, **said, value="false")
    told(story, 3000, -30)
    assert shown(story) == []
    row.value = "true"
    row.save()
    assert shown(story) == [1.3]


def test_a_station_that_did_not_take_it_is_left_alone_for_a_day(story: Story) -> None:
    told(story, 3000, -30)
    shown(story)
    Command.objects.update(state="REFUSED", sent_at=timezone.now())
    long_ago()
    told(story, 5000, -20)
    assert shown(story) == [1.3]
    Command.objects.update(asked_at=timezone.now() - timedelta(days=2))
    assert shown(story) == [1.3, 2.1]


def test_a_charge_that_is_over_or_has_no_tariff_is_not_told(story: Story) -> None:
    told(story, 3000, -30)
    ChargingSession.objects.update(tariff={})
    assert shown(story) == []
    story.event("Ended", -5, meterValue=[register(4000, -5, "Transaction.End")])
    assert shown(story) == []


def test_many_take_as_many_questions_as_one(ledger_apart: None) -> None:
    stories = []
    for number in range(4):
        story = story_make("2.1", identity=f"CS-{number}", tariff=number == 0)
        story.station.ocpp_version = "2.1"
        story.station.save(update_fields=["ocpp_version"])
        begin(story)
        told(story, 3000, -30)
        stories.append(str(story.charge().pk))
    costs_show(stories)  # all are told
    with CaptureQueriesContext(
        connection,
    ) as one:
        costs_show(stories[:1])
    with CaptureQueriesContext(connection) as all_of_them:
        costs_show(stories)
    assert Command.objects.count() == 4 and len(all_of_them) == len(one)
