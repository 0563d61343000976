"""The real file and its hostile relatives through `manage.py import_sessions`."""

import csv
import os
import signal
import sqlite3
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Q, Sum

from accounts.models import User
from stations.cards.services import id_token_link
from stations.imports.file import file_import
from stations.imports.plan import Options
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from tests.stations.conftest import CSV, Ear
from tests.stations.test_workplace_csv import HEADER, LINE, changed


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(*lines: str | bytes, header: str = HEADER) -> Path:
        path = tmp_path / "sessions.csv"
        path.write_bytes(b"\n".join(line if isinstance(line, bytes) else line.encode() for line in (header, *lines)))
        return path

    return write


ZONE = "America/New_York"


def run(path: Path, capsys: Any, **options: Any) -> tuple[int, str, str]:
    """Exit status, standard output, standard error (with the closing error) of the command."""
    status, last = 0, ""
    try:
        call_command("import_sessions", path, **{"time_zone": ZONE, **options})
    except CommandError as error:
        status, last = error.returncode, str(error)
    told = capsys.readouterr()
    return status, told.out, told.err + last


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (Site, Station, Connector, IdToken, ChargingSession)}


# --- The real file


@pytest.mark.django_db
def test_the_real_file_comes_in_whole_exact_and_once(ear: Ear, capsys: Any, tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    status, told, _ = run(CSV, capsys, report=report)
    assert status == 0
    assert "3,395 rows" in told and "3,395 imported, 0 already there, 0 different from what is there, 0 skipped" in told
    assert "flagged long_session: 1\n" in told and "flagged zero_energy: 55\n" in told
    assert report.read_text().splitlines() == ["line,session_id,outcome,reason"]
    everything = {"Site": 25, "Station": 105, "Connector": 105, "IdToken": 85, "ChargingSession": 3395}
    assert counts() == everything
    assert len({session.pk for session in ear.heard}) == len(ear.heard) == 3395
    compare_with_the_file()

    before = list(ChargingSession.objects.order_by("pk").values())
    status, told, _ = run(CSV, capsys)
    assert status == 0 and "0 imported, 3,395 already there" in told
    assert list(ChargingSession.objects.order_by("pk").values()) == before
    assert counts() == everything and len(ear.heard) == 3395


def compare_with_the_file() -> None:
    """Read the file a second way and compare sums and single rows."""
    with CSV.open() as file:
        rows = list(csv.DictReader(file))
    sums = ChargingSession.objects.aggregate(Sum("energy_wh"), Sum("cost_minor"))
    assert sums["energy_wh__sum"] == sum(Decimal(row["kwhTotal"]) for row in rows) * 1000
    assert sums["cost_minor__sum"] == sum(Decimal(row["dollars"]) for row in rows) * 100
    stored = {
        session.transaction_id: session for session in ChargingSession.objects.select_related("id_token", "station")
    }
    for row in rows:
        session = stored[row["sessionId"]]
        assert session.stopped_at is not None and session.id_token is not None
        lasted = (session.stopped_at - session.started_at).total_seconds()
        assert abs(lasted - float(row["chargeTimeHrs"]) * 3600) < 1
        assert (session.id_token.uid, session.station.identity) == (row["userId"], "WP-" + row["stationId"])
    longest = stored["2162299"]
    assert longest.started_at == datetime(2015, 1, 26, 23, 9, 47, tzinfo=UTC)
    assert (longest.flags, longest.energy_wh, longest.status) == (["long_session"], 4100, "COMPLETED")
    assert Counter(session.started_at.year for session in stored.values()) == {2014: 23, 2015: 3372}
    first = stored["1366563"]
    place = {"id": "461655", "name": "Workplace 461655 (research and development)", "country": ""}
    assert first.location == place | {"time_zone": "America/New_York"}
    assert (first.source, first.currency, first.cost_minor, first.meter_start_wh) == ("IMPORT", "USD", 0, None)
    broken = Q(energy_wh=None) | Q(customer__isnull=False) | ~Q(status="COMPLETED")
    assert not ChargingSession.objects.filter(broken).exists()


@pytest.mark.django_db
def test_a_dry_run_stores_nothing_and_tells_nobody(ear: Ear, capsys: Any) -> None:
    status, told, _ = run(CSV, capsys, dry_run=True)
    assert status == 0 and "3,395 would be imported" in told
    assert set(counts().values()) == {0} and not ear.calls


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_raises_leaves_the_batch_out_and_the_next_run_goes_on(ear: Ear, capsys: Any) -> None:
    original = ear.__class__.__call__

    def refuse_third(self: Ear, sessions: list[ChargingSession], **kwargs: Any) -> None:
        original(self, sessions, **kwargs)
        if self.calls == 3:
            raise RuntimeError("the ledger cannot")

    ear.__class__.__call__ = refuse_third  # type: ignore[method-assign]
    try:
        with pytest.raises(RuntimeError, match="the ledger cannot"):
            call_command("import_sessions", CSV, batch=500, time_zone=ZONE)
    finally:
        ear.__class__.__call__ = original  # type: ignore[method-assign]
    assert ChargingSession.objects.count() == 1000
    status, told, _ = run(CSV, capsys, batch=500)
    assert status == 0 and "2,395 imported, 1,000 already there" in told


def test_a_killed_import_is_just_run_again(tmp_path: Path) -> None:
    """kill -9 as soon as some batches are in, several times over; a real process and a real database file."""
    database = tmp_path / "import.sqlite3"
    code = (
        "import django; django.setup()\n"
        "from stations.signals import sessions_closed\n"
        "from ledger.recording import receivers\n"
        "sessions_closed.disconnect(receivers.open_entries, dispatch_uid='ledger.entries_open')\n"
        "import sys; from django.core.management import call_command; call_command(*sys.argv[1:])\n"
    )
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "evportal.settings",
        "EVPORTAL_DATABASE_URL": f"sqlite:///{database}",
    }
    command = [sys.executable, "-c", code]

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *arguments],
            cwd=Path.cwd(),
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    assert start("migrate", "-v0").wait(timeout=60) == 0
    seen = []
    for wanted in (1, 1200):
        process = start("import_sessions", str(CSV), "--batch=50", f"--time-zone={ZONE}")
        deadline = time.monotonic() + 60
        while session_count(database) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        seen.append(session_count(database))
    assert 0 < seen[0] < seen[1] < 3395 and all(count % 50 == 0 for count in seen)
    process = start("import_sessions", str(CSV), f"--time-zone={ZONE}")
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert f"{3395 - seen[1]:,} imported, {seen[1]:,} already there, 0 different" in told


def session_count(database: Path) -> int:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=60) as connection:
        return int(connection.execute("select count(*) from stations_chargingsession").fetchone()[0])


# --- Rows that stay out


@pytest.mark.django_db
def test_each_row_left_out_is_named_and_the_others_come_in(write: Any, capsys: Any, tmp_path: Path, ear: Ear) -> None:
    path = write(
        changed(sessionId="1"),
        changed(sessionId="2", kwhTotal="1e400"),
        changed(sessionId="1"),  # the same again
        changed(sessionId="1", kwhTotal="7"),  # the same id, other content
        changed(sessionId="1", stationId="999"),  # the same id at another station
        changed(sessionId="3", locationId="other"),  # a station is at one site
        changed(sessionId="=1+1"),
        b"\xff\xfe",
        changed(sessionId="4", ended="0014-11-21 12:00:00"),
        "",
        changed(sessionId="5", kwhTotal="9000"),  # more than any connector gives: kept, never billed
        LINE[:50],
    )
    report = tmp_path / "report.csv"
    status, told, error = run(path, capsys, report=report)
    assert status == 3
    assert "11 rows" in told and "2 imported, 1 already there, 2 different from what is there, 6 skipped" in told
    assert f"8 of 11 rows left out; see {report}" in error
    with report.open(newline="") as file:
        found = [(int(row["line"]), row["session_id"], row["outcome"], row["reason"]) for row in csv.DictReader(file)]
    assert [row[:3] for row in found] == [
        (3, "", "skipped"),
        (5, "1", "different"),
        (6, "1", "different"),
        (7, "3", "skipped"),
        (8, "", "skipped"),
        (9, "", "skipped"),
        (10, "4", "skipped"),
        (13, "", "skipped"),
    ]
    assert found[1][3] == "energy_wh: line 2 of this file has 6760, got 7000"
    assert "station: line 2 of this file has" in found[2][3] and "expected 461655" in found[3][3]
    for _, _, _, reason in found:
        assert reason and reason[0] not in "=+-@\t\r"
    invalid = ChargingSession.objects.get(transaction_id="5")
    assert (invalid.status, invalid.energy_wh, invalid.cost_minor, invalid.currency) == ("INVALID", None, None, "")
    assert invalid.flags == ["power_exceeded"]
    assert len(ear.heard) == 2


@pytest.mark.django_db
def test_without_a_report_the_first_are_shown_and_the_rest_counted(write: Any, capsys: Any) -> None:
    status, _, error = run(write(*[changed(sessionId="?")] * 50), capsys)
    assert status == 3
    assert error.count("skipped: sessionId: expected") == 20
    assert "--report FILE lists them all" in error and "50 of 50 rows left out" in error


@pytest.mark.django_db
@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_repeats_inside_a_file_are_found_across_batches(write: Any, capsys: Any, batch: int) -> None:
    path = write(
        changed(sessionId="1"), changed(sessionId="2"), changed(sessionId="1"), changed(sessionId="2", kwhTotal="1")
    )
    status, told, _ = run(path, capsys, batch=batch)
    assert status == 3 and "2 imported, 1 already there, 1 different" in told


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot be read: No such file"),
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"a,b,c\n1,2,3\n", "3 columns: a, b, c. Known are: EVPortal"),
        (bytes(range(1, 256)) * 400, "header:"),
        (b"x" * 1_000_000, "bytes in a line"),
        (b"\0" * 100, "NUL"),
    ],
)
def test_files_that_are_unusable(tmp_path: Path, capsys: Any, content: bytes | None, reason: str) -> None:
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)
    status, _, error = run(path, capsys)
    assert status == 1 and reason in error and "Traceback" not in error
    assert set(counts().values()) == {0}


@pytest.mark.django_db
def test_other_things_that_cannot_work(tmp_path: Path, capsys: Any) -> None:
    for options, reason in (
        ({"time_zone": "Mars/Olympus"}, "IANA time zone"),
        ({"time_zone": "../../etc/passwd"}, "IANA time zone"),
        ({"batch": 0}, "--batch: expected 1 to 5000"),
        ({"report": tmp_path / "no" / "such"}, "cannot be written"),
        ({"report": CSV}, "is the file to be imported"),
    ):
        status, _, error = run(CSV, capsys, **options)
        assert status == 1 and reason in error
    status, _, error = run(tmp_path, capsys)
    assert status == 1 and "directory" in error
    assert CSV.stat().st_size == 451_707
    assert set(counts().values()) == {0}


@pytest.mark.django_db
def test_a_header_alone_is_no_error(write: Any, capsys: Any) -> None:
    assert run(write(), capsys)[0] == 0


# --- Places, zones, customers


@pytest.mark.django_db
def test_a_site_that_is_there_keeps_its_zone_and_its_name(write: Any, capsys: Any) -> None:
    Site.objects.create(code="461655", name="Ours", time_zone="Europe/Berlin", country="DEU")
    run(write(LINE, changed(sessionId="2", locationId="new", stationId="2")), capsys, time_zone="Asia/Tokyo")
    ours, new = ChargingSession.objects.order_by("-transaction_id")
    assert ours.location == {"id": "461655", "name": "Ours", "country": "DEU", "time_zone": "Europe/Berlin"}
    assert ours.started_at == datetime(2014, 11, 21, 11, 5, 46, tzinfo=UTC)
    assert new.location["time_zone"] == "Asia/Tokyo"
    assert new.started_at == datetime(2014, 11, 21, 3, 5, 46, tzinfo=UTC)


@pytest.mark.django_db
def test_undecidable_hours_are_flagged(write: Any, capsys: Any) -> None:
    times = {"created": "0014-11-02 00:30:00", "ended": "0014-11-02 01:30:00", "chargeTimeHrs": "NA"}
    status, told, _ = run(write(changed(**times)), capsys)
    assert status == 0 and "flagged ambiguous_time: 1" in told
    assert ChargingSession.objects.get().flags == ["ambiguous_time"]


@pytest.mark.django_db
def test_a_linked_token_brings_its_customer(write: Any, capsys: Any, customer: User) -> None:
    IdToken.objects.create(uid="35897499", type="Central", customer=customer)
    run(write(LINE, changed(sessionId="2", userId="stranger")), capsys)
    assert ChargingSession.objects.get(customer=customer).transaction_id == "4228788"


@pytest.mark.django_db
def test_a_token_erased_after_the_import_makes_no_difference(write: Any, capsys: Any) -> None:
    run(write(LINE), capsys)
    IdToken.objects.all().delete()
    status, told, _ = run(write(LINE), capsys)
    assert status == 0 and "1 already there" in told


@pytest.mark.django_db
def test_link_token_gives_and_takes_the_sessions(capsys: Any, customer: User) -> None:
    run(CSV, capsys)
    stranger = User.objects.create_user("stranger")
    mine = ChargingSession.objects.filter(customer=customer)
    call_command("link_token", "98345808", "driver")
    assert mine.count() == 192 and "192 more sessions belong to driver" in capsys.readouterr().out
    assert not mine.exclude(id_token__uid="98345808").exists()
    call_command("link_token", "98345808", "driver")
    assert "0 more sessions" in capsys.readouterr().out
    with pytest.raises(CommandError, match="another customer"):
        call_command("link_token", "98345808", "stranger")
    with pytest.raises(CommandError, match="another customer"):
        call_command("link_token", "98345808", "stranger", unlink=True)
    for wrong in (("0", "driver"), ("98345808", "nobody")):
        with pytest.raises(CommandError, match=r"no token|no user"):
            call_command("link_token", *wrong)
    call_command("link_token", "98345808", "driver", unlink=True)
    assert mine.count() == 192, "what they charged stays theirs"
    call_command("link_token", "98345808", "driver")
    call_command("link_token", "98345808", "driver", unlink=True, mistaken=True)
    assert not mine.exists()
    id_token_link(id_token=IdToken.objects.get(uid="98345808"), customer=stranger)
    assert ChargingSession.objects.filter(customer=stranger).count() == 192


# --- Big files


@pytest.mark.django_db
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Python's own peak for a file with ten times the rows, half of them skipped, is the same but for noise."""

    def peak(rows: int) -> int:
        path = tmp_path / f"{rows}.csv"
        lines = (changed(sessionId=f"{rows}-{row}", kwhTotal="1" if row % 2 else "NaN") for row in range(rows))
        path.write_text("\n".join([HEADER, *lines]))
        tracemalloc.start()
        tally = file_import(
            path, options=Options(time_zone=ZONE, batch=100), report=lambda found: None, progress=lambda *told: None
        )
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tally.imported, tally.skipped) == (rows // 2, rows // 2)
        return highest

    peak(100)  # what is loaded once
    assert peak(2_000) - peak(200) < 300_000  # the sessions alone would be some 3 MB


@pytest.mark.django_db
def test_queries_grow_with_batches_not_with_rows(django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(160):
        tally = file_import(
            CSV, options=Options(time_zone=ZONE), report=lambda found: None, progress=lambda *told: None
        )
    assert tally.imported == 3395
    assert ChargingSession.objects.aggregate(n=Count("station", distinct=True))["n"] == 105
