"""Prices of a group of customers and of one card: which holds, and that a charge is promised it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from stations.agreements.agreed import tariff_for, tariffs_for
from stations.models import ChargingSession, Connector, CustomerGroup, IdToken, PriceAgreement, Site, Station, Tariff
from tests.stations.conftest import StationClient

pytestmark = pytest.mark.django_db


def tariff(code: str, **changes: Any) -> Tariff:
    return Tariff.objects.create(code=code, name=code, price_per_kwh=Decimal("0.3"), **changes)


@pytest.fixture
def connector(owner: StationClient) -> Connector:
    Site.objects.update(tariff=tariff("SITE"))
    return Connector.objects.select_related("tariff", "station__site__tariff").get(station=owner.station)


@pytest.fixture
def card(customer: User) -> IdToken:
    return IdToken.objects.get_or_create(uid="04A2B3C4D5E680", defaults={"customer": customer})[0]


@pytest.fixture
def group(card: IdToken) -> CustomerGroup:
    made = CustomerGroup.objects.create(name="Harbour Ltd.")
    assert card.customer is not None
    made.customers.add(card.customer)
    return made


def agree(code: str, **fields: Any) -> PriceAgreement:
    return PriceAgreement.objects.create(tariff=tariff(code), **fields)


def code_for(connector: Connector, card: IdToken | None) -> str:
    found = tariff_for(connector, card, timezone.now())
    return found.code if found else ""


def test_whoever_has_agreed_nothing_charges_at_the_sites_price(connector: Connector, card: IdToken) -> None:
    assert (code_for(connector, card), code_for(connector, None)) == ("SITE", "SITE")


def test_the_card_goes_before_the_group_and_the_site_before_all_sites(
    connector: Connector, card: IdToken, group: CustomerGroup
) -> None:
    steps: list[tuple[str, dict[str, Any]]] = [
        ("GROUP", {"group": group}),
        ("GROUP-HERE", {"group": group, "site": connector.station.site}),
        ("CARD", {"id_token": card}),
        ("CARD-HERE", {"id_token": card, "site": connector.station.site}),
    ]
    for code, fields in steps:
        agree(code, **fields)
        agree(f"{code}-LATER", **fields)  # of two the older one
        assert code_for(connector, card) == code
    assert code_for(connector, None) == "SITE"


def test_it_holds_here_now_and_in_the_sites_currency_only(
    connector: Connector, card: IdToken, group: CustomerGroup
) -> None:
    elsewhere = Site.objects.create(code="S9", name="Mill")
    PriceAgreement.objects.create(tariff=tariff("FAR"), id_token=card, site=elsewhere)
    PriceAgreement.objects.create(tariff=tariff("CHF", currency="CHF"), id_token=card)
    PriceAgreement.objects.create(tariff=tariff("OVER", valid_to=timezone.now() - timedelta(days=1)), id_token=card)
    stranger = IdToken.objects.create(uid="04FFFF")
    PriceAgreement.objects.create(tariff=tariff("OTHER"), id_token=stranger)
    assert code_for(connector, card) == "SITE"
    assert code_for(connector, stranger) == "OTHER"


def test_many_are_two_queries(connector: Connector, card: IdToken, group: CustomerGroup) -> None:
    agree("GROUP", group=group)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = tariffs_for([(connector, card, timezone.now())] * 50)
    assert {one.code for one in found if one} == {"GROUP"} and len(queries) == 2


def test_a_charge_is_promised_what_was_agreed(owner: StationClient, connector: Connector) -> None:
    owner.station.refresh_from_db()
    owner.start()
    before = ChargingSession.objects.get()
    assert before.id_token is not None and before.tariff["id"] == "SITE"
    agree("CARD", id_token=before.id_token)
    owner.start("T2")
    assert ChargingSession.objects.get(transaction_id="T2").tariff["id"] == "CARD"
    assert ChargingSession.objects.get(pk=before.pk).tariff["id"] == "SITE", "what was promised stays"


def test_one_of_group_and_card(connector: Connector, card: IdToken, group: CustomerGroup) -> None:
    for fields in ({}, {"id_token": card, "group": group}):
        with pytest.raises(ValidationError, match="one of them"):
            PriceAgreement(tariff=tariff(f"T{len(fields)}"), **fields).full_clean()
        with pytest.raises(IntegrityError), transaction.atomic():
            PriceAgreement.objects.create(tariff=tariff(f"U{len(fields)}"), **fields)
    with pytest.raises(ValidationError, match="currency"):
        PriceAgreement(tariff=tariff("CHF", currency="CHF"), group=group, site=connector.station.site).full_clean()


def test_a_group_at_another_station_of_another_site(connector: Connector, card: IdToken, group: CustomerGroup) -> None:
    agree("HERE", group=group, site=connector.station.site)
    site = Site.objects.create(code="S9", name="Mill", tariff=Tariff.objects.get(code="SITE"))
    other = Connector.objects.create(station=Station.objects.create(site=site, identity="CP-9"))
    assert (code_for(connector, card), code_for(other, card)) == ("HERE", "SITE")
