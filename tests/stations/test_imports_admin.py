"""Imports in the admin: checked first, imported once by a worker, whatever the file and whoever is killed meanwhile."""

import csv
import io
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from stations.errors import ImportStateError, RecordingUnavailableError
from stations.imports import runs, tasks
from stations.imports.runs import import_advance, import_confirm
from stations.models import ChargingSession
from stations.models.imports import ImportFile, ImportRun
from tests.people import browser_of, person
from tests.stations.conftest import CSV, Ear, crowd, in_thread

HEADER = "sessionId,kwhTotal,dollars,created,ended,chargeTimeHrs,userId,stationId,locationId,facilityType"
ADD = "/admin/stations/importrun/add/"
State = ImportRun.State


def row(number: int, **changes: object) -> str:
    cells: dict[str, object] = {
        "sessionId": 1_000_000 + number,
        "kwhTotal": "7.78",
        "dollars": "0.58",
        "created": "2015-01-05 08:00:00",
        "ended": "2015-01-05 09:30:00",
        "chargeTimeHrs": "1.5",
        "userId": 35_897_499,
        "stationId": 582_873,
        "locationId": 461_655,
        "facilityType": 3,
    }
    return ",".join(str(value) for value in (cells | changes).values())


def text_of(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


@pytest.fixture
def operator(db: None) -> User:
    return person("olga", Role.OPERATOR)


@pytest.fixture
def browser(operator: User) -> Client:
    return browser_of(operator)


def upload(client: Client, content: bytes, name: str = "january.csv", **form: str) -> Any:
    file = SimpleUploadedFile(name, content, content_type="text/csv")
    return client.post(ADD, {"file": file, "time_zone": "America/New_York", **form})


def uploaded(client: Client, content: bytes) -> ImportRun:
    assert upload(client, content).status_code == 302
    tasks.import_sweep()
    return ImportRun.objects.latest("pk")


def page_of(client: Client, run: ImportRun) -> str:
    response = client.get(reverse("admin:stations_importrun_change", args=[run.pk]))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def decide(client: Client, run: ImportRun, what: str) -> Any:
    return client.post(reverse(f"admin:stations_importrun_{what}", args=[run.pk]), follow=True)


def test_a_file_is_checked_then_imported_and_its_report_kept(browser: Client, operator: User, ear: Ear) -> None:
    run = uploaded(browser, text_of(row(1), row(2, kwhTotal="=1+1"), row(3), row(4, ended="2015-01-05 07:00:00")))
    assert (run.state, run.imported, run.skipped) == (State.CHECKED, 2, 2)
    assert ChargingSession.objects.count() == 0 and ear.heard == []
    page = page_of(browser, run)
    assert "Checked: nothing is stored yet" in page and "Import 2 sessions from january.csv" in page
    assert "a number from 0 to 999999999" in page
    decide(browser, run, "confirm")
    tasks.import_sweep()
    run.refresh_from_db()
    assert (run.state, run.imported, run.skipped, run.percent) == (State.DONE, 2, 2, 100)
    assert (run.uploaded_by, run.confirmed_by) == (operator, operator)
    assert len(ear.heard) == 2 == ChargingSession.objects.count()
    assert not ImportFile.objects.exists()
    response = browser.get(reverse("admin:stations_importrun_report", args=[run.pk]))
    report = list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"))))
    assert [(found["line"], found["field"], found["got"]) for found in report] == [
        ("3", "kwhTotal", "''=1+1'"),  # as it is quoted there, and as no formula
        ("5", "", "2015-01-05 07:00:00"),
    ]
    assert report[0]["expected"] == "a number from 0 to 999999999"


def test_the_same_file_again_does_no_harm(browser: Client) -> None:
    content = text_of(*map(row, range(3)))
    first = uploaded(browser, content)
    decide(browser, first, "confirm")
    tasks.import_sweep()
    again = uploaded(browser, content)
    assert (again.imported, again.already_there) == (0, 3)
    page = page_of(browser, again)
    assert "The same file was" in page and "There is nothing to import in it." in page
    changed = uploaded(browser, text_of(row(0, kwhTotal="9.99"), row(1), row(2)))
    assert (changed.different, changed.already_there) == (1, 2)
    finding = changed.findings.get()
    assert (finding.field, finding.expected, finding.got) == ("energy_wh", "7780, as stored", "9990")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expected a header line, the file is empty"),
        (b"\n1,2,3\n", "with 3 columns: 1, 2, 3"),
        (b"GIF89a\x01\x00\x01\x00\x80", "got a picture"),
        (b"a\x00b,c\n", "header: expected text, got a NUL byte"),
        (text_of(row(1)).replace(b"dollars", b"euros"), "it lacks dollars"),
        (b'"' + HEADER.encode(), "comma-separated cells"),
        (b"x" * 20_000, "at most 16384 bytes in a line"),
    ],
)
def test_what_is_no_such_file_is_refused_at_once(browser: Client, content: bytes, reason: str) -> None:
    response = upload(browser, content)
    assert response.status_code == 200
    page = " ".join(response.content.decode().split())
    assert reason in page
    assert '<option value="America/New_York" selected>' in page  # what was chosen stays
    assert not ImportRun.objects.exists()


def test_too_large_a_file_and_a_zone_that_there_is_not(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stations.imports.admin.SIZE_MAX", 100)
    assert "Expected at most 100 bytes, got" in upload(browser, text_of(row(1), row(2))).content.decode()
    assert "expected an IANA time zone" in upload(browser, HEADER.encode(), time_zone="Mars/Base").content.decode()
    assert "Choose a file." in browser.post(ADD, {"time_zone": "UTC"}).content.decode()


def test_bad_rows_of_every_kind_cost_only_themselves(browser: Client) -> None:
    bad = [b"\xff\xfe", b"a\x00b", b'"never closed', b"1,2", b"y" * 20_000, row(7, sessionId="=cmd()").encode()]
    run = uploaded(browser, b"\n".join([text_of(row(1)).rstrip(), *bad, row(2).encode(), b""]))
    assert (run.state, run.imported, run.skipped) == (State.CHECKED, 2, len(bad))
    assert [found.line for found in run.findings.all()] == [3, 4, 5, 6, 7, 8]


def test_a_real_month_is_imported_in_turns(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker takes some batches, then another one; the page says how far it is."""
    monkeypatch.setattr(runs, "BATCH", 100)
    content = b"".join(CSV.read_bytes().splitlines(keepends=True)[:401])
    run = uploaded(browser, content)
    import_confirm(run=run, by=run.uploaded_by)  # type: ignore[arg-type]
    assert import_advance(run_id=run.pk, go_on=lambda: False)
    run.refresh_from_db()
    assert (run.rows, run.line) == (100, 102) and 20 < run.percent < 30
    assert "The file is being imported" in page_of(browser, run)
    while import_advance(run_id=run.pk, go_on=lambda: False):
        pass
    run.refresh_from_db()
    assert run.state == State.DONE and run.imported == ChargingSession.objects.count() == 400 - run.skipped


def test_a_killed_worker_loses_nothing_and_counts_nothing_twice(
    browser: Client, monkeypatch: pytest.MonkeyPatch, ear: Ear
) -> None:
    monkeypatch.setattr(runs, "BATCH", 2)
    run = uploaded(browser, text_of(*map(row, range(5))))
    import_confirm(run=run, by=run.uploaded_by)  # type: ignore[arg-type]
    store, batches = runs._checkpoint, iter((False, True))

    def dies_in_the_second(*args: Any, **kwargs: Any) -> None:
        store(*args, **kwargs)
        if next(batches):
            raise KeyboardInterrupt  # nothing after this runs, as after kill -9

    monkeypatch.setattr(runs, "_checkpoint", dies_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        import_advance(run_id=run.pk, go_on=lambda: True)
    monkeypatch.setattr(runs, "_checkpoint", store)
    run.refresh_from_db()
    assert (run.imported, ChargingSession.objects.count()) == (2, 2)
    tasks.import_sweep()  # its claim has not run out: perhaps it lives
    assert ChargingSession.objects.count() == 2
    ImportRun.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    tasks.import_sweep()
    run.refresh_from_db()
    assert (run.state, run.imported, run.already_there) == (State.DONE, 5, 0)
    assert len({session.pk for session in ear.heard}) == 5


def test_a_file_at_which_workers_die_is_given_up(browser: Client) -> None:
    upload(browser, text_of(row(1)))
    ImportRun.objects.update(attempts=runs.ATTEMPTS_MAX)
    tasks.import_sweep()
    run = ImportRun.objects.get()
    assert run.state == State.FAILED and "given up: 5 times" in run.reason
    assert not ImportFile.objects.exists()


def test_what_cannot_be_recorded_now_waits(browser: Client, ear: Ear) -> None:
    run = uploaded(browser, text_of(row(1)))
    import_confirm(run=run, by=run.uploaded_by)  # type: ignore[arg-type]
    ear.refuse = RecordingUnavailableError("no data key can be made for new tokens")
    tasks.import_sweep()
    run.refresh_from_db()
    assert (run.state, run.imported) == (State.IMPORTING, 0)
    assert "Waits: no data key can be made" in page_of(browser, run)
    ear.refuse = None
    ImportRun.objects.update(claimed_until=None)
    tasks.import_sweep()
    run.refresh_from_db()
    assert (run.state, run.imported, run.reason) == (State.DONE, 1, "")


def test_a_cancelled_import_stores_nothing(browser: Client) -> None:
    run = uploaded(browser, text_of(row(1)))
    decide(browser, run, "cancel")
    page = decide(browser, run, "confirm").content.decode()
    assert "is cancelled, so it cannot be imported now" in page
    tasks.import_sweep()
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert not ChargingSession.objects.exists() and not ImportFile.objects.exists()


def test_each_decision_is_in_the_change_log(browser: Client, operator: User) -> None:
    run = uploaded(browser, text_of(row(1)))
    decide(browser, run, "confirm")
    confirmed, added = LogEntry.objects.all()
    assert added.user == confirmed.user == operator and run.sha256 in added.change_message
    history = browser.get(reverse("admin:stations_importrun_history", args=[run.pk])).content.decode()
    assert "state: CHECKED → IMPORTING" in history and "Uploaded january.csv" in history


def test_others_can_neither_upload_nor_decide(browser: Client) -> None:
    run = uploaded(browser, text_of(row(1)))
    auditor, driver = browser_of(person("axel", Role.AUDITOR)), browser_of(person("anna", Role.CUSTOMER))
    assert "Import 1 session" not in page_of(auditor, run)
    assert auditor.get(reverse("admin:stations_importrun_report", args=[run.pk])).status_code == 200
    for client in (auditor, driver, Client()):
        assert upload(client, text_of(row(2))).status_code in {302, 403, 404}
        for what in ("confirm", "cancel"):
            assert client.post(reverse(f"admin:stations_importrun_{what}", args=[run.pk])).status_code != 200
        run.refresh_from_db()
        assert run.state == State.CHECKED and ImportRun.objects.count() == 1
    assert browser.get(reverse("admin:stations_importrun_confirm", args=[run.pk])).status_code == 405


@pytest.mark.usefixtures("crowd_database")
def test_two_who_confirm_and_two_workers_at_once_import_once() -> None:
    def made() -> ImportRun:
        by = person(uuid.uuid4().hex, Role.OPERATOR)
        run = runs.import_upload(name="a.csv", content=text_of(row(1)), by=by, told=runs.Told("UTC"))
        tasks.import_sweep()
        return run

    run = in_thread(made)

    def confirm() -> bool:
        fresh = ImportRun.objects.get(pk=run.pk)
        try:
            import_confirm(run=fresh, by=fresh.uploaded_by)  # type: ignore[arg-type]
        except ImportStateError:
            return False
        return True

    assert sorted(crowd([confirm] * 4)) == [False, False, False, True]
    crowd([partial(import_advance, run_id=run.pk, go_on=lambda: True)] * 4)

    def outcome() -> tuple[str, int, int, int]:
        fresh = ImportRun.objects.get(pk=run.pk)
        there = ChargingSession.objects.filter(transaction_id="1000001").count()
        return fresh.state, fresh.imported, fresh.already_there, there

    assert in_thread(outcome) == (State.DONE, 1, 0, 1)
