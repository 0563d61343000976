"""`manage.py ledger_monitor`: follow log and chain from another machine."""

import signal
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from common.outgoing.asking import Asker
from ledger.chain.node import PATIENCE, Chain
from ledger.chain.nodes import Nodes, info_read
from ledger.errors import ChainError
from ledger.log.monitor.files import LogFiles
from ledger.log.monitor.findings import Severity
from ledger.log.monitor.look import Look, Sources, look
from ledger.log.monitor.metrics import Metrics
from ledger.log.monitor.state import State, StateError, load, save
from ledger.log.note import COSIGNATURE, NoteError, VerifierKey

WRONG_USE = 2
BAR_FROM = 5_000  # entries; fewer are there before a bar is


class Command(BaseCommand):
    help = (
        "Follow the transparency log and the chain from another machine, and tell of a fork, a missing or invented "
        "record, a stopped witness, a log that does not answer. Needs neither a database nor an account; what it has "
        "seen is in the state file. Exit status: 0 all is well, 1 something is away or late, 3 a contradiction, "
        "2 wrong use. docs/monitor.md"
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--log", required=True, metavar="URL", help="the address of the log's files")
        parser.add_argument("--log-key", required=True, metavar="VKEY", help="its key, pinned: name+id+base64")
        parser.add_argument(
            "--witness", action="append", default=[], metavar="VKEY", help="a witness's key, pinned; may be given again"
        )
        parser.add_argument(
            "--witness-url", action="append", default=[], metavar="URL", help="look at what this one shows; again"
        )
        parser.add_argument("--node", action="append", default=[], metavar="URL", help="a node of the chain; again")
        parser.add_argument("--account", default="evledger", metavar="NAME", help="the contract's (%(default)s)")
        parser.add_argument("--chain-id", default="", metavar="ID", help="pinned; else that of the first look")
        parser.add_argument("--state", type=Path, required=True, metavar="FILE", help="what was seen before")
        parser.add_argument("--once", action="store_true", help="look once; else until SIGTERM")
        parser.add_argument("--every", type=float, default=10, metavar="S", help="seconds between looks (%(default)s)")
        parser.add_argument(
            "--late", type=int, default=120, metavar="S", help="how long what may pass is waited for (%(default)s)"
        )
        parser.add_argument(
            "--forget", action="store_true", help="take out contradictions that were found before: they are settled"
        )
        where = parser.add_mutually_exclusive_group()
        where.add_argument("--metrics", metavar="FILE", help="write Prometheus metrics there after each look; -: here")
        where.add_argument("--listen", metavar="ADDRESS:PORT", help="serve them there")

    def handle(self, *args: Any, **options: Any) -> None:
        state = self._state(options)
        sources = _sources(options, state)
        metrics = Metrics()
        if options["listen"]:
            host, _, port = options["listen"].rpartition(":")
            if not host or not port.isdecimal():
                raise CommandError("--listen: expected ADDRESS:PORT", returncode=WRONG_USE)
            try:
                self.stdout.write(f"metrics at {host}:{metrics.listen(host.strip('[]'), int(port))}/metrics")
            except OSError as error:
                raise CommandError(f"--listen {options['listen']}: {error.strerror}", returncode=WRONG_USE) from error
        stopping = threading.Event()
        if not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopping.set())
        before: list[str] | None = None
        while True:
            found = look(state, sources, now=int(time.time()), late_s=options["late"], bar=self._bar)
            save(state, options["state"])
            before = self._tell(state, found, before)
            self._metrics(metrics, state, found, options)
            if options["once"] or stopping.wait(options["every"]):
                break
        if found.severity is not Severity.WELL:
            raise SystemExit(int(found.severity))

    def _state(self, options: dict[str, Any]) -> State:
        try:
            state = load(options["state"], log_key=options["log_key"], account=options["account"])
        except StateError as error:
            raise CommandError(str(error), returncode=WRONG_USE) from error
        if options["forget"]:
            state.found = []
        if options["chain_id"] and state.chain_id not in ("", options["chain_id"]):
            raise CommandError(f"--chain-id: until now it was {state.chain_id}", returncode=WRONG_USE)
        state.chain_id = options["chain_id"] or state.chain_id
        return state

    def _tell(self, state: State, found: Look, before: list[str] | None) -> list[str]:
        """A line for each finding that is new, and one for each that is over; at the first look where all stands."""
        at = f"{datetime.fromtimestamp(found.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
        lines = [finding.line for finding in found.told]
        if before is None or state.frontier.size != found.grew_from:
            root = state.frontier.root().hex()
            goes_on = f", goes on from {found.grew_from}" if found.grew_from else ""
            self.stdout.write(f"{at} log: {state.frontier.size} entries{goes_on}, root {root}")
        for node, size in found.nodes.items() if before is None else ():
            self.stdout.write(f"{at} chain {node}: {size} entries, all records up to block {state.upto}")
        for name, (size, _) in state.witnesses.items() if before is None else ():
            self.stdout.write(f"{at} witness {name}: has signed {size} entries")
        for line in lines:
            if line not in (before or ()):
                self.stdout.write(f"{at} {line}")
        if (before is None or before) and not lines:
            self.stdout.write(f"{at} all is well")
        self.stdout.flush()
        return lines

    def _metrics(self, metrics: Metrics, state: State, found: Look, options: dict[str, Any]) -> None:
        metrics.show(state, found, [_key(text, "--witness").name for text in options["witness"]])
        if options["metrics"] == "-":
            self.stdout.write(metrics.text(), ending="")
        elif options["metrics"]:
            metrics.write(Path(options["metrics"]))

    @contextmanager
    def _bar(self, what: str, total: int) -> Iterator[Callable[[int], object]]:
        with tqdm(total=total, desc=what, unit=" entries", disable=None if total >= BAR_FROM else True) as bar:
            yield bar.update


def _sources(options: dict[str, Any], state: State) -> Sources:
    asker = Asker()
    key = _key(options["log_key"], "--log-key")
    witnesses = [_key(text, "--witness") for text in options["witness"]]
    if key.type == COSIGNATURE or any(each.type != COSIGNATURE for each in witnesses):
        raise CommandError(
            "a witness's key is of type 4, the log's is not: are they the wrong way round?", returncode=2
        )
    if options["node"] and not state.chain_id:
        state.chain_id = _chain_id(options["node"])
    nodes = [Chain([url], account=options["account"], chain_id=state.chain_id) for url in options["node"]]
    return Sources(LogFiles(options["log"], asker), key, nodes, witnesses, options["witness_url"], asker)


def _key(text: str, option: str) -> VerifierKey:
    try:
        return VerifierKey.parse(text)
    except NoteError as error:
        raise CommandError(f"{option}: {error}", returncode=WRONG_USE) from error


def _chain_id(urls: list[str]) -> str:
    """What the first node that answers says at the first look, and must say from then on."""
    for url in urls:
        try:
            return Nodes([url.rstrip("/")], chain_id="", patience=PATIENCE).read("get_info", {}, info_read).chain_id
        except ChainError:
            continue
    return ""
