"""The TPM service with its TPM and its identity provider, started on free ports: for tests, benches and the demo."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from dev.cognito import Client, Provider
from dev.processes import Child, free_port
from dev.swtpm import Swtpm
from tpm.client import TpmClient
from tpm.tokens import ClientCredentials

ROOT = Path(__file__).parents[1]
# the portal's; a key's name narrows one of them: "tpm/sign:ledger"
SCOPES = ("tpm/keys", "tpm/sign", "tpm/seal", "tpm/attest")


def service_env(
    *, tcti: str, key_dir: Path, issuer: str, jwks_url: str, clients: Sequence[str], **more: str
) -> dict[str, str]:
    """Return the environment of a TPM service: our own, with its settings (tpm/service/settings.py)."""
    ours = {
        "TPM_TCTI": tcti,
        "TPM_KEY_DIR": str(key_dir),
        "TPM_TOKEN_ISSUER": issuer,
        "TPM_JWKS_URL": jwks_url,
        "TPM_ALLOWED_CLIENTS": ",".join(clients),
    }
    return {**os.environ, **ours, **more}


def service_argv(port: int) -> list[str]:
    """Return the command line that serves on this port of 127.0.0.1."""
    return [sys.executable, "-m", "gunicorn", "-c", "tpm/service/gunicorn.conf.py", "--bind", f"127.0.0.1:{port}"]


class TpmStack:
    """swtpm, dev.cognito and the TPM service below one directory (its path must be short: it holds a Unix socket).

    `swtpm`, `provider` and `service` can each be stopped, killed and started again; ports stay the same.
    `portal` is a client with these scopes, and `neighbour` another program that may call. `settings` are further
    environment variables of the service.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str] | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.key_dir = directory / "keys"
        self.swtpm = Swtpm(directory / "state", directory / "tpm")
        self.provider = Provider(directory / "pool", free_port(), log=directory / "cognito.log")
        self.portal = self.provider.pool.ensure_client("portal", SCOPES)
        self.neighbour = self.provider.pool.ensure_client("neighbour", SCOPES)
        port = free_port()
        self.service_url = f"http://127.0.0.1:{port}"
        env = service_env(
            tcti=self.swtpm.tcti,
            key_dir=self.key_dir,
            issuer=self.provider.issuer,
            jwks_url=self.provider.jwks_url,
            clients=[self.portal.client_id, self.neighbour.client_id],
            TPM_MEASURE="off",
            **(settings or {}),
        )
        self.service = Child("tpm.service", service_argv(port), log=directory / "service.log", cwd=ROOT, env=env)

    def start(self) -> None:
        """Start all three, and return when the service reaches its TPM."""
        self.swtpm.start()
        self.provider.start()
        self.start_service()

    def stop(self) -> None:
        self.service.stop()
        self.provider.stop()
        self.swtpm.stop()

    def start_service(self) -> None:
        """Start the service, and return when it answers, whether or not it reaches a TPM."""
        self.service.start()
        self.service.wait_ready(lambda: self.health_status() is not None, timeout_s=20)

    def kill_service(self) -> None:
        self.service.kill()

    def kill_swtpm(self) -> None:
        self.swtpm.kill()

    def health_status(self) -> int | None:
        """Return the HTTP status of the service's health, None when it does not answer."""
        try:
            return httpx.get(f"{self.service_url}/v1/health", timeout=5).status_code
        except httpx.HTTPError:
            return None

    def client(self, client: Client | None = None, *, scopes: Sequence[str] = SCOPES) -> TpmClient:
        """Return a client with tokens of the pool, the portal's if none is named."""
        app = client or self.portal
        return TpmClient(self.service_url, self.credentials(app, scopes))

    def credentials(self, client: Client, scopes: Sequence[str]) -> ClientCredentials:
        return ClientCredentials(self.provider.token_url, client.client_id, client.client_secret, scopes)
