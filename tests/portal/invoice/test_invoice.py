"""The operator's e-invoice: judged by the official rules, embedded into the paper, refused where it can be none."""

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from facturx import get_facturx_level, get_facturx_xml_from_pdf
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lxml import etree
from pypdf import PdfReader
from pytest_django.fixtures import Settings

from accounts.models import User
from portal.invoice.facturx import xml_of
from portal.invoice.invoice import Invoice, Item, Party, kwh_of, net_of, vat_of
from portal.invoice.of_statement import NoInvoice, country_of
from portal.statements import files
from portal.statements.statements import Statement, StatementPeriod, statement_of, zone_of
from stations.models import ChargingSession, InvoiceAddress
from tests.people import log_in
from tests.portal.invoice.judges import complaints
from tests.portal.statements.statement_sessions import Charge, charge

__all__ = ["charge"]

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
TARIFF = {"id": "S", "name": "Standard", "currency": "EUR", "price_per_kwh": "0.40", "price_per_session": "0"}
TARIFF |= {"vat_percent": "19"}
SELLER = Party("Stadtwerke & Söhne", ("Am Hafen 1", "20457 Hamburg"), "", "", "DE", "DE123456789")
BUYER = Party("Anna <Muster>", ("Weg 2",), "10115", "Berlin", "DE")
HOSTILE = "=1+1 <b>&\"' \x0b \U0001f50c"


def invoice(*items: Item, **fields: Any) -> Invoice:
    usual: dict[str, Any] = {
        "number": "2026-03-AAAAA-BBBBB",
        "issued": date(2026, 4, 1),
        "currency": "EUR",
        "digits": 2,
    }
    usual |= {"first_day": date(2026, 3, 1), "last_day": date(2026, 3, 31), "seller": SELLER, "buyer": BUYER}
    return Invoice(**usual | {"reference": "", "items": items} | fields)


def energy(gross_minor: int, energy_wh: int = 7_780, percent: str = "19") -> Item:
    return Item("Energy", "12 Mar 2026, Harbour", kwh_of(energy_wh), "KWH", gross_minor, Decimal(percent))


def found(xml: bytes, name: str) -> list[Any]:
    return [*etree.fromstring(xml).iter(f"{{*}}{name}")]


# --- by the official rules


@pytest.mark.parametrize(
    "items",
    [
        (energy(312),),
        (energy(312), energy(88, 2_225), energy(0, 0), energy(500, 10_000, "7"), energy(250, 5_000, "0")),
        (Item(HOSTILE, HOSTILE, Decimal("1.5"), "HUR", 1_000, Decimal(19)),),
        (energy(100_000), Item("Down to the highest price", "", Decimal(-1), "C62", -2_000, Decimal(19))),
        tuple(energy(gross) for gross in range(1, 120)),
    ],
    ids=["one", "rates", "hostile", "less", "many"],
)
def test_the_official_rules_take_it(items: tuple[Item, ...]) -> None:
    made = invoice(*items, reference="Kostenstelle 7 & 8")
    assert complaints(xml_of(made, terms="As agreed.")) == []


def test_the_judges_see_what_is_wrong() -> None:
    """Or their silence says nothing."""
    xml = xml_of(invoice(energy(312)), terms="As agreed.")
    assert any("BR-CO-15" in one for one in complaints(xml.replace(b">3.12</ram:GrandTotal", b">9.12</ram:GrandTotal")))
    assert complaints(xml.replace(b'unitCode="KWH"', b'unitCode="kWh"')) != []
    assert complaints(xml.replace(b"<ram:CountryID>DE</ram:CountryID>", b"")) != []


@examples(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.sampled_from(["19", "7", "0", "8.1", "25.5"])), min_size=1, max_size=30
    )
)
def test_it_adds_up_for_whoever_works_it_out_again(charged: list[tuple[int, str]]) -> None:
    """Lines to the net, VAT once a rate from that net, and all of it to what is paid."""
    made = invoice(*(energy(gross, percent=percent) for gross, percent in charged))
    assert (
        made.net_minor + made.vat_minor + made.rounding_minor == made.paid_minor == sum(gross for gross, _ in charged)
    )
    assert abs(made.rounding_minor) <= len(made.taxes)
    for tax in made.taxes:
        of_rate = [line.net_minor for line in made.lines if line.item.percent == tax.percent]
        assert (
            sum(of_rate)
            == tax.net_minor
            == net_of(sum(g for g, p in charged if Decimal(p) == tax.percent), tax.percent)
        )
        assert tax.vat_minor == vat_of(tax.net_minor, tax.percent)


def test_energy_is_in_kwh_with_two_decimals_at_both_places() -> None:
    xml = xml_of(invoice(energy(312)), terms="As agreed.")
    (billed,), (basis,) = found(xml, "BilledQuantity"), found(xml, "BasisQuantity")
    assert (billed.text, billed.get("unitCode"), basis.get("unitCode")) == ("7.78", "KWH", "KWH")
    assert len(found(xml, "CalculatedAmount")) == 1, "VAT once a rate"


@pytest.mark.parametrize(
    ("vat_id", "country"), [("DE123456789", "DE"), ("el 123", "GR"), ("XI123", "GB"), ("", ""), ("1", ""), ("Ä1", "")]
)
def test_where_the_seller_is(vat_id: str, country: str) -> None:
    assert country_of(vat_id) == country


# --- in the paper


@pytest.fixture
def operator_set(settings: Settings) -> None:
    settings.OPERATOR_NAME, settings.OPERATOR_ADDRESS = "Stadtwerke", "Am Hafen 1|20457 Hamburg"
    settings.OPERATOR_VAT_ID = "DE123456789"


@pytest.fixture
def buyer(owner: User) -> InvoiceAddress:
    return InvoiceAddress.objects.create(user=owner, name="ACME GmbH", postal_code="10115", city="Berlin", country="DE")


def of_march(owner: User) -> Statement:
    statement = statement_of(owner, StatementPeriod(2026, 3), zone_of(owner))
    assert statement is not None
    return statement


def why(owner: User) -> str:
    made = of_march(owner).invoice
    return made.reason if isinstance(made, NoInvoice) else "an invoice"


@pytest.mark.django_db
def test_it_is_in_the_paper_which_stays_readable_for_all(
    owner: User, charge: Charge, operator_set: None, buyer: InvoiceAddress
) -> None:
    charge(MARCH, tariff=TARIFF, cost_minor=311)
    charge(MARCH.replace(day=13), tariff=TARIFF, energy_wh=2_225, cost_minor=89)
    statement = of_march(owner)
    made = files.statement_pdf(statement=statement)
    name, xml = get_facturx_xml_from_pdf(made)
    assert name == "factur-x.xml"
    assert get_facturx_level(etree.fromstring(xml)) == "en16931"
    assert complaints(xml) == []
    assert found(xml, "DuePayableAmount")[0].text == "4.00"
    assert found(xml, "ID")[1].text == statement.number
    reader = PdfReader(io.BytesIO(made))
    catalog: Any = reader.trailer["/Root"]
    assert len(catalog["/AF"]) == 1
    assert catalog["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    metadata = etree.fromstring(catalog["/Metadata"].get_object().get_data().partition(b"?>")[2].rpartition(b"<?")[0])
    assert len([*metadata.iter("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}RDF")]) == 1
    said = etree.tostring(metadata).decode()
    for part in ("pdfaid:part", "pdfaid:conformance", "<pdfuaid:part>1<", "<fx:ConformanceLevel>EN 16931<"):
        assert part in said or part.replace("pdfaid", "ns") in said, part
    assert catalog["/MarkInfo"]["/Marked"]
    text = " ".join(" ".join(page.extract_text() for page in reader.pages).split())
    assert "Invoice March 2026" in text and "ACME GmbH" in text and "To be paid 4.00 EUR" in text
    assert made == files.statement_pdf(statement=of_march(owner)), "the same bytes"


@pytest.mark.django_db
def test_without_what_it_needs_the_paper_is_none_and_says_why(
    owner: User, charge: Charge, settings: Settings, operator_set: None
) -> None:
    charge(MARCH, tariff=TARIFF, cost_minor=311)
    assert why(owner) == "", "nobody asked for one"
    InvoiceAddress.objects.create(user=owner, name="ACME", country="DE")
    assert why(owner) == "an invoice"
    other = charge(MARCH.replace(day=13), cost_minor=100)
    assert "rate of a charge is not known" in why(owner)
    ChargingSession.objects.filter(pk=other.pk).update(customer=None)
    charge(MARCH.replace(day=14), tariff=TARIFF | {"currency": "CHF"}, cost_minor=100, currency="CHF")
    assert "one currency" in why(owner)
    settings.OPERATOR_VAT_ID = ""
    assert "The operator has not set" in why(owner)
    assert get_facturx_xml_from_pdf(files.statement_pdf(statement=of_march(owner))) == (False, False)


@pytest.mark.django_db
def test_a_driver_says_to_whom_it_is_made_out(client: Client, owner: User, charge: Charge, operator_set: None) -> None:
    log_in(client, owner)
    charge(MARCH)
    assert client.get("/statements/invoices").status_code == 200
    typed = {"name": "ACME", "street": "", "postal_code": "", "city": "Berlin", "country": "Germany", "reference": ""}
    refused = client.post("/statements/invoices", typed)
    assert refused.status_code == 400 and 'value="Berlin"' in refused.content.decode()
    assert client.post("/statements/invoices", typed | {"country": "de"}).status_code == 302
    assert InvoiceAddress.objects.get().country == "DE"
    assert client.post("/statements/invoices", {"none": "yes"}).status_code == 302
    assert not InvoiceAddress.objects.exists()
