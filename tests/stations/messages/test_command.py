"""`manage.py ocpp_messages`: what was said, and what is being said."""

import io
import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from stations.management.commands import ocpp_messages
from stations.messages.search import Choice
from stations.models import OcppMessage
from tests.stations.conftest import StationClient
from tests.stations.messages.conftest import Say, many


def said(*arguments: Any) -> list[str]:
    out = io.StringIO()
    call_command("ocpp_messages", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_newest_are_shown_the_oldest_first(owner: StationClient, say: Say, other: StationClient) -> None:
    say([2, "b", "BootNotification", {}])
    say([3, "b", {"status": "Accepted"}], action="BootNotification")
    say([2, "x", "Heartbeat", {}], station=other.station)
    first, second = said("--station", "cs-owner")
    assert first == '2026-03-01 12:00:00.000Z CS-OWNER -> CALL BootNotification [2, "b", "BootNotification", {}]'
    assert second.startswith("2026-03-01 12:00:01.000Z CS-OWNER <- CALLRESULT BootNotification")
    (line,) = said("--action", "Heart", "--json")
    assert json.loads(line)["station"] == "CS-OTHER" and json.loads(line)["message"][1] == "x"
    assert len(said("--limit", "2")) == 2
    assert said("--since", "10m") == [] and len(said("--since", "2026-03-01T12:00:02Z")) == 1


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [("--station", "NOBODY"), ("--since", "soon"), ("--since", "2026-99-01")])
def test_what_cannot_be_meant_is_said(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="expected"):
        said(*arguments)


def test_following_shows_each_message_once(owner: StationClient, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    many(owner.station, 3)
    known = OcppMessage.objects.order_by("-pk").values_list("pk", flat=True)[0]
    monkeypatch.setattr(ocpp_messages, "PAUSE_S", 0)
    messages: Iterator[OcppMessage] = ocpp_messages.following(Choice(station=owner.station), known, set())
    late = known + 5
    ahead = say([2, "7", "Heartbeat", {}], pk=known + 7, at=timezone.now())
    assert next(messages) == ahead
    behind = say([2, "5", "Heartbeat", {}], pk=late, at=timezone.now())  # its writer began before, and ended after
    assert next(messages) == behind
    ids = list(range(known + 8, known + 20))
    for number in ids:
        say([2, str(number), "Heartbeat", {}], pk=number, at=timezone.now())
    assert [row.pk for row in itertools.islice(messages, len(ids))] == ids
