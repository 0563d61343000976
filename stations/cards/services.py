"""What happens to cards and contracts: found or made at their first use, linked to a person, unlinked."""

from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from stations.errors import (
    TokenTakenError,
)
from stations.identifiers import token_canonical
from stations.models import ChargingSession, IdToken, LinkCode
from stations.signals import sessions_moved


@dataclass(frozen=True)
class TokenRef:
    """An IdToken as a station names it."""

    uid: str
    type: str = IdToken.Type.ISO14443.value


def id_token_get(*, token: TokenRef) -> IdToken:
    """The token, in whatever letters it is written; stored now if nobody has seen it.

    It is locked: who links it must wait, or this session would be missed.

    Unknown tokens are taken: whether to charge was decided at the station, and the record must not be lost. The
    token stays without customer until somebody links it. Call it inside a transaction.
    """
    canonical = token_canonical(token.uid, token.type)
    made = {"uid": token.uid, "entered": False}
    stored, _ = IdToken.objects.get_or_create(canonical=canonical, type=token.type, defaults=made)
    return IdToken.objects.select_for_update(no_key=True).get(pk=stored.pk)


@transaction.atomic
def id_token_link(*, id_token: IdToken, customer: User) -> int:
    """Give the token to a customer, and with it the sessions that never belonged to anybody; returns their number.

    Sessions of a former holder stay theirs. Codes for linking the token end. Raises TokenTakenError where it belongs to
    another customer: unlink it there first.
    """
    free = Q(customer__isnull=True) | Q(customer=customer)
    if not IdToken.objects.filter(free, pk=id_token.pk).update(customer=customer):
        raise TokenTakenError(f"token {id_token.uid} ({id_token.type}) belongs to another customer: unlink it first")
    id_token.customer = customer
    LinkCode.objects.open().filter(id_token=id_token).update(ended_at=timezone.now())
    return sessions_move(id_token=id_token, former=None, customer=customer)


@transaction.atomic
def id_token_unlink(*, id_token: IdToken, mistaken: bool = False) -> int:
    """Take the token from its customer; returns the number of sessions that left them with it. Nothing linked: 0.

    Their sessions stay theirs, and whoever is given the token next does not see them: 0. Unless the link was
    `mistaken`: then they never were the customer's, and belong to nobody until the token is linked again.
    """
    locked = IdToken.objects.select_for_update(no_key=True).get(pk=id_token.pk)
    if locked.customer_id is None:
        return 0
    IdToken.objects.filter(pk=locked.pk).update(customer=None)
    id_token.customer = None
    return sessions_move(id_token=locked, former=locked.customer, customer=None) if mistaken else 0


def sessions_move(*, id_token: IdToken, former: User | None, customer: User | None) -> int:
    """All sessions of this token that are `former`'s become `customer`'s; returns their number."""
    moved = ChargingSession.objects.filter(id_token=id_token, customer=former).update(customer=customer)
    sessions_moved.send(sender=ChargingSession, id_token=id_token, former=former)
    return moved
