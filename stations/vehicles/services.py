"""What a driver does with their vehicles, homes and years. What is kept of charges is kept before anything changes."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User
from stations.models import (
    ChargingSession,
    FlatRate,
    HomeSite,
    IdToken,
    PriceBasis,
    SessionVehicle,
    Site,
    Vehicle,
    VehicleCard,
    YearChoice,
)
from stations.vehicles.assigning import charges_of, links_keep
from stations.vehicles.rates import OFFICIAL, Rate

VEHICLES_MAX = 50


class VehicleRefusedError(Exception):
    """Not so; the text is for the driver, and says why."""


def _locked(user: User) -> User:
    """What one driver changes at once is done one after the other."""
    return User.objects.select_for_update(no_key=True).get(pk=user.pk)


@transaction.atomic
def vehicle_add(*, user: User, name: str, plate: str = "", cards: Iterable[IdToken] = ()) -> Vehicle:
    """Another vehicle. Charges that were of the only one until now stay its own."""
    locked = _locked(user)
    if Vehicle.objects.filter(owner=locked).count() >= VEHICLES_MAX:
        raise VehicleRefusedError(_("An account can have %(count)d vehicles.") % {"count": VEHICLES_MAX})
    links_keep(locked)
    vehicle = Vehicle.objects.create(owner=locked, name=name, plate=plate)
    _cards_set(vehicle, cards)
    return vehicle


@transaction.atomic
def vehicle_change(*, vehicle: Vehicle, name: str, plate: str, cards: Iterable[IdToken]) -> None:
    """Name, plate and cards. Earlier charges with a card that is added or taken away stay as they are."""
    links_keep(_locked(vehicle.owner))
    Vehicle.objects.filter(pk=vehicle.pk).update(name=name, plate=plate)
    _cards_set(vehicle, cards)


def _cards_set(vehicle: Vehicle, cards: Iterable[IdToken]) -> None:
    """Theirs alone: a card of somebody else is left out. One that was another vehicle's is this one's now."""
    own = IdToken.objects.filter(pk__in=[card.pk for card in cards], customer=vehicle.owner_id)
    VehicleCard.objects.filter(vehicle=vehicle).exclude(id_token__in=own).delete()
    for card in own:
        VehicleCard.objects.update_or_create(id_token=card, defaults={"vehicle": vehicle})


@transaction.atomic
def vehicle_remove(*, vehicle: Vehicle) -> bool:
    """Given away: it keeps its charges and gets no more. One that never charged is deleted; returns whether it was."""
    links_keep(_locked(vehicle.owner))
    VehicleCard.objects.filter(vehicle=vehicle).delete()
    if not SessionVehicle.objects.filter(vehicle=vehicle).exists():
        vehicle.delete()
        return True
    Vehicle.objects.filter(pk=vehicle.pk, given_away_at__isnull=True).update(given_away_at=timezone.now())
    return False


@transaction.atomic
def charge_vehicle_set(*, session: ChargingSession, vehicle: Vehicle | None, odometer_km: int | None = None) -> None:
    """What the driver says of one charge; None is "none of my vehicles". The charge itself does not change."""
    if vehicle is not None and vehicle.owner_id != session.customer_id:
        raise VehicleRefusedError(_("This is no vehicle of yours."))
    said = {"vehicle": vehicle, "chosen": True, "odometer_km": odometer_km}
    SessionVehicle.objects.update_or_create(session=session, defaults=said)


# --- homes


def places_charged(user: User) -> list[Site]:
    """Where the driver has charged, by name: a home is one of these."""
    used = charges_of(user).order_by().values("station__site")
    return list(Site.objects.filter(pk__in=used).order_by("name", "id"))


@transaction.atomic
def homes_set(*, user: User, sites: Iterable[Site]) -> None:
    """These are home, and no others; places where the driver never charged are left out."""
    locked = _locked(user)
    wanted = {site.pk for site in sites} & {site.pk for site in places_charged(locked)}
    HomeSite.objects.filter(user=locked).exclude(site__in=wanted).delete()
    HomeSite.objects.bulk_create([HomeSite(user=locked, site_id=pk) for pk in sorted(wanted)], ignore_conflicts=True)


# --- the price of a year


@dataclass(frozen=True)
class YearPrice:
    """How a year's charges at home are accounted: `rate` None is by the price of each charge."""

    year: int
    chosen: bool
    rate: Rate | None


def flat_rate_of(year: int) -> Rate | None:
    """The official rate of a year, the operator's own entry first; None where nobody knows it (yet)."""
    row = FlatRate.objects.filter(year=year).first()
    return Rate(year, row.price_per_kwh, row.currency, row.source) if row else OFFICIAL.get(year)


def year_price(user: User, year: int) -> YearPrice:
    """What the driver chose; the price of each charge where they chose nothing."""
    choice = YearChoice.objects.filter(user=user, year=year).first()
    if choice is None or choice.basis == PriceBasis.CONTRACT or choice.price_per_kwh is None:
        return YearPrice(year, choice is not None, None)
    return YearPrice(year, True, Rate(year, choice.price_per_kwh, choice.currency, choice.source))


def year_choose(*, user: User, year: int, basis: str) -> YearChoice:
    """Once for the whole calendar year. Raises VehicleRefusedError where it is chosen, or no rate is known."""
    rate = flat_rate_of(year) if basis == PriceBasis.FLAT_RATE else None
    if basis == PriceBasis.FLAT_RATE and rate is None:
        raise VehicleRefusedError(_("No official flat rate is known for %(year)s.") % {"year": year})
    kept = {"price_per_kwh": rate.price_per_kwh, "currency": rate.currency, "source": rate.source} if rate else {}
    try:
        with transaction.atomic():
            return YearChoice.objects.create(user=user, year=year, basis=basis, **kept)
    except IntegrityError as error:
        raise VehicleRefusedError(_("The price for %(year)s is chosen already.") % {"year": year}) from error
