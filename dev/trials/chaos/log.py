"""What must hold of the transparency log when the chaos is over: complete, as the chain has it, one root a size.

Import it once Django is set up.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from ledger.chain.checkpoints import CheckpointData, checkpoints_in
from ledger.chain.node import chain
from ledger.chain.view import View
from ledger.models import LedgerEntry, LogCheckpoint

# As ledger/log/publishing.py writes it, before the TPM is asked
SIGNING = re.compile(r"signing the log of ([0-9]+) leaves with root ([0-9a-f]{64})")


def is_complete() -> bool:
    """Whether every entry is a leaf below a published checkpoint."""
    newest = LogCheckpoint.objects.filter(published_at__isnull=False).exclude(note="").first()
    return newest is not None and newest.size == LedgerEntry.objects.count()


def problems(worker_logs: Iterable[Path]) -> list[str]:
    """Everything that is wrong, [] when all is well."""
    found = [] if is_complete() else ["log: not every entry is a leaf below a published checkpoint"]
    if LedgerEntry.objects.filter(log_index__isnull=True).exists():
        found.append("log: entries that are no leaves")
    said = list(_said())
    sizes = [data.size for data in said]
    if sizes != sorted(set(sizes)):
        found.append(f"log: the chain's checkpoints do not grow: {sizes}"[:500])
    row, roots = chain().log(), {data.size: data.root for data in said}
    if said and (row.size, row.root) != (said[-1].size, said[-1].root):
        found.append(f"log: the contract's row is of {row.size} leaves, the last action of {said[-1].size}")
    for size, root in LogCheckpoint.objects.values_list("size", "root"):
        if roots.get(size) != bytes(root):
            found.append(f"log: checkpoint {size} has another root than on the chain, or is not there")
    return found + _signed_twice(worker_logs, roots)


def _said() -> Iterator[CheckpointData]:
    """The `checkpoint` actions of all blocks up to LIB."""
    view = View()
    for block in view.irreversible_blocks(2):
        for transaction in block.transactions.values():
            yield from checkpoints_in(transaction, view.chain.account)


def _signed_twice(worker_logs: Iterable[Path], roots: dict[int, bytes]) -> list[str]:
    """What the workers said they have signed: also what a backup took out of the database again."""
    signed: dict[int, set[str]] = defaultdict(set)
    for path in worker_logs:
        for size, root in SIGNING.findall(path.read_text(errors="replace")):
            signed[int(size)].add(root)
    found = [f"log: two roots of {size} leaves were signed: {sorted(of)}" for size, of in signed.items() if len(of) > 1]
    other = [size for size, of in signed.items() if size in roots and of != {roots[size].hex()}]
    if not signed:
        found.append("log: no worker says that it has signed anything")
    return found + [f"log: of {size} leaves another root was signed than is on the chain" for size in other]
