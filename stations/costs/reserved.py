"""From when on an outlet was kept for a charge: its tariff may have a price for that."""

from stations.models import ChargingSession, Command, Reservation, Station

RESERVE = "reserve"


def reservation_led_to(station: Station, number: int, session: ChargingSession) -> None:
    """Keep with an open charge since when the reservation of this number (OCPP reservationId) held.

    Only where it was made from here, and for the card, or its group, with which the charge began: nobody pays for what
    was kept for somebody else.
    """
    if session.is_closed or session.reserved_at is not None or session.id_token is None:
        return
    kept = Reservation.objects.filter(station=station, number=number).first()
    if kept is None or not _is_for(kept, session):
        return
    asked = Command.objects.filter(station=station, kind=RESERVE, pk=number).values_list("answered_at", "sent_at")
    answered_at, sent_at = asked.first() or (None, None)
    since = answered_at or sent_at
    if since is not None and since < session.started_at:
        ChargingSession.objects.filter(pk=session.pk, reserved_at=None).update(reserved_at=since)
        session.reserved_at = since


def _is_for(kept: Reservation, session: ChargingSession) -> bool:
    card = session.id_token
    assert card is not None  # asked before
    return kept.id_token_id == card.pk or bool(kept.group and kept.group == card.group)
