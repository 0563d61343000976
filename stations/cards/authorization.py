"""May this card charge here, now? What OCPP calls idTagInfo (1.6) and idTokenInfo (2.x)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

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
    return authorize_many([(station, token)], starting=starting)[0]


def authorize_many(asked: Sequence[tuple[Station, TokenRef | None]], *, starting: bool = False) -> list[Authorization]:
    """The same of many at once, in two queries."""
    # As they are now: `station` may be as old as a connection.
    rows = Station.objects.select_related("site").only("site", "site__unknown_cards")
    stations = rows.in_bulk({station.pk for station, _ in asked})
    tokens = tokens_find([token for _, token in asked if token])
    found = []
    for station, shown in asked:
        token = best_of(tokens[shown]) if shown else None
        if token is None and shown is not None and shown.type == PAID:
            found.append(Authorization(Status.ACCEPTED))
        else:
            found.append(authorization_of(stations[station.pk], token, starting=starting))
    return found


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
    return best_of(tokens_find([token])[token])


def token_shown(token: TokenRef) -> IdToken:
    """The same, locked against whoever links it; stored now if nobody has seen it. Call it inside a transaction."""
    found = best_of(tokens_find([token], locked=True)[token])
    if found is not None:
        return found
    return id_token_get(token=token if token.type != UNTYPED else TokenRef(token.uid))


def tokens_find(shown: Sequence[TokenRef], *, locked: bool = False) -> Mapping[TokenRef, list[IdToken]]:
    """The rows that each may be, in the order of their keys; of one whose type is told that alone."""
    if not shown:
        return {}
    forms: dict[TokenRef, Collection[str]] = {token: _forms(token) for token in shown}
    rows = IdToken.objects.filter(canonical__in={form for several in forms.values() for form in several})
    rows = rows.order_by("pk")
    known: dict[str, list[IdToken]] = defaultdict(list)
    for row in rows.select_for_update(no_key=True) if locked else rows:
        known[row.canonical].append(row)
    return {
        token: sorted(
            (row for form in several for row in known[form] if token.type in (UNTYPED, row.type)),
            key=lambda row: row.pk,
        )
        for token, several in forms.items()
    }


def tokens_shown(shown: Sequence[TokenRef]) -> Mapping[TokenRef, list[IdToken]]:
    """The same, locked, as token_shown; those that nobody has seen are stored now, as id_token_get stores them."""
    found = dict(tokens_find(shown, locked=True))
    missing = [token for token in shown if not found[token]]
    if missing:
        kind = IdToken.Type.ISO14443.value
        new = {(token_canonical(one.uid, one.type or kind), one.type or kind): one.uid for one in reversed(missing)}
        # In an order that all keep: who stores the same at the same time is waited for.
        made = [IdToken(uid=uid, type=kind, entered=False) for (_, kind), uid in sorted(new.items())]
        IdToken.objects.bulk_create(made, ignore_conflicts=True)
        found |= tokens_find(missing, locked=True)
    return found


def _forms(token: TokenRef) -> Collection[str]:
    return token_forms(token.uid) if token.type == UNTYPED else {token_canonical(token.uid, token.type)}


def best_of(found: Iterable[IdToken]) -> IdToken | None:
    """Of several types a card before a contract, and one that is known before one that a station showed first.

    A blocked one before all: whoever blocks a number means it, whatever its type.
    """
    rows = list(found)
    rows.sort(key=lambda row: (not row.blocked, not row.is_known, row.type != IdToken.Type.ISO14443.value))
    return rows[0] if rows else None
