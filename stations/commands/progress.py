"""What a station tells later of a command that it had accepted: an update or an upload goes on, or is done."""

from collections.abc import Sequence
from datetime import datetime

from stations.cards.services import TokenRef
from stations.commands.reservations import reservation_end
from stations.models import ChargingSession, Command, IdToken, Reservation, Station

START = "remote_start"
IDLE = "Idle"  # nothing goes on: about no command
# What ends a reservation: a charge with its number, OCPP 2.x ReservationUpdateStatus.
RESERVED = {
    "Used": Reservation.State.USED,
    "Expired": Reservation.State.EXPIRED,
    "Removed": Reservation.State.CANCELLED,
    "NoTransaction": Reservation.State.EXPIRED,
}


def command_progress(
    *, station: Station, kinds: Sequence[str], request_id: int | None, progress: str, at: datetime
) -> Command | None:
    """Keep it with the command of this number (OCPP requestId); without a number with the newest of these kinds.

    None where no such command was given from here.
    """
    if progress == IDLE:
        return None
    rows = Command.objects.filter(station=station, kind__in=kinds, sent_at__isnull=False)
    command = rows.filter(pk=request_id).first() if request_id is not None else rows.order_by("-pk").first()
    if command is not None:
        Command.objects.filter(pk=command.pk).update(progress=progress[:50], progress_at=at)
        if command.kind == "reserve" and progress in RESERVED:
            reservation_end(station=station, number=command.pk, state=RESERVED[progress])
    return command


# --- Remote starts


def start_token(station: Station, number: int) -> TokenRef | None:
    """The card of the remote start with this number (OCPP remoteStartId); None where none was asked for from here."""
    asked = Command.objects.filter(station=station, kind=START, pk=number).values_list("params", flat=True).first()
    card = (asked or {}).get("id_token")
    return TokenRef(card["uid"], card.get("type", IdToken.Type.ISO14443.value)) if card else None


def start_led_to(station: Station, number: int, session: ChargingSession) -> None:
    """Keep with the command the charge that came of it; the first one counts."""
    Command.objects.filter(station=station, kind=START, pk=number, session=None).update(session=session)
