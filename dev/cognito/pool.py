"""What the development provider keeps in its directory: app clients, people, signing keys, refresh tokens, failures."""

import hashlib
import json
import secrets
import string
import time
import uuid
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin
from joserfc.jwk import RSAKey
from werkzeug.security import check_password_hash, generate_password_hash

from dev.common.files import locked
from dev.common.files import replace as replace_file

TOKEN_LIFETIME_S = 3600
CLIENTS_FILE = "clients.json"
PEOPLE_FILE = "people.json"
ROTATES_FILE = "rotates-refresh-tokens"
SIGN_INS_FILE = "refresh-tokens.json"  # and codes, for their minutes
KEY_FILE = "signing-key.pem"
OLD_KEY_FILE = "old-key.pem"
FAILURES_FILE = "failures.json"
HASH = "scrypt:4096:8:1"  # quick, for tests; the demo's passwords are random
CLIENT_ID_ALPHABET = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Client(ClientMixin):  # type: ignore[misc]  # Authlib has no types
    """An app client of the pool; `name` is for people, `scopes` are all it may ask for, `lifetime_s` is its tokens'.

    With `callback_urls` people log in through it, without it is a program's (client credentials): never both, as in
    Cognito.
    """

    name: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...]
    lifetime_s: int = TOKEN_LIFETIME_S
    callback_urls: tuple[str, ...] = ()
    logout_urls: tuple[str, ...] = ()

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return ""

    def get_allowed_scope(self, scope: str) -> str:
        """Return the scopes granted for a request; without any named, Cognito grants all that the client has."""
        return scope or " ".join(self.scopes)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.callback_urls

    def check_client_secret(self, client_secret: str) -> bool:
        return secrets.compare_digest(self.client_secret, client_secret)

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and bool(self.callback_urls)

    def check_grant_type(self, grant_type: str) -> bool:
        return (grant_type == "client_credentials") != bool(self.callback_urls)


@dataclass(frozen=True)
class Person:
    """A user of the pool; `password_hash` is Werkzeug's scrypt."""

    sub: str
    username: str
    password_hash: str
    email: str
    email_verified: bool
    groups: tuple[str, ...] = ()
    enabled: bool = True

    def check_password(self, password: str) -> bool:
        return self.enabled and check_password_hash(self.password_hash, password)


@dataclass(frozen=True)
class SignIn(AuthorizationCodeMixin, TokenMixin):  # type: ignore[misc]
    """One sign-in of a person through a client: what a code and a refresh token stand for."""

    client_id: str
    sub: str
    scope: str
    auth_time: int
    origin_jti: str
    expires_at: float = 0
    redirect_uri: str = ""
    nonce: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def check_client(self, client: Client) -> bool:
        return self.client_id == client.client_id


@dataclass(frozen=True)
class Failure:
    """How an endpoint misbehaves on demand: it waits, then gives this answer (with status 0 the right one)."""

    status: int = 503
    body: str = ""
    delay_s: float = 0.0


class Pool:
    """The user pool kept in a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    # --- app clients

    def clients(self) -> list[Client]:
        rows = self._rows(CLIENTS_FILE, [])
        return [Client(**{name: _tuple(value) for name, value in row.items()}) for row in rows]

    def client(self, client_id: str) -> Client | None:
        return next((client for client in self.clients() if client.client_id == client_id), None)

    def ensure_client(
        self,
        name: str,
        scopes: Iterable[str],
        *,
        lifetime_s: int = TOKEN_LIFETIME_S,
        callback_urls: Iterable[str] = (),
        logout_urls: Iterable[str] = (),
    ) -> Client:
        """Return the client of this name, made with a random id and secret at first; all else becomes as given."""
        with self._locked():
            clients = {client.name: client for client in self.clients()}
            old = clients.get(name)
            client_id = old.client_id if old else "".join(secrets.choice(CLIENT_ID_ALPHABET) for _ in range(26))
            client_secret = old.client_secret if old else secrets.token_urlsafe(38)
            urls = (tuple(callback_urls), tuple(logout_urls))
            clients[name] = Client(name, client_id, client_secret, tuple(scopes), lifetime_s, *urls)
            self._write(CLIENTS_FILE, [asdict(client) for client in clients.values()])
        return clients[name]

    def ensure_login_client(self, *bases: str) -> Client:
        """The portal's client through which people log in, at the addresses that it has now."""
        return self.ensure_client(
            "EVPortal",
            ("openid", "email", "profile"),
            callback_urls=[f"{base}/login/callback" for base in bases],
            logout_urls=[f"{base}/login" for base in bases],
        )

    # --- people

    def people(self) -> list[Person]:
        rows = self._rows(PEOPLE_FILE, [])
        return [Person(**{name: _tuple(value) for name, value in row.items()}) for row in rows]

    def person(self, sub: str) -> Person | None:
        return next((person for person in self.people() if person.sub == sub), None)

    def ensure_person(
        self,
        username: str,
        password: str,
        *,
        groups: Iterable[str] = (),
        email: str = "",
        email_verified: bool = True,
        enabled: bool = True,
    ) -> Person:
        """Return the person of this name, made with a random `sub` at first; all else becomes as given."""
        with self._locked():
            people = {person.username: person for person in self.people()}
            old = people.get(username)
            kept = old is not None and check_password_hash(old.password_hash, password)
            people[username] = Person(
                sub=old.sub if old else str(uuid.uuid4()),
                username=username,
                password_hash=old.password_hash if old and kept else generate_password_hash(password, HASH),
                email=email or f"{username}@example.com",
                email_verified=email_verified,
                groups=tuple(groups),
                enabled=enabled,
            )
            self._write(PEOPLE_FILE, [asdict(person) for person in people.values()])
        return people[username]

    def sign_in(self, username: str, password: str) -> Person | None:
        """Return the person whose name (or verified e-mail address) and password these are."""
        for person in self.people():
            names = {person.username, person.email} if person.email_verified else {person.username}
            if username in names and person.check_password(password):
                return person
        return None

    # --- sign-ins by code and by refresh token: of which only the hash is kept

    def sign_in_keep(self, token: str, sign_in: SignIn, *, lifetime_s: int) -> None:
        now = time.time()
        with self._locked():
            rows = self._rows(SIGN_INS_FILE, {})
            alive = {digest: row for digest, row in rows.items() if row["expires_at"] > now}
            self._write(SIGN_INS_FILE, alive | {_digest(token): asdict(replace(sign_in, expires_at=now + lifetime_s))})

    def sign_in_of(self, token: str, *, once: bool = False) -> SignIn | None:
        """What a token stands for; with `once` it does so no more."""
        with self._locked():
            rows = self._rows(SIGN_INS_FILE, {})
            row = rows.pop(_digest(token), None)
            if once:
                self._write(SIGN_INS_FILE, rows)
        return SignIn(**row) if row and row["expires_at"] > time.time() else None

    def refresh_tokens_revoke(self, origin_jti: str) -> None:
        """Forget the refresh tokens of one sign-in."""
        with self._locked():
            rows = self._rows(SIGN_INS_FILE, {})
            self._write(SIGN_INS_FILE, {key: row for key, row in rows.items() if row["origin_jti"] != origin_jti})

    @property
    def rotates_refresh_tokens(self) -> bool:
        """Whether a refresh token is good once, and brings the next; without Cognito's grace period."""
        return (self.directory / ROTATES_FILE).exists()

    def rotate_refresh_tokens(self, on: bool) -> None:
        """Switch it on or off."""
        (self.directory / ROTATES_FILE).touch() if on else (self.directory / ROTATES_FILE).unlink(missing_ok=True)

    # --- keys

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

    # --- failures on demand

    def fail(self, endpoint: str, failure: Failure) -> None:
        """Let an endpoint (`token`, `jwks.json`, `authorize`, …: the end of its path) fail until `heal`."""
        with self._locked():
            self._write(FAILURES_FILE, {**self._rows(FAILURES_FILE, {}), endpoint: asdict(failure)})

    def heal(self) -> None:
        (self.directory / FAILURES_FILE).unlink(missing_ok=True)

    def failure(self, endpoint: str) -> Failure | None:
        row = self._rows(FAILURES_FILE, {}).get(endpoint)
        return None if row is None else Failure(**row)

    # --- files

    def _rows(self, name: str, empty: Any) -> Any:
        try:
            return json.loads((self.directory / name).read_text())
        except FileNotFoundError:
            return empty

    def _key(self, file: str) -> RSAKey:
        key = RSAKey.import_key((self.directory / file).read_bytes(), {"use": "sig", "alg": "RS256"})
        key.ensure_kid()
        return key

    def _write_new_key(self) -> None:
        replace_file(self.directory / KEY_FILE, RSAKey.generate_key(2048).as_pem(private=True))

    def _locked(self) -> AbstractContextManager[None]:
        """Keep out other processes: the provider and the stack that sets it up both write here."""
        return locked(self.directory / ".lock")

    def _write(self, name: str, rows: Any) -> None:
        replace_file(self.directory / name, json.dumps(rows, indent=2))


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
