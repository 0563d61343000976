"""An identity provider of the shape of Amazon Cognito, on Authlib and Flask, for development and tests.

`python -m dev.cognito --port N --dir DIR [--listen ADDRESS] [--url URL]` serves, with the pool as a path (it is one of
Cognito's issuer URL):

    GET  /{pool}/.well-known/openid-configuration
    GET  /{pool}/.well-known/jwks.json
    POST /oauth2/token      grant client_credentials, client authenticated with Basic or in the body

DIR holds the signing key and the clients; what is missing is made at the start with random secrets, mode 0600. All of
it is read at each request: `Pool.rotate_key`, `Pool.fail` and `Pool.heal` work on the running provider, from outside.
"""

import argparse
import fcntl
import json
import re
import secrets
import string
import sys
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import Flask, Response, request
from joserfc import jwt
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

from dev.processes import Child, port_open

POOL = "local_EVPortal"
TOKEN_LIFETIME_S = 3600
CLIENTS_FILE = "clients.json"
KEY_FILE = "signing-key.pem"
OLD_KEY_FILE = "old-key.pem"
FAILURES_FILE = "failures.json"
CLIENT_ID_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """An app client of the pool; `name` is for people, `scopes` are all it may ask for, `lifetime_s` is its tokens'."""

    name: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    lifetime_s: int = TOKEN_LIFETIME_S

    def get_client_id(self) -> str:
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        """Return the scopes granted for a request; without any named, Cognito grants all that the client has."""
        return scope or " ".join(self.scopes)

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Grant(ClientCredentialsGrant):  # type: ignore[misc]
    """Client credentials, where a scope that the client does not have refuses the whole request (Authlib drops it)."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

    def validate_requested_scope(self) -> None:
        asked = (self.request.payload.scope or "").split()
        if not set(asked) <= set(self.request.client.scopes):
            raise InvalidScopeError()


@dataclass(frozen=True)
class Failure:
    """How an endpoint misbehaves on demand: it waits, then gives this answer (with status 0 the right one)."""

    status: int = 503
    body: str = ""
    delay_s: float = 0.0


class Pool:
    """The user pool kept in a directory: its clients, its signing key with the one before, its failures on demand."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def clients(self) -> list[Client]:
        path = self.directory / CLIENTS_FILE
        rows = json.loads(path.read_text()) if path.exists() else []
        return [Client(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]

    def client(self, client_id: str) -> Client | None:
        return next((client for client in self.clients() if client.client_id == client_id), None)

    def ensure_client(self, name: str, scopes: Iterable[str], *, lifetime_s: int = TOKEN_LIFETIME_S) -> Client:
        """Return the client of this name, made with a random id and secret at first; its scopes become these."""
        with self._locked():
            clients = {client.name: client for client in self.clients()}
            old = clients.get(name)
            client_id = old.client_id if old else "".join(secrets.choice(CLIENT_ID_ALPHABET) for _ in range(26))
            client_secret = old.client_secret if old else secrets.token_urlsafe(38)
            clients[name] = Client(name, client_id, client_secret, tuple(scopes), lifetime_s)
            rows = [asdict(client) for client in clients.values()]
            self._write(CLIENTS_FILE, json.dumps(rows, indent=2).encode())
        return clients[name]

    def signing_key(self) -> RSAKey:
        return self.published_keys()[0]

    def published_keys(self) -> list[RSAKey]:
        """Return the signing key, and the one before it until it is withdrawn: all that tokens may be signed with."""
        with self._locked():
            if not (self.directory / KEY_FILE).exists():
                self._write_new_key()
            return [self._key(file) for file in (KEY_FILE, OLD_KEY_FILE) if (self.directory / file).exists()]

    def rotate_key(self, *, withdraw_old: bool = False) -> None:
        """Sign with a new key from now on; the old one stays published unless it is withdrawn at once."""
        with self._locked():
            (self.directory / KEY_FILE).rename(self.directory / OLD_KEY_FILE)
            if withdraw_old:
                (self.directory / OLD_KEY_FILE).unlink()
            self._write_new_key()

    def fail(self, endpoint: str, failure: Failure) -> None:
        """Let an endpoint (`token`, `jwks.json`) fail until `heal`."""
        with self._locked():
            rows = {**self._failures(), endpoint: asdict(failure)}
            self._write(FAILURES_FILE, json.dumps(rows).encode())

    def heal(self) -> None:
        (self.directory / FAILURES_FILE).unlink(missing_ok=True)

    def failure(self, endpoint: str) -> Failure | None:
        row = self._failures().get(endpoint)
        return None if row is None else Failure(**row)

    def _failures(self) -> dict[str, dict[str, Any]]:
        try:
            rows: dict[str, dict[str, Any]] = json.loads((self.directory / FAILURES_FILE).read_text())
        except FileNotFoundError:
            return {}
        return rows

    def _key(self, file: str) -> RSAKey:
        key = RSAKey.import_key((self.directory / file).read_bytes(), {"use": "sig", "alg": "RS256"})
        key.ensure_kid()
        return key

    def _write_new_key(self) -> None:
        self._write(KEY_FILE, RSAKey.generate_key(2048).as_pem(private=True))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep out other processes: the provider and the stack that sets it up both write here."""
        with (self.directory / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, name: str, content: bytes) -> None:
        building = self.directory / f".{name}.new"
        building.unlink(missing_ok=True)
        building.touch(mode=0o600)
        building.write_bytes(content)
        building.rename(self.directory / name)


def access_claims(*, issuer: str, client_id: str, scope: str, lifetime_s: int = TOKEN_LIFETIME_S) -> dict[str, Any]:
    """Return the claims of an access token as Cognito makes it for client credentials."""
    now = int(time.time())
    return {
        "sub": client_id,
        "token_use": "access",
        "scope": scope,
        "auth_time": now,
        "iss": issuer,
        "exp": now + lifetime_s,
        "iat": now,
        "version": 2,
        "jti": str(uuid.uuid4()),
        "client_id": client_id,
    }


def sign_token(key: RSAKey, claims: dict[str, Any]) -> str:
    """Return the claims as a JWT signed RS256, with Cognito's header (kid, alg)."""
    return jwt.encode({"kid": key.kid, "alg": "RS256"}, claims, key, default_type=None)


def make_app(pool: Pool, base_url: str) -> Flask:
    """Return the Flask application of a provider reached at `base_url`."""
    app = Flask("dev.cognito")
    app.before_request(lambda: failed(pool))
    pool.signing_key()
    issuer = f"{base_url}/{POOL}"

    def generate(client: Client, scope: str, **_: object) -> dict[str, object]:
        granted = client.get_allowed_scope(scope)
        claims = access_claims(issuer=issuer, client_id=client.client_id, scope=granted, lifetime_s=client.lifetime_s)
        token = sign_token(pool.signing_key(), claims)
        return {"access_token": token, "expires_in": client.lifetime_s, "token_type": "Bearer"}

    server = AuthorizationServer(app, query_client=pool.client, save_token=lambda token, request: None)
    server.register_token_generator("default", generate)
    server.register_grant(Grant)

    @app.get(f"/{POOL}/.well-known/jwks.json")
    def jwks() -> dict[str, object]:
        return {"keys": [key.as_dict(private=False) for key in pool.published_keys()]}

    @app.get(f"/{POOL}/.well-known/openid-configuration")
    def configuration() -> dict[str, object]:
        return openid_configuration(issuer, base_url)

    @app.post("/oauth2/token")
    def token() -> Response:
        response: Response = server.create_token_response()
        return response

    return app


def failed(pool: Pool) -> Response | None:
    """Return the failure that was asked for at the endpoint of this request, or None to go on."""
    failure = pool.failure(request.path.rpartition("/")[2])
    if failure is None:
        return None
    time.sleep(failure.delay_s)
    return Response(failure.body, status=failure.status) if failure.status else None


def openid_configuration(issuer: str, base_url: str) -> dict[str, object]:
    """Return the discovery document, with what is served here."""
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "token_endpoint": f"{base_url}/oauth2/token",
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["public"],
        "response_types_supported": [],
    }


class Provider(Child):
    """The provider as a child process on a port of 127.0.0.1."""

    def __init__(self, directory: Path, port: int, *, log: Path) -> None:
        argv = [sys.executable, "-m", "dev.cognito", "--port", str(port), "--dir", str(directory)]
        super().__init__("dev.cognito", argv, log=log, cwd=Path(__file__).parents[1])
        self.pool = Pool(directory)
        self.port = port
        base_url = f"http://127.0.0.1:{port}"
        self.issuer = f"{base_url}/{POOL}"
        self.jwks_url = f"{self.issuer}/.well-known/jwks.json"
        self.token_url = f"{base_url}/oauth2/token"

    def asked(self, endpoint: str) -> int:
        """Return how many requests for an endpoint (`token`, `jwks.json`) its log holds."""
        return len(re.findall(rf"\w+ /\S*{re.escape(endpoint)} HTTP", self.log.read_text()))

    def start(self) -> None:
        """Start it, and return when it serves."""
        super().start()
        self.wait_ready(lambda: port_open(self.port), timeout_s=20)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.cognito", description="Cognito-shaped identity provider")
    parser.add_argument("--port", type=int, required=True, help="port to listen on")
    parser.add_argument("--dir", type=Path, required=True, help="directory of signing key and clients")
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on; 0.0.0.0 in a container")
    parser.add_argument("--url", help="where others reach it, the issuer's beginning (default http://127.0.0.1:PORT)")
    options = parser.parse_args(arguments)
    app = make_app(Pool(options.dir), options.url or f"http://127.0.0.1:{options.port}")
    server = make_server(options.listen, options.port, app, threaded=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
