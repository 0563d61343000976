"""The TPM service with its TPM and its identity provider, started on free ports: for tests, benches and the demo.

Who starts a measured service resets swtpm before (a PCR is only cleared by that), as `Service` does, and

    python -m dev.parts.tpm_service --release DIR --port N

which runs the release of dev/parts/tpm_release.py in the foreground, with the settings of its environment.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2

from dev.cognito import Client, Provider
from dev.common.processes import Child, ProcessError, free_port
from dev.parts import tpm_release
from dev.parts.swtpm import Swtpm, accepts, control_path
from tpm.client import TpmClient
from tpm.service.integrity.loaded import decisive
from tpm.service.release.manifest import approve
from tpm.service.release.release_key import load_private_key, public_path
from tpm.service.release.strict_json import ReleaseError
from tpm.tokens import ClientCredentials

ROOT = Path(__file__).parents[2]
# The portal's: no tpm/crypto. Not narrowed to keys ("tpm/sign:ledger"), because rotation makes keys with new names.
SCOPES = ("tpm/keys", "tpm/sign", "tpm/seal", "tpm/attest")
SWTPM_TCTI = "swtpm:path="
RESET_TIMEOUT_S = 30
CLIENT_TIMEOUT_S = 30.0  # longer than the portal waits: here many things may run beside it
RESET_POLL_S = 0.1


def reset_tpm(socket: Path) -> None:
    """Reset the swtpm at this socket, as a reboot resets a chip: keys stay, PCRs are zero. Nothing when there is none.

    Raises ProcessError when it refuses.
    """
    control = control_path(socket)
    argv = ["swtpm_ioctl", "--unix", str(control), "-i"]
    deadline = time.monotonic() + RESET_TIMEOUT_S
    while accepts(control):
        done = subprocess.run(argv, capture_output=True, text=True, timeout=RESET_TIMEOUT_S)
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            raise ProcessError(f"swtpm_ioctl: status {done.returncode}\n{done.stdout}{done.stderr}")
        time.sleep(RESET_POLL_S)  # the control channel serves one connection at a time: our probe may be the last one


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


class Service(Child):
    """The service's process. Whatever an earlier one has left is ended, and `resets` reset, before it starts."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], *, log: Path, resets: Swtpm | None) -> None:
        super().__init__("tpm.service", argv, log=log, cwd=ROOT, env=env)
        self._resets = resets

    def start(self) -> None:
        if not self.alive:
            with suppress(ProcessError, ProcessLookupError):  # a killed gunicorn leaves its worker, which has the TPM
                os.killpg(self.pid, signal.SIGKILL)
            if self._resets is not None:
                reset_tpm(self._resets.socket)
        super().start()


class TpmStack:
    """swtpm, dev.cognito and the TPM service below one directory (its path must be short: it holds a Unix socket).

    `swtpm`, `provider` and `service` can each be stopped, killed and started again; ports stay the same.
    `portal` is a client with SCOPES, and `neighbour` another program that may call. `settings` are further environment
    variables of the service.

    It runs the release in `release_dir`, made by dev.parts.tpm_release (`full` with all packages), signed and
    approved with
    the key in `release_key`; `release_again` makes another of what lies there. Not `measured`, it runs the sources.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        measured: bool = True,
        full: bool = False,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.measured = measured
        self.full = full
        self.settings = dict(settings or {})
        self.key_dir = directory / "keys"
        self.release_dir = directory.resolve() / "release"
        self.release_key = directory / "release_key.pem"
        self.swtpm = Swtpm(directory / "state", directory / "tpm")
        self.provider = Provider(directory / "pool", free_port(), log=directory / "cognito.log")
        self.portal = self.provider.pool.ensure_client("portal", SCOPES)
        self.neighbour = self.provider.pool.ensure_client("neighbour", SCOPES)
        self.port = free_port()
        self.service_url = f"http://127.0.0.1:{self.port}"
        log, resets = directory / "service.log", self.swtpm if measured else None
        self.service = Service(service_argv(self.port), self._env(), log=log, resets=resets)

    def _env(self) -> dict[str, str]:
        return service_env(
            tcti=self.swtpm.tcti,
            key_dir=self.key_dir,
            issuer=self.provider.issuer,
            jwks_url=self.provider.jwks_url,
            clients=[self.portal.client_id, self.neighbour.client_id],
            **{"TPM_MEASURE": "required" if self.measured else "off", **self.settings},
        )

    def start(self) -> None:
        """Start all three, and return when the service reaches its TPM."""
        if self.measured:
            self._build_release()
        self.swtpm.start()
        self.provider.start()
        self.start_service()

    def _build_release(self) -> None:
        measured_pcr, host_pcrs = self._pcrs()
        tpm_release.build(
            self.release_dir,
            release_key=self.release_key,
            full=self.full,
            measured_pcr=measured_pcr,
            host_pcrs=host_pcrs,
        )
        key = {"TPM_RELEASE_KEY": str(public_path(self.release_key))}
        handed_on = {name: value for name, value in self._env().items() if not decisive(name)}
        self.service.env = handed_on | tpm_release.environment(self.release_dir) | key | self.settings
        self.service.argv = tpm_release.argv(self.release_dir, self.port)
        self.service.cwd = self.release_dir / "app"  # gunicorn puts it first on the path, --chdir or not

    def release_again(self, *, version: str = "again", approved: bool = True) -> None:
        """Measure and sign what lies in the release's directory now; the service has to be started again to be it."""
        release = tpm_release.resign(self.release_dir, release_key=self.release_key, version=version)
        if approved:
            measured_pcr, host_pcrs = self._pcrs()
            pcrs = {measured_pcr: release.manifest.pcr, **host_pcrs}
            approve(release, load_private_key(self.release_key), pcrs).save(self.release_dir / "release")

    def _pcrs(self) -> tuple[int, dict[int, bytes]]:
        """Return the measured PCR, and the host's with their values: zero, because no firmware measures into swtpm."""
        host = self.settings.get("TPM_HOST_PCRS", "")
        return int(self.settings.get("TPM_MEASURED_PCR", "8")), {int(n): bytes(32) for n in host.split(",") if n}

    def stop(self) -> None:
        self.service.stop()
        self.provider.stop()
        self.swtpm.stop()

    def start_service(self) -> None:
        """Start the service, and return when it answers, whether or not it reaches a TPM."""
        self.service.start()
        self.service.wait_ready(lambda: self.health_status() is not None, timeout_s=60)

    def kill_service(self) -> None:
        self.service.kill()

    def kill_swtpm(self) -> None:
        self.swtpm.kill()

    def health_status(self) -> int | None:
        """Return the HTTP status of the service's health, None when it does not answer."""
        try:
            return httpx2.get(f"{self.service_url}/v1/health", timeout=5).status_code
        except httpx2.HTTPError:
            return None

    def client(self, client: Client | None = None, *, scopes: Sequence[str] = SCOPES) -> TpmClient:
        """Return a client with tokens of the pool, the portal's if none is named."""
        app = client or self.portal
        return TpmClient(self.service_url, self.credentials(app, scopes), timeout_s=CLIENT_TIMEOUT_S)

    def credentials(self, client: Client, scopes: Sequence[str]) -> ClientCredentials:
        return ClientCredentials(self.provider.token_url, client.client_id, client.client_secret, scopes)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m dev.parts.tpm_service", description="Run a release, on a TPM just reset."
    )
    parser.add_argument("--release", type=Path, required=True, help="made by dev.parts.tpm_release")
    parser.add_argument("--port", type=int, required=True, help="of 127.0.0.1")
    options = parser.parse_args(arguments)
    tcti, release = os.environ.get("TPM_TCTI", ""), options.release.resolve()
    try:
        handed_on = {name: value for name, value in os.environ.items() if not decisive(name)}
        env = handed_on | tpm_release.environment(release)
        if tcti.startswith(SWTPM_TCTI):
            socket = Path(tcti.removeprefix(SWTPM_TCTI))
            reset_tpm(socket)
            if not socket.is_absolute():  # because a socket's path must be short; the service runs in its release
                env["TPM_TCTI"] = SWTPM_TCTI + os.path.relpath(socket, release / "app")
        argv = tpm_release.argv(release, options.port)
        os.chdir(release / "app")  # gunicorn puts it first on the path, --chdir or not
        os.execve(argv[0], argv, env)  # noqa: S606 - as dev.parts.swtpm does
    except (ProcessError, ReleaseError, OSError) as error:
        print(f"dev.parts.tpm_service: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
