"""Renewals at a pool that rotates refresh tokens: each is good once, so nobody may lose the one that came last."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from accounts.login import renewal
from accounts.login.oidc import REFRESH_TOKEN
from dev.cognito import Provider
from dev.cognito.pool import Failure
from tests.accounts.login.conftest import Login

pytestmark = [pytest.mark.provider, pytest.mark.django_db(transaction=True)]
SessionStore = import_module(settings.SESSION_ENGINE).SessionStore


@pytest.fixture
def rotating(login: Login, cognito: Provider) -> Iterator[Login]:
    """Logged in, and due to be renewed."""
    cognito.pool.rotate_refresh_tokens(True)
    login.back(login.at_provider())
    due(login.client)
    yield login
    cognito.pool.rotate_refresh_tokens(False)


def due(client: Client) -> None:
    session = client.session
    session[renewal.RENEW_AT] = 0
    session.save()


def goes_on(client: Client) -> bool:
    return client.get("/second-factor/set-up").status_code == 200


def test_each_renewal_brings_the_next_token(rotating: Login) -> None:
    first = rotating.client.session[REFRESH_TOKEN]
    for _ in range(3):
        due(rotating.client)
        assert goes_on(rotating.client)
    assert rotating.client.session[REFRESH_TOKEN] != first


def test_several_requests_at_once_renew_once(rotating: Login, cognito: Provider) -> None:
    asked = cognito.asked("token")
    cognito.pool.fail("token", Failure(0, delay_s=0.5))  # slow: the others come meanwhile

    def request(_: int) -> bool:
        try:
            other = Client()
            other.cookies = rotating.client.cookies
            return goes_on(other)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(request, range(4)))
    cognito.pool.heal()
    assert cognito.asked("token") == asked + 1
    due(rotating.client)
    assert goes_on(rotating.client)  # with the token that the one of them got


def test_a_request_that_began_before_does_not_bring_the_old_token_back(rotating: Login) -> None:
    stale = SessionStore(rotating.client.session.session_key)
    assert stale[REFRESH_TOKEN]
    assert goes_on(rotating.client)  # renewed
    stale["a message"] = "saved by a slow page"
    renewal.keep_renewed(stale)
    stale.save()
    due(rotating.client)
    assert goes_on(rotating.client) and rotating.client.session["a message"]
