"""A vehicle's statement for the employer: what is in it, in which files, at which price, and its ZIP's index."""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from pypdf import PdfReader

from accounts.models import User
from ledger.models import LedgerEntry
from ledger.receipts.checks import receipt_for
from portal.employer import files, tasks
from portal.employer.statement import EVERYWHERE, HOME, VehicleStatement, periods_of, statement_of
from portal.statements.statements import StatementPeriod
from stations.charging.corrections import Figures, session_correct, session_credit
from stations.models import ChargingSession, Site, Vehicle
from stations.vehicles import services
from tests.portal.conftest import MakeTransaction
from tests.portal.statements.statement_sessions import Charge, charge

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
OF_MARCH = StatementPeriod(2026, 3)
KEBA = Path(__file__).parents[2] / "vectors" / "meter" / "shared-test_ocmf_keba_kcp30.json"
HOSTILE = "=cmd|' /C calc'!A0 <b>"

RecordThem = Callable[[], None]


@pytest.fixture
def record_them(make_transaction: MakeTransaction) -> RecordThem:
    """All that waits is recorded, in one transaction."""

    def record() -> None:
        moment = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
        block = {"block_num": 1_234_567, "block_id": "0012d687" + "ab" * 28, "irreversible_at": moment}
        LedgerEntry.objects.filter(transaction=None).update(transaction=make_transaction("IRREVERSIBLE", **block))

    return record


@pytest.fixture
def van(owner: User) -> Vehicle:
    return services.vehicle_add(user=owner, name="Van", plate="B-EV 1")


def of_march(vehicle: Vehicle, places: str = EVERYWHERE) -> VehicleStatement:
    found = statement_of(vehicle, places, OF_MARCH)
    assert found is not None
    return found


def unzipped(content: bytes) -> dict[str, bytes]:
    zipped = zipfile.ZipFile(io.BytesIO(content))
    assert zipped.testzip() is None
    return {name: zipped.read(name) for name in zipped.namelist()}


def zip_of(statement: VehicleStatement) -> bytes:
    return files.statement_zip(statement=statement, receipt_for=receipt_for)


def index_in(content: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(unzipped(content)["statement.json"])
    return found


def paper(content: bytes) -> str:
    return " ".join(" ".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages).split())


# --- the ZIP


def test_the_zip_has_a_receipt_for_each_charge_and_an_index_that_names_it(
    browser: Client, van: Vehicle, charge: Charge, record_them: RecordThem
) -> None:
    first = charge(MARCH, meter_start_wh=1_000_000, meter_stop_wh=1_007_780)
    charge(MARCH.replace(day=13), energy_wh=2_225, cost_minor=88)
    record_them()
    services.charge_vehicle_set(session=first, vehicle=van, odometer_km=81_234)
    response = browser.get(f"/vehicles/{van.pk}/statements/all/2026-03.zip")
    assert response["Content-Type"] == "application/zip"
    assert f"evportal-statement-2026-03-vehicle-{van.pk}.zip" in response["Content-Disposition"]
    found = unzipped(response.content)
    named = {"statement.json", "receipts/0001.json", "receipts/0002.json", "statement.pdf", "statement.csv"}
    assert set(found) == named
    index = json.loads(found["statement.json"])
    one = index["charges"][0]
    assert index["format"] == "evportal-statement/1"
    assert (index["period"], index["price_basis"], index["place"]) == ("2026-03", "CONTRACT", None)
    assert index["vehicle"] == {"name": "Van", "plate": "B-EV 1"}
    assert index["document_number"].startswith("2026-03-")
    assert "flat_rate" not in index
    assert one["sha256"] == hashlib.sha256(found[one["file"]]).hexdigest()
    record = json.loads(found[one["file"]])["record"]
    assert {name: one[name] for name in ("id", "station", "started_at", "stopped_at", "energy_wh", "currency")} == {
        name: record[name] for name in ("id", "station", "started_at", "stopped_at", "energy_wh", "currency")
    }
    assert (one["id"], one["amount_minor"], one["odometer_km"]) == (str(first.pk), 312, 81_234)
    assert one["ledger_id"] == json.loads(found[one["file"]])["ledger_id"]
    assert "odometer_km" not in index["charges"][1]
    assert index["sums"] == [{"currency": "EUR", "charges": 2, "energy_wh": 10_005, "amount_minor": 400}]
    assert "1,000.000 – 1,007.780" in paper(found["statement.pdf"])


def test_the_same_statement_is_the_same_file_and_another_has_another_number(
    van: Vehicle, charge: Charge, record_them: RecordThem
) -> None:
    charge(MARCH)
    record_them()
    before = of_march(van)
    made = zip_of(before)
    assert made == zip_of(of_march(van))
    charge(MARCH.replace(day=20))
    record_them()
    assert of_march(van).number != before.number


def test_what_has_no_receipt_counts_in_no_sum_and_says_why(
    van: Vehicle, charge: Charge, record_them: RecordThem
) -> None:
    charge(MARCH)
    record_them()
    waiting = charge(MARCH.replace(day=13))
    never = charge(MARCH.replace(day=14))
    LedgerEntry.objects.filter(session=never).delete()
    invalid = charge(MARCH.replace(day=15), status="INVALID", cost_minor=None, currency="")
    statement = of_march(van)
    assert [one.session.pk for one in statement.waiting] == [waiting.pk, never.pk]
    assert statement.sums[0]["amount_minor"] == 312
    text = paper(files.statement_pdf(statement=statement))
    assert "Not in this statement" in text and "still being recorded" in text
    assert str(invalid.pk) not in json.dumps(index_in(zip_of(statement)))


def test_it_says_what_was_recorded_whatever_the_database_says_today(
    van: Vehicle, charge: Charge, record_them: RecordThem
) -> None:
    session = charge(MARCH)
    record_them()
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=99_999, cost_minor=1)
    index = index_in(zip_of(of_march(van)))
    assert index["sums"] == [{"currency": "EUR", "charges": 1, "energy_wh": 7_780, "amount_minor": 312}]
    LedgerEntry.objects.filter(session=session).update(canonical=b"{}")
    assert of_march(van).charges == [], "of an altered record there is no receipt"


def test_registers_and_texts_that_a_meter_signed(
    van: Vehicle, owner: User, charge: Charge, record_them: RecordThem
) -> None:
    """As S.A.F.E.'s own test file of a KEBA has them, with the key that is registered."""
    vector = json.loads(KEBA.read_text())
    signed = {"signed_meter_values": vector["values"], "signed_verdict": "VERIFIED", "meter_public_key": vector["key"]}
    charge(MARCH, **signed)
    charge(MARCH.replace(day=13), **signed | {"meter_public_key": "00"})
    charge(MARCH.replace(day=14), signed_meter_values=[{"format": "OCMF"}], signed_verdict="VERIFIED")
    record_them()
    statement = of_march(van)
    first, *others = (one.registers for one in statement.charges)
    assert first.signed and first.serial and first.begin_wh is not None and first.end_wh is not None
    assert not any(one.signed for one in others), "nothing is signed by another key, or without a text"
    found = unzipped(zip_of(statement))
    assert "meter-values/0001.xml" in found and "meter-values/0003.xml" not in found
    assert first.serial in paper(found["statement.pdf"])


# --- what was taken back


def test_a_credited_charge_and_its_credit_cancel_out(
    van: Vehicle, owner: User, charge: Charge, record_them: RecordThem
) -> None:
    session = charge(MARCH)
    charge(MARCH.replace(day=13), energy_wh=1_000, cost_minor=40)
    record_them()
    session_credit(session=session, reason="It was free of charge.", by=owner)
    record_them()
    statement = of_march(van)
    assert [(one.taken_back, one.session.credit) for one in statement.charges].count((True, False)) == 1
    assert statement.sums == [{"currency": "EUR", "charges": 3, "energy_wh": 1_000, "amount_minor": 40}]
    text = paper(files.statement_pdf(statement=statement))
    assert "Taken back" in text and "Credit" in text
    services.homes_set(user=owner, sites=[session.station.site])
    services.year_choose(user=owner, year=2026, basis="FLAT_RATE")
    assert of_march(van, HOME).sums[0]["amount_minor"] == 34, "at the flat rate, too"


def test_a_corrected_charge_counts_with_its_new_figures(
    van: Vehicle, owner: User, charge: Charge, record_them: RecordThem
) -> None:
    session = charge(MARCH)
    record_them()
    assert session.stopped_at
    right = Figures(7_000, 300, session.started_at, session.stopped_at)
    session_correct(session=session, reason="The meter was wrong.", figures=right, by=owner)
    record_them()
    assert of_march(van).sums == [{"currency": "EUR", "charges": 3, "energy_wh": 7_000, "amount_minor": 300}]


# --- prices, places, currencies, zones, years


def test_at_home_by_the_flat_rate_elsewhere_by_contract(
    van: Vehicle, owner: User, site: Site, charge: Charge, record_them: RecordThem
) -> None:
    elsewhere = Site.objects.create(code="FR-1", name="Aire", country="FRA", time_zone="Europe/Paris")
    charge(MARCH)
    charge(MARCH.replace(day=14), location={"id": elsewhere.code, "name": elsewhere.name})
    record_them()
    services.homes_set(user=owner, sites=[site])
    assert of_march(van, HOME).rate is None, "nothing was chosen"
    services.year_choose(user=owner, year=2026, basis="FLAT_RATE")
    home, everywhere = of_march(van, HOME), of_march(van)
    assert [len(one.charges) for one in (home, everywhere)] == [1, 2]
    index = index_in(zip_of(home))
    assert (index["price_basis"], index["place"]) == ("FLAT_RATE", site.name)
    assert index["flat_rate"]["price_per_kwh"] == "0.34"
    assert (index["flat_rate"]["currency"], index["flat_rate"]["year"]) == ("EUR", 2026)
    assert "BMF" in index["flat_rate"]["source"]
    assert index["charges"][0]["amount_minor"] == 265  # 7.780 kWh at 0.34: 2.6452
    assert everywhere.sums[0]["amount_minor"] == 624, "what others were paid has its own price"
    assert "0.34 EUR per kWh" in paper(files.statement_pdf(statement=home))


def test_two_currencies_are_never_added(van: Vehicle, charge: Charge, record_them: RecordThem) -> None:
    charge(MARCH)
    charge(MARCH.replace(day=13), cost_minor=500, currency="CHF")
    charge(MARCH.replace(day=14), cost_minor=None, currency="")
    record_them()
    found = {sum_["currency"]: sum_["amount_minor"] for sum_ in of_march(van).sums}
    assert found == {"": 0, "CHF": 500, "EUR": 312}
    zip_of(of_march(van))


def test_a_month_is_that_of_the_drivers_zone_and_a_year_its_own(
    van: Vehicle, owner: User, charge: Charge, record_them: RecordThem
) -> None:
    owner.time_zone = "Pacific/Auckland"
    owner.save()
    charge(datetime(2026, 12, 31, 12, 0, tzinfo=UTC))  # 1 January there
    charge(datetime(2026, 12, 31, 10, 0, tzinfo=UTC))
    record_them()
    (new, _), (old, months) = periods_of(van, EVERYWHERE)
    assert [(str(one.period), one.charges) for one in (new, old, *months)] == [("2027", 1), ("2026", 1), ("2026-12", 1)]
    assert statement_of(van, EVERYWHERE, StatementPeriod(2027, 1)) is not None
    whole = statement_of(van, EVERYWHERE, StatementPeriod(2026))
    assert whole and index_in(zip_of(whole))["period"] == "2026"


def test_hostile_names_stay_names(van: Vehicle, charge: Charge, record_them: RecordThem) -> None:
    Vehicle.objects.filter(pk=van.pk).update(name=HOSTILE, plate="</script>")
    van.refresh_from_db()
    charge(MARCH, location={"id": "X", "name": HOSTILE, "time_zone": "No/Where"})
    record_them()
    found = unzipped(zip_of(of_march(van)))
    assert json.loads(found["statement.json"])["vehicle"]["name"] == HOSTILE
    (row,) = csv.DictReader(io.StringIO(found["statement.csv"].decode("utf-8-sig")))
    assert row["site"] == f"'{HOSTILE}"
    assert "<b>" in paper(found["statement.pdf"])


# --- who, and empty months


def test_others_and_empty_months_are_404(
    browser: Client, other_browser: Client, van: Vehicle, charge: Charge, record_them: RecordThem
) -> None:
    charge(MARCH)
    record_them()
    base = f"/vehicles/{van.pk}/statements"
    assert "No place is marked as home" in browser.get(f"{base}/home").content.decode()
    for ending in ("zip", "pdf", "csv"):
        assert browser.get(f"{base}/home/2026-03.{ending}").status_code == 404, "no charge at home"
        assert browser.get(f"{base}/all/2026-02.{ending}").status_code == 404
        assert browser.get(f"{base}/all/2026-13.{ending}").status_code == 404
        assert browser.get(f"{base}/all/2026-03.{ending}").status_code == 200
        assert other_browser.get(f"{base}/all/2026-03.{ending}").status_code == 404
    assert browser.get(f"{base}/nowhere").status_code == 404
    assert browser.get(f"{base}/all/2026-03.exe").status_code == 404
    assert other_browser.get(f"{base}/all").status_code == 404
    assert "2026-03.zip" in browser.get(f"{base}/all").content.decode()


# --- long ones


def test_a_long_zip_is_made_by_a_worker_which_says_how_far_it_is(
    browser: Client, van: Vehicle, charge: Charge, record_them: RecordThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        charge(MARCH.replace(day=day))
    record_them()
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(files, "SHORT_CHARGES", 2)
    monkeypatch.setattr(files, "announce", lambda name, *arguments: asked.append((name, *arguments)))
    cache.clear()
    path = f"/vehicles/{van.pk}/statements/all/2026-03"
    assert browser.get(f"{path}.zip")["Location"] == f"{path}/making/zip"
    page = browser.get(f"{path}/making/zip")
    assert page["Refresh"] == "1" and "in a moment" in page.content.decode()
    assert len(asked) == 1, "asked for once"
    name, *arguments = asked[0]
    assert name == tasks.statement_vehicle_make.name
    tasks.statement_vehicle_make(*arguments)
    assert "is ready" in browser.get(f"{path}/making/zip").content.decode()
    assert len(index_in(browser.get(f"{path}.zip").content)["charges"]) == 3
