"""Who calls the REST API: the owner, another customer, an operator, an auditor, each with a token, and a stranger."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.login.roles import roles_set
from accounts.models import Role, User
from accounts.programs.scopes import SCOPES
from accounts.programs.tokens import token_make
from tests.portal.conftest import make_session, make_transaction

__all__ = ["make_session", "make_transaction"]

BASE = "/api/v1"


class Caller:
    """A program that a person gave a token to."""

    def __init__(self, token: str = "") -> None:
        self.token = token
        self.http = Client()

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            named["Authorization"] = f"Bearer {self.token}"
        url = path if path.startswith(("/", "http")) and not path.startswith("/s/") else f"{BASE}/{path}"
        content = {} if body is None else {"data": body, "content_type": "application/json"}
        return getattr(self.http, method)(url, headers=named, **content)

    def get(self, path: str, **headers: str) -> Any:
        return self.ask("get", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("post", path, {} if body is None else body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("patch", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("delete", path, **headers)


def caller_for(user: User, scopes: Any = tuple(SCOPES)) -> Caller:
    _, token = token_make(user=user, name="test", scopes=scopes)
    return Caller(token)


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this problem, in the form that all have."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank"), body
    assert body["title"] and body["detail"]
    return body


@pytest.fixture(autouse=True)
def apart(settings: Settings) -> None:
    """Every test counts its own requests; nodes are away unless a test names some; slow hashes test nothing here."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid.uuid4().hex}}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.LEDGER_NODES = ["http://127.0.0.1:9", "http://127.0.0.1:10"]
    settings.LEDGER_CHAIN_ID = "c" * 64


@pytest.fixture
def person(db: None) -> Callable[..., User]:
    def make(name: str, *roles: str) -> User:
        user = User.objects.create_user(name)
        roles_set(user=user, roles=roles)
        return user

    return make


@pytest.fixture
def api(owner: User) -> Caller:
    return caller_for(owner)


@pytest.fixture
def other_api(other_customer: User) -> Caller:
    return caller_for(other_customer)


@pytest.fixture
def operator_api(person: Callable[..., User]) -> Caller:
    return caller_for(person("olga", Role.OPERATOR))


@pytest.fixture
def auditor_api(person: Callable[..., User]) -> Caller:
    return caller_for(person("audrey", Role.AUDITOR))


@pytest.fixture
def stranger(db: None) -> Caller:
    return Caller()
