"""The demo's two witnesses: keys and state made once, their configuration at each start, and the portal told of them.

In earnest others run them, each on a machine of its own. Import it only after django.setup(), as dev/stack/portal.py.
"""

import io
import json
import subprocess
import sys
import time

from django.conf import settings
from django.core.management import CommandError, call_command

from dev.common.files import replace
from dev.common.steps import StackError
from dev.stack.layout import ROOT, VAR, Ports
from ledger.log.keys import log_vkey

DIRECTORY = VAR / "witness"
NODES = {"WITNESS1": ("READER",), "WITNESS2": ("NODEOS", "READER")}  # which node each asks
KEY_PATIENCE_S = 120.0
POLL_S = 0.5


def configure(ports: Ports) -> None:
    """Make what is missing of them, and write their configurations; raises StackError where the log has no key yet."""
    vkey = _log_key()
    for name, nodes in NODES.items():
        directory = DIRECTORY / name.lower()
        if not (directory / "witness.key").exists():
            _witness("keygen", "--name", f"demo.example/{name.lower()}", "--directory", str(directory))
        replace(directory / "witness.toml", _configuration(ports, name, nodes, vkey))


def register(ports: Ports) -> None:
    """Have the portal ask them from now on; raises StackError."""
    for name in NODES:
        config = DIRECTORY / name.lower() / "witness.toml"
        vkey = _witness("show", "--config", str(config)).splitlines()[0]
        try:
            call_command("log_witness", "add", ports.url(name), vkey, stdout=io.StringIO())
        except CommandError as error:
            raise StackError(f"log_witness add: {error}") from error


def _log_key() -> str:
    """The log's vkey, once the first checkpoint is signed."""
    deadline = time.monotonic() + KEY_PATIENCE_S
    while not (vkey := log_vkey()):
        if time.monotonic() > deadline:
            raise StackError("the log has no key yet: see the alerts in the administration")
        time.sleep(POLL_S)
    return vkey


def _configuration(ports: Ports, name: str, nodes: tuple[str, ...], vkey: str) -> str:
    values = {
        "vkey": vkey,
        "portal": f"{ports.url('WEB')}/log",
        "nodes": [ports.url(node) for node in nodes],
        "account": settings.LEDGER_ACCOUNT,
        "chain_id": settings.LEDGER_CHAIN_ID,
    }
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())  # which is TOML, too
    return f'# written by `make demo` at each run\nlisten = "127.0.0.1:{ports[name]}"\n\n[[log]]\n{lines}'


def _witness(*arguments: str) -> str:
    command = [sys.executable, "-m", "witness", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise StackError(f"witness {arguments[0]}: {done.stderr}")
    return done.stdout
