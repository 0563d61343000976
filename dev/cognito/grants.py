"""Authlib's grants, in the few places where Cognito answers otherwise."""

import secrets
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from authlib.oauth2.rfc6749.errors import InvalidRequestError, InvalidScopeError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant, ClientCredentialsGrant, RefreshTokenGrant
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge

from dev.cognito.pool import Client, Person, Pool, SignIn

CODE_LIFETIME_S = 300
REFRESH_LIFETIME_S = 30 * 24 * 3600
AUTH_METHODS = ["client_secret_basic", "client_secret_post"]
Issue = Callable[[Client, Person, SignIn], dict[str, object]]


def check_scope(grant: Any) -> None:
    """A scope that the client does not have refuses the whole request (Authlib drops it)."""
    asked = (grant.request.payload.scope or "").split()
    client = grant.request.client
    if not set(asked) <= set(client.scopes):
        raise InvalidScopeError()


class ProgramGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """Client credentials."""

    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_requested_scope(self) -> None:
        check_scope(self)


def code_grant(pool: Pool, issue: Issue) -> type[AuthorizationCodeGrant]:
    """The authorization code grant of this pool."""

    class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

        def validate_requested_scope(self) -> None:
            check_scope(self)

        def save_authorization_code(self, code: str, request: Any) -> None:
            person, auth_time = request.user
            data = request.payload.data
            sign_in = SignIn(
                client_id=request.client.client_id,
                sub=person.sub,
                scope=request.scope,
                auth_time=auth_time,
                origin_jti=str(uuid.uuid4()),
                redirect_uri=request.payload.redirect_uri,
                nonce=data.get("nonce", ""),
                code_challenge=data["code_challenge"],
                code_challenge_method=data["code_challenge_method"],
            )
            pool.sign_in_keep(code, sign_in, lifetime_s=CODE_LIFETIME_S)

        def query_authorization_code(self, code: str, client: Client) -> SignIn | None:
            """Whoever tries a code has used it up, also when their verifier, address or client is wrong."""
            found = pool.sign_in_of(code, once=True)
            return found if found and found.check_client(client) else None

        def delete_authorization_code(self, authorization_code: SignIn) -> None:
            """It is gone already."""

        def authenticate_user(self, authorization_code: SignIn) -> Person | None:
            return enabled(pool, authorization_code)

        def generate_token(self, user: Person, **_: object) -> dict[str, object]:
            sign_in = self.request.authorization_code
            refresh_token = secrets.token_urlsafe(48)
            renewed = replace(sign_in, nonce="", code_challenge="")
            pool.sign_in_keep(refresh_token, renewed, lifetime_s=REFRESH_LIFETIME_S)
            return {**issue(self.request.client, user, sign_in), "refresh_token": refresh_token}

    return CodeGrant


def refresh_grant(pool: Pool, issue: Issue) -> type[RefreshTokenGrant]:
    """New id and access tokens, with the groups of now; the refresh token stays, unless the pool rotates them."""

    class RenewalGrant(RefreshTokenGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

        def authenticate_refresh_token(self, refresh_token: str) -> SignIn | None:
            found = pool.sign_in_of(refresh_token, once=pool.rotates_refresh_tokens)
            return found if found and enabled(pool, found) else None

        def authenticate_user(self, refresh_token: SignIn) -> Person | None:
            return enabled(pool, refresh_token)

        def generate_token(self, user: Person, **_: object) -> dict[str, object]:
            issued = issue(self.request.client, user, self.request.refresh_token)
            if pool.rotates_refresh_tokens:
                refresh_token = secrets.token_urlsafe(48)
                pool.sign_in_keep(refresh_token, self.request.refresh_token, lifetime_s=REFRESH_LIFETIME_S)
                issued["refresh_token"] = refresh_token
            return issued

        def revoke_old_credential(self, refresh_token: SignIn) -> None:
            """It is kept, or used up already."""

    return RenewalGrant


def revocation(pool: Pool) -> type[RevocationEndpoint]:
    class Revocation(RevocationEndpoint):  # type: ignore[misc]
        CLIENT_AUTH_METHODS = AUTH_METHODS

        def query_token(self, token_string: str, token_type_hint: str | None) -> SignIn | None:
            return pool.sign_in_of(token_string)

        def revoke_token(self, token: SignIn, request: Any) -> None:
            pool.refresh_tokens_revoke(token.origin_jti)

    return Revocation


class DemandedChallenge(CodeChallenge):  # type: ignore[misc]
    """PKCE with S256, which nobody may leave out."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if not data.get("code_challenge") or data.get("code_challenge_method") != "S256":
            raise InvalidRequestError("expected code_challenge with code_challenge_method S256")
        super().validate_code_challenge(grant, redirect_uri)


def enabled(pool: Pool, sign_in: SignIn) -> Person | None:
    person = pool.person(sign_in.sub)
    return person if person and person.enabled else None
