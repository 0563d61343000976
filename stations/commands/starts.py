"""Which charge came of a remote start, and with which card it was asked for."""

from stations.cards.services import TokenRef
from stations.models import ChargingSession, Command, IdToken, Station

START = "remote_start"


def start_token(station: Station, number: int) -> TokenRef | None:
    """The card of the remote start with this number (OCPP remoteStartId); None where none was asked for from here."""
    asked = Command.objects.filter(station=station, kind=START, pk=number).values_list("params", flat=True).first()
    card = (asked or {}).get("id_token")
    return TokenRef(card["uid"], card.get("type", IdToken.Type.ISO14443.value)) if card else None


def start_led_to(station: Station, number: int, session: ChargingSession) -> None:
    """Keep with the command the charge that came of it; the first one counts."""
    Command.objects.filter(station=station, kind=START, pk=number, session=None).update(session=session)
