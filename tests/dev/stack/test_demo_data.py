"""The demo's copy of the real sessions: moved and priced, said so, and the data set itself untouched."""

import csv
import hashlib
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command

from dev.stack import portal
from dev.stack.moved import FORMAT, PRICE_PER_KWH, moved_copy
from stations.models import ChargingSession
from stations.models.imports import ImportRun

NEW_YORK = ZoneInfo("America/New_York")
YESTERDAY = date(2026, 11, 29)


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(path.read_text())))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moved_copy(portal.DATA, tmp_path_factory.mktemp("demo"), yesterday=YESTERDAY, zone=NEW_YORK)


def moment(text: str) -> datetime:
    return datetime.strptime(f"20{text[2:]}", FORMAT)


def test_it_ends_yesterday_and_says_what_was_done(copy: Path) -> None:
    before, after = rows(portal.DATA), rows(copy)
    assert len(after) == len(before) == 3395
    assert max(moment(row["ended"]).date() for row in after) == YESTERDAY
    days = {moment(row["created"]).date() - moment(row["createdPublished"]).date() for row in after}
    assert len(days) == 1 and f"moved by {days.pop().days} days, priced" in copy.name
    for name in ("sessionId", "kwhTotal", "userId", "stationId", "locationId"):
        assert [row[name] for row in after] == [row[name] for row in before]
    for name in ("created", "ended", "dollars"):
        assert [row[f"{name}Published"] for row in after] == [row[name] for row in before]


def test_each_charge_lasts_as_long_as_it_did_over_every_change_of_clocks(copy: Path) -> None:
    for row in rows(copy):
        lasted = timedelta(hours=float(row["chargeTimeHrs"]))
        readings = [
            moment(row["ended"]).replace(tzinfo=NEW_YORK, fold=fold).timestamp()
            - moment(row["created"]).replace(tzinfo=NEW_YORK, fold=other).timestamp()
            for fold in (0, 1)
            for other in (0, 1)
        ]
        assert min(abs(one - lasted.total_seconds()) for one in readings) <= 1, row


def test_what_the_data_set_has_no_price_for_has_the_demos(copy: Path) -> None:
    for row in rows(copy):
        published, cost = Decimal(row["dollarsPublished"]), Decimal(row["dollars"])
        assert cost == published or (published == 0 and abs(cost - Decimal(row["kwhTotal"]) * PRICE_PER_KWH) < 1)


def test_the_same_day_gives_the_same_file(copy: Path, tmp_path: Path) -> None:
    again = moved_copy(portal.DATA, tmp_path, yesterday=YESTERDAY, zone=NEW_YORK)
    assert again.name == copy.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(copy.read_bytes()).digest()


@pytest.mark.django_db
def test_all_of_it_is_imported_once_and_names_its_import(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portal, "REPORT", tmp_path / "report.csv")
    portal.import_sessions(copy)
    portal.import_sessions(copy)
    assert ChargingSession.objects.count() == 3395
    run = ImportRun.objects.get()
    assert run.file_name == copy.name and run.sessions.count() == 3395
    newest = ChargingSession.objects.order_by("-stopped_at").first()
    assert newest and newest.stopped_at and newest.stopped_at.astimezone(NEW_YORK).date() == YESTERDAY


@pytest.mark.django_db
def test_a_demo_of_before_keeps_its_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portal, "DEMO_DATA", tmp_path / "demo")
    few = tmp_path / "few.csv"
    few.write_text("".join(portal.DATA.read_text().splitlines(keepends=True)[:4]))
    call_command("import_sessions", str(few), time_zone="America/New_York", stdout=StringIO())
    assert portal.demo_data() == portal.DATA and not (tmp_path / "demo").exists()
    ChargingSession.objects.update(source="STATION")  # as if none had come from a file
    made = portal.demo_data()
    assert made.parent == tmp_path / "demo" and portal.demo_data() == made, "made once"
