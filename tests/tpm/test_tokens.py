"""The portal's token: cached, renewed in time, and good to its last second when the provider is away."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.cognito import Client, Failure, Provider
from dev.processes import free_port
from dev.tpm_service import SCOPES
from tpm import tokens
from tpm.tokens import ClientCredentials, TokenError


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    directory = tmp_path_factory.mktemp("tokens")
    provider = Provider(directory / "pool", free_port(), log=directory / "log")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture(autouse=True)
def healed(provider: Provider) -> Iterator[None]:
    yield
    provider.pool.heal()


def credentials(provider: Provider, lifetime_s: int = 3600) -> ClientCredentials:
    client: Client = provider.pool.ensure_client("portal", SCOPES, lifetime_s=lifetime_s)
    return ClientCredentials(provider.token_url, client.client_id, client.client_secret, SCOPES)


def test_cached(provider: Provider) -> None:
    """Eight threads that need one at the same moment cause one request."""
    asked = provider.asked("token")
    token = credentials(provider)
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(lambda _: token(), range(200)))) == 1
    assert provider.asked("token") == asked + 1


def test_renewed_before_it_expires(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "RENEW_BEFORE_S", 1.0)
    token = credentials(provider, lifetime_s=2)
    first = token()
    time.sleep(1.1)
    assert token() != first


def test_a_life_shorter_than_the_margin(provider: Provider) -> None:
    """A token of two seconds is used for one, and not asked for anew at each call."""
    asked = provider.asked("token")
    token = credentials(provider, lifetime_s=2)
    first = token()
    assert {token() for _ in range(50)} == {first}
    time.sleep(1.1)
    assert token() != first
    assert provider.asked("token") == asked + 2


@pytest.mark.parametrize("failure", [Failure(503), Failure(429), Failure(200, "<html>"), Failure(200, "{}")])
def test_provider_down_while_the_token_lives(provider: Provider, failure: Failure) -> None:
    token = credentials(provider, lifetime_s=4)
    first = token()
    time.sleep(2.1)
    provider.pool.fail("token", failure)
    asked = provider.asked("token")
    assert {token() for _ in range(50)} == {first}
    assert provider.asked("token") == asked + 1
    time.sleep(2)
    with pytest.raises(TokenError) as expired:
        token()
    assert not expired.value.permanent
    provider.pool.heal()
    time.sleep(tokens.RETRY_S)
    assert token() != first


def test_a_provider_that_hangs_holds_up_nobody_who_has_a_token(provider: Provider) -> None:
    token = credentials(provider, lifetime_s=8)
    first = token()
    time.sleep(4.1)
    provider.pool.fail("token", Failure(0, delay_s=2))
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(token)
        time.sleep(0.3)
        began = time.monotonic()
        assert token() == first
        assert time.monotonic() - began < 0.5
        assert renewing.result() != first


def test_a_refused_token_is_forgotten_whatever_the_provider_does(provider: Provider) -> None:
    """The service no longer takes it: to go on with it would be of no use."""
    token = credentials(provider)
    token()
    provider.pool.fail("token", Failure(503))
    token.forget()
    with pytest.raises(TokenError):
        token()


@pytest.mark.parametrize("expires_in", ["0", "-5", "NaN", "Infinity", "null", '"soon"', "[]"])
def test_nonsense_as_lifetime(provider: Provider, expires_in: str) -> None:
    provider.pool.fail("token", Failure(200, f'{{"access_token": "x", "expires_in": {expires_in}}}'))
    with pytest.raises(TokenError) as nonsense:
        credentials(provider)()
    assert not nonsense.value.permanent


def test_wrong_secret_is_permanent_and_a_dead_provider_is_not(provider: Provider) -> None:
    client = provider.pool.ensure_client("portal", SCOPES)
    with pytest.raises(TokenError) as refused:
        ClientCredentials(provider.token_url, client.client_id, "guess", SCOPES)()
    assert refused.value.permanent
    with pytest.raises(TokenError) as down:
        ClientCredentials(f"http://127.0.0.1:{free_port()}/oauth2/token", client.client_id, "guess", SCOPES)()
    assert not down.value.permanent


def test_a_dead_provider_is_not_asked_at_each_call(provider: Provider) -> None:
    """Each of a hundred tasks would wait for it in turn."""
    provider.pool.fail("token", Failure(503))
    asked = provider.asked("token")
    token = credentials(provider)
    for _ in range(50):
        with pytest.raises(TokenError, match="expected 200, got 503"):
            token()
    assert provider.asked("token") == asked + 1
