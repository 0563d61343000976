"""audit_100k_ratio, audit_1m_peak_mb: `manage.py ledger_audit` over recorded sessions, its seconds and its peak memory.

Method: PostgreSQL of the bench's own (fsync on) with recorded sessions (bench/portal/million.py), 200 a transaction.
Each transaction is packed, signed and in a block of its own, as the portal makes them. A process of its own serves rows
and blocks over HTTP (audit_node.py); it stands for nodeos, which would take hours to record as many. The command runs
in a process of its own: the clock runs from its start to its end, its peak is its resident memory. It must find nothing
that differs. Runs under this tree's code and under an older one's (bench/against.py).
"""

import json
import os
import re
import secrets
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.stage import become_portal, options, perform
from dev.chain.keys import KeyPair, new_keypair
from dev.common.progress import bar
from dev.parts.postgres import Postgres

EACH = 100  # sessions a customer
FIRST_BLOCK = 1_000
SEALED_BYTES = 330
CHAIN_ID = "ab" * 32
ACCOUNT = "evledger"
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
SLOT = timedelta(milliseconds=500)
TRANSACTION = (
    "UPDATE ledger_chaintransaction SET packed = %s, signature = %s, public_key = %s, transaction_id = %s,"
    " expires_at = %s, ref_block_num = %s, block_num = %s, block_id = %s, irreversible_at = %s WHERE id = %s"
)
NODE = Path(__file__).parent / "audit_node.py"
HERE = Path.cwd()  # the checkout that is measured


@dataclass(frozen=True)
class Stage:
    """Where the command finds its database and its node."""

    environment: dict[str, str]

    def audit(self, directory: Path) -> tuple[float, float]:
        """(seconds, MB at most) of one run; raises RuntimeError where anything differs."""
        out = directory / "report.json"
        begun = time.monotonic()
        with out.open("w") as file:
            command = [sys.executable, "manage.py", "ledger_audit", "--json"]
            child, peak = subprocess.Popen(command, cwd=HERE, env=self.environment, stdout=file), 0.0
            while child.poll() is None:
                peak = max(peak, peak_mb(child.pid))
                time.sleep(0.02)
        seconds = time.monotonic() - begun
        if child.returncode:
            raise RuntimeError(f"ledger_audit: status {child.returncode}: {out.read_text()[:2000]}")
        return seconds, peak


def peak_mb(pid: int) -> float:
    """The most memory that a process had since it began (VmHWM), 0 where it has ended.

    Not wait4's ru_maxrss: of a process that was started by a larger one it is at least that one's.
    """
    try:
        found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


@contextmanager
def recorded(directory: Path, count: int) -> Iterator[Stage]:
    """`count` recorded sessions in a database, and a node that has them; this process becomes a portal on both."""
    postgres = Postgres(directory / "postgres", durable=True)
    node = None
    try:
        postgres.start()
        become_portal(
            directory,
            EVPORTAL_DATABASE_URL=postgres.url,
            EVPORTAL_REDIS_URL="redis://127.0.0.1:9/0",  # an audit needs none
            EVPORTAL_LEDGER_CHAIN_ID=CHAIN_ID,
            EVPORTAL_LEDGER_ACCOUNT=ACCOUNT,
            EVPORTAL_LEDGER_MASTER_KEY_FILE=str(directory / "master_keys"),
            EVPORTAL_SECRET_KEY=secrets.token_hex(32),
        )
        with bar(count, "recording", " sessions") as progress:
            for made in _sessions(count):
                progress.update(made)
        chain_make(directory)
        node = subprocess.Popen([sys.executable, str(NODE), str(directory)], stdout=subprocess.PIPE, text=True)
        assert node.stdout is not None
        os.environ["EVPORTAL_LEDGER_NODES"] = f"http://127.0.0.1:{node.stdout.readline().strip()}"
        yield Stage({**os.environ, "PYTHONPATH": str(HERE)})
    finally:
        if node:
            node.kill()
            node.wait()
        postgres.stop()


def _sessions(count: int) -> Iterator[int]:
    from django.db import connection

    from bench.portal import million

    yield from million.customers_make(count=count // EACH, sessions=EACH, found=million.patterns())
    with connection.cursor() as cursor:  # whose the keys are, as the portal writes it
        cursor.execute(
            "UPDATE ledger_datakey SET customer_id = stations_idtoken.customer_id FROM stations_idtoken"
            " WHERE stations_idtoken.id = ledger_datakey.id_token_id"
        )


def chain_make(directory: Path) -> None:
    """Put the entries' digests into rows and blocks, and what the blocks say into the transactions."""
    from django.db import connection

    from bench.portal import million
    from ledger.models import ChainTransaction, LedgerEntry

    signer, offsets, changes = new_keypair("R1"), [], []  # quicker than a TPM's
    last = LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True)[0]
    rows = bytearray(32 * last)
    with (directory / "blocks").open("wb") as blocks:
        for num, pk in enumerate(ChainTransaction.objects.order_by("pk").values_list("pk", flat=True), FIRST_BLOCK):
            records = _records(pk)
            for ledger_id, digest, _ in records:
                rows[32 * (ledger_id - 1) : 32 * ledger_id] = digest
            block, columns = made_block(num, records, signer)
            offsets.append((blocks.tell(), blocks.write(json.dumps(block).encode())))
            changes.append((*columns.values(), pk))
    (directory / "rows").write_bytes(rows)
    about = {"chain_id": CHAIN_ID, "first": FIRST_BLOCK, "offsets": offsets}
    (directory / "node.json").write_text(json.dumps(about))
    with connection.cursor() as cursor:
        cursor.executemany(TRANSACTION, changes)
    ChainTransaction.objects.filter(entries__isnull=True).delete()
    million.settle()


def _records(pk: int) -> list[tuple[int, bytes, bytes]]:
    from ledger.models import LedgerEntry

    entries = LedgerEntry.objects.filter(transaction=pk).order_by("pk").values_list("pk", "digest")
    return [(ledger_id, bytes(digest), secrets.token_bytes(SEALED_BYTES)) for ledger_id, digest in entries]


def made_block(num: int, records: Sequence[Any], signer: KeyPair) -> tuple[dict[str, Any], dict[str, Any]]:
    """A block with one transaction, as get_raw_block says it, and what a ChainTransaction says of it."""
    from ledger.chain import antelope, block

    at = BEGUN + SLOT * num
    level = antelope.Authorization(ACCOUNT, "record")
    action = antelope.Action(ACCOUNT, "record", (level,), antelope.pack_records(records))
    expires_at = (at + timedelta(seconds=120)).replace(microsecond=0)
    packed = antelope.Transaction(expires_at, (num - 3) & 0xFFFF, 7, (action,)).pack()
    signature = signer.sign(antelope.signing_digest(bytes.fromhex(CHAIN_ID), packed))
    trx = {
        "signatures": [signature],
        "compression": "none",
        "packed_trx": packed.hex(),
        "packed_context_free_data": "",
    }
    receipt = {"status": "executed", "cpu_usage_us": 100, "net_usage_words": 100, "trx": [1, trx]}
    made = {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}",
        "producer": "eosio",
        "confirmed": 0,
        "previous": f"{num - 1:08x}" + "11" * 28,
        "transaction_mroot": "22" * 32,
        "action_mroot": "33" * 32,
        "schedule_version": 0,
        "new_producers": None,
        "header_extensions": [],
        "producer_signature": "",
        "transactions": [receipt],
        "block_extensions": [],
    }
    columns = {
        "packed": packed,
        "signature": signature,
        "public_key": signer.public,
        "transaction_id": antelope.transaction_id(packed).hex(),
        "expires_at": expires_at,
        "ref_block_num": num - 3,
        "block_num": num,
        "block_id": block.block_id(made).hex(),
        "irreversible_at": at,
    }
    return made, columns


def measure(chosen: Namespace, directory: Path) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Seconds of each run, and the most memory that one took."""
    with recorded(directory, chosen.count) as stage:
        runs = [stage.audit(directory) for _ in range(chosen.runs)]
    seconds, peaks = zip(*runs, strict=True)
    samples = {"audit_100k_ratio": list(seconds), "audit_1m_peak_mb": [max(peaks)]}
    about = {"seconds": round(seconds[-1]), "sessions_a_minute": round(60 * chosen.count / seconds[-1])}
    return samples, {"peak_mb": round(max(peaks)), **about}


if __name__ == "__main__":
    parser = options(__doc__, count=100_000, what="sessions")
    parser.add_argument("--runs", type=int, default=1, help="how often it is audited (%(default)s)")
    perform(parser, measure)
