"""OCPI 2.3.0: taxes in its own form, all else as 2.2.1 has it."""

from decimal import Decimal
from typing import Any

import pytest
from jsonschema import ValidationError
from pytest_django.fixtures import Settings

from stations.models import Connector, Tariff
from stations.ocpi.credentials import credentials_read
from stations.ocpi.errors import Invalid
from stations.ocpi.forms import Form, Version
from stations.ocpi.tariffs import tariff_members
from tests.stations.ocpi import schema, schema_2_3_0
from tests.stations.ocpi.conftest import Charge, Partner, data, partner_make, refused, site_make

pytestmark = pytest.mark.django_db
FROM = "date_from=2000-01-01T00:00:00Z"
NEW = "2.3.0"
CHARGED = ("total_cost", "total_fixed_cost", "total_energy_cost", "total_time_cost", "total_parking_cost")


def pulled(partner: Partner, module: str, version: str) -> list[dict[str, Any]]:
    return partner.objects(module, FROM if module == "sessions" else "", version=version)


def untaxed(found: dict[str, Any]) -> dict[str, Any]:
    """Without what the versions write differently."""
    return {name: value for name, value in found.items() if name not in (*CHARGED, "tariffs")}


# --- Objects


def test_a_cost_is_what_is_left_and_each_tax(provider: Partner, charge: Charge) -> None:
    charge()
    (session,), (cdr,) = pulled(provider, "sessions", NEW), pulled(provider, "cdrs", NEW)
    vat = {"name": "VAT", "percentage": 19, "amount": Decimal("0.7983")}
    assert session["total_cost"] == cdr["total_cost"] == {"before_taxes": Decimal("4.2017"), "taxes": [vat]}
    assert cdr["total_fixed_cost"] == {"before_taxes": 1, "taxes": [vat | {"amount": Decimal("0.19")}]}
    assert cdr["tariffs"][0]["tax_included"] == "YES"


def test_the_operators_tax_number_stands_with_its_taxes(provider: Partner, charge: Charge, settings: Settings) -> None:
    settings.OPERATOR_VAT_ID = "DE123456789"
    charge()
    (cdr,) = pulled(provider, "cdrs", NEW)
    assert [tax["account_number"] for tax in cdr["total_cost"]["taxes"]] == ["DE123456789"]
    assert b"DE123456789" not in provider.get("2.2.1/cdrs").content


def test_both_versions_tell_the_same(provider: Partner, charge: Charge) -> None:
    """What was charged, taken back, or contains no VAT: the amounts are equal to the digit, and all else is."""
    row = charge()
    charge(credit=True, credit_reference=row, energy_wh=-7_780, cost_minor=-500, meter_stop_wh=1000)
    charge(tariff={})
    charge(cost_minor=0, energy_wh=0)
    for module in ("locations", "sessions", "cdrs"):
        olds, news = pulled(provider, module, "2.2.1"), pulled(provider, module, NEW)
        assert [untaxed(old) for old in olds] == [untaxed(new) for new in news] != []
        for old, new in zip(olds, news, strict=True):
            for name in CHARGED:
                assert (name in old) == (name in new)
                if name in old:
                    costs_the_same(old[name], new[name])


def costs_the_same(old: dict[str, Decimal], new: dict[str, Any]) -> None:
    assert new["before_taxes"] == old["excl_vat"] and ("taxes" in new) == ("incl_vat" in old)
    taxes = sum(tax["amount"] for tax in new.get("taxes", []))
    assert new["before_taxes"] + taxes == old.get("incl_vat", old["excl_vat"])


# --- Tariffs


def test_a_tariff_has_the_prices_that_drivers_pay(provider: Partner, connector: Connector) -> None:
    (found,) = pulled(provider, "tariffs", NEW)
    assert (found["tax_included"], found["id"]) == ("YES", "HARBOUR")
    assert found["elements"][0]["price_components"] == [
        {"type": "ENERGY", "price": Decimal("0.49"), "vat": 19, "step_size": 1},
        {"type": "FLAT", "price": Decimal("1.19"), "vat": 19, "step_size": 1},
    ]


def test_where_no_vat_applies_it_says_so(provider: Partner, connector: Connector) -> None:
    Tariff.objects.update(vat_percent=None)
    assert [found["tax_included"] for found in pulled(provider, "tariffs", NEW)] == ["N/A"]


@pytest.mark.parametrize(
    ("included", "rates", "told"),
    [
        ("YES", ["19", None], "YES"),
        ("YES", ["0"], "YES"),
        ("NO", ["19"], "NO"),
        ("YES", [None, None], "N/A"),
        ("NO", [None], "N/A"),
    ],
)
def test_elements_say_whether_their_prices_contain_taxes(included: str, rates: list[str | None], told: str) -> None:
    parts = [{"type": "ENERGY", "price": "0.5", **({"vat": rate} if rate else {}), "step_size": 1} for rate in rates]
    snapshot = {"vat_included": included, "elements": [{"price_components": [part]} for part in parts]}
    limited = snapshot | {"min_price": {"incl_vat": "2"}, "max_price": {"excl_vat": "9"}}
    found = tariff_members(limited, Form(Version.V2_3_0))
    assert found["tax_included"] == told
    assert [one["price_components"][0]["price"] for one in found["elements"]] == [Decimal("0.5")] * len(rates)
    assert found["min_price"]["after_taxes"] == 2 and found["max_price"] == {"before_taxes": 9}
    assert "tax_included" not in tariff_members(limited, Form(Version.V2_2_1))


# --- Who may, in which version


def test_a_version_says_where_its_modules_are(provider: Partner) -> None:
    details = data(provider.get(NEW))
    schema.check(schema.DETAILS, details)
    assert details["version"] == NEW
    urls = {one["identifier"]: one["url"] for one in details["endpoints"]}
    modules = ("credentials", "locations", "tariffs", "sessions", "cdrs")
    assert urls == {module: f"http://testserver/ocpi/2.3.0/{module}" for module in modules}
    ours = data(provider.get("2.3.0/credentials"))
    schema.check(schema_2_3_0.CREDENTIALS, ours)


def test_a_page_leads_to_the_next_of_its_version(provider: Partner, charge: Charge) -> None:
    rows = [charge() for _ in range(5)]
    first = provider.get("2.3.0/cdrs?limit=2")
    assert (first["X-Total-Count"], first["X-Limit"]) == ("5", "100")
    assert first["Link"].startswith("<http://testserver/ocpi/2.3.0/cdrs?offset=2&limit=2&after=")
    assert [found["id"] for found in provider.objects("cdrs", "limit=2", version=NEW)] == [str(row.pk) for row in rows]


def test_a_partner_sees_in_2_3_0_what_it_sees_in_2_2_1(other: Partner, charge: Charge) -> None:
    charge()
    assert pulled(other, "sessions", NEW) == pulled(other, "cdrs", NEW) == []
    elsewhere = partner_make("ELS", sessions="ALL")
    elsewhere.row.sites.add(site_make("S2", name="Mill"))
    assert [found["id"] for found in pulled(elsewhere, "locations", NEW)] == ["S2"]
    assert pulled(elsewhere, "cdrs", NEW) == []
    refused(elsewhere.get("2.3.0/locations/S1"), 404, 2003)


def test_a_hub_is_no_role_any_more() -> None:
    role = {"role": "HUB", "country_code": "DE", "party_id": "8AC", "business_details": {"name": "n"}}
    told = {"token": "t", "url": "https://example.org/versions", "hub_party_id": "DE8AC", "roles": [role]}
    assert credentials_read(told).roles[0].role == "HUB"
    with pytest.raises(Invalid, match=r"roles\.0\.role: expected one of CPO, EMSP, NAP"):
        credentials_read(told, Version.V2_3_0)


# --- The schema itself


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (
            schema_2_3_0.PRICE,
            {"before_taxes": 8.5, "taxes": [{"name": "GST", "amount": 0.25}, {"name": "QST", "amount": 0.5}]},
            [{"excl_vat": 8.5}, {"before_taxes": 8.5, "taxes": [{"name": "VAT"}]}, {"taxes": []}],
        ),
        (schema_2_3_0.PRICE_LIMIT, {"before_taxes": 1, "after_taxes": 2}, [{"after_taxes": 2}, {"excl_vat": 1}]),
        (schema_2_3_0.TARIFF["properties"]["tax_included"], "N/A", ["NA", "N_A", True]),
    ],
)
def test_the_schema_tells_the_versions_apart(kind: schema.Schema, good: Any, bad: list[Any]) -> None:
    schema.check(kind, good)
    for wrong in bad:
        with pytest.raises(ValidationError):
            schema.check(kind, wrong)
