"""Outlets at which a driver may start a charge: by what is printed there, or where they charged before."""

from dataclasses import dataclass
from enum import Enum

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import User
from stations.identifiers import evse_id_canonical
from stations.models import ChargingSession, Connector, IdToken, Reservation

KNOWN_MAX = 20
# OCPP 1.6's words for an outlet where a charge goes on, or has ended with the car still there. "Occupied" of 2.x, and
# "Preparing", may be a car that was just plugged in: it is what one does before a start.
GOING_ON = frozenset({"Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"})


class Hindrance(Enum):
    """Why nothing can be started at an outlet now."""

    AWAY = "away"
    BUSY = "busy"
    FAULTED = "faulted"
    CLOSED = "closed"
    RESERVED = "reserved"


@dataclass(frozen=True)
class Outlet:
    """An outlet as a driver sees it now; `hindrance` None: a charge can be started."""

    connector: Connector
    hindrance: Hindrance | None


def outlets() -> QuerySet[Connector]:
    """All, with what their pages say of them."""
    return Connector.objects.select_related("station__site__tariff", "tariff")


def outlet_of(evse_id: str) -> Connector | None:
    """The outlet with this EVSE ID, in whatever letters and separators; None where none has it, or several do."""
    wanted = evse_id_canonical(evse_id)
    spelled = Q()
    for form in {evse_id.strip(), wanted, wanted.replace("*", "")}:
        spelled |= Q(emi3_id__iexact=form)
    found = [one for one in outlets().filter(spelled).exclude(emi3_id="") if evse_id_canonical(one.emi3_id) == wanted]
    return found[0] if len(found) == 1 else None


def outlets_known(customer: User) -> list[Outlet]:
    """Outlets over OCPP at which they charged before, the one used last first."""
    sessions = ChargingSession.objects.filter(customer=customer).exclude(station__ocpp_version="")
    used = sessions.order_by("-started_at").values_list("connector", flat=True)[:200]
    newest = list(dict.fromkeys(used))[:KNOWN_MAX]
    rows = outlets().in_bulk(newest)
    return [outlet_read(rows[pk], customer) for pk in newest if pk in rows]


def outlet_known(customer: User, pk: int) -> Connector | None:
    """One of these; None for any other."""
    used = ChargingSession.objects.filter(customer=customer, connector=pk).exists()
    return outlets().filter(pk=pk).first() if used else None


def outlet_read(connector: Connector, customer: User) -> Outlet:
    """How it is now, for this customer."""
    return Outlet(connector, hindrance_of(connector, customer))


def hindrance_of(connector: Connector, customer: User) -> Hindrance | None:
    """Why they cannot start a charge there now."""
    station, status = connector.station, connector.status
    if not station.enabled or not station.connection:
        return Hindrance.AWAY
    if status == Connector.Status.FAULTED:
        return Hindrance.FAULTED
    if status == Connector.Status.UNAVAILABLE:
        return Hindrance.CLOSED
    running = ChargingSession.objects.filter(
        station=station, connector__evse_id=connector.evse_id, status=ChargingSession.Status.ACTIVE
    )
    if connector.ocpp_status in GOING_ON or running.exists():
        return Hindrance.BUSY
    if status == Connector.Status.RESERVED and not _theirs(connector, customer):
        return Hindrance.RESERVED
    return None


def _theirs(connector: Connector, customer: User) -> bool:
    held = Reservation.objects.filter(station=connector.station, state=Reservation.State.ACTIVE)
    held = held.filter(evse_id__in=(0, connector.evse_id), expires_at__gt=timezone.now())
    return held.filter(id_token__customer=customer).exists()


def cards_for(connector: Connector, customer: User) -> list[IdToken]:
    """Their cards with which a charge can be started there: not blocked, not over, and short enough for OCPP 1.6."""
    living = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    cards = IdToken.objects.filter(living, customer=customer, blocked=False).order_by("pk")
    longest = 20 if connector.station.ocpp_version == "1.6" else 36
    return [card for card in cards if len(card.uid) <= longest]
