"""mozilla-django-oidc, with what it leaves open decided: discovery, all checks of the id token, who a person is.

It keeps state, nonce and PKCE verifier in the session and leads through the code flow. Its own defaults would match
people by e-mail address and check neither issuer nor audience; nothing of that is used here.
"""

import logging
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend
from mozilla_django_oidc.utils import import_from_settings
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from accounts.login import identity
from accounts.login.identity import Tokens
from accounts.login.people import person_from_claims
from accounts.models import User

log = logging.getLogger(__name__)
ENDPOINTS = {
    "OIDC_OP_AUTHORIZATION_ENDPOINT": "authorization_endpoint",
    "OIDC_OP_TOKEN_ENDPOINT": "token_endpoint",
    "OIDC_OP_JWKS_ENDPOINT": "jwks_uri",
}


def setting(name: str, *default: Any) -> Any:
    """mozilla-django-oidc's settings, its endpoints from discovery; raises IdentityUnavailableError."""
    if name in ENDPOINTS:
        return getattr(identity.provider(), ENDPOINTS[name])
    if name == "OIDC_OP_USER_ENDPOINT":
        return ""  # the signed id token says all that we need
    return import_from_settings(name, *default)


class CognitoBackend(OIDCAuthenticationBackend):  # type: ignore[misc]  # no types
    """Whoever comes back from the provider with a code and a good id token is the person of its `sub`.

    It answers for rights given to single persons (`user_permissions`) too, as Django's own does, for staff only.
    """

    get_settings = staticmethod(setting)

    def __init__(self) -> None:
        """Django makes one at each request, to read the user: nothing is asked of the provider for that."""

    def authenticate(self, request: HttpRequest | None, **kwargs: Any) -> User | None:
        """Raises IdentityError."""
        if request is None or "nonce" not in kwargs:
            return None  # somebody tries name and password: there are none
        super().__init__()
        user: User | None = super().authenticate(request, **kwargs)
        return user

    def get_token(self, payload: dict[str, str]) -> dict[str, str]:
        """Exchanges the code (OIDC Core, section 3.1.3); the tokens are kept for the session."""
        tokens = identity.code_exchange(payload)
        self.tokens = tokens
        return {"id_token": tokens.id_token, "access_token": tokens.access_token}

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """The claims of the id token, after all checks of OIDC Core, section 3.1.3.7."""
        return identity.id_token_verify(token, nonce=str(kwargs.get("nonce") or ""))

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Keep the refresh token in the session, on the server; useless without the client's secret."""
        self.request.session[REFRESH_TOKEN] = self.tokens.refresh_token

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        """The person of these claims, made at the first login."""
        return person_from_claims(claims=payload)

    def get_user(self, user_id: int) -> User | None:
        """Asked at each request: somebody who was disabled is nobody at the next one."""
        return User.objects.filter(pk=user_id, is_active=True).first()

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        """Customers have no rights of this kind: that takes no query."""
        return bool(user_obj.is_staff and ModelBackend.has_perm(self, user_obj, perm, obj))


REFRESH_TOKEN = "oidc_refresh_token"  # noqa: S105 - its name in the session


class RequestView(OIDCAuthenticationRequestView):  # type: ignore[misc]
    get_settings = staticmethod(setting)


class CallbackView(OIDCAuthenticationCallbackView):  # type: ignore[misc]
    get_settings = staticmethod(setting)


__all__ = ["REFRESH_TOKEN", "CallbackView", "CognitoBackend", "RequestView", "Tokens"]
