"""A software TPM 2.0 (swtpm) on a Unix socket, its state encrypted on disk.

`python -m dev.parts.swtpm run --state DIR --socket PATH` runs it in the foreground; `Swtpm` runs it as a child process.
"""

import argparse
import os
import secrets
import shutil
import socket as sockets
import subprocess
import sys
import tempfile
from pathlib import Path

from dev.common.processes import ProcessError, Server

KEY_FILE = "state.key"
EK_ROOT_FILE, EK_ISSUER_FILE = "ek-root.pem", "ek-issuer.pem"
CIPHER = "aes-256-cbc"
SUN_PATH_MAX = 107  # unix(7): 108 bytes with the closing zero
LISTENING = "00010000"  # among the flags of /proc/net/unix (__SO_ACCEPTCON)


def manufacture(state: Path) -> None:
    """Make the state directory of a new TPM, the key that encrypts it and the certificates that vouch for it.

    It is made beside its place and moved there whole, so that one interrupted half-way is never taken for a TPM. One
    that exists stays as it is; raises ProcessError when it is of a time at which TPMs were made without EK certificate.
    """
    if (state / KEY_FILE).exists():
        if not (state / EK_ROOT_FILE).exists():
            raise ProcessError(
                f"swtpm: the TPM in {state} has no EK certificate, and none can be added. Delete the directory to have "
                "a new TPM made; keys of the old one are lost with it"
            )
        return
    state.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{state.name}-", dir=state.parent))  # mkdtemp makes it 0700
    try:
        key = building / KEY_FILE
        key.touch(mode=0o600)
        key.write_text(secrets.token_hex(32))
        _setup(building, key)
        building.rename(state)
    except OSError as error:
        raise ProcessError(f"swtpm: cannot make its state in {state}: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _setup(state: Path, key: Path) -> None:
    ca = Path(tempfile.mkdtemp(prefix="ca-", dir=state))
    try:
        options = ["--keyfile", str(key), "--cipher", CIPHER, "--pcr-banks", "sha256"]
        certify = ["--create-ek-cert", "--config", str(_ca_config(ca))]
        argv = ["swtpm_setup", "--tpm2", "--tpmstate", str(state), *options, *certify]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise ProcessError(f"swtpm_setup: status {done.returncode}\n{done.stdout}{done.stderr}")
        (ca / "swtpm-localca-rootca-cert.pem").rename(state / EK_ROOT_FILE)
        (ca / "issuercert.pem").rename(state / EK_ISSUER_FILE)
    finally:
        shutil.rmtree(ca)  # with the private keys: this CA certifies one TPM and no other


def _ca_config(ca: Path) -> Path:
    """Write what swtpm_setup and swtpm_localca would otherwise read from and keep in the machine or the home."""
    (ca / "localca.conf").write_text(
        f"statedir = {ca}\nsigningkey = {ca}/signkey.pem\n"
        f"issuercert = {ca}/issuercert.pem\ncertserial = {ca}/certserial\n"
    )
    (ca / "localca.options").write_text(
        "--platform-manufacturer EVPortal\n--platform-version 1\n--platform-model swtpm\n"
    )
    config = ca / "setup.conf"
    config.write_text(
        "create_certs_tool = swtpm_localca\n"
        f"create_certs_tool_config = {ca}/localca.conf\ncreate_certs_tool_options = {ca}/localca.options\n"
    )
    return config


def command(state: Path, socket: Path) -> list[str]:
    """Return the command line that serves the TPM in `state` on `socket`, with its control channel at `socket`.ctrl."""
    control = control_path(socket)
    if len(os.fsencode(control)) > SUN_PATH_MAX:
        raise ProcessError(
            f"swtpm: expected a socket path of at most {SUN_PATH_MAX - len('.ctrl')} bytes, "
            f"got {len(os.fsencode(socket))}: {socket}"
        )
    return [
        *("swtpm", "socket", "--tpm2"),
        *("--tpmstate", f"dir={state},mode=0600"),
        *("--key", f"file={state / KEY_FILE},mode={CIPHER}"),
        *("--server", f"type=unixio,path={socket},mode=0600"),
        *("--ctrl", f"type=unixio,path={control},mode=0600"),
        # no --terminate: it goes on when a client leaves; startup-clear: it answers without an INIT first
        *("--flags", "startup-clear"),
    ]


def control_path(socket: Path) -> Path:
    """Return where libtss2's swtpm TCTI expects the control channel of the TPM at `socket`."""
    return socket.with_name(socket.name + ".ctrl")


def tcti(socket: Path) -> str:
    """Return the TCTI string by which libtss2 reaches the TPM at `socket`."""
    return f"swtpm:path={socket}"


class Swtpm(Server):
    """swtpm as a child process; its log is `socket`.log. Keys and NV of `state_dir` survive stop() and kill().

    Its maker is a CA of its own: `ek_root` is its certificate (PEM), which whoever trusts this TPM has to know, and
    `ek_issuer` the one that it issued to the signer of the EK certificate. Both are there when the TPM is.
    """

    ready_timeout_s = 30.0

    def __init__(self, state_dir: Path, socket: Path) -> None:
        super().__init__("swtpm", command(state_dir, socket), log=socket.with_name(socket.name + ".log"))
        self.state_dir = state_dir
        self.socket = socket
        self.ek_root = state_dir / EK_ROOT_FILE
        self.ek_issuer = state_dir / EK_ISSUER_FILE
        self.tcti = tcti(socket)

    def start(self) -> None:
        """Start it, and return when it accepts connections; the first start manufactures the TPM (1 to 3 s)."""
        manufacture(self.state_dir)
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        super().start()

    def ready(self) -> bool:
        """Both sockets: swtpm opens the control channel first, and refuses commands until it has the other."""
        return accepts(control_path(self.socket)) and listens(self.socket)


def listens(path: Path) -> bool:
    """Tell whether somebody listens on this Unix socket, without disturbing it: it serves one client at a time."""
    sockets_now = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text().splitlines())
    return any(len(fields) == 8 and fields[3] == LISTENING and fields[7] == str(path) for fields in sockets_now)


def accepts(path: Path) -> bool:
    """Tell whether somebody accepts connections on this Unix socket."""
    with sockets.socket(sockets.AF_UNIX, sockets.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.parts.swtpm", description=__doc__)
    run = parser.add_subparsers(required=True).add_parser("run", help="serve in the foreground until SIGTERM")
    run.add_argument("--state", type=Path, required=True, help="directory of the TPM's state; made when it is missing")
    run.add_argument("--socket", type=Path, required=True, help="Unix socket to serve; control socket at SOCKET.ctrl")
    options = parser.parse_args(arguments)
    try:
        argv = command(options.state, options.socket)
        manufacture(options.state)
        options.socket.parent.mkdir(parents=True, exist_ok=True)
        os.execvp(argv[0], argv)  # noqa: S606 - fixed arguments, and no shell is wanted between the Procfile and swtpm
    except (ProcessError, OSError) as error:
        print(f"dev.parts.swtpm: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
