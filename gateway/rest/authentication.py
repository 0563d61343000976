"""Stations prove who they are by HTTP Basic, as in OCPP security profiles 1 and 2."""

import base64
import binascii
from dataclasses import dataclass

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from stations.errors import StationRefusedError
from stations.models import Station
from stations.places.credentials import station_authenticate

HEADER_MAX_BYTES = 256


@dataclass(frozen=True)
class StationCaller:
    """The caller of a request, where DRF expects a user: no person, so none of a person's permissions."""

    station: Station
    is_authenticated: bool = True
    is_active: bool = True

    @property
    def pk(self) -> int:
        """The station's key: what is counted and logged of the caller."""
        return self.station.pk


class StationAuthentication(BaseAuthentication):
    """`Authorization: Basic base64(identity:credential)` (RFC 7617). Other schemes are left to other classes."""

    def authenticate(self, request: Request) -> tuple[StationCaller, None] | None:
        """The station of an HTTP Basic identity and credential; None for another scheme of authentication."""
        scheme, _, encoded = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"basic":
            return None
        identity, credential = _decoded(encoded)
        try:
            return StationCaller(station_authenticate(identity=identity, credential=credential)), None
        except StationRefusedError as error:
            raise AuthenticationFailed(str(error), code=error.code) from error

    def authenticate_header(self, request: Request) -> str:
        """What WWW-Authenticate says at 401 (RFC 7617)."""
        return 'Basic realm="EVPortal stations", charset="UTF-8"'


def _decoded(encoded: bytes) -> tuple[str, str]:
    """Identity and credential; what cannot be one is refused before it reaches the database."""
    refusal = AuthenticationFailed("expected Basic base64(identity:credential)", code=StationRefusedError.code)
    if len(encoded) > HEADER_MAX_BYTES:
        raise refusal
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise refusal from error
    identity, colon, credential = text.partition(":")
    if not colon or not text.isprintable():
        raise refusal
    return identity, credential


class IsStation(BasePermission):
    message = "expected a station"

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Only stations: a person's login opens nothing here."""
        return isinstance(request.user, StationCaller)
