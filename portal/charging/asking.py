"""A driver starts and stops charges: each is a command to the station, asked once however often one presses."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from common.throttling import seconds_to_wait
from portal.charging.outlets import Hindrance, cards_for, hindrance_of
from stations.commands.asking import command_ask
from stations.models import ChargingSession, Command, Connector, IdToken, Station

START, STOP = "remote_start", "remote_stop"
VALID_FOR = timedelta(minutes=1)
# Presses in ten minutes; nobody needs as many.
PRESSES, PRESSES_S = 20, 600
# A charge that begins longer after a yes was not started by it (OCPP ConnectionTimeOut is a minute or two).
BEGINS_WITHIN = timedelta(minutes=5)


class CannotAsk(Exception):
    """`hindrance`: what is in the way at the outlet; None: the card may not, or they press too often."""

    def __init__(self, reason: str, hindrance: Hindrance | None = None) -> None:
        super().__init__(reason)
        self.reason, self.hindrance = reason, hindrance


@transaction.atomic
def start_ask(*, customer: User, connector: Connector, card: IdToken) -> Command:
    """Ask the station to start; the same again while it is under way is the same command. Raises CannotAsk."""
    Station.objects.select_for_update(of=("self",), no_key=True).get(
        pk=connector.station_id
    )  # of two presses one waits
    if under_way := start_under_way(customer, connector):
        return under_way
    _press(customer)
    if card not in cards_for(connector, customer):
        raise CannotAsk("card")
    if hindrance := hindrance_of(connector, customer):
        raise CannotAsk("outlet", hindrance)
    params = {
        "id_token": {"uid": card.uid, "type": card.type},
        "evse_id": connector.evse_id,
        "connector_id": connector.connector_id,
    }
    asked: dict[str, Any] = {"station": connector.station, "kind": START, "params": params, "user": customer}
    return command_ask(**asked, by=Command.By.DRIVER, valid_for=VALID_FOR)


def start_under_way(customer: User, connector: Connector) -> Command | None:
    """What they asked at this outlet and is not over yet."""
    rows = Command.objects.filter(user=customer, station=connector.station, kind=START, by=Command.By.DRIVER)
    rows = rows.filter(asked_at__gt=timezone.now() - BEGINS_WITHIN, session=None).order_by("-pk")
    found = next((row for row in rows if row.params.get("evse_id") == connector.evse_id), None)
    if found is None or not (found.is_open or found.state == Command.State.ACCEPTED):
        return None
    return None if charge_of(found) else found


def charge_of(command: Command) -> ChargingSession | None:
    """The charge that came of a start: as the station named it, else the card's next one at that outlet."""
    if command.session is not None:
        return command.session
    card, evse = command.params.get("id_token"), command.params.get("evse_id")
    if card is None or command.user_id is None:
        return None
    since = {"heard_at__gte": command.asked_at, "heard_at__lt": command.asked_at + BEGINS_WITHIN}
    rows = ChargingSession.objects.filter(station=command.station, connector__evse_id=evse, **since)
    rows = rows.filter(customer=command.user_id, id_token__uid=card["uid"])
    return rows.order_by("heard_at", "pk").first()


@transaction.atomic
def stop_ask(*, customer: User, session: ChargingSession) -> Command | None:
    """Ask the station to stop this charge of theirs; None where it is over. Raises CannotAsk."""
    _lock(session.station_id)
    session.refresh_from_db(fields=["status"])
    if session.is_closed:
        return None
    if (asked := stop_latest(session)) and asked.is_open:
        return asked
    _press(customer)
    if not can_stop(session):
        raise CannotAsk("outlet", Hindrance.AWAY)
    params = {"transaction_id": session.transaction_id}
    about: dict[str, Any] = {"station": session.station, "session": session, "user": customer}
    return command_ask(kind=STOP, params=params, **about, by=Command.By.DRIVER, valid_for=VALID_FOR)


def can_stop(session: ChargingSession) -> bool:
    """Whether its station can be asked now."""
    return not session.is_closed and session.station.enabled and bool(session.station.connection)


def stop_latest(session: ChargingSession) -> Command | None:
    """The last stop that was asked of it, by whomever."""
    return Command.objects.filter(session=session, kind=STOP).order_by("-pk").first()


def _lock(station_pk: int) -> None:
    """Of two presses the second waits, and finds the first."""
    Station.objects.select_for_update(of=("self",), no_key=True).get(pk=station_pk)


def _press(customer: User) -> None:
    """Raises CannotAsk after too many."""
    if seconds_to_wait(name="charge", key=str(customer.pk), limit=PRESSES, window_s=PRESSES_S):
        raise CannotAsk("often")
