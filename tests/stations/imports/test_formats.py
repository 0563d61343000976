"""Exports of many hands: each told by its columns, read exactly, and not mistaken for another."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from stations.imports.formats.door import FORMATS, format_of
from stations.models import ChargingSession, Site
from tests.stations.test_importing import run

pytestmark = pytest.mark.django_db

EVCC_EN = (
    "Created,Finished,Charging point,Identifier,Vehicle,Mileage (km),Meter start (kWh),Meter stop (kWh),Energy (kWh),"
    "Duration,Solar (%),Price,Price/kWh,CO₂/kWh"
)
BOULDER = (
    "ObjectId,Station_Name,Address,City,State_Province,Zip_Postal_Code,Start_Date___Time,Start_Time_Zone,"
    "End_Date___Time,End_Time_Zone,Total_Duration__hh_mm_ss_,Charging_Time__hh_mm_ss_,Energy__kWh_,GHG_Savings__kg_,"
    "Gasoline_Savings__gallons_,Port_Type,ObjectId2"
)
PERTH = "_id,CP ID,Connector,Start Date,Start Time,End Date,End Time,Total kWh,Site,Model"
CDR: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "cdr-1",
    "start_date_time": "2026-03-10T08:00:00Z",
    "end_date_time": "2026-03-10T09:30:00Z",
    "cdr_token": {"uid": "04A1B2C3", "type": "RFID", "contract_id": "DEABCC00000001X"},
    "cdr_location": {
        "id": "L1",
        "name": "Harbour",
        "address": "Quay 1",
        "city": "Hamburg",
        "country": "DEU",
        "evse_uid": "E-1",
        "evse_id": "DE*ABC*E1*1",
        "connector_id": "1",
    },
    "currency": "EUR",
    "total_cost": {"excl_vat": 5.0, "incl_vat": 5.95},
    "total_energy": 12.3456,
    "total_time": 1.5,
}
CDR_211 = {
    "id": "old-1",
    "start_date_time": "2026-03-10T08:00:00Z",
    "stop_date_time": "2026-03-10T09:30:00Z",
    "auth_id": "DE8ACC12E46L89",
    "auth_method": "WHITELIST",
    "location": {"id": "L2", "name": "Old town", "country": "DEU", "evses": [{"uid": "7", "evse_id": "DE*ABC*E7"}]},
    "currency": "EUR",
    "total_cost": 4,
    "total_energy": 15.342,
    "total_time": 1.5,
}
ACN = {
    "_id": "5bc90cb9f9af8b0d7fe77cd2",
    "clusterID": "0039",
    "connectionTime": "Wed, 25 Apr 2018 11:08:04 GMT",
    "disconnectTime": "Wed, 25 Apr 2018 13:20:10 GMT",
    "doneChargingTime": "Wed, 25 Apr 2018 13:21:10 GMT",
    "kWhDelivered": 7.932,
    "sessionID": "2_39_78_362_2018-04-25 11:08:04.400812",
    "siteID": "0002",
    "spaceID": "CA-496",
    "stationID": "2-39-78-362",
    "timezone": "America/Los_Angeles",
    "userID": None,
    "userInputs": None,
}


def imported(tmp_path: Path, capsys: Any, content: str | bytes, zone: str = "", **options: Any) -> ChargingSession:
    """The one session of a file, whatever its name says."""
    path = tmp_path / "export.bin"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    status, told, error = run(path, capsys, time_zone=zone, **options)
    assert (status, error) == (0, ""), error
    assert "1 imported" in told
    return ChargingSession.objects.select_related("station__site", "id_token", "connector").get()


def lasted(session: ChargingSession) -> tuple[datetime, datetime | None]:
    return session.started_at, session.stopped_at


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_evcc_in_english(tmp_path: Path, capsys: Any) -> None:
    line = (
        "2026-07-10 08:00:00,2026-07-10 10:00:00,Garage,04aabbcc,e-Car,12340,1463.8,1467.6,3.84,1h59m0s,45.1,0.96,0.25,"
    )
    found = imported(tmp_path, capsys, f"\ufeff{EVCC_EN}\n{line}\n", "Europe/Berlin")
    assert lasted(found) == (utc(2026, 7, 10, 6), utc(2026, 7, 10, 8)) and found.energy_wh == 3840
    assert (found.station.identity, found.cost_minor) == ("evcc-Garage", None)  # no currency: no cost


def test_the_same_charge_in_german_is_the_same_session(tmp_path: Path, capsys: Any) -> None:
    english = "2026-03-10 08:00:00,2026-03-10 10:00:00,Garage,04aabbcc,e-Car,1,1,1,3.84,2h0m0s,45.1,0.96,0.25,"
    imported(tmp_path, capsys, f"{EVCC_EN}\n{english}\n", "Europe/Berlin")
    sample = Path(__file__).parents[1] / "import_samples" / "16_evcc_de.csv"
    _, told, _ = run(sample, capsys, time_zone="Europe/Berlin")
    assert "9 imported, 1 already there" in told


@pytest.mark.parametrize("started", ["7/1/2020 20:40", "2020-07-01 20:40:00"])
def test_boulder_writes_dates_in_two_ways(started: str, tmp_path: Path, capsys: Any) -> None:
    place, times = "BOULDER / REC 1,1 Street,Boulder,Colorado,80302", f"{started},MDT,7/1/2020 23:20,MDT,2:40:00"
    line = f"0,{place},{times},2:10:00,6.2,2,0.7,Level 2,7"
    found = imported(tmp_path, capsys, f"{BOULDER}\n{line}\n")
    assert lasted(found) == (utc(2020, 7, 2, 2, 40), utc(2020, 7, 2, 5, 20))
    assert found.location["time_zone"] == "America/Denver"


def test_perth_has_day_and_time_apart(tmp_path: Path, capsys: Any) -> None:
    found = imported(
        tmp_path,
        capsys,
        f'{PERTH}\n1,50911,2,01/07/2018,08:15,01/07/2018,09:05,10.5,"Kinross Park and Ride, Kinross",APT Triple\n',
        "Europe/London",
    )
    assert lasted(found) == (utc(2018, 7, 1, 7, 15), utc(2018, 7, 1, 8, 5))
    assert (found.station.site.name, found.connector.evse_id) == ("Kinross Park and Ride, Kinross", 2)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda cdr: cdr,
        lambda cdr: [cdr],
        lambda cdr: {"data": [cdr], "status_code": 1000, "timestamp": "2026-03-11T00:00:00Z"},
        lambda cdr: {"status_code": 1000, "status_message": "ok", "data": [cdr]},
    ],
)
def test_a_cdr_of_2_2_1(wrap: Any, tmp_path: Path, capsys: Any) -> None:
    found = imported(tmp_path, capsys, json.dumps(wrap(CDR)))
    assert lasted(found) == (utc(2026, 3, 10, 8), utc(2026, 3, 10, 9, 30))
    assert (found.energy_wh, found.cost_minor, found.transaction_id) == (12346, 595, "cdr-1")
    assert (found.station.identity, found.station.site.name) == ("ocpi-DE*ABC*E1*1", "Harbour")
    assert found.id_token is not None and found.id_token.uid == "04A1B2C3"


def test_a_cdr_of_2_1_1(tmp_path: Path, capsys: Any) -> None:
    found = imported(tmp_path, capsys, json.dumps([CDR_211]))
    assert (found.energy_wh, found.cost_minor, found.station.identity) == (15342, 400, "ocpi-DE*ABC*E7")
    assert found.id_token is not None and found.id_token.type == "eMAID"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"total_energy": "NaN"}, "total_energy: expected a number"),
        ({"total_energy": {"a": 1}}, "total_energy: expected a number"),
        ({"total_energy": True}, "total_energy: expected a number"),
        ({"end_date_time": "2026-03-10"}, "end_date_time: expected"),
        ({"end_date_time": "2026-03-10T07:00:00Z"}, "ended at or after"),
        ({"end_date_time": "2026-04-10T09:30:00Z"}, "total_time: expected 1:30:00 between"),
        ({"credit": True}, "a charge, not a credit"),
        ({"id": None}, "id: expected"),
        ({"currency": "euro!"}, "currency"),
    ],
)
def test_cdrs_that_stay_out_say_why(changes: dict[str, Any], reason: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "cdrs.json"
    path.write_text(json.dumps([CDR, CDR | {"id": "cdr-2"} | changes]))
    status, told, error = run(path, capsys, time_zone="")
    assert status == 3 and "1 imported" in told and "line 2 skipped: " in error and reason in error


def test_acn_data(tmp_path: Path, capsys: Any) -> None:
    document = {"_meta": {"start": "Wed, 25 Apr 2018 00:00:00 GMT", "end": "x"}, "_items": [ACN], "_links": {}}
    found = imported(tmp_path, capsys, json.dumps(document))
    assert lasted(found) == (utc(2018, 4, 25, 11, 8, 4), utc(2018, 4, 25, 13, 20, 10)) and found.energy_wh == 7932
    assert found.location["time_zone"] == "America/Los_Angeles" and found.id_token is None


def test_no_two_formats_take_the_same_file() -> None:
    headers = {"perth": PERTH.split(","), "boulder": BOULDER.split(","), "evcc": EVCC_EN.split(",")}
    headers |= {"ocpi": list(CDR), "acn": list(ACN)}
    for name, columns in headers.items():
        assert [one.name for one in FORMATS if not one.missing(columns)] == [name]
        assert format_of(columns, "").name == name


def test_two_steves_have_two_sessions_1(tmp_path: Path, capsys: Any) -> None:
    """A number belongs to its source; the workplace's, whose numbers stood alone before, keep their sessions."""
    sample = Path(__file__).parents[1] / "import_samples" / "18_steve.csv"
    run(sample, capsys, time_zone="UTC")
    _, told, _ = run(sample, capsys, time_zone="UTC", source="north")
    assert "10 imported, 0 already there" in told
    first = ChargingSession.objects.filter(transaction_id="1")
    assert {one.station.identity for one in first} == {"steve-CP0", "north-CP0"} and first.count() == 2
    assert Site.objects.count() == 2
    status, _, error = run(sample, capsys, time_zone="UTC", source="dundee")
    assert status == 1 and "cannot be called dundee" in error
