"""What tests of the keys are given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from tests.enrolment import enrolled
from tpm.client import TpmClient


@pytest.fixture
def tpm(tpm_stack: TpmStack, settings: Settings, tmp_path: Path, db: None) -> Iterator[TpmStack]:
    """The TPM service for the portal, enrolled and attested, without a chain; it runs again afterwards."""
    settings.LEDGER_MASTER_KEY_FILE = tmp_path / "master_keys"
    settings.LEDGER_NODES = ["http://127.0.0.1:9"]
    settings.TPM_SERVICE_URL = tpm_stack.service_url
    settings.TPM_TOKEN_URL = tpm_stack.provider.token_url
    settings.TPM_CLIENT_ID = tpm_stack.portal.client_id
    settings.TPM_CLIENT_SECRET = tpm_stack.portal.client_secret
    tpm_stack.client().key_create("ledger")
    enrolled(tpm_stack, keys=["ledger"])
    yield tpm_stack
    if not tpm_stack.service.alive:
        tpm_stack.start_service()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every request that this process sends to the TPM service, as `METHOD /path`."""
    seen: list[str] = []
    real = TpmClient._send

    def send(self: TpmClient, method: str, path: str, *args: object) -> object:
        seen.append(f"{method} {path}")
        return real(self, method, path, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(TpmClient, "_send", send)
    return seen
