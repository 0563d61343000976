"""What a meter signed, in files: OCPI's CDRs and our own CSV; judged with the key that is registered here."""

import base64
import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.stations.ocmf import SignedMeter
from portal.session.csv import COLUMNS, csv_lines
from stations.metering.registering import key_add
from stations.models import ChargingSession, Station
from tests.stations.imports.test_formats import CDR, imported

pytestmark = pytest.mark.django_db
BEGAN = datetime(2026, 3, 10, 8, tzinfo=UTC)


def cdr(meter: SignedMeter, energy_wh: int = 12_346) -> str:
    texts = {"Start": meter.begin(1000, BEGAN, "04A1B2C3")}
    texts["End"] = meter.end(1000 + energy_wh, BEGAN + timedelta(minutes=90), "04A1B2C3")
    signed = [
        {"nature": nature, "plain_data": "x", "signed_data": base64.b64encode(text.encode()).decode()}
        for nature, text in texts.items()
    ]
    return json.dumps([CDR | {"signed_data": {"encoding_method": "OCMF", "signed_values": signed}}])


@pytest.mark.parametrize(
    ("registered", "energy_wh", "expected"),
    [
        (True, 12_346, ("COMPLETED", "VERIFIED", "", 12_346, 595)),
        (True, 11_000, ("INVALID", "FAILED", "record_differs", None, None)),
        (False, 12_346, ("COMPLETED", "NOT CHECKED", "no_key", 12_346, 595)),
    ],
)
def test_signed_data_of_a_cdr(
    tmp_path: Path, capsys: Any, registered: bool, energy_wh: int, expected: tuple[Any, ...]
) -> None:
    meter = SignedMeter("M1")
    first = imported(tmp_path, capsys, json.dumps([CDR | {"id": "before"}]))
    ChargingSession.objects.all().delete()
    if registered:
        key_add(station=first.station, connector=None, meter_serial="", text=meter.public_key.hex(), by=None)
    found = imported(tmp_path, capsys, cdr(meter, energy_wh))
    judged = (found.status, found.signed_verdict, found.signed_reason, found.energy_wh, found.cost_minor)
    assert judged == expected
    assert [one["context"] for one in found.signed_meter_values] == ["Transaction.Begin", "Transaction.End"]


def test_our_own_file_keeps_them(tmp_path: Path, capsys: Any) -> None:
    imported(tmp_path, capsys, cdr(SignedMeter("M1")))
    before = ChargingSession.objects.get()
    file = "".join(csv_lines(ChargingSession.objects.all()))
    row = next(csv.DictReader(io.StringIO(file.removeprefix("\ufeff"))))
    assert set(row) == set(COLUMNS) and json.loads(row["signed_meter_values"]) == before.signed_meter_values
    ChargingSession.objects.all().delete()
    meter = SignedMeter("M1")
    key_add(station=Station.objects.get(), connector=None, meter_serial="", text=meter.public_key.hex(), by=None)
    after = imported(tmp_path, capsys, file)
    assert after.pk == before.pk and after.signed_meter_values == before.signed_meter_values
    assert (after.signed_verdict, after.meter_start_wh) == ("VERIFIED", 1000)
