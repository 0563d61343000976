"""Where the development stack keeps its things, on which ports its parts listen, and who is in the way.

Everything is below `var/`, which git ignores. Ports come from the environment, else from what var/demo.conf remembers,
else they are the default ones.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dev.common.files import replace
from dev.common.processes import free_port
from dev.common.steps import StackError

ROOT = Path(__file__).resolve().parents[2]
VAR = ROOT / "var"
RUN = VAR / "run"
LOG = VAR / "log"
SECRETS = VAR / "secrets"
CHAIN = VAR / "chain"
COGNITO = VAR / "cognito"
GENESIS = CHAIN / "genesis.json"
TPM_STATE = VAR / "tpm" / "state"  # swtpm's, with the certificates of its maker
TPM_RELEASE = VAR / "tpm" / "release"
TPM_RELEASE_KEY = SECRETS / "tpm_release_key.pem"  # in production it is offline
TPM_SOCKET = Path("var/run/tpm")  # relative: the path of a Unix socket has 107 bytes, wherever the checkout lies
PORTAL_ENV = VAR / "env"  # read by evportal/env.py
STACK_ENV = VAR / "stack.env"  # read by honcho for dev/Procfile
LIVE_STATIONS = SECRETS / "live_stations.json"  # with their credentials, for dev/stations
DEMO_DATA = VAR / "demo"  # the copy of the real sessions that was moved to now
DEMO_CONF = VAR / "demo.conf"

DEFAULT_PORTS = {
    "WEB": 8000,
    "GATEWAY": 8300,
    "TPM": 8100,
    "COGNITO": 8200,
    "REDIS": 6390,
    "NODEOS": 8888,
    "NODEOS_P2P": 9876,
    "READER": 8889,
    "READER_P2P": 9877,
}


def make_directories() -> None:
    for directory in (VAR, RUN, LOG, SECRETS, CHAIN):
        directory.mkdir(parents=True, exist_ok=True)
    for directory in (VAR, SECRETS):
        directory.chmod(0o700)  # the database and the logs too are nobody else's business


def read_settings(path: Path) -> dict[str, str]:
    """Read KEY=value lines; a file that is not there has none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def write_settings(path: Path, head: str, settings: Mapping[str, str]) -> None:
    """Write KEY=value lines below a comment, mode 0600: some are addresses with a password."""
    replace(path, f"# {head}\n" + "".join(f"{name}={value}\n" for name, value in settings.items()))


def variable(part: str) -> str:
    """The name of the environment variable that chooses a part's port."""
    return f"EVPORTAL_DEMO_{part}_PORT"


@dataclass(frozen=True)
class Ports:
    """The ports of 127.0.0.1, by the names of DEFAULT_PORTS."""

    by_name: Mapping[str, int]

    @classmethod
    def chosen(cls) -> "Ports":
        """What the environment, var/demo.conf or the defaults say; raises StackError for what is no port."""
        remembered = read_settings(DEMO_CONF)
        ports = {}
        for name, default in DEFAULT_PORTS.items():
            text = os.environ.get(variable(name)) or remembered.get(variable(name)) or str(default)
            if not text.isdecimal() or not 1024 <= int(text) <= 65535:
                raise StackError(f"{variable(name)}: expected a port from 1024 to 65535, got {text!r}")
            ports[name] = int(text)
        if len(set(ports.values())) < len(ports):
            taken = ", ".join(f"{variable(name)}={port}" for name, port in ports.items())
            raise StackError(f"expected a port of its own for each part, got {taken}")
        return cls(ports)

    def __getitem__(self, name: str) -> int:
        return self.by_name[name]

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self[name]}"

    def remember(self) -> None:
        """Keep the choice, so that the next `make demo` without the variables finds the same stack."""
        write_settings(DEMO_CONF, "ports of `make demo`", {variable(name): str(self[name]) for name in self.by_name})

    def check_free(self, names: list[str]) -> None:
        """Raise StackError, naming port, holder and way out, when somebody else listens on one of these ports."""
        taken = [name for name in names if not port_free(self[name])]
        if taken:
            lines = "\n".join(
                f"  port {self[name]} (for {name.lower()}) is held by {holder(self[name])}" for name in taken
            )
            example = " ".join(f"{variable(name)}={free_port()}" for name in taken)
            raise StackError(
                f"In use already:\n{lines}\nEnd that process, or choose other ports:\n\n    {example} make demo\n"
            )


def port_free(port: int) -> bool:
    """Tell whether this port of 127.0.0.1 can be listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended just now do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def holder(port: int) -> str:
    """Say which process listens on a port, as far as we may see it."""
    import psutil  # not above: the image `tools`, which reads settings only, has none

    for connection in psutil.net_connections("tcp"):
        listens = connection.laddr and connection.laddr.port == port and connection.status == psutil.CONN_LISTEN
        if listens and connection.pid is not None:
            with suppress(psutil.Error):  # it ended meanwhile, or is another user's
                return f"pid {connection.pid}: {' '.join(psutil.Process(connection.pid).cmdline())[:100]}"
    return "a process that this user may not see (find it as root: ss -ltnp)"
