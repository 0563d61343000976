"""Files as owners have them (tests/stations/import_samples, made by others): each comes in, or is refused with words
that tell its owner what to do (fault F22)."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stations.models import ChargingSession, ImportRun
from tests.stations.test_importing import run

pytestmark = pytest.mark.django_db
SAMPLES = Path(__file__).parents[1] / "import_samples"
TEN = {
    "01_base.csv": "America/New_York",
    "02_dataverse.tab": "America/New_York",
    "03_excel_de.csv": "America/New_York",
    "04_excel_unicode.txt": "America/New_York",
    "05_excel_us.csv": "America/New_York",
    "06_trailing_blank.csv": "America/New_York",
    "07_quoted_newline.csv": "America/New_York",
    "08_cr.csv": "America/New_York",
    "11_paloalto.csv": "",
    "13_dundee.csv": "Europe/London",
    "16_evcc_de.csv": "Europe/Berlin",
    "18_steve.csv": "UTC",
    "21_ocpi_cdr.json": "",
}


@pytest.mark.parametrize("name", TEN)
def test_each_comes_in_once(name: str, capsys: Any) -> None:
    status, told, error = run(SAMPLES / name, capsys, time_zone=TEN[name])
    assert (status, error) == (0, "") and "10 imported, 0 already there" in told
    status, told, _ = run(SAMPLES / name, capsys, time_zone=TEN[name])
    assert status == 0 and "0 imported, 10 already there" in told
    assert ChargingSession.objects.filter(status="COMPLETED").count() == 10
    assert ImportRun.objects.count() == 1  # of the second nothing came


@pytest.mark.parametrize("name", [name for name, zone in TEN.items() if zone])
def test_a_zone_is_asked_for_where_the_file_names_none(name: str, capsys: Any) -> None:
    status, _, error = run(SAMPLES / name, capsys, time_zone="")
    assert status == 1 and "no time zone" in error and "--time-zone Europe/Berlin" in error
    assert not ChargingSession.objects.exists() and not ImportRun.objects.exists()


def test_a_broken_workbook_says_what_to_do(capsys: Any) -> None:
    status, _, error = run(SAMPLES / "22_xlsx.xlsx", capsys)
    assert status == 1 and "save it anew as XLSX or CSV" in error


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("batch", [2, 1000])
def test_a_repetition_names_its_line(dry_run: bool, batch: int, capsys: Any) -> None:
    status, told, error = run(SAMPLES / "24_dup.csv", capsys, dry_run=dry_run, batch=batch)
    assert status == 3 and "3 already there, 1 different from what is there" in told
    assert "line 7 different" in error and "line 3 of this file" in error and "stored" not in error


def session(number: str) -> ChargingSession:
    return ChargingSession.objects.select_related("station__site", "id_token", "connector").get(transaction_id=number)


def test_what_comes_of_them_is_exact(capsys: Any) -> None:
    for name, zone in TEN.items():
        run(SAMPLES / name, capsys, time_zone=zone)
    german, american = session("992003"), session("994004")
    assert (german.energy_wh, german.cost_minor, german.currency) == (8250, 350, "USD")
    assert american.started_at == datetime(2015, 3, 14, 12, 4, tzinfo=UTC)
    palo = session("100")
    assert (palo.started_at, palo.energy_wh, palo.cost_minor) == (datetime(2020, 7, 2, 3, 40, tzinfo=UTC), 6250, 144)
    assert (palo.station.identity[:25], palo.connector.evse_id) == ("chargepoint-CITY-GARAGE-0", 2)
    assert palo.location["time_zone"] == "America/Los_Angeles"
    dundee = session("7003")
    assert (dundee.started_at, dundee.energy_wh) == (datetime(2022, 3, 13, 8, 3, tzinfo=UTC), 13731)
    steve = session("1")
    assert (steve.meter_start_wh, steve.meter_stop_wh, steve.energy_wh) == (1000, 8000, 7000)
    assert steve.id_token is not None and (steve.id_token.type, steve.id_token.uid) == ("ISO14443", "04AABB00")
    cdr = session("12340")
    assert (cdr.energy_wh, cdr.cost_minor, cdr.currency) == (15342, 440, "EUR")
    assert cdr.id_token is not None and cdr.id_token.contract_id == "DE8ACC12E46L89"
    evcc = ChargingSession.objects.filter(station__identity="evcc-Garage").earliest("started_at")
    assert (evcc.started_at, evcc.energy_wh) == (datetime(2026, 3, 10, 7, 0, tzinfo=UTC), 3840)
