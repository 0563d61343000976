"""Who calls the REST API: a person with a token of their own, or a program that Cognito knows.

    Authorization: Bearer evp_…      a personal token (accounts/programs/tokens.py)
    Authorization: Bearer eyJ…       an access token of Cognito's client credentials (accounts/programs/cognito.py)

401 where the token is missing or refused, 403 where it is good but not for this. `request.user` is a User or a
Program, `request.auth` the Grant.
"""

from dataclasses import dataclass
from typing import Any

from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import User
from accounts.models.programs import ApiClient, ApiToken, Program
from accounts.pool_keys import PoolUnreachable
from accounts.programs.cognito import access_verify
from accounts.programs.tokens import PREFIX, TokenRefused, token_authenticate

REALM = 'Bearer realm="EVPortal"'
HEADER_MAX_BYTES = 8192


@dataclass(frozen=True)
class Grant:
    """What this request's token allows. `name` tells callers apart: for rates and repeated requests."""

    name: str
    scopes: frozenset[str]
    token: ApiToken | None = None


def grant_of(request: Request) -> Grant:
    """What the token of this request allows; behind BearerAuthentication."""
    grant: Any = request.auth
    assert isinstance(grant, Grant)
    return grant


class ProviderUnavailable(exceptions.APIException):
    status_code = 503
    default_code = "identity_unavailable"
    default_detail = "the identity provider's keys cannot be read; repeat the same request later"
    wait = 5


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User | Program, Grant] | None:
        """Who holds the token; None without one. Raises AuthenticationFailed."""
        scheme, _, encoded = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        try:
            token = encoded.strip().decode("ascii") if len(encoded) <= HEADER_MAX_BYTES else ""
        except UnicodeDecodeError:
            token = ""
        try:
            return person(token) if token.startswith(PREFIX) else program(token)
        except TokenRefused as error:
            raise exceptions.AuthenticationFailed(str(error), code=error.code) from error
        except PoolUnreachable as error:
            raise ProviderUnavailable from error

    def authenticate_header(self, request: Request) -> str:
        """What WWW-Authenticate says at 401."""
        refused = bool(get_authorization_header(request))
        return f'{REALM}, error="invalid_token"' if refused else REALM  # RFC 6750, section 3


def person(token: str) -> tuple[User, Grant]:
    """Of a personal token; raises TokenRefused."""
    row = token_authenticate(token)
    return row.user, Grant(f"person:{row.user_id}", frozenset(row.scopes), row)


def program(token: str) -> tuple[Program, Grant]:
    """Of an access token of Cognito; raises TokenRefused, PoolUnreachable, and 403 for an unknown client."""
    access = access_verify(token)
    client = ApiClient.objects.filter(client_id=access.client_id, is_active=True).first()
    if client is None:
        raise exceptions.PermissionDenied("this app client is not registered here", code="client_unknown")
    return Program(client), Grant(f"client:{client.pk}", access.scopes)


class HasScope(BasePermission):
    """The token must hold the scope that the view names for this method: `scopes = {"GET": "sessions.read"}`.

    A method that the view does not have is left to it: 405, not 403.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Raises InsufficientScope, which names the scope."""
        method = "GET" if request.method == "HEAD" else str(request.method)
        scope = view.scopes.get(method)
        if scope and scope not in grant_of(request).scopes:
            raise InsufficientScope(scope)
        return True


class InsufficientScope(exceptions.PermissionDenied):
    default_code = "insufficient_scope"

    def __init__(self, scope: str) -> None:
        super().__init__(f"expected a token with the scope {scope}")
        self.auth_header = f'{REALM}, error="insufficient_scope", scope="{scope}"'


class HasRight(BasePermission):
    """A person must have the right that the view names for this method: `rights = {"POST": "stations.add_site"}`."""

    message = "your role does not allow this"

    def has_permission(self, request: Request, view: Any) -> bool:
        """By the person's roles, where the view names a right for this method."""
        right = getattr(view, "rights", {}).get(request.method)
        return right is None or request.user.has_perm(right)
