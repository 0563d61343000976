"""Messages are found by what they are about, page by page, and no page counts or reads all of them."""

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from stations.messages import search
from stations.messages.search import Choice, counterpart, page_after, page_before
from stations.messages.words import is_json, json_line, payload_text
from stations.models import ChargingSession, OcppMessage
from tests.stations.conftest import StationClient
from tests.stations.messages.conftest import NOON, Say, many


def test_each_way_to_narrow_them(say: Say, other: StationClient, charge: ChargingSession) -> None:
    boot = say([2, "b1", "BootNotification", {}])
    answer = say([3, "b1", {"status": "Accepted"}], action="BootNotification")
    start = say([2, "s1", "StartTransaction", {"idTag": "04A1B2C3"}], session=charge)
    foreign = say([2, "h1", "Heartbeat", {}], station=other.station)
    broken = say("[2,")

    def found(**narrowed: object) -> set[OcppMessage]:
        return set(page_before(Choice(**narrowed)).rows)  # type: ignore[arg-type]

    assert list(page_before(Choice()).rows) == [broken, foreign, start, answer, boot]
    assert found(station=other.station) == {foreign}
    assert found(action="boot") == {boot, answer}
    assert found(session=charge.pk) == {start}
    assert found(message_id="b1", direction="OUT") == {answer}
    assert found(kind="OTHER") == {broken}
    assert found(since=start.at, until=broken.at) == {start, foreign}
    assert found(action="boot", station=other.station) == set()


def test_pages_go_there_and_back_without_a_count(owner: StationClient) -> None:
    many(owner.station, 25)
    ids = list(OcppMessage.objects.order_by("-pk").values_list("pk", flat=True))
    with CaptureQueriesContext(
        connection,
    ) as asked:
        first = page_before(Choice(station=owner.station), size=10)
    assert len(asked) == 1 and "COUNT" not in asked[0]["sql"]
    second = page_before(Choice(station=owner.station), first.older, 10)
    third = page_before(Choice(station=owner.station), second.older, 10)
    assert [row.pk for page in (first, second, third) for row in page.rows] == ids
    assert (first.newer, third.older) == (None, None)
    assert third.newer is not None
    back = page_after(Choice(station=owner.station), third.newer, 10)
    assert [row.pk for row in back.rows] == ids[10:20]
    assert back.newer is not None
    assert [row.pk for row in page_after(Choice(), back.newer, 10).rows] == ids[:10]


def test_what_no_index_finds_is_looked_for_in_windows(
    owner: StationClient, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "WINDOW_IDS", 20)
    rare = say([2, "r", "LogStatusNotification", {}])
    many(owner.station, 50)
    looks = 0
    found = page_before(Choice(action="Log"))
    while not found.rows:
        assert found.looked_to is not None and found.older == found.looked_to
        found, looks = page_before(Choice(action="Log"), found.older), looks + 1
    assert [*found.rows] == [rare]
    assert looks == 2
    assert [*page_before(Choice(action="Log", station=owner.station)).rows] == [rare]


def test_a_range_of_time_is_one_of_ids(owner: StationClient) -> None:
    many(owner.station, 600)
    late = OcppMessage.objects.create(  # stored by another process a little later
        station=owner.station, at=NOON + timedelta(seconds=299), direction="IN", kind="CALL", text="[]"
    )
    choice = Choice(since=NOON + timedelta(seconds=290), until=NOON + timedelta(seconds=300))
    assert late not in page_before(choice).rows  # a minute is the least that is made up for
    assert len(page_before(choice).rows) == 10
    near = Choice(since=NOON + timedelta(seconds=590))
    OcppMessage.objects.filter(pk=late.pk).update(at=NOON + timedelta(seconds=595))
    assert late in page_before(near).rows


def test_an_answer_finds_its_call_among_ids_that_come_again(say: Say, other: StationClient) -> None:
    for _ in range(2):
        say([2, "1", "Heartbeat", {}], station=other.station)
        call = say([2, "1", "Heartbeat", {}])
        ours = say([2, "1", "Reset", {}], direction="OUT")
        answer = say([3, "1", {"currentTime": "x"}])
        theirs = say([3, "1", {"status": "Accepted"}], direction="IN")
        assert (counterpart(call), counterpart(answer)) == (answer, call)
        assert (counterpart(ours), counterpart(theirs)) == (theirs, ours)
    alone = say([2, "2", "Heartbeat", {}])
    assert counterpart(alone) is None
    assert counterpart(say("noise")) is None


def test_payloads_are_indented_and_numbers_stay_as_they_came() -> None:
    text = '[2,"1","MeterValues",{"value":12.340,"whole":1500.0,"name":"Zürich","big":1e400}]'
    shown = payload_text(text)
    assert '"value": 12.340' in shown and "1500.0" in shown and "Zürich" in shown and "1e400" in shown
    assert payload_text('[4,"1","NotImplemented","",{}]') == '[\n  "NotImplemented",\n  "",\n  {}\n]'
    assert payload_text("[2,") == "[2,"
    assert payload_text("[" * 100_000) == "[" * 100_000
    assert payload_text('{"a": NaN}') == '{"a": NaN}' and not is_json("NaN")


def test_a_line_of_json_holds_the_message_as_it_came() -> None:
    line = json_line({"id": 1}, '[2,\r\n"1","A",{"v":12.340}]')
    assert line.count("\n") == 1 and "12.340" in line
    assert json.loads(line) == {"id": 1, "message": [2, "1", "A", {"v": 12.34}]}
    assert json.loads(json_line({"id": 1}, "[2,")) == {"id": 1, "text": "[2,"}
