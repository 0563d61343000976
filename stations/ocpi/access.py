"""Who asks, how often, and from whom to whom: the credentials token, the throttle and the routing headers."""

import base64
import binascii
import logging
import uuid
from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from api.throttling import CountedThrottle
from stations.models import OcpiPartner
from stations.ocpi.errors import Invalid, TokenUnknown
from stations.ocpi.locations import Party
from stations.ocpi.partners import partner_authenticate

log = logging.getLogger(__name__)

A_MINUTE = 600
HEADER_MAX_BYTES = 256
ID_MAX = 255


@dataclass(frozen=True)
class PartnerCaller:
    """The caller of a request, where DRF expects a user: no person, so none of a person's permissions."""

    partner: OcpiPartner
    token: str
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def pk(self) -> int:
        return self.partner.pk


class PartnerAuthentication(BaseAuthentication):
    """`Authorization: Token base64(token)` (chapter 4.1.2)."""

    def authenticate(self, request: Request) -> tuple[PartnerCaller, None] | None:
        scheme, _, encoded = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"token":
            return None
        token = _decoded(encoded)
        try:
            return PartnerCaller(partner_authenticate(token=token), token), None
        except TokenUnknown as error:
            raise AuthenticationFailed(str(error)) from error

    def authenticate_header(self, request: Request) -> str:
        return "Token"


def _decoded(encoded: bytes) -> str:
    """The token; what cannot be one never reaches the database. A line end at its end is no part of it."""
    try:
        token = base64.b64decode(encoded.strip(), validate=True).decode("ascii").rstrip("\r\n")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthenticationFailed("expected Token and the credentials token in Base64") from error
    if len(encoded) > HEADER_MAX_BYTES or not token.isprintable():
        raise AuthenticationFailed("expected Token and the credentials token in Base64")
    return token


class IsPartner(BasePermission):
    """With any credentials token: what versions and credentials need."""

    message = "expected a partner"

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, PartnerCaller):
            raise NotAuthenticated("expected an Authorization header with a credentials token")
        return True


class IsRegistered(IsPartner):
    """Token A, the one for the registration, is unknown everywhere else: 401 (chapter 4.1.2)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        super().has_permission(request, view)
        assert isinstance(request.user, PartnerCaller)
        if request.user.partner.status != OcpiPartner.Status.REGISTERED:
            raise AuthenticationFailed("expected the token of a registered partner; register with this one first")
        return True


class PartnerThrottle(CountedThrottle):
    """Pulls are to come hours apart; a first one of a million objects takes 10,000 pages."""

    scope = "ocpi"

    def limit(self) -> int:
        return A_MINUTE

    def caller(self, request: Request) -> str | None:
        return str(request.user.pk) if isinstance(request.user, PartnerCaller) else None


def message_ids(request: Request) -> dict[str, str]:
    """X-Request-ID and X-Correlation-ID of the answer: the request's own, new ones where it has none."""
    names = ("X-Request-ID", "X-Correlation-ID")
    sent = {name: request.headers.get(name, "") for name in names}
    fit = {name: value for name, value in sent.items() if value.isascii() and value.isprintable()}
    return {name: fit.get(name, "")[:ID_MAX] or str(uuid.uuid4()) for name in names}


def routing(request: Request, *, us: Party, partner: OcpiPartner) -> dict[str, str]:
    """The answer's OCPI-to and OCPI-from headers (chapter 4.2); raises Invalid for a message to or from others."""
    to = _party(request, "to")
    if to and to != (us.country_code, us.party_id):
        raise Invalid(f"OCPI-to: expected {us.country_code} {us.party_id}, got {' '.join(to)[:20]!a}")
    theirs = {(role["country_code"], role["party_id"]) for role in partner.roles}
    sender = _party(request, "from") or (partner.country_code, partner.party_id)
    if sender not in theirs:
        raise Invalid(f"OCPI-from: expected a party of your credentials, got {' '.join(sender)[:20]!a}")
    return {
        "OCPI-from-country-code": us.country_code,
        "OCPI-from-party-id": us.party_id,
        "OCPI-to-country-code": sender[0],
        "OCPI-to-party-id": sender[1],
    }


def _party(request: Request, direction: str) -> tuple[str, str] | None:
    country, party = (request.headers.get(f"OCPI-{direction}-{part}") for part in ("country-code", "party-id"))
    return (country.upper(), party.upper()) if country and party else None
