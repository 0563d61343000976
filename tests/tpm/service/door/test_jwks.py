"""The pool's keys come and go: rotated, withdrawn, not to be had; nobody makes the service ask for them without end."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from dev.cognito import Failure, access_claims, sign_token
from dev.common.processes import free_port
from dev.parts.tpm_service import SCOPES, TpmStack
from tests.waiting import until

REFETCH_S = 0.5
AGE_S = 1.0
HANG = Failure(0, delay_s=10)
HTTP = httpx2.Client(timeout=60)
FOREIGN_KEY = RSAKey.generate_key(2048)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    """A stack whose keys age and whose fetches may follow each other in no time."""
    settings = {"TPM_JWKS_REFETCH_S": str(REFETCH_S), "TPM_JWKS_AGE_S": str(AGE_S), "TPM_QUEUE_PLACES": "2"}
    stack = TpmStack(tmp_path_factory.mktemp("jwks"), settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(autouse=True)
def healed(stack: TpmStack) -> Iterator[None]:
    yield
    stack.provider.pool.heal()
    time.sleep(REFETCH_S)


def token(stack: TpmStack, key: RSAKey | None = None) -> str:
    """Return a new token (each differs, none is remembered), signed by the pool or by somebody else."""
    claims = access_claims(issuer=stack.provider.issuer, client_id=stack.portal.client_id, scope=" ".join(SCOPES))
    return sign_token(key or stack.provider.pool.signing_key(), claims)


def call(stack: TpmStack, token: str) -> tuple[int, str]:
    """Return status and code of a request with this token."""
    answer = HTTP.get(f"{stack.service_url}/v1/keys", headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json().get("code", "")


def hears_in_the_end(stack: TpmStack, new_token: Callable[[], str], expected: tuple[int, str]) -> None:
    """Ask with new tokens until the answer is as expected.

    A known key whose keys are old lets them be fetched in the background: how long that takes, and with it when the
    next fetch may be made, nobody outside the service can know.
    """
    until(lambda: call(stack, new_token()) == expected, what=f"the answer {expected}")


def foreign(stack: TpmStack, kid: str) -> str:
    """Return a token that names a key which the pool does not have."""
    claims = access_claims(issuer=stack.provider.issuer, client_id=stack.portal.client_id, scope=" ".join(SCOPES))
    return jwt.encode({"kid": kid, "alg": "RS256"}, claims, FOREIGN_KEY, default_type=None)


def test_a_flood_of_unknown_keys_is_one_fetch_a_minute(tpm_stack: TpmStack) -> None:
    """With the settings as they are delivered, from eight connections at once, while the others work on."""
    before = tpm_stack.provider.asked("jwks.json")
    flood = [foreign(tpm_stack, f"unknown-{number}") for number in range(300)]
    with ThreadPoolExecutor(8) as threads:
        answers = set(threads.map(lambda one: call(tpm_stack, one), flood))
        assert call(tpm_stack, token(tpm_stack)) == (200, "")
    assert answers == {(401, "token_invalid")}
    assert tpm_stack.provider.asked("jwks.json") - before <= 1


def test_a_failing_provider_is_not_asked_more_often(stack: TpmStack) -> None:
    assert call(stack, token(stack)) == (200, "")
    stack.provider.pool.fail("jwks.json", Failure(500))
    before = stack.provider.asked("jwks.json")
    began = time.monotonic()
    hears_in_the_end(stack, lambda: foreign(stack, "unknown"), (503, "identity_unavailable"))
    answers = {call(stack, foreign(stack, f"unknown-{number}")) for number in range(60)}
    periods = (time.monotonic() - began) / REFETCH_S
    assert answers == {(503, "identity_unavailable")}
    assert 1 <= stack.provider.asked("jwks.json") - before <= periods + 1


def test_rotated_key_is_picked_up_and_the_old_one_goes_on(stack: TpmStack) -> None:
    old_key = stack.provider.pool.signing_key()
    assert call(stack, token(stack)) == (200, "")
    stack.provider.pool.rotate_key()
    hears_in_the_end(stack, lambda: token(stack), (200, ""))
    assert call(stack, token(stack, old_key)) == (200, "")


def test_withdrawn_key_is_trusted_no_more_when_the_keys_are_old(stack: TpmStack) -> None:
    """Nobody brings an unknown key id here: without an age, the service would trust the old key for ever."""
    old_key = stack.provider.pool.signing_key()
    assert call(stack, token(stack, old_key)) == (200, "")
    stack.provider.pool.rotate_key(withdraw_old=True)
    hears_in_the_end(stack, lambda: token(stack, old_key), (401, "token_invalid"))
    assert call(stack, token(stack)) == (200, "")


@pytest.mark.parametrize(
    "failure",
    [
        Failure(503),
        Failure(404, "no pool"),
        Failure(200, "<html>"),
        Failure(200, "[]"),
        Failure(200, '{"keys": 5}'),
        Failure(200, '{"keys": []}'),
        Failure(200, '{"keys": [{"kty": "oct"}]}'),
        Failure(200, '{"keys": [{"kty": "oct", "kid": "x", "k": "AAAA"}]}'),
    ],
    ids=lambda failure: f"{failure.status} {failure.body}",
)
def test_nonsense_from_the_provider(stack: TpmStack, failure: Failure) -> None:
    """Known keys go on working, also when they are old; an unknown one hears 503, and works once all is well."""
    known = stack.provider.pool.signing_key()
    assert call(stack, token(stack)) == (200, "")
    stack.provider.pool.fail("jwks.json", failure)
    hears_in_the_end(stack, lambda: foreign(stack, "unknown"), (503, "identity_unavailable"))
    stack.provider.pool.rotate_key()
    assert call(stack, token(stack)) == (503, "identity_unavailable")
    time.sleep(AGE_S)
    assert call(stack, token(stack, known)) == (200, "")
    stack.provider.pool.heal()
    hears_in_the_end(stack, lambda: token(stack), (200, ""))


def test_provider_gone_altogether(stack: TpmStack) -> None:
    assert call(stack, token(stack)) == (200, "")
    stack.provider.stop()
    try:
        time.sleep(AGE_S)
        assert call(stack, token(stack)) == (200, "")
        hears_in_the_end(stack, lambda: foreign(stack, "unknown"), (503, "identity_unavailable"))
    finally:
        stack.provider.start()


def test_a_hanging_provider_holds_up_nobody_who_is_known(stack: TpmStack) -> None:
    """More unknown keys than the service has threads, against a provider that does not answer; the keys are old."""
    time.sleep(AGE_S)
    stack.provider.pool.fail("jwks.json", HANG)
    hears_in_the_end(stack, lambda: foreign(stack, "first"), (503, "identity_unavailable"))
    done = threading.Event()
    unknown, known = foreign(stack, "unknown"), [token(stack) for _ in range(30)]
    took: list[float] = []

    def flood() -> None:
        while not done.is_set():
            assert call(stack, unknown) == (503, "identity_unavailable")
            time.sleep(0.2)

    with ThreadPoolExecutor(24) as threads:
        floods = [threads.submit(flood) for _ in range(24)]
        try:
            for one in known:
                began = time.monotonic()
                assert call(stack, one) == (200, "")
                took.append(time.monotonic() - began)
                time.sleep(0.1)
        finally:
            done.set()
    for running in floods:
        running.result()
    assert median(took) < 2  # of the 3 s that each would wait, if they waited for fetches that hang


def test_service_for_a_pool_that_is_not_there(stack: TpmStack) -> None:
    url = f"http://127.0.0.1:{free_port()}/jwks.json"
    stack.kill_service()
    rightly = dict(stack.service.env or {})
    stack.service.env = {**rightly, "TPM_JWKS_URL": url}
    try:
        stack.start_service()
        assert call(stack, token(stack)) == (503, "identity_unavailable")
    finally:
        stack.kill_service()
        stack.service.env = rightly
        stack.start_service()
    assert call(stack, token(stack)) == (200, "")
