"""A monitor's world: a log, a node and a witness, honest until a test changes that."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command

from tests.ledger.log.operator import LogKey, leaves
from tests.ledger.log.servers import LogServer, NodeServer
from tests.ledger.log.witness_server import Witness


@dataclass
class World:
    """A log with its chain and a witness, honest until a test changes that; `look` runs the command once."""

    folder: Path
    log: LogServer
    node: NodeServer
    witness: Witness

    @property
    def state(self) -> Path:
        return self.folder / "state.json"

    def grow(self, count: int) -> None:
        """The log has so many entries, the chain and the witness know it."""
        entries = leaves(count)
        self.log.entries = entries
        self.node.record(entries)
        self.node.checkpoint(entries)
        note = self.log.key.note_of(entries)
        self.log.lines = self.witness.key.line(note)
        self.log.note = note
        self.witness.status = {"logs": [{"checkpoint": note + self.log.lines}]}

    def look(self, *more: str, late: int = 0) -> tuple[int, str]:
        """Exit status and lines."""
        out = StringIO()
        args = ["--log", self.log.url, "--log-key", self.log.key.vkey, "--state", str(self.state), "--once"]
        args += ["--node", self.node.url, "--witness", self.witness.key.vkey, "--witness-url", self.witness.url]
        try:
            call_command("ledger_monitor", *args, "--late", str(late), *more, stdout=out, stderr=out)
        except SystemExit as error:
            return int(error.code or 0), out.getvalue()
        return 0, out.getvalue()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, LogServer(LogKey()), NodeServer(), Witness())
    yield made
    for server in (made.log, made.node, made.witness):
        server.stop()
