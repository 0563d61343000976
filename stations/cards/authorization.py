"""May this card charge here, now? What OCPP calls idTagInfo (1.6) and idTokenInfo (2.x)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from django.db.models import QuerySet
from django.utils import timezone

from stations.cards.services import TokenRef, id_token_get
from stations.identifiers import token_canonical, token_forms
from stations.models import ChargingSession, IdToken, Station

# Of OCPP 2.1: a terminal at the station has taken the payment, or holds it; each charge has a number of its own.
PAID = IdToken.Type.DIRECT_PAYMENT.value
UNTYPED = ""  # the type of a token of OCPP 1.6, which does not say it


class Status(StrEnum):
    """OCPP 1.6 AuthorizationStatus; 2.x has these and finer ones."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"
    CONCURRENT = "ConcurrentTx"


@dataclass(frozen=True)
class Authorization:
    """`group`: whoever has a card of it may end the charge. `token`: None where nobody has seen it yet."""

    status: Status
    expires_at: datetime | None = None
    group: str = ""
    token: IdToken | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether it may charge."""
        return self.status is Status.ACCEPTED


def authorize(station: Station, token: TokenRef | None, *, starting: bool = False) -> Authorization:
    """Whether this token may charge at this station now; None: nobody showed any.

    `starting`: it is about to; then one charge at a time is looked at, too. Nothing is stored. The station is read
    anew: it may have been connected for days, and its site decide otherwise since.
    """
    station = Station.objects.select_related("site").get(pk=station.pk)
    # As it is now: `station` may be as old as a connection.
    station = Station.objects.select_related("site").only("site", "site__unknown_cards").get(pk=station.pk)
    found = token_find(token) if token else None
    if found is None and token is not None and token.type == PAID:
        return Authorization(Status.ACCEPTED)
    return authorization_of(station, found, starting=starting)


def authorization_of(station: Station, token: IdToken | None, *, starting: bool = False) -> Authorization:
    """The same of a token that was looked up; None: nobody has seen it yet, or none was shown.

    A blocked card never may, and an unknown one where its site says so (Site.unknown_cards).
    """
    if token is None:
        return Authorization(Status.ACCEPTED if station.site.unknown_cards else Status.INVALID)
    return Authorization(_status(station, token, starting), token.expires_at, token.group, token)


def _status(station: Station, token: IdToken, starting: bool) -> Status:
    if token.blocked:
        return Status.BLOCKED
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return Status.EXPIRED
    if not (token.is_known or token.type == PAID or station.site.unknown_cards):
        return Status.INVALID
    if starting and token.single:
        charging = ChargingSession.objects.filter(id_token=token, status=ChargingSession.Status.ACTIVE)
        if charging.exclude(station=station).exists():
            return Status.CONCURRENT
    return Status.ACCEPTED


def token_find(token: TokenRef) -> IdToken | None:
    """The token, in whatever letters and, where no type is told, of whatever type."""
    return best_of(_tokens(token))


def token_shown(token: TokenRef) -> IdToken:
    """The same, locked against whoever links it; stored now if nobody has seen it. Call it inside a transaction."""
    found = best_of(_tokens(token).select_for_update(no_key=True))
    if found is not None:
        return found
    return id_token_get(token=token if token.type != UNTYPED else TokenRef(token.uid))


def _tokens(token: TokenRef) -> QuerySet[IdToken]:
    if token.type == UNTYPED:
        return IdToken.objects.filter(canonical__in=token_forms(token.uid)).order_by("pk")
    return IdToken.objects.filter(canonical=token_canonical(token.uid, token.type), type=token.type).order_by("pk")


def best_of(found: Iterable[IdToken]) -> IdToken | None:
    """Of several types a card before a contract, and one that is known before one that a station showed first.

    A blocked one before all: whoever blocks a number means it, whatever its type.
    """
    rows = list(found)
    rows.sort(key=lambda row: (not row.blocked, not row.is_known, row.type != IdToken.Type.ISO14443.value))
    return rows[0] if rows else None
