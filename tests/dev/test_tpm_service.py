"""A release in the foreground, as the Procfile runs it: on a TPM that was reset, from its own directory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dev.common.processes import Child, free_port
from dev.parts import tpm_release
from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import ROOT, main, reset_tpm, service_env
from tpm.service.release.release_key import public_path


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


def test_it_runs_a_release_again_and_again(tmp_path: Path, swtpm: Swtpm) -> None:
    """The socket is named from where it was started, though the release runs in a directory of its own."""
    key, release, port = tmp_path / "key.pem", tmp_path / "release", free_port()
    tpm_release.build(release, release_key=key, full=False)
    env = service_env(
        tcti=f"swtpm:path={os.path.relpath(swtpm.socket, ROOT)}",
        key_dir=tmp_path / "keys",
        issuer="https://pool.example",
        jwks_url="https://pool.example/jwks.json",
        clients=["portal"],
        TPM_RELEASE_KEY=str(public_path(key)),
    )
    argv = [sys.executable, "-m", "dev.parts.tpm_service", "--release", str(release), "--port", str(port)]
    child = Child("service", argv, log=tmp_path / "log", cwd=ROOT, env=env)

    def answers() -> bool:
        try:
            return httpx2.get(f"http://127.0.0.1:{port}/v1/health", timeout=5).status_code == httpx2.codes.OK
        except httpx2.HTTPError:
            return False

    for _ in range(2):
        child.start()
        try:
            child.wait_ready(answers, timeout_s=60)
        finally:
            child.kill()


def test_what_is_no_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--release", str(tmp_path), "--port", "1"]) == 1
    assert "is no release" in capsys.readouterr().err


def test_a_reset_clears_the_pcrs_and_needs_a_tpm(tmp_path: Path, swtpm: Swtpm) -> None:
    reset_tpm(tmp_path / "nobody")
    zero = read(swtpm)
    subprocess.run(["tpm2_pcrevent", "-T", swtpm.tcti, "8", __file__], check=True, capture_output=True, timeout=60)
    assert read(swtpm) != zero
    reset_tpm(swtpm.socket)
    assert read(swtpm) == zero


def read(swtpm: Swtpm) -> str:
    argv = ["tpm2_pcrread", "-T", swtpm.tcti, "sha256:8"]
    subprocess.run(["tpm2_startup", "-T", swtpm.tcti, "-c"], capture_output=True, timeout=60, check=False)
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60).stdout
