"""Ways to the TPM service as it runs (tests/conftest.py starts it once for all tests)."""

from collections.abc import Callable, Iterator

import httpx2
import pytest

from dev.parts.tpm_service import SCOPES, TpmStack
from tpm.client import Key, TpmClient

ALL_SCOPES = (*SCOPES, "tpm/crypto")
WithScopes = Callable[..., httpx2.Client]


@pytest.fixture(scope="session")
def ledger_key(tpm_client: TpmClient) -> Key:
    return tpm_client.key_create("ledger")


@pytest.fixture(scope="session")
def with_scopes(tpm_stack: TpmStack) -> Iterator[WithScopes]:
    """Make plain HTTP clients whose token has exactly these scopes."""
    portal = tpm_stack.provider.pool.ensure_client("portal", ALL_SCOPES)
    made: list[httpx2.Client] = []

    def client(*scopes: str) -> httpx2.Client:
        authorization = {"Authorization": f"Bearer {tpm_stack.credentials(portal, scopes)()}"}
        made.append(httpx2.Client(base_url=f"{tpm_stack.service_url}/v1", timeout=60, headers=authorization))
        return made[-1]

    yield client
    for one in made:
        one.close()


@pytest.fixture(scope="session")
def http(with_scopes: WithScopes) -> httpx2.Client:
    """Plain HTTP to the service with a good token for everything, for requests that TpmClient would not make."""
    return with_scopes(*ALL_SCOPES)
