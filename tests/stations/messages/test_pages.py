"""The log in the admin: looked for, read with its answer, taken as a file; who looks at drivers' data is noted."""

import csv
import json
import re
from urllib.parse import quote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AccessLogEntry, Role, User
from stations.messages import export
from stations.models import ChargingSession, IdToken, OcppMessage
from tests.people import browser_of, person
from tests.stations.conftest import StationClient
from tests.stations.messages.conftest import Say, many

LIST = "/admin/stations/ocppmessage/"


def page(browser: Client, path: str) -> str:
    answer = browser.get(path)
    assert answer.status_code == 200, path
    return " ".join(answer.content.decode().split())


def test_it_is_found_and_read_with_its_answer(staff: Client, say: Say, charge: ChargingSession) -> None:
    call = say([2, "s1", "StartTransaction", {"idTag": "04A1B2C3", "meterStart": 1000}], session=charge)
    answer = say([3, "s1", {"transactionId": 7}], action="StartTransaction", session=charge)
    for query in ("station=cs-owner", "action=start", f"session={charge.pk}", "message_id=s1", "since=2026-03-01"):
        shown = page(staff, f"{LIST}?{query}")
        assert reverse("admin:stations_ocppmessage_change", args=[call.pk]) in shown
        assert reverse("admin:stations_chargingsession_change", args=[charge.pk]) in shown
    assert "No message is like this." in page(staff, f"{LIST}?until=2026-02-01")
    for row in (call, answer):
        shown = page(staff, reverse("admin:stations_ocppmessage_change", args=[row.pk]))
        assert "&quot;meterStart&quot;: 1000" in shown and "&quot;transactionId&quot;: 7" in shown
        assert shown.index("meterStart") < shown.index("transactionId")
    address = f"{LIST}?session={charge.pk}"
    assert address in page(staff, reverse("admin:stations_chargingsession_change", args=[charge.pk]))


def test_what_cannot_be_meant_is_said(staff: Client, say: Say) -> None:
    say([2, "1", "Heartbeat", {}])
    for query, words in {
        "station=NOBODY": "There is no station of this identity.",
        "session=7": "Expected the id of a charge.",
        "since=yesterday": "Expected a time such as 2026-03-01 08:45:00.",
        "since=2026-03-02&until=2026-03-01": "Expected a time after the beginning.",
        "station=%00": "Null characters are not allowed.",
    }.items():
        shown = page(staff, f"{LIST}?{query}")
        assert words in shown and "Heartbeat" not in shown
    assert "Heartbeat" in page(staff, f"{LIST}?before=x&after=%00&p=9")
    assert "Heartbeat" in page(staff, f"{LIST}?before={'9' * 19}")


def test_it_is_read_only_and_not_for_drivers(staff: Client, say: Say, customer: User) -> None:
    message = say([2, "1", "Heartbeat", {}])
    change = reverse("admin:stations_ocppmessage_change", args=[message.pk])
    for path in (change, f"{LIST}add/", f"{LIST}{message.pk}/delete/"):
        assert staff.post(path, {"text": "x"}).status_code == 403
    assert OcppMessage.objects.get().text == '[2, "1", "Heartbeat", {}]'
    driver = browser_of(customer)
    for path in (LIST, change, f"{LIST}messages.jsonl", f"{LIST}messages.csv"):
        assert driver.get(path).status_code in (302, 404)
    assert staff.get(f"{LIST}messages.exe").status_code == 404
    assert "Heartbeat" in page(browser_of(person("axel", Role.AUDITOR)), change)


def test_looks_at_drivers_data_are_noted(
    staff: Client, say: Say, charge: ChargingSession, customer: User, operator: User
) -> None:
    ben = User.objects.create_user("ben")
    IdToken.objects.create(uid="04BEEF", type="ISO14443", customer=ben)
    authorize = say([2, "a", "Authorize", {"idTag": "04beef"}])
    say([2, "m", "MeterValues", {}], session=charge)
    say([2, "h", "Heartbeat", {}])
    looked = AccessLogEntry.objects.filter(viewer=operator)

    page(staff, f"{LIST}?action=Heart")
    assert not looked.exists()
    page(staff, LIST)
    assert {(look.customer, look.what) for look in looked} == {(ben, "list"), (customer, "list")}
    page(staff, reverse("admin:stations_ocppmessage_change", args=[authorize.pk]))
    assert looked.filter(customer=ben, what="admin").count() == 1
    assert b"".join(staff.get(f"{LIST}messages.jsonl").streaming_content)  # type: ignore[attr-defined]
    assert {look.customer for look in looked.filter(what="export")} == {ben, customer}


def test_files_hold_what_was_looked_for(staff: Client, say: Say, charge: ChargingSession) -> None:
    say([2, "s1", "StartTransaction", {"v": "=1+1"}], session=charge)
    say([2, "h", "Heartbeat", {}])
    say('=cmd|"/C calc"!A0')
    answer = staff.get(f"{LIST}messages.jsonl?station=CS-OWNER")
    lines = [json.loads(line) for line in b"".join(answer.streaming_content).decode().splitlines()]  # type: ignore[attr-defined]
    assert [line.get("message", [None, None])[1] for line in lines] == [None, "h", "s1"]
    assert lines[2]["session"] == str(charge.pk) and lines[2]["at"] == "2026-03-01T12:00:00Z"
    assert answer["Content-Disposition"] == 'attachment; filename="ocpp-messages.jsonl"'
    answer = staff.get(f"{LIST}messages.csv?action=start")
    rows = list(csv.reader(b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()))  # type: ignore[attr-defined]
    assert rows[0][:3] == ["id", "at", "station"] and len(rows) == 2
    text = b"".join(staff.get(f"{LIST}messages.csv").streaming_content).decode()  # type: ignore[attr-defined]
    assert "\"'=cmd" in text


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_file_that_is_not_whole_says_where_to_go_on(
    staff: Client, owner: StationClient, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(export, "EXPORT_MAX", 7)
    monkeypatch.setattr(export, "AT_ONCE", 3)
    many(owner.station, 10)
    found, before = [], ""
    while True:
        answer = staff.get(f"{LIST}messages.{kind}?before={before}")
        text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
        found += re.findall(r'Heartbeat",?"*,"*\{', text.replace(" ", ""))
        more = re.search(r'before(?:=|": )(\d+)', text)
        if more is None:
            break
        assert int(more[1]) and before == ""
        before = more[1]
    assert len(found) == 10


def test_a_page_asks_as_often_for_many_as_for_few(staff: Client, owner: StationClient, say: Say) -> None:
    say([2, "1", "Heartbeat", {}])
    path = f"{LIST}?station={quote('CS-OWNER')}"
    page(staff, path)
    with CaptureQueriesContext(connection) as few:
        page(staff, path)
    many(owner.station, 200)
    with CaptureQueriesContext(connection) as many_asked:
        page(staff, path)
    assert len(many_asked) == len(few)
    assert not any("COUNT(" in query["sql"] for query in many_asked)
