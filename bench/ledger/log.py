"""log_append_10k_s, log_proof_ms, log_bytes_a_record: the transparency log at 1,000,000 leaves.

Method: PostgreSQL of the bench's own (fsync on). A log of 1,000,000 leaves of random digests is laid down by the
builder's own ledger/log/store.py, 10,000 at a time, each with its checkpoint. Recorded sessions with their packed
transactions lie beside it (audit.py), which are no leaves yet.
- log_append_10k_s: the builder (ledger/log/building.py) finds the next 10,000 of them, puts them into the log's order,
  appends them, numbers the entries, and commits tiles and checkpoint. What the TPM and the chain take comes on top.
- log_proof_ms: an inclusion proof (ledger/log/proofs.py) of a leaf at random, tiles read from the database each time.
- log_bytes_a_record: the log's tables with their indexes, over the leaves, before anybody vacuums. An entry's own
  number (LedgerEntry.log_index) is not counted.
"""

import random
import secrets
import time
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

from bench.ledger.audit import FIRST_BLOCK, recorded
from bench.ledger.audit_rolling import cpu_s
from bench.stage import Measured, options, perform, seconds
from dev.common.progress import bar

LEAVES = 1_000_000
STEP = 10_000
PROOFS = 200
BLOCK = 200  # records at most


def measure(chosen: Namespace, directory: Path) -> Measured:
    with recorded(directory, STEP * (chosen.count + 1)):
        laid_down(LEAVES)
        bytes_each = table_bytes() / LEAVES
        begun = cpu_s(directory)
        appended = [append() for _ in range(chosen.count)]
        cpu_each = (cpu_s(directory) - begun) / chosen.count
        begun = time.process_time()
        proofs = [proof_ms() for _ in range(PROOFS)]
        own = 1000 * (time.process_time() - begun) / PROOFS
    samples = {"log_append_10k_s": appended, "log_proof_ms": proofs, "log_bytes_a_record": [bytes_each]}
    return samples, {"append_cpu_s": round(cpu_each, 3), "proof_own_cpu_ms": round(own, 3)}


def laid_down(count: int) -> None:
    """A log of as many leaves; their ledger ids are none that the database has."""
    from django.db import transaction

    from ledger.log import store
    from ledger.log.tree import leaf
    from ledger.models import LogCheckpoint

    with bar(count, "laying down", " leaves") as progress:
        for size, after in pairwise(range(0, count + 1, STEP)):
            leaves = [leaf(2**40 + number, secrets.token_bytes(32)) for number in range(size, after)]
            with transaction.atomic():
                root = store.append(size, leaves).root
                LogCheckpoint.objects.create(size=after, old_size=size, root=root, upto_block=FIRST_BLOCK - 1)
            progress.update(STEP)


def table_bytes() -> int:
    """What the log's tables take, with indexes and what lies outside of the rows."""
    from django.db import connection

    from ledger.models import LogCheckpoint, LogCosignature, LogTile, LogWitness

    with connection.cursor() as cursor:
        total = 0
        for model in (LogTile, LogCheckpoint, LogCosignature, LogWitness):
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            total += cursor.fetchone()[0]
    return total


def append() -> float:
    """Seconds of the next checkpoint, for 10,000 more: it has a few less, as a block's records are never parted."""
    from ledger.log import building
    from ledger.models import LogCheckpoint

    last = LogCheckpoint.objects.order_by("-size")[0]
    found = seconds(lambda: building.build(last, FIRST_BLOCK + LEAVES))
    more = LogCheckpoint.objects.order_by("-size")[0].size - last.size
    if not STEP - BLOCK < more <= STEP:
        raise RuntimeError(f"expected a checkpoint over {STEP} leaves more, got {more}")
    return found * STEP / more


def proof_ms() -> float:
    """Milliseconds of one proof, which holds."""
    from ledger.log.proofs import inclusion
    from ledger.log.tree import leaf_hash, root_from_inclusion
    from ledger.models import LogCheckpoint, LogTile

    newest = LogCheckpoint.objects.order_by("-size")[0]
    index = random.randrange(newest.size)
    proof: list[bytes] = []
    found = 1000 * seconds(lambda: proof.extend(inclusion(index, newest.size)))
    tile, place = divmod(index, LogTile.WIDTH)
    leaf = bytes(LogTile.objects.get(level=0, index=tile).data)[40 * place : 40 * (place + 1)]
    if root_from_inclusion(index, newest.size, leaf_hash(leaf), proof) != bytes(newest.root):
        raise RuntimeError(f"the proof of leaf {index} does not hold")
    return found


if __name__ == "__main__":
    perform(options(__doc__, count=3, what="checkpoints"), measure)
