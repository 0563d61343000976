"""receipt_verify_s: seconds for the standalone verification of one receipt against two nodes.

Method: sessions are recorded, their receipts written to files, then worker, beat and TPM are stopped. Each sample is
one run of `python ledger/standalone/verify_receipt.py`, a process of its own with its start and imports, against the
producer and a second, read-only node. Every run must end with status 0.
"""

import json
import random
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

from bench.ledger.close_one import until_irreversible
from bench.stage import in_portal, options, perform
from dev.common.progress import bar
from dev.parts.tpm_service import ROOT
from dev.trials.portal_stack import PortalStack

SCRIPT = ROOT / "ledger" / "standalone" / "verify_receipt.py"
SESSIONS = 200


def measure(stack: PortalStack, chosen: Namespace) -> list[float]:
    receipts = recorded_receipts(stack)
    for part in (stack.beat, stack.worker, stack.tpm):
        part.stop()
    samples = []
    with bar(chosen.count, "verifying", " receipts") as progress:
        for number in range(chosen.count):
            samples.append(verify(stack, receipts[number % len(receipts)]))
            progress.update()
    return samples


def recorded_receipts(stack: PortalStack) -> list[Path]:
    """Record sessions in a full batch, and write some of their receipts."""
    from dev.trials.sample_sessions import Sessions
    from ledger.models import LedgerEntry
    from ledger.receipts.checks import receipt_for

    for _ in Sessions(random.Random(1)).close_many(SESSIONS):
        pass
    stack.worker.start()
    stack.beat.start()
    paths = []
    for entry in LedgerEntry.objects.select_related("session").order_by("-id")[:10]:
        assert entry.session is not None
        until_irreversible(entry.session.pk)
        path = stack.directory / f"receipt-{entry.pk}.json"
        path.write_text(json.dumps(receipt_for(entry.session)))
        paths.append(path)
    assert stack.follower is not None
    head = LedgerEntry.objects.select_related("transaction").latest("id").transaction
    assert head is not None and head.block_num is not None
    wait_for_follower(stack, head.block_num)
    return paths


def wait_for_follower(stack: PortalStack, block_num: int) -> None:
    from dev.chain.transactions import call

    assert stack.follower is not None
    url = stack.follower.url
    stack.follower.wait_ready(
        lambda: bool(call(url, "chain/get_info")["last_irreversible_block_num"] >= block_num), timeout_s=30
    )


def verify(stack: PortalStack, receipt: Path) -> float:
    environment = stack.worker.env or {}
    command = [sys.executable, str(SCRIPT), str(receipt), "--key", stack.public_key]
    command += ["--chain-id", environment["EVPORTAL_LEDGER_CHAIN_ID"]]
    command += [word for node in (stack.node, stack.follower) if node for word in ("--node", node.url)]
    begun = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - begun


if __name__ == "__main__":
    perform(options(__doc__, count=40, what="verifications", portal=True), in_portal(measure, follower=True))
