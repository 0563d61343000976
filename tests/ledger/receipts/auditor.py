"""An auditor, who runs the one-file verifier as a command."""

import os
import subprocess
import sys
from typing import Any

from ledger.receipts import receipt
from tests.ledger.receipts.receipt_chain import ACCOUNT, SCRIPT, Json, Recorded

ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8"}


def run(made: Recorded, *more: str, content: Json | None = None, **changed: Any) -> subprocess.CompletedProcess[str]:
    """Run the script as an auditor does: the receipt on standard input, nothing of ours on the path."""
    options = {"key": made.key, "chain_id": made.chain_id, "nodes": made.nodes, **changed}
    command = [sys.executable, "-I", str(SCRIPT), "-", "--account", ACCOUNT, "--key", options["key"], *more]
    command += ["--chain-id", options["chain_id"]] if options["chain_id"] else []
    command += [part for node in options["nodes"] for part in ("--node", node)]
    text = receipt.dumps(made.receipt if content is None else content)
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=60, check=False, cwd="/", env=ENVIRONMENT
    )
