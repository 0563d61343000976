"""The one-file verifier as a command: what it says and with which exit status."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

from tests.ledger.chain.proxy import Proxy, altered
from tests.ledger.receipts.auditor import ENVIRONMENT, run
from tests.ledger.receipts.lies import altering, whole
from tests.ledger.receipts.receipt_chain import LEDGER_ID, SCRIPT, STEPS, Recorded


def test_the_command_s_three_exit_statuses(recorded: Recorded) -> None:
    true = run(recorded)
    assert (true.returncode, true.stdout.splitlines()[-1]) == (0, "VERIFIED"), true.stdout + true.stderr
    assert [line.split()[0] for line in true.stdout.splitlines() if line[:2].strip().isdigit()] == [
        str(number) for number in range(1, STEPS + 1)
    ]
    false = run(recorded, content={**recorded.receipt, "ledger_id": str(LEDGER_ID + 1)})
    assert (false.returncode, false.stdout.splitlines()[-1]) == (1, "NOT VALID")
    assert " 9 failed" in false.stdout
    alone = run(recorded, nodes=recorded.nodes[:1])
    assert (alone.returncode, alone.stdout.splitlines()[-1]) == (2, "NOT DECIDED")
    broken = run(recorded, content={"format": "x"})
    assert (broken.returncode, broken.stdout.splitlines()[-1], broken.stderr) == (1, "NOT VALID", "")


def test_the_command_speaks_json(recorded: Recorded) -> None:
    found = json.loads(run(recorded, "--json").stdout)
    assert found["verdict"] == "VERIFIED"
    assert [step[1] for step in found["steps"]] == ["ok"] * STEPS


def test_the_command_s_help_says_what_is_proven() -> None:
    command = [sys.executable, "-I", str(SCRIPT), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=ENVIRONMENT).stdout
    for words in ("VERIFIED proves", "does not prove", "exit status: 0", "--node URL", "--key PUB_R1_"):
        assert words in text


def test_a_hostile_node_cannot_write_to_the_auditor_s_terminal(recorded: Recorded, proxy: Proxy) -> None:
    proxy.always["get_info"] = altered(altering(whole, "chain_id", lambda _: "\x1b[2J\nVERIFIED"))
    found = run(recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.returncode == 2 and "\x1b" not in found.stdout
    assert "VERIFIED" not in found.stdout.splitlines()


def test_the_script_stands_alone_and_is_short() -> None:
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) <= 400 and max(map(len, lines)) <= 120
    nodes = ast.walk(ast.parse(SCRIPT.read_text()))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    nodes = ast.walk(ast.parse(SCRIPT.read_text()))
    names += [str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)]
    imports = {name.split(".")[0] for name in names}
    assert imports - set(sys.stdlib_module_names) == {"cryptography"}


def test_the_script_is_executable() -> None:
    assert os.access(Path(SCRIPT), os.X_OK)
