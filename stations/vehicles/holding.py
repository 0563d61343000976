"""What this room holds of a person, for the archive, and what it forgets of charges that outlive their driver."""

from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import Erasure, User
from accounts.privacy.archive import Chunks, Section, section_add
from accounts.privacy.erasure import Step, step_add
from accounts.privacy.own_data import json_list, json_text
from stations.models import SessionVehicle, Vehicle
from stations.vehicles.assigning import charges_of, garage_of, home_codes, link_of


def vehicles_files(user: User) -> Iterator[tuple[str, Chunks]]:
    """Vehicles with their cards, the homes, and which charge was of which vehicle."""
    vehicles = Vehicle.objects.filter(owner=user).prefetch_related("vehicle_cards__id_token")
    content = {"vehicles": [_vehicle(vehicle) for vehicle in vehicles], "homes": home_codes(user)}
    yield "vehicles.json", [json_text(content)]
    yield "vehicles-of-charges.json", json_list(_links(user))


def _vehicle(vehicle: Vehicle) -> dict[str, Any]:
    cards = [card.id_token.uid for card in vehicle.vehicle_cards.all()]
    told = {"name": vehicle.name, "plate": vehicle.plate, "cards": cards}
    return told | {"added_at": vehicle.added_at, "given_away_at": vehicle.given_away_at}


def _links(user: User) -> Iterator[dict[str, Any]]:
    garage = garage_of(user)
    for session in charges_of(user).order_by("started_at", "pk").iterator(chunk_size=500):
        vehicle, link = garage.vehicle_of(session), link_of(session)
        if vehicle or link:
            said = {"chosen": bool(link and link.chosen), "odometer_km": link.odometer_km if link else None}
            yield {"charge": session.pk, "vehicle": vehicle.name if vehicle else None, **said}


def vehicles_holds(user: User) -> str:
    """How many, in words."""
    count = Vehicle.objects.filter(owner=user).count()
    if not count:
        return gettext("no vehicle")
    return ngettext("%(count)d vehicle", "%(count)d vehicles", count) % {"count": count}


def links_forget(erasure: Erasure) -> None:
    """Of which vehicle a charge was, and its odometer; the vehicles themselves go with the account."""
    SessionVehicle.objects.filter(session__customer=erasure.customer_id).delete()


def add_all() -> None:
    """To be called when Django starts."""
    about = _(
        "vehicles.json, vehicles-of-charges.json: your vehicles, your homes, and which charge was of which vehicle."
    )
    section_add(Section("vehicles", about, vehicles_holds, vehicles_files, lambda user: 2))
    step_add(Step("vehicles of charges", 10, links_forget))
