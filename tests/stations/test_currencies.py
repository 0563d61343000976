"""ISO 4217 as a whole: each currency's digits, from the price to what people and partners read. Others stay out."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from stations.charging.words import money
from stations.models import Site, Tariff
from stations.ocpi.values import cost_of
from stations.rest.serializers import NewSiteBody, NewTariffBody
from stations.tariffs.currencies import DIGITS, PUBLISHED, is_currency, minor_digits
from stations.tariffs.pricing import cost_lines, total_minor

ROOT = Path(__file__).parents[2]
# The list as it was read when this was written, so that a renewed one says what it changes.
NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE = "BHD IQD JOD KWD LYD OMR TND"
FOUR = "CLF UYW"
NO_CURRENCIES = ["XXX", "XTS", "XAU", "XDR", "XBA", "ZZZ", "BTC", "BGN", "eur", "eu", "E1", "€", "EUR\n", "", "ЕUR"]


def test_the_list_is_whole_and_dated() -> None:
    assert date(2026, 1, 1) <= PUBLISHED
    assert len(DIGITS) == 165
    assert {code: digits for code, digits in DIGITS.items() if digits != 2} == {
        code: digits for codes, digits in ((NONE, 0), (THREE, 3), (FOUR, 4)) for code in codes.split()
    }
    # Funds codes are codes of the standard; those in which nobody pays have no minor unit there.
    assert all(map(is_currency, ["CHE", "CHW", "BOV", "COU", "MXV", "USN", "UYI", "HUF", "MGA", "MRU", "XCG", "ZWG"]))


def test_a_currency_that_was_withdrawn_still_reads() -> None:
    assert (minor_digits("HRK"), minor_digits("BGN"), minor_digits("")) == (2, 2, 2)


@pytest.mark.parametrize(
    ("currency", "minor", "shown"),
    [
        ("DJF", 19, "19 DJF"),  # 57.5 a kWh, 333 Wh: 19.1475
        ("BIF", 19, "19 BIF"),
        ("GNF", 19, "19 GNF"),
        ("KMF", 19, "19 KMF"),
        ("UYI", 19, "19 UYI"),
        ("CLF", 191_475, "19.1475 CLF"),
        ("UYW", 191_475, "19.1475 UYW"),
        ("TND", 19_148, "19.148 TND"),  # half up
        ("HUF", 1_915, "19.15 HUF"),
    ],
)
def test_a_charge_in_any_currency(currency: str, minor: int, shown: str) -> None:
    tariff = {"id": "T", "currency": currency, "price_per_kwh": "57.5", "price_per_session": "0"}
    assert total_minor(cost_lines(tariff, energy_wh=333)) == minor
    assert money(minor, currency) == shown
    # OCPI says amounts in units of the currency.
    assert cost_of(minor, currency, Decimal(0)).gross == Decimal(shown.split()[0])


def test_the_check_in_the_browser_has_the_same_digits() -> None:
    source = (ROOT / "static/js/verify/currencies.js").read_text()
    table = {int(digits): codes for digits, codes in re.findall(r'^  (\d): "([A-Z ]+)",$', source, re.M)}
    assert table == {0: NONE, 3: THREE, 4: FOUR}


@pytest.mark.parametrize("code", NO_CURRENCIES)
def test_other_codes_are_refused_where_they_are_entered(code: str, db: None) -> None:
    for row in (Site(code="S9", name="S", currency=code), Tariff(code="T9", name="T", currency=code)):
        with pytest.raises(ValidationError) as refused:
            row.full_clean()
        assert set(refused.value.message_dict) == {"currency"}
    for body in (NewSiteBody, NewTariffBody):
        given: Any = body(data={"code": "C9", "name": "N", "currency": code})
        assert not given.is_valid() and "expected a currency of ISO 4217" in str(given.errors["currency"])


def test_a_row_of_before_is_still_read_and_its_other_fields_change(db: None, connector: Any) -> None:
    Site.objects.update(currency="E1")
    site = Site.objects.get()
    site.name = "New name"
    site.save()
    tariff = Tariff.objects.create(code="OLD", name="Old", currency="BTC")
    assert (tariff.snapshot()["currency"], money(125, "BTC")) == ("BTC", "1.25 BTC")
