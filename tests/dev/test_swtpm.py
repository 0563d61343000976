"""The development TPM: manufactured once, encrypted on disk, private sockets, and it survives kill -9."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from stat import S_IMODE

import pytest

from dev.common.processes import Child, ProcessError
from dev.parts.swtpm import KEY_FILE, Swtpm, accepts, control_path, tcti

NV = "0x1500001"


def tpm2(swtpm: Swtpm, tool: str, *arguments: str) -> str:
    """Run one of the tpm2-tools against this TPM and return what it printed."""
    done = subprocess.run([tool, "-T", swtpm.tcti, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_it_stores_survives_kill_and_is_encrypted(tmp_path: Path) -> None:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    tpm2(swtpm, "tpm2_nvdefine", NV, "-s", "16")
    (tmp_path / "value").write_bytes(b"kept in the chip")
    tpm2(swtpm, "tpm2_nvwrite", NV, "-i", str(tmp_path / "value"))

    files = [swtpm.socket, control_path(swtpm.socket), swtpm.state_dir / KEY_FILE, swtpm.state_dir / "tpm2-00.permall"]
    assert [oct(S_IMODE(path.stat().st_mode)) for path in files] == ["0o600"] * 4
    assert b"kept in the chip" not in files[-1].read_bytes()

    for end in (swtpm.kill, swtpm.stop):
        end()
        assert not swtpm.alive
        swtpm.start()
        assert tpm2(swtpm, "tpm2_nvread", NV) == "kept in the chip"
    swtpm.stop()


def test_an_interrupted_manufacture_leaves_no_half_tpm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "swtpm_setup").write_text("#!/bin/sh\necho no room left\nexit 7\n")
    (tmp_path / "swtpm_setup").chmod(0o700)
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    with pytest.raises(ProcessError, match=r"status 7\nno room left"):
        swtpm.start()
    assert [path.name for path in tmp_path.iterdir()] == ["swtpm_setup"]


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="at most 102 bytes, got"):
        Swtpm(tmp_path / "state", tmp_path / ("x" * 100))


@pytest.mark.tpm
def test_the_command_line_serves_until_sigterm(tmp_path: Path) -> None:
    socket = tmp_path / "tpm"
    arguments = ["run", "--state", str(tmp_path / "state"), "--socket", str(socket)]
    run = Child("dev.parts.swtpm", [sys.executable, "-m", "dev.parts.swtpm", *arguments], log=tmp_path / "log")
    run.start()
    run.wait_ready(lambda: accepts(control_path(socket)), timeout_s=60)
    listing = subprocess.run(["tpm2_getrandom", "-T", tcti(socket), "--hex", "8"], capture_output=True, timeout=60)
    assert len(listing.stdout) == 16
    os.kill(run.pid, signal.SIGTERM)
    run.wait_ready(lambda: not accepts(control_path(socket)), timeout_s=60)
    run.stop()


def test_its_maker_vouches_for_it(tmp_path: Path) -> None:
    """The EK certificate in NV is of the EK, chains to the root beside the state, and the CA's keys are gone."""
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    tpm2(swtpm, "tpm2_nvread", "0x01C00002", "-o", str(tmp_path / "ek.der"))
    tpm2(swtpm, "tpm2_readpublic", "-c", "0x81010001", "-f", "pem", "-o", str(tmp_path / "ek.pem"))
    swtpm.stop()
    openssl = ["openssl", "x509", "-inform", "der", "-in", str(tmp_path / "ek.der")]
    pubkey = subprocess.run([*openssl, "-noout", "-pubkey"], capture_output=True, text=True, check=True, timeout=60)
    assert pubkey.stdout == (tmp_path / "ek.pem").read_text()
    subprocess.run([*openssl, "-out", str(tmp_path / "cert.pem")], check=True, timeout=60)
    chain = ["-CAfile", str(swtpm.ek_root), "-untrusted", str(swtpm.ek_issuer), str(tmp_path / "cert.pem")]
    # the TCG's attributes are critical extensions that OpenSSL does not know
    subprocess.run(["openssl", "verify", "-ignore_critical", *chain], check=True, capture_output=True, timeout=60)
    names = {path.name for path in swtpm.state_dir.iterdir()}
    assert names - {".lock"} == {KEY_FILE, "tpm2-00.permall", "ek-root.pem", "ek-issuer.pem"}


def test_a_tpm_without_certificate_is_refused_and_kept(tmp_path: Path) -> None:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    swtpm.stop()
    swtpm.ek_root.unlink()
    kept = (swtpm.state_dir / "tpm2-00.permall").read_bytes()
    with pytest.raises(ProcessError, match="no EK certificate"):
        swtpm.start()
    assert (swtpm.state_dir / "tpm2-00.permall").read_bytes() == kept
