"""Ways to the TPM service as it runs (tests/conftest.py starts it once for all tests)."""

from collections.abc import Iterator

import httpx
import pytest

from dev.tpm_service import SCOPES, TpmStack
from tpm.client import Key, TpmClient


@pytest.fixture(scope="session")
def ledger_key(tpm_client: TpmClient) -> Key:
    return tpm_client.key_create("ledger")


@pytest.fixture(scope="session")
def http(tpm_stack: TpmStack) -> Iterator[httpx.Client]:
    """Plain HTTP to the service with a good token, for requests that TpmClient would not make."""
    token = tpm_stack.credentials(tpm_stack.portal, SCOPES)()
    with httpx.Client(base_url=f"{tpm_stack.service_url}/v1", timeout=20) as client:
        client.headers["Authorization"] = f"Bearer {token}"
        yield client
