"""What happens to OCPI partners: invited, registered, updated, ended; one step each (mod_credentials).

Token A is made here and given to the partner by a person; it opens versions and credentials only. With it the
partner sends us its credentials with token B, which we show there; we answer with token C, and A is void.
"""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.utils import timezone

from stations.models import OcpiPartner
from stations.ocpi import peer
from stations.ocpi.credentials import Credentials
from stations.ocpi.errors import Invalid, MethodRefused, TokenUnknown
from stations.ocpi.forms import Version
from stations.ocpi.secrets import seal

Status = OcpiPartner.Status
LAST_SEEN_EVERY = timedelta(minutes=1)


def token_hash(token: str) -> str:
    """SHA-256 without stretching, as for stations: nobody can search 2^256 random values."""
    return hashlib.sha256(token.encode()).hexdigest()


def partner_authenticate(*, token: str) -> OcpiPartner:
    """The partner that this credentials token belongs to; raises TokenUnknown."""
    partner = OcpiPartner.objects.filter(token_hash=token_hash(token)).first()
    if partner is None:
        raise TokenUnknown("expected a credentials token that is known here")
    now = timezone.now()
    if partner.last_seen_at is None or now - partner.last_seen_at >= LAST_SEEN_EVERY:
        OcpiPartner.objects.filter(pk=partner.pk).update(last_seen_at=now)
    return partner


def partner_invite(*, partner: OcpiPartner) -> str:
    """Make token A, which ends whatever connection there was; returned this once, only its hash is stored."""
    token = secrets.token_urlsafe(32)
    _change(partner, **_nothing_told(), status=Status.INVITED, token_hash=token_hash(token))
    return token


def partner_register(*, partner: OcpiPartner, told: Credentials, version: Version) -> str:
    """POST: take the partner's credentials and its endpoints of this version; returns token C.

    Raises MethodRefused where it is registered already, Invalid, and what peer.endpoints_fetch raises.
    """
    if partner.status != Status.INVITED:
        raise MethodRefused("POST registers; you are registered already, so PUT")
    return _credentials_take(partner, told, version)


def partner_update(*, partner: OcpiPartner, told: Credentials, version: Version) -> str:
    """PUT: take changed credentials and fetch the endpoints again, maybe of another version; returns a new token C.

    Raises as for POST.
    """
    if partner.status != Status.REGISTERED:
        raise MethodRefused("PUT changes a registration; you are not registered, so POST")
    return _credentials_take(partner, told, version)


def partner_unregister(*, partner: OcpiPartner) -> None:
    """DELETE: the partner ends the connection, and no token of either side is good for anything any more."""
    if partner.status != Status.REGISTERED:
        raise MethodRefused("DELETE ends a registration; you are not registered")
    partner_end(partner=partner)


def partner_end(*, partner: OcpiPartner) -> None:
    """The same by the operator, whatever the state."""
    _change(partner, **_nothing_told(), status=Status.ENDED, token_hash="")


def _credentials_take(partner: OcpiPartner, told: Credentials, version: Version) -> str:
    if (partner.country_code, partner.party_id) not in {role.party for role in told.roles}:
        raise Invalid(f"roles: expected {partner.country_code} {partner.party_id} among them, as agreed")
    # Slow, so outside of any transaction; the conditional update after it decides who was first.
    endpoints = peer.endpoints_fetch(url=told.url, token=told.token, version=version)
    token = secrets.token_urlsafe(32)
    shown = partner.token_hash
    changed = OcpiPartner.objects.filter(pk=partner.pk, token_hash=shown).update(
        status=Status.REGISTERED,
        token_hash=token_hash(token),
        url=told.url,
        roles=[role.stored for role in told.roles],
        endpoints=endpoints,
        token_sealed=seal(told.token),
    )
    if not changed:
        raise TokenUnknown("the credentials token was replaced meanwhile")
    return token


def _nothing_told() -> dict[str, Any]:
    return {"url": "", "roles": [], "endpoints": [], "token_sealed": b""}


def _change(partner: OcpiPartner, **values: Any) -> None:
    OcpiPartner.objects.filter(pk=partner.pk).update(**values)
    for name, value in values.items():
        setattr(partner, name, value)
