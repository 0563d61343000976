"""What a tax office and a layman look for on a paper: who issued it, its number, the VAT, and how to check it."""

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from portal.statements import statements
from portal.statements.statements import Statement, StatementPeriod
from stations.models import ChargingSession, Site
from stations.tariffs.vat import Rate, VatSum, vat_sums
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import text
from tests.portal.statements.statement_sessions import Charge, charge
from tests.portal.statements.test_statements import paper

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
TARIFF = {"id": "T", "name": "Standard", "currency": "EUR", "price_per_kwh": "0.49", "price_per_session": "0"}


@pytest.fixture
def operator(settings: Settings) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_ADDRESS = "Hafen Strom GmbH", "Kai 1|20457 Hamburg"
    settings.OPERATOR_CONTACT, settings.OPERATOR_VAT_ID = "help@hafen.example", "DE123456789"
    settings.PUBLIC_URL = "https://charge.example.org"


def session(cost: int | None, **tariff: Any) -> Any:
    kept = TARIFF | tariff if tariff else {}
    return SimpleNamespace(cost_minor=cost, currency=str(kept.get("currency", "EUR")), tariff=kept)


def statement_of(owner: User) -> Statement:
    found = statements.statement_of(owner, StatementPeriod(2026, 3), statements.zone_of(owner))
    assert found is not None
    return found


def test_vat_by_rate_adds_up_to_what_is_paid() -> None:
    sums = vat_sums(
        [
            *(session(cost, vat_percent="19") for cost in (298, 157, 381)),
            session(1_000, vat_percent="7.7"),
            session(500, vat_percent=None),
            session(312),
            session(None, vat_percent="19"),
            session(1_915, vat_percent="10", currency="DJF"),
            *(session(100, vat_percent=odd) for odd in ("NaN", "-1", "x")),
        ]
    )
    assert sums == [
        VatSum(Rate("DJF", True, Decimal(10)), 1_915, 1_741, 174),
        VatSum(Rate("EUR"), 612, None, None),
        VatSum(Rate("EUR", True, None), 500, 500, 0),
        VatSum(Rate("EUR", True, Decimal("7.7")), 1_000, 929, 71),
        VatSum(Rate("EUR", True, Decimal(19)), 836, 703, 133),  # 702.52
    ]


@pytest.mark.usefixtures("operator")
def test_a_statement_says_who_issued_it_its_number_and_the_vat(browser: Client, owner: User, charge: Charge) -> None:
    tariff = TARIFF | {"vat_percent": "19"}
    wrong = charge(MARCH, cost_minor=381, tariff=tariff)
    charge(MARCH.replace(day=13), energy_wh=-7_780, cost_minor=-381, tariff=tariff, credit=True, credit_reference=wrong)
    charge(MARCH.replace(day=14), cost_minor=381, tariff=tariff)
    charge(MARCH.replace(day=15), cost_minor=312)
    words = paper(browser, "/statements/2026-03.pdf")
    for said in ("Hafen Strom GmbH", "Kai 1", "20457 Hamburg", "help@hafen.example", "VAT id: DE123456789"):
        assert said in words
    assert f"Number {statement_of(owner).number}" in words
    assert "19 % 3.20 EUR 0.61 EUR 3.81 EUR" in words and "Rate not known" in words
    assert "open https://charge.example.org/verify" in words and "It has to say VERIFIED" in words


def test_what_the_operator_has_not_set_is_said(browser: Client, charge: Charge) -> None:
    charge(MARCH)
    words = paper(browser, "/statements/2026-03.pdf")
    assert "The operator has not set name and address." in words and "this paper is no tax invoice" in words
    assert "its address ends with /verify" in words


def test_the_number_is_the_papers_own(
    browser: Client, owner: User, other_customer: User, charge: Charge, site: Site
) -> None:
    first = charge(MARCH)
    number = statement_of(owner).number
    assert statement_of(owner).number == number and number.startswith("2026-03-") and len(number) == 19
    site.name = "Renamed"
    site.save()
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo", language="de")
    assert statement_of(User.objects.get(pk=owner.pk)).number == number
    ChargingSession.objects.filter(pk=first.pk).update(customer=other_customer)
    assert statement_of(other_customer).number != number, "the same charge, another reader"
    ChargingSession.objects.filter(pk=first.pk).update(customer=owner)
    charge(MARCH.replace(day=20))
    assert statement_of(owner).number != number, "another paper"


@pytest.mark.usefixtures("operator")
def test_a_receipt_says_the_same(browser: Client, make_session: MakeSession) -> None:
    receipt = text(browser, f"/sessions/{make_session().pk}/receipt")
    for said in ("Hafen Strom GmbH", "20457 Hamburg", "VAT id: DE123456789", "<dt>Number</dt><dd>R-"):
        assert said in receipt
    assert "VAT rate not known" in receipt and "How to check this paper" in receipt and "VERIFIED" in receipt
