"""Which vehicle a charge was of: what the driver said, else its card's, else the only one they have.

What nobody said is kept (`links_keep`) before vehicles or cards change, so that a vehicle that is added later takes no
earlier charge away from another, and a statement that was handed out stays as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from accounts.models import User
from stations.models import ChargingSession, ChargingSessionQuerySet, SessionVehicle, Vehicle, VehicleCard

KEPT_AT_ONCE = 500


@dataclass(frozen=True)
class Garage:
    """A driver's vehicles by id, and which card is of which."""

    vehicles: Mapping[int, Vehicle]
    cards: Mapping[int, int]

    def default(self, session: ChargingSession) -> int | None:
        """Of a charge of which nothing is kept: the vehicle's id."""
        had = [pk for pk, vehicle in self.vehicles.items() if _had(vehicle, session)]
        by_card = self.cards.get(session.id_token_id or 0)
        if by_card in had:
            return by_card
        return had[0] if len(had) == 1 else None

    def vehicle_of(self, session: ChargingSession) -> Vehicle | None:
        """The vehicle; None where it is none of theirs, or nobody knows. `vehicle_link` should be selected with it."""
        link = link_of(session)
        pk = self.default(session) if link is None or _is_foreign(link, self) else link.vehicle_id
        return self.vehicles.get(pk) if pk is not None else None


def _had(vehicle: Vehicle, session: ChargingSession) -> bool:
    return vehicle.given_away_at is None or session.started_at < vehicle.given_away_at


def _is_foreign(link: SessionVehicle, garage: Garage) -> bool:
    """Whether it names a vehicle of somebody whose charge it was before."""
    return link.vehicle_id is not None and link.vehicle_id not in garage.vehicles


def link_of(session: ChargingSession) -> SessionVehicle | None:
    """What is kept of this charge, if anything is."""
    return getattr(session, "vehicle_link", None)


def garage_of(user: User) -> Garage:
    """Two queries, one where there is no vehicle."""
    vehicles = {vehicle.pk: vehicle for vehicle in Vehicle.objects.filter(owner=user)}
    if not vehicles:
        return Garage({}, {})
    # A card that is somebody else's by now is of no vehicle of theirs, for charges of before as well.
    cards = VehicleCard.objects.filter(vehicle__owner=user).values_list("id_token_id", "vehicle_id")
    return Garage(vehicles, dict(cards))


def charges_of(user: User) -> ChargingSessionQuerySet:
    """All that have ended, with what is kept of their vehicles."""
    return ChargingSession.objects.filter(customer=user).closed().select_related("vehicle_link")


def links_keep(user: User) -> int:
    """Keep what is so now of each charge of which nothing is kept and a vehicle is known; returns how many."""
    garage = garage_of(user)
    if not garage.vehicles:
        return 0
    rows: list[SessionVehicle] = []
    kept = 0
    for session in charges_of(user).filter(vehicle_link__isnull=True).iterator(chunk_size=KEPT_AT_ONCE):
        vehicle = garage.default(session)
        if vehicle is not None:
            rows.append(SessionVehicle(session=session, vehicle_id=vehicle))
        if len(rows) == KEPT_AT_ONCE:
            kept += _keep(rows)
            rows = []
    return kept + _keep(rows)


def _keep(rows: Sequence[SessionVehicle]) -> int:
    SessionVehicle.objects.bulk_create(rows, ignore_conflicts=True)  # kept by somebody else at this moment
    return len(rows)


def home_codes(user: User) -> list[str]:
    """The codes of the places that the driver marked as home."""
    return list(user.home_sites.order_by("site__code").values_list("site__code", flat=True))


def counts_of(user: User, garage: Garage) -> dict[int, int]:
    """How many charges each vehicle has."""
    found: dict[int, int] = dict.fromkeys(garage.vehicles, 0)
    columns = ("id_token_id", "started_at", *(f"vehicle_link__{name}" for name in ("session", "vehicle_id")))
    for session in charges_of(user).only(*columns).iterator(chunk_size=KEPT_AT_ONCE):
        vehicle = garage.vehicle_of(session)
        if vehicle is not None:
            found[vehicle.pk] += 1
    return found
