"""Which tariff a session gets, that it keeps it, and what it then costs."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.record import canonical, record_of
from stations.models import ChargingSession, Site, Tariff
from tests.stations.conftest import StationClient

pytestmark = pytest.mark.django_db


def make(code: str = "STANDARD", **changes: Any) -> Tariff:
    fields = {"name": "Standard", "price_per_kwh": Decimal("0.2549"), "price_per_session": Decimal(1)}
    return Tariff.objects.create(code=code, **fields | changes)


@pytest.fixture
def standard(owner: StationClient) -> Tariff:
    """The tariff of the owner's site."""
    made = make(vat_percent=Decimal(19))
    Site.objects.update(tariff=made)
    return made


def reread(station: StationClient) -> StationClient:
    station.station.refresh_from_db()
    return station


def test_a_session_costs_what_was_promised_at_its_start(owner: StationClient, standard: Tariff) -> None:
    begun = reread(owner).start()
    promised = {
        "id": "STANDARD",
        "name": "Standard",
        "currency": "EUR",
        "price_per_kwh": "0.2549",
        "price_per_session": "1",
        "vat_percent": "19",
    }
    assert (begun.json()["tariff"], begun.json()["cost_minor"]) == (promised, None)
    standard.price_per_kwh = Decimal(9)
    standard.save()
    ended = owner.stop().json()
    assert (ended["tariff"], ended["cost_minor"], ended["currency"]) == (promised, 178 + 100, "EUR")
    assert owner.start("T2").json()["tariff"]["price_per_kwh"] == "9"


def test_the_cost_can_be_proven(owner: StationClient, standard: Tariff) -> None:
    """The tariff is part of the record, as integers and strings; a session without one has none."""
    reread(owner).start()
    owner.stop()
    record = record_of(ChargingSession.objects.select_related("station", "connector", "id_token").get())
    assert record["tariff"]["price_per_kwh"] == "0.2549" and record["cost_minor"] == 278
    assert b'"tariff":{"currency":"EUR","id":"STANDARD"' in canonical(record)


def test_without_a_tariff_the_cost_stays_unknown(owner: StationClient) -> None:
    owner.start()
    ended = owner.stop().json()
    assert (ended["status"], ended["cost_minor"], ended["currency"], ended["tariff"]) == ("COMPLETED", None, "", {})
    assert "tariff" not in record_of(ChargingSession.objects.get())


def test_what_cannot_be_true_is_not_billed(owner: StationClient, standard: Tariff) -> None:
    reread(owner).start()
    ended = owner.stop(meter_stop_wh=900_000).json()
    assert (ended["status"], ended["cost_minor"], ended["currency"]) == ("INVALID", None, "")


def test_an_outlets_own_tariff_comes_before_the_sites(owner: StationClient, standard: Tariff) -> None:
    owner.station.connectors.update(tariff=make("FAST"))
    assert reread(owner).start().json()["tariff"]["id"] == "FAST"


@pytest.mark.parametrize(
    ("begins", "ends", "expected"),
    [(-2, None, "FAST"), (None, 2, "FAST"), (-2, 2, "FAST"), (1, None, "STANDARD"), (-4, -2, "STANDARD")],
)
def test_a_tariff_holds_in_its_time(
    owner: StationClient, standard: Tariff, begins: int | None, ends: int | None, expected: str
) -> None:
    """Days from now; the session began an hour ago."""
    moments = [None if days is None else timezone.now() + timedelta(days=days) for days in (begins, ends)]
    owner.station.connectors.update(tariff=make("FAST", valid_from=moments[0], valid_to=moments[1]))
    assert reread(owner).start().json()["tariff"]["id"] == expected


def test_a_repeated_start_keeps_the_first_promise(owner: StationClient, standard: Tariff) -> None:
    first = reread(owner).start()
    Tariff.objects.update(price_per_kwh=Decimal(9))
    again = owner.start()
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_site_and_its_outlets_charge_in_one_currency(owner: StationClient, standard: Tariff) -> None:
    dollars = make("DOLLARS", currency="USD")
    site, connector = owner.station.site, owner.station.connectors.get()
    site.tariff = connector.tariff = dollars
    for row in (site, connector):
        with pytest.raises(ValidationError, match="expected a tariff in EUR"):
            row.full_clean()
    connector.save()
    site.tariff = None
    with pytest.raises(ValidationError, match="which is in USD"):
        site.full_clean()


@pytest.mark.parametrize("changes", [{"price_per_kwh": -1}, {"price_per_session": Decimal("-0.01")}])
def test_the_database_refuses_a_price_below_zero(changes: dict[str, Any], db: None) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make(**changes)


@pytest.mark.parametrize(
    "changes",
    [{"code": "a b"}, {"code": "é"}, {"currency": "eur"}, {"price_per_kwh": Decimal("0.12345")}, {"name": ""}],
)
def test_a_tariff_that_nobody_could_read_is_refused(changes: dict[str, Any], db: None) -> None:
    fields = {"code": "T", "name": "T"} | changes
    with pytest.raises(ValidationError):
        Tariff(**fields).full_clean()
