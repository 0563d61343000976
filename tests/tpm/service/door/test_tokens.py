"""The portal's token: cached, renewed in time, and good to its last second when the provider is away."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from dev.cognito import Client, Failure, Provider
from dev.common.processes import free_port
from dev.parts.tpm_service import SCOPES
from tpm import tokens
from tpm.errors import TokenError
from tpm.tokens import ClientCredentials


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


class Clock:
    """The monotonic clock, which goes forward when a test says so."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(tokens, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


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


def test_renewed_before_it_expires(provider: Provider, clock: Clock) -> None:
    token = credentials(provider)
    first = token()
    clock.ahead_s = 3600 - tokens.RENEW_BEFORE_S - 20
    assert token() == first
    clock.ahead_s += 20
    assert token() != first


def test_a_life_shorter_than_the_margin(provider: Provider, clock: Clock) -> None:
    """A token of 50 seconds is used for 25, and not asked for anew at each call."""
    asked = provider.asked("token")
    token = credentials(provider, lifetime_s=50)
    first = token()
    assert {token() for _ in range(50)} == {first}
    clock.ahead_s = 25
    assert token() != first
    assert provider.asked("token") == asked + 2


@pytest.mark.parametrize("failure", [Failure(503), Failure(429), Failure(200, "<html>"), Failure(200, "{}")])
def test_provider_down_while_the_token_lives(
    provider: Provider, failure: Failure, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "RETRY_S", 10.0)
    token = credentials(provider)
    first = token()
    clock.ahead_s = 3600 - 30
    provider.pool.fail("token", failure)
    asked = provider.asked("token")
    assert {token() for _ in range(50)} == {first}
    assert provider.asked("token") == asked + 1
    clock.ahead_s += 30
    with pytest.raises(TokenError) as expired:
        token()
    assert not expired.value.permanent
    provider.pool.heal()
    with pytest.raises(TokenError):
        token()
    assert provider.asked("token") == asked + 2
    clock.ahead_s += tokens.RETRY_S
    assert token() != first


def test_a_provider_that_hangs_holds_up_nobody_who_has_a_token(provider: Provider, clock: Clock) -> None:
    token = credentials(provider)
    first = token()
    clock.ahead_s = 3600 - 30
    provider.pool.fail("token", Failure(0, delay_s=2))
    with ThreadPoolExecutor(1) as threads:
        renewing = threads.submit(token)
        while not token._renewing.locked():
            time.sleep(0.001)
        assert token() == first
        assert not renewing.done()
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
