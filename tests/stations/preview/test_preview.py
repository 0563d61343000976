"""An operator sees what a tariff would have done to charges that were."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from stations.models import ChargingSession, Connector, MeterValue, Tariff
from stations.preview.charges import compared, points_of
from tests.people import browser_of, person
from tests.stations.conftest import StationClient

pytestmark = pytest.mark.django_db
BEGAN = datetime(2026, 3, 2, 10, tzinfo=UTC)
NIGHT = [
    {
        "price_components": [{"type": "ENERGY", "price": "0.1"}],
        "restrictions": {"start_time": "12:00", "end_time": "13:00"},
    },
    {"price_components": [{"type": "ENERGY", "price": "0.5"}]},
]


@pytest.fixture
def tariff(db: None) -> Tariff:
    made = Tariff(code="NEW", name="New", elements=NIGHT)
    made.clean()
    made.save()
    return made


@pytest.fixture
def charges(owner: StationClient) -> list[ChargingSession]:
    connector = Connector.objects.get(station=owner.station)
    return [charge(connector, number, at=BEGAN + timedelta(hours=number)) for number in range(3)]


def charge(connector: Connector, number: int, *, at: datetime, **changes: Any) -> ChargingSession:
    fields: dict[str, Any] = {"energy_wh": 10_000, "cost_minor": 300, "currency": "EUR", "status": "COMPLETED"}
    made = ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id=f"P{number}",
        location={"time_zone": "UTC"},
        started_at=at,
        stopped_at=at + timedelta(minutes=30),
        meter_start_wh=1000,
        meter_stop_wh=11_000,
        source="OCPP",
        **fields | changes,
    )
    MeterValue.objects.create(session=made, sampled_at=at + timedelta(minutes=15), value=Decimal(6000))
    return made


def page(browser: Client, tariff: Tariff, query: str = "") -> str:
    answer = browser.get(f"/admin/stations/tariff/{tariff.pk}/preview/?{query}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_each_charge_is_priced_by_its_own_meter_values(tariff: Tariff, charges: list[ChargingSession]) -> None:
    with CaptureQueriesContext(connection) as queries:
        rows = compared(tariff, charges)
    assert [(row.paid_minor, row.would_minor, row.more_minor) for row in rows] == [
        (300, 500, 200),
        (300, 500, 200),
        (300, 100, -200),
    ]
    assert len(queries) == 2
    drawn = points_of(rows)
    assert (drawn.right, drawn.top, drawn.would[2], drawn.paid[0]) == (10_000, 500, (1000, 800), (1000, 400))


def test_the_page_says_sums_and_rows(tariff: Tariff, charges: list[ChargingSession]) -> None:
    browser = browser_of(person("olga", "operator"))
    said = page(browser, tariff, "first=2026-03-01&last=2026-03-31")
    assert "9.00" in said and "11.00" in said and "+2.00" in said
    assert said.count('class="would"') == 3 and "12:00 to 13:00" in said
    assert "No billed charge" in page(browser, tariff, "first=2025-03-01&last=2025-03-31")
    assert "at or after" in page(browser, tariff, "first=2026-03-02&last=2026-03-01")
    assert "Enter a valid date" in page(browser, tariff, "first=x")


def test_charges_in_another_currency_credits_and_invalid_ones_are_left_out(
    tariff: Tariff, charges: list[ChargingSession]
) -> None:
    connector = charges[0].connector
    charge(connector, 10, at=BEGAN + timedelta(days=1), currency="CHF")
    charge(connector, 11, at=BEGAN + timedelta(days=2), status="INVALID", cost_minor=None, currency="")
    charge(connector, 12, at=BEGAN + timedelta(days=3), cost_minor=None, currency="")
    said = page(browser_of(person("olga", "operator")), tariff, "first=2026-03-01&last=2026-03-31")
    assert said.count('class="would"') == 4 and "1 charge had no price." in said


def test_a_spoilt_tariff_says_so(tariff: Tariff, charges: list[ChargingSession]) -> None:
    Tariff.objects.update(elements=[{"price_components": []}])
    said = page(browser_of(person("olga", "operator")), tariff, "first=2026-03-01&last=2026-03-31")
    assert "at least one price component" in said


def test_whoever_may_not_see_charges_sees_no_preview(tariff: Tariff, owner: StationClient) -> None:
    assert Client().get(f"/admin/stations/tariff/{tariff.pk}/preview/").status_code in {302, 403, 404}
