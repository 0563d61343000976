"""A password that a station tells of itself is kept nowhere."""

import json
from typing import Any

import pytest

from gateway.ocpp.hiding import UNREADABLE, secrets_hidden
from gateway.ocpp.server.log import Logged, logged_write
from stations.models import OcppMessage, StationEvent, StationVariable
from tests.gateway.ocpp.v2.stories import at, story_make

SECRET = "s3cret-of-CP-1"
BASIC = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
TOLD: list[list[Any]] = [
    [3, "1", {"configurationKey": [{"key": "authorizationkey", "readonly": False, "value": SECRET}]}],
    [3, "1", {"getVariableResult": [{**BASIC, "attributeStatus": "Accepted", "attributeValue": SECRET}]}],
    [2, "1", "NotifyReport", {"reportData": [{**BASIC, "variableAttribute": [{"type": "Actual", "value": SECRET}]}]}],
    [2, "1", "NotifyEvent", {"eventData": [{**BASIC, "actualValue": SECRET, "trigger": "Delta"}]}],
    [2, "1", "SetNetworkProfile", {"connectionData": {"basicAuthPassword": SECRET}}],
]


@pytest.mark.parametrize("frame", TOLD, ids=str)
def test_the_value_is_taken_out_and_all_else_stays(frame: list[Any]) -> None:
    kept = secrets_hidden(json.dumps(frame))
    assert SECRET not in kept
    assert json.loads(kept) == json.loads(json.dumps(frame).replace(SECRET, "(not shown)"))


@pytest.mark.parametrize(
    "text",
    [
        '[2,  "1", "Heartbeat", {}]',
        '[3,"1",{"configurationKey":[{"key":"Other","value":"17"}], "unknownKey": ["AuthorizationKey"]}]',
    ],
)
def test_what_has_no_secret_stays_letter_for_letter(text: str) -> None:
    assert secrets_hidden(text) == text


def test_what_cannot_be_read_and_names_one_is_not_kept() -> None:
    assert secrets_hidden('[3,"1",{"configurationKey":[{"key":"AuthorizationKey","value":"s3c') == UNREADABLE


@pytest.mark.django_db
def test_nor_among_variables_events_and_messages() -> None:
    story = story_make("2.0.1")
    variable = {**BASIC, "variableAttribute": [{"type": "Actual", "value": SECRET, "mutability": "ReadWrite"}]}
    story.say("NotifyReport", {"requestId": 1, "generatedAt": at(0), "seqNo": 0, "reportData": [variable]})
    noticed = {"eventId": 1, "timestamp": at(0), "eventNotificationType": "CustomMonitor", "trigger": "Delta"}
    told = {"generatedAt": at(0), "seqNo": 0, "eventData": [{**BASIC, **noticed, "actualValue": SECRET}]}
    story.say("NotifyEvent", told)
    text = json.dumps([2, "1", "NotifyEvent", told])
    logged_write([Logged(story.station.pk, StationEvent.objects.get().at, "IN", "CALL", text, "NotifyEvent", "1")])
    kept = [*StationVariable.objects.values(), *StationEvent.objects.values(), *OcppMessage.objects.values()]
    assert len(kept) == 3 and SECRET not in str(kept)
