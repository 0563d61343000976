"""witness_day_s: seconds in which a witness checks a day of 100,000 records, from the request to its cosignature.

Method: the contract on a real node holds 100,000 records and the log's checkpoint over them, made by the permission
`record` with a software key. The log's pages are files, as C2SP's tlog-tiles has them, served by http.server in a
process of its own. Each sample is a witness (in this process) that has seen nothing yet: it reads all entries, computes
the root, compares the root with the contract's row and each entry with the contract's table, page by page, looks for
what the log left out, writes its state with fsync, and signs.
"""

import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.stage import Measured, options, perform, seconds
from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import bootstrap, write_genesis
from dev.chain.transactions import Action, call, pack_bytes, pack_list, push_actions
from dev.common.processes import free_port, port_open, wait_until
from dev.common.progress import bar
from tests.witness.a_log import ALog
from witness.chain import Chain
from witness.config import Log
from witness.content import BUNDLE, Reader, tile_path
from witness.core import Witness
from witness.keys import SigningKey
from witness.state import State, make_state
from witness.trees import Tree

RECORDS = 100_000
BATCH = 200  # records in a transaction, as the portal's
ACCOUNT = "evledger"
PATIENCE_S = 60.0


def measure(chosen: Namespace, directory: Path) -> Measured:
    key, record = new_keypair(), new_keypair("R1")
    genesis = directory / "genesis.json"
    write_genesis(genesis, key.public)
    node = Nodeos(directory / "node", free_port(), free_port(), genesis=genesis, producer=key)
    node.start()
    try:
        bootstrap(
            node.url, producer_key=key, owner_key=key, active_key=key, record_public_key=record.public, account=ACCOUNT
        )
        log = ALog(RECORDS)
        recorded(node.url, log, record)
        export(log, directory / "log")
        with pages(directory / "log") as portal:
            found = [checked(directory / f"witness-{number}", log, portal, node.url) for number in range(chosen.count)]
    finally:
        node.stop()
    return found, {"records": RECORDS}


def recorded(url: str, log: ALog, key: KeyPair) -> None:
    """All entries of the log on the chain, and its checkpoint; returns when that is irreversible."""
    block = 0
    with bar(RECORDS, "recording", " records") as progress:
        for first in range(0, RECORDS, BATCH):
            batch = log.leaves[first : first + BATCH]
            packed = (
                int.from_bytes(leaf[:8], "big").to_bytes(8, "little") + leaf[8:] + pack_bytes(b"") for leaf in batch
            )
            action = Action(ACCOUNT, "record", pack_list(packed), f"{ACCOUNT}@record")
            block = push_actions(url, [action], [key])["block_num"]
            progress.update(len(batch))
    wait_until(lambda: call(url, "chain/get_info")["head_block_num"] > block, PATIENCE_S)
    tree = Tree()
    tree.append(log.leaves)
    data = tree.size.to_bytes(8, "little") + tree.root + block.to_bytes(4, "little") + pack_list([])
    block = push_actions(url, [Action(ACCOUNT, "checkpoint", data, f"{ACCOUNT}@record")], [key])["block_num"]
    if not wait_until(lambda: call(url, "chain/get_info")["last_irreversible_block_num"] >= block, PATIENCE_S):
        raise RuntimeError("the checkpoint does not become irreversible")


def export(log: ALog, directory: Path) -> None:
    """The log's entries as files."""
    for number in range(-(-RECORDS // BUNDLE)):
        width = min(BUNDLE, RECORDS - number * BUNDLE)
        path = directory / "tile" / "entries" / f"{tile_path(number)}{'' if width == BUNDLE else f'.p/{width}'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(log.bundle(number, width))


@contextmanager
def pages(directory: Path) -> Iterator[str]:
    """The files by HTTP."""
    port = free_port()
    where = ["--bind", "127.0.0.1", "--directory", str(directory), str(port)]
    server = subprocess.Popen(
        [sys.executable, "-m", "http.server", *where], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        if not wait_until(lambda: port_open(port), PATIENCE_S):
            raise RuntimeError("http.server does not listen")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def checked(directory: Path, log: ALog, portal: str, url: str) -> float:
    """Seconds of a witness that knows nothing yet."""
    key = SigningKey.new("witness.example/w")
    make_state(directory, key.verifier.text)
    state = State(directory, key.verifier.text)
    chain_id = call(url, "chain/get_info")["chain_id"]
    known = Log(log.vkey, Reader(portal), Chain([url], account=ACCOUNT, chain_id=chain_id))
    witness = Witness(key, state, {log.origin: known}, time.time)
    tree = Tree()
    tree.append(log.leaves)
    request = b"old 0\n\n" + log.note(root=tree.root)

    def ask() -> None:
        answer = witness.add_checkpoint(request)
        if answer.status != 200:
            raise RuntimeError(f"not cosigned: {answer}")

    try:
        return seconds(ask)
    finally:
        state.close()


if __name__ == "__main__":
    perform(options(__doc__, count=5, what="witnesses"), measure)
