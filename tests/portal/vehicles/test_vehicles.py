"""A driver's vehicles: which charge is of which, what changes it and what does not, homes, years, and who may."""

import json
from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from accounts.models import Erasure, User
from accounts.privacy.archive import SECTIONS
from stations.models import ChargingSession, FlatRate, HomeSite, IdToken, SessionVehicle, Site, Vehicle, YearChoice
from stations.vehicles import services
from stations.vehicles.assigning import counts_of, garage_of, links_keep
from stations.vehicles.holding import links_forget
from stations.vehicles.rates import OFFICIAL, flat_amount_minor
from stations.vehicles.services import VehicleRefusedError
from tests.portal.statements.statement_sessions import Charge, charge

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
HOSTILE = "<script>alert(1)</script> \"'=1+1"


def vehicle_of(user: User, session: ChargingSession) -> Vehicle | None:
    session = ChargingSession.objects.select_related("vehicle_link").get(pk=session.pk)
    return garage_of(user).vehicle_of(session)


# --- which charge is of which


def test_the_only_vehicle_has_all_charges_and_keeps_them_when_another_comes(owner: User, charge: Charge) -> None:
    early = charge(MARCH)
    assert vehicle_of(owner, early) is None
    van = services.vehicle_add(user=owner, name="Van")
    assert vehicle_of(owner, early) == van
    assert not SessionVehicle.objects.exists(), "nothing is written before it has to be"
    services.vehicle_add(user=owner, name="Coupé")
    late = charge(MARCH.replace(day=13))
    assert vehicle_of(owner, early) == van
    assert vehicle_of(owner, late) is None, "one of two: nobody knows"
    assert counts_of(owner, garage_of(owner)) == {van.pk: 1, van.pk + 1: 0}


def test_a_card_decides_and_takes_no_earlier_charge_along(owner: User, id_token: IdToken, charge: Charge) -> None:
    early = charge(MARCH)
    van, coupe = (services.vehicle_add(user=owner, name=name) for name in ("Van", "Coupé"))
    services.vehicle_change(vehicle=coupe, name="Coupé", plate="B-EV 2", cards=[id_token])
    late = charge(MARCH.replace(day=13))
    assert (vehicle_of(owner, early), vehicle_of(owner, late)) == (van, coupe)
    services.vehicle_change(vehicle=coupe, name="Coupé", plate="", cards=[])
    assert vehicle_of(owner, late) == coupe, "what it was then stays"
    assert vehicle_of(owner, charge(MARCH.replace(day=14))) is None


def test_a_card_of_somebody_else_is_left_out(owner: User, other_customer: User, charge: Charge) -> None:
    foreign = IdToken.objects.create(uid="BEEF00", customer=other_customer)
    van = services.vehicle_add(user=owner, name="Van", cards=[foreign])
    assert not van.vehicle_cards.exists()


def test_what_the_driver_says_of_one_charge_counts_and_the_charge_stays(owner: User, charge: Charge) -> None:
    session = charge(MARCH)
    van = services.vehicle_add(user=owner, name="Van")
    before = ChargingSession.objects.filter(pk=session.pk).values().get()
    services.charge_vehicle_set(session=session, vehicle=None)
    assert vehicle_of(owner, session) is None
    services.charge_vehicle_set(session=session, vehicle=van, odometer_km=12_345)
    assert vehicle_of(owner, session) == van
    assert ChargingSession.objects.filter(pk=session.pk).values().get() == before
    with pytest.raises(VehicleRefusedError):
        services.charge_vehicle_set(session=session, vehicle=Vehicle(owner_id=owner.pk + 1))


def test_a_vehicle_that_was_given_away_keeps_its_charges(owner: User, charge: Charge) -> None:
    session = charge(MARCH)
    van = services.vehicle_add(user=owner, name="Van")
    assert not services.vehicle_remove(vehicle=van)
    assert vehicle_of(owner, session) == van
    empty = services.vehicle_add(user=owner, name="Never used")
    assert services.vehicle_remove(vehicle=empty)
    assert vehicle_of(owner, charge(datetime(2099, 1, 1, tzinfo=UTC))) is None


def test_a_charge_that_changed_hands_is_of_no_vehicle_of_the_former_holder(
    owner: User, other_customer: User, charge: Charge
) -> None:
    session = charge(MARCH)
    services.vehicle_add(user=owner, name="Van")
    links_keep(owner)
    ChargingSession.objects.filter(pk=session.pk).update(customer=other_customer)
    assert vehicle_of(other_customer, session) is None


# --- homes and years


def test_only_places_where_one_charged_can_be_home(owner: User, site: Site, charge: Charge) -> None:
    charge(MARCH)
    elsewhere = Site.objects.create(code="S2", name="Elsewhere")
    services.homes_set(user=owner, sites=[site, elsewhere])
    assert [home.site for home in HomeSite.objects.filter(user=owner)] == [site]
    services.homes_set(user=owner, sites=[])
    assert not HomeSite.objects.exists()


def test_a_year_is_chosen_once_and_keeps_its_rate(owner: User) -> None:
    assert services.year_price(owner, 2026).rate is None
    with pytest.raises(VehicleRefusedError, match="No official"):
        services.year_choose(user=owner, year=2031, basis="FLAT_RATE")
    services.year_choose(user=owner, year=2026, basis="FLAT_RATE")
    with pytest.raises(VehicleRefusedError, match="already"):
        services.year_choose(user=owner, year=2026, basis="CONTRACT")
    FlatRate.objects.create(year=2026, price_per_kwh="0.99", source="a mistake")
    assert services.year_price(owner, 2026).rate == OFFICIAL[2026], "as it was when it was chosen"
    flat = services.flat_rate_of(2026)
    assert flat and str(flat.price_per_kwh) == "0.9900"
    assert services.year_price(owner, 2027).rate is None, "each year is a choice of its own"


def test_a_rate_of_the_operators_own_opens_another_year(owner: User) -> None:
    FlatRate.objects.create(year=2027, price_per_kwh="0.35", source="BMF, 2026")
    services.year_choose(user=owner, year=2027, basis="FLAT_RATE")
    choice = YearChoice.objects.get()
    assert (str(choice.price_per_kwh), choice.source) == ("0.3500", "BMF, 2026")


def test_the_amount_is_rounded_once_a_charge_and_a_credit_gives_it_back() -> None:
    rate = OFFICIAL[2026]
    amounts = [flat_amount_minor(wh, rate.price_per_kwh, rate.currency) for wh in (7_780, 0, 15, -7_780, 14)]
    assert amounts == [265, 0, 1, -265, 0]


# --- pages


def test_a_driver_adds_changes_and_removes_a_vehicle(browser: Client, owner: User, charge: Charge) -> None:
    session = charge(MARCH)
    assert "No vehicle yet" in browser.get("/vehicles").content.decode()
    assert browser.post("/vehicles", {"name": "", "plate": "B-EV 1"}).status_code == 400
    assert browser.post("/vehicles", {"name": "A\nB"}).status_code == 400
    kept = browser.post("/vehicles", {"name": "", "plate": "B-EV 77"}).content.decode()
    assert 'value="B-EV 77"' in kept, "what was typed stays"
    assert browser.post("/vehicles", {"name": HOSTILE, "plate": "B-EV 1"}).status_code == 302
    vehicle = Vehicle.objects.get(owner=owner)
    text = browser.get("/vehicles").content.decode()
    assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    assert browser.post(f"/vehicles/{vehicle.pk}", {"name": "Van", "plate": ""}).status_code == 302
    assert "Van" in browser.get(f"/sessions/{session.pk}").content.decode()
    said = {"vehicle": str(vehicle.pk), "odometer_km": "81234"}
    assert browser.post(f"/sessions/{session.pk}/vehicle", said).status_code == 302
    assert "81,234 km" in browser.get(f"/sessions/{session.pk}").content.decode()
    assert browser.post(f"/sessions/{session.pk}/vehicle", {"vehicle": "999"}).status_code == 400
    assert browser.post(f"/sessions/{session.pk}/vehicle", {**said, "odometer_km": "-1"}).status_code == 400
    assert browser.post(f"/vehicles/{vehicle.pk}/remove").status_code == 302
    assert Vehicle.objects.get().given_away_at is not None


def test_homes_and_the_year_by_their_forms(browser: Client, owner: User, site: Site, charge: Charge) -> None:
    charge(MARCH)
    assert browser.post("/vehicles/homes", {"sites": [site.pk]}).status_code == 302
    assert HomeSite.objects.get().site == site
    assert browser.post("/vehicles/years/2026", {"basis": "?"}).status_code == 400
    assert browser.post("/vehicles/years/2026", {"basis": "FLAT_RATE"}).status_code == 302
    assert browser.post("/vehicles/years/2026", {"basis": "CONTRACT"}).status_code == 409
    assert "0.34" in browser.get("/vehicles/years/2026").content.decode()
    assert browser.get("/vehicles/years/1999").status_code == 404


def test_others_find_nothing(browser: Client, other_browser: Client, owner: User, charge: Charge) -> None:
    session = charge(MARCH)
    vehicle = services.vehicle_add(user=owner, name="Van")
    paths = (f"/vehicles/{vehicle.pk}", f"/vehicles/{vehicle.pk}/remove", f"/sessions/{session.pk}/vehicle")
    for path in paths:
        assert other_browser.get(path).status_code == 404
        assert other_browser.post(path, {"name": "Mine"}).status_code == 404
    assert "Van" not in other_browser.get("/vehicles").content.decode()


# --- privacy


def test_it_is_in_the_archive_and_is_forgotten(owner: User, charge: Charge) -> None:
    session = charge(MARCH)
    services.vehicle_add(user=owner, name="Van", plate="B-EV 1")
    services.charge_vehicle_set(session=session, vehicle=None, odometer_km=5)
    files = dict(SECTIONS["vehicles"].files(owner))
    assert json.loads("".join(map(str, files["vehicles.json"])))["vehicles"][0]["plate"] == "B-EV 1"
    links = json.loads("".join(map(str, files["vehicles-of-charges.json"])))
    assert links == [{"charge": str(session.pk), "vehicle": None, "chosen": True, "odometer_km": 5}]
    links_forget(Erasure(customer=owner, pseudonym="erased-1"))
    assert not SessionVehicle.objects.exists()


@pytest.mark.parametrize("name", ["a\nb", "a\u202eb", "a\x00b", "a\u200bb"])
def test_names_are_one_line_that_can_be_seen(owner: User, name: str) -> None:
    with pytest.raises(ValidationError):
        Vehicle(owner=owner, name=name).full_clean()
