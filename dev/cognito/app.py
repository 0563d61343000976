"""The Flask application of the development provider."""

import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Flask, Response, redirect, request, session
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.wrappers import Response as AnyResponse

from dev.cognito import pages
from dev.cognito.grants import DemandedChallenge, ProgramGrant, code_grant, refresh_grant, revocation
from dev.cognito.pool import Client, Person, Pool, SignIn
from dev.cognito.tokens import POOL, access_claims, id_claims, person_access_claims, sign_token

SESSION_LIFETIME_S = 3600  # as the cookie of Cognito's hosted pages


def make_app(pool: Pool, base_url: str, *, domain: str | None = None) -> Flask:
    """Return the Flask application of a provider reached at `base_url`, by browsers at `domain`."""
    app = Flask("dev.cognito", root_path=str(Path(__file__).parent))
    # A name of its own: cookies do not know ports, so the portal's on the same host would be overwritten.
    app.config.update(SESSION_COOKIE_NAME="dev-cognito", SESSION_COOKIE_SAMESITE="Lax", SESSION_COOKIE_HTTPONLY=True)
    app.secret_key = secrets.token_bytes(32)
    app.before_request(lambda: failed(pool))
    pool.signing_key()
    issuer = f"{base_url}/{POOL}"
    server = make_server(app, pool, issuer)
    add_discovery(app, pool, openid_configuration(issuer, base_url, domain or base_url))
    add_programs(app, pool, server, issuer)
    add_people(app, pool, server)
    return app


def make_server(app: Flask, pool: Pool, issuer: str) -> AuthorizationServer:
    """Authlib's server with the grants."""

    def for_program(client: Client, scope: str, **_: object) -> dict[str, object]:
        granted = client.get_allowed_scope(scope)
        claims = access_claims(issuer=issuer, client_id=client.client_id, scope=granted, lifetime_s=client.lifetime_s)
        token = sign_token(pool.signing_key(), claims)
        return {"access_token": token, "expires_in": client.lifetime_s, "token_type": "Bearer"}

    def for_person(client: Client, person: Person, sign_in: SignIn) -> dict[str, object]:
        key = pool.signing_key()
        of = {"issuer": issuer, "client": client, "person": person, "sign_in": sign_in}
        access_token = sign_token(key, person_access_claims(**of))  # type: ignore[arg-type]
        id_token = sign_token(key, id_claims(**of, access_token=access_token))  # type: ignore[arg-type]
        tokens = {"id_token": id_token, "access_token": access_token}
        return {**tokens, "expires_in": client.lifetime_s, "token_type": "Bearer"}

    server = AuthorizationServer(app, query_client=pool.client, save_token=lambda token, request: None)
    server.register_token_generator("default", for_program)
    server.register_grant(ProgramGrant)
    server.register_grant(code_grant(pool, for_person), [DemandedChallenge()])
    server.register_grant(refresh_grant(pool, for_person))
    server.register_endpoint(revocation(pool))
    return server


def add_discovery(app: Flask, pool: Pool, configuration: dict[str, object]) -> None:
    @app.get(f"/{POOL}/.well-known/jwks.json")
    def jwks() -> dict[str, object]:
        return {"keys": [key.as_dict(private=False) for key in pool.published_keys()]}

    @app.get(f"/{POOL}/.well-known/openid-configuration")
    def discovery() -> dict[str, object]:
        return configuration


def add_programs(app: Flask, pool: Pool, server: AuthorizationServer, issuer: str) -> None:
    """The endpoints that programs ask."""

    @app.post("/oauth2/token")
    def token() -> Response:
        response: Response = server.create_token_response()
        return response

    @app.post("/oauth2/revoke")
    def revoke() -> Response:
        response: Response = server.create_endpoint_response("revocation")
        return response

    @app.get("/oauth2/userInfo")
    def user_info() -> Any:
        try:
            keys = KeySet(list(pool.published_keys()))
            decoded = jwt.decode(request.headers.get("Authorization", "").removeprefix("Bearer "), keys)
            jwt.JWTClaimsRegistry(iss={"essential": True, "value": issuer}).validate(decoded.claims)
        except (JoseError, ValueError):
            return {"error": "invalid_token"}, 401
        person = pool.person(decoded.claims["sub"])
        if person is None or "openid" not in decoded.claims.get("scope", "").split():
            return {"error": "invalid_token"}, 401
        verified = str(person.email_verified).lower()  # Cognito's own: a string here, a boolean in the id token
        return {"sub": person.sub, "username": person.username, "email": person.email, "email_verified": verified}


def add_people(app: Flask, pool: Pool, server: AuthorizationServer) -> None:
    """What a person's browser is led through."""

    @app.get("/oauth2/authorize")
    def authorize() -> AnyResponse:
        try:
            grant = server.get_consent_grant()
        except OAuth2Error as error:
            return refused(server, error)
        user = signed_in(pool)
        if user is None:
            return redirect(f"/login?{request.query_string.decode()}")
        response: Response = server.create_authorization_response(grant_user=user, grant=grant)
        return response

    @app.route("/login", methods=["GET", "POST"])
    def login() -> AnyResponse:
        client = pool.client(request.args.get("client_id", ""))
        if client is None:
            return pages.error_page("There is no such app client.")
        form_token = session.setdefault("form_token", secrets.token_urlsafe(24))
        if request.method == "GET":
            return pages.login_page(client=client.name, form_token=form_token)
        username = request.form.get("username", "")
        person = pool.sign_in(username, request.form.get("password", ""))
        if person is None or not secrets.compare_digest(form_token, request.form.get("form_token", "")):
            return pages.login_page(client=client.name, form_token=form_token, username=username, wrong=True)
        session.clear()
        session.update(sub=person.sub, auth_time=int(time.time()))
        return redirect(f"/oauth2/authorize?{request.query_string.decode()}")

    @app.get("/logout")
    def logout() -> AnyResponse:
        """As Cognito's: `client_id` with one of the client's `logout_uri`."""
        client = pool.client(request.args.get("client_id", ""))
        target = request.args.get("logout_uri", "")
        if client is None or target not in client.logout_urls:
            return pages.error_page("logout_uri is none of those that the app client has.")
        session.clear()
        return redirect(target)


def signed_in(pool: Pool) -> tuple[Person, int] | None:
    """The person whom the cookie names, and when they gave their password."""
    auth_time = int(session.get("auth_time", 0))
    person = pool.person(session.get("sub", ""))
    if person is None or not person.enabled or auth_time < time.time() - SESSION_LIFETIME_S:
        return None
    return person, auth_time


def refused(server: AuthorizationServer, error: OAuth2Error) -> AnyResponse:
    """Back to the client with the error where the client and its address are right, else a page."""
    uri = getattr(error, "redirect_uri", None)
    if not uri:
        return pages.error_page(error.description or error.error)
    back = {"error": error.error, "error_description": error.description, "state": error.state}
    return redirect(f"{uri}?{urlencode({name: value for name, value in back.items() if value})}")


def failed(pool: Pool) -> Response | None:
    """Return the failure that was asked for at the endpoint of this request, or None to go on."""
    failure = pool.failure(request.path.rpartition("/")[2])
    if failure is None:
        return None
    time.sleep(failure.delay_s)
    return Response(failure.body, status=failure.status) if failure.status else None


def openid_configuration(issuer: str, base_url: str, domain: str) -> dict[str, object]:
    """Return the discovery document, with what is served here."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "authorization_endpoint": f"{domain}/oauth2/authorize",
        "end_session_endpoint": f"{domain}/logout",
        "token_endpoint": f"{base_url}/oauth2/token",
        "userinfo_endpoint": f"{base_url}/oauth2/userInfo",
        "revocation_endpoint": f"{base_url}/oauth2/revoke",
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "response_types_supported": ["code"],
    }
