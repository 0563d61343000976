"""The identity provider with people in it, what it takes to forge a login, and a browser half logged in."""

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from django.core.cache import cache
from django.test import Client

from accounts.login import second_factor
from accounts.models import Authenticator, User
from dev import totp
from dev.cognito import Person, Provider
from dev.cognito.pool import SignIn as ProviderSignIn
from dev.cognito.tokens import id_claims, sign_token
from tests.conftest import allow_addresses
from tests.environment import COGNITO_CLIENT
from tests.people import log_in

CONTEXT = ssl.create_default_context()  # which takes longer to make than to ask with
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PASSWORD = "a driver's password 1"


@pytest.fixture(autouse=True)
def clean_slate(request: pytest.FixtureRequest) -> Iterator[None]:
    """Nothing was tried yet; for those who ask the provider, it is well and lets people back to the test client."""
    cache.clear()
    if "cognito" not in request.fixturenames:
        yield
        return
    cognito: Provider = request.getfixturevalue("cognito")
    allow_addresses("http://testserver")
    yield
    cognito.pool.heal()


@pytest.fixture(scope="session")
def anna(cognito: Provider) -> Person:
    """A driver in the pool; the portal has never seen her."""
    return cognito.pool.ensure_person("anna", PASSWORD, groups=["customer"])


@dataclass
class Login:
    """One login in the test client, step by step; at the provider with cookies of its own."""

    client: Client
    provider: Provider
    query: dict[str, str]

    @classmethod
    def begin(cls, client: Client, provider: Provider, next_page: str = "/") -> "Login":
        response = client.get("/login/start", {"next": next_page})
        assert response.status_code == 302, response.content
        query = {name: values[0] for name, values in parse_qs(urlsplit(response["Location"]).query).items()}
        return cls(client, provider, query)

    def at_provider(self, username: str = "anna", password: str = PASSWORD, **changed: str | None) -> dict[str, str]:
        """Give the password; returns what the provider leads back with (`code` and `state`, or `error`).

        `changed` replaces parts of the authorization request, None leaves them out.
        """
        query = {name: value for name, value in (self.query | changed).items() if value is not None}
        with httpx2.Client(base_url=self.provider.url, verify=CONTEXT) as browser:
            asked = browser.get("/oauth2/authorize", params=query)
            if asked.has_redirect_location and asked.headers["Location"].startswith("/login"):
                page = browser.get(asked.headers["Location"])
                token = page.text.split('name="form_token" value="')[1].split('"')[0]
                form = {"username": username, "password": password, "form_token": token}
                asked = browser.post(page.url, data=form)
                assert asked.status_code == 302, "name and password do not fit"
                asked = browser.get(asked.headers["Location"])
        assert asked.status_code == 302, asked.text
        back = urlsplit(asked.headers["Location"])
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    def back(self, answer: dict[str, str]) -> Any:
        return self.client.get("/login/callback", answer)


@pytest.fixture
def login(client: Client, cognito: Provider, anna: Person) -> Login:
    return Login.begin(client, cognito)


@pytest.fixture
def forge(cognito: Provider, anna: Person) -> Callable[..., str]:
    """An id token as the provider makes it, with claims replaced (None: left out)."""

    def make(key: Any = None, **changed: Any) -> str:
        sign_in = ProviderSignIn(COGNITO_CLIENT.client_id, anna.sub, "openid", 1, "jti", 0, nonce="the nonce")
        claims = id_claims(
            issuer=cognito.issuer, client=COGNITO_CLIENT, person=anna, sign_in=sign_in, access_token="none"
        )
        claims = {name: value for name, value in (claims | changed).items() if value is not None}
        return sign_token(key or cognito.pool.signing_key(), claims)

    return make


@pytest.fixture
def half_in(owner: User) -> Client:
    """The owner's browser with name and password given: also what somebody has who stole them."""
    client = Client(headers={"User-Agent": FIREFOX})
    log_in(client, owner, second_factor=False)
    return client


@pytest.fixture
def authenticator(owner: User) -> Authenticator:
    return Authenticator.make(user=owner, confirmed=True)


@pytest.fixture
def codes(owner: User, authenticator: Authenticator) -> list[str]:
    return second_factor.recovery_codes_new(user=owner)


def code_of(device: Authenticator, steps: int = 0) -> str:
    return totp.code(second_factor.authenticator_key(device), time.time() + 30 * steps)


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session
