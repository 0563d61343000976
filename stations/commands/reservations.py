"""Reservations of outlets: made when the station says so, and over when it or somebody does."""

from datetime import datetime

from django.utils import timezone

from stations.identifiers import token_canonical
from stations.models import Command, IdToken, Reservation, Station

State = Reservation.State


def reservation_made(command: Command) -> Reservation:
    """The station accepted it. The same answer again makes no second one."""
    params = command.params
    card = params["id_token"]
    kind = card.get("type", IdToken.Type.ISO14443.value)
    token = IdToken.objects.filter(canonical=token_canonical(card["uid"], kind), type=kind).first()
    members = {
        "evse_id": params.get("evse_id", 0),
        "connector_id": params.get("connector_id", 0),
        "id_token": token,
        "group": params.get("group", ""),
        "expires_at": datetime.fromisoformat(params["expires_at"]),
    }
    made, _ = Reservation.objects.get_or_create(station_id=command.station_id, number=command.pk, defaults=members)
    return made


def reservation_end(*, station: Station, number: int, state: str) -> bool:
    """It is over: used, cancelled or expired. Whether it still held."""
    held = Reservation.objects.filter(station=station, number=number, state=State.ACTIVE)
    return bool(held.update(state=state, changed_at=timezone.now()))


def reservation_cancelled(command: Command) -> bool:
    """The station accepted that a reservation ends."""
    number = command.params["reservation_id"]
    return reservation_end(station=command.station, number=number, state=State.CANCELLED)


def reservations_expire() -> int:
    """Those whose time is over, whether their station told it or not; how many."""
    held = Reservation.objects.filter(state=State.ACTIVE, expires_at__lt=timezone.now())
    return held.update(state=State.EXPIRED, changed_at=timezone.now())
