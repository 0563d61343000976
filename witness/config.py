"""The configuration: one TOML file, whose relative paths count from where it lies. docs/witness.md has an example."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from witness.asking import Server
from witness.chain import Chain
from witness.content import Reader
from witness.errors import FormError, SetupError, shown
from witness.notes import COSIGNATURE, VerifierKey

KEY_FILE, STATE_DIRECTORY, CONFIG_FILE = "witness.key", "state", "witness.toml"
LISTEN = "127.0.0.1:8400"
BESIDE = Path(__file__).resolve().parents[1] / "ledger" / "standalone"  # where a release has page and scripts
_MEMBERS = {"key": str, "state": str, "listen": str, "release": str, "log": list}
_LOG_MEMBERS = {"vkey": str, "portal": str, "nodes": list, "account": str, "chain_id": str}


@dataclass(frozen=True)
class Log:
    """A log to witness: its key, and where else one can look whether it says the truth."""

    key: VerifierKey
    reader: Reader | None
    chain: Chain | None

    @property
    def origin(self) -> str:
        return self.key.name


@dataclass(frozen=True)
class Config:
    """What the file says. `release`: the directory with page, scripts and sums; None to serve none."""

    key: Path
    state: Path
    host: str
    port: int
    release: Path | None
    logs: Mapping[str, Log]


def read_config(path: Path) -> Config:
    """Read the file; raises SetupError, naming what is wrong."""
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SetupError(f"{path}: cannot be read: {error}") from error
    try:
        _check(found, _MEMBERS)
        logs: dict[str, Log] = {}
        for each in found.get("log", []):
            log = _log(each)
            if log.origin in logs:
                raise FormError(f"log: {log.origin} stands there twice")
            logs[log.origin] = log
        host, _, port = found.get("listen", LISTEN).rpartition(":")
        if not host or not port.isdecimal() or int(port) > 65535:
            raise FormError("listen: expected ADDRESS:PORT")
    except (FormError, SetupError) as error:
        raise SetupError(f"{path}: {error}") from error
    here = path.parent
    release = here / found["release"] if found.get("release") else BESIDE if BESIDE.is_dir() else None
    key, state = here / found.get("key", KEY_FILE), here / found.get("state", STATE_DIRECTORY)
    return Config(key, state, host.strip("[]"), int(port), release, logs)


def _check(found: object, members: Mapping[str, type]) -> None:
    if not isinstance(found, dict):
        raise FormError("expected a table")
    for name, value in found.items():
        if name not in members:
            raise FormError(f"{shown(name)}: no such setting; there are {', '.join(members)}")
        if not isinstance(value, members[name]):
            raise FormError(f"{name}: expected {'a text' if members[name] is str else 'a list'}")


def _log(found: Any) -> Log:
    _check(found, _LOG_MEMBERS)
    key = VerifierKey.parse(found.get("vkey", ""))
    if key.type == COSIGNATURE:
        raise FormError(f"vkey of {key.name}: that of a witness, expected a log's")
    nodes = found.get("nodes", [])
    if not all(isinstance(node, str) for node in nodes):
        raise FormError("nodes: expected a list of addresses")
    chain = Chain(nodes, account=found.get("account", ""), chain_id=found.get("chain_id", "")) if nodes else None
    portal = found.get("portal", "")
    return Log(key, Reader(Server(portal).url) if portal else None, chain)


EXAMPLE = """\
# A witness: python3 -m witness run --config {path}
listen = "{listen}"

# One for each log. `vkey` is enough; with `portal` (the address that its tiles are below) every entry is read, and with
# `nodes` (yours, or such that the log's operator does not run) also compared with the chain.
#
# [[log]]
# vkey = "charging.example/log+0a1b2c3d+Ajk…"
# portal = "https://charging.example/log"
# nodes = ["http://127.0.0.1:8888"]
# account = "evledger"
# chain_id = "…64 hexadecimal digits…"
"""
