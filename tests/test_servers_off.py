"""The promise to a driver: with a receipt, one script and two nodes, and with our servers switched off."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connections
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.nodeos import Nodeos
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.environment import POSTGRES, REDIS
from tests.ledger.conftest import all_recorded, drive
from tests.people import log_in

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = Path(__file__).parents[1] / "ledger/standalone/verify_receipt.py"


def verify(receipt: Path, *nodes: Nodeos, key: str, chain_id: str, account: str) -> subprocess.CompletedProcess[str]:
    """The command as the README prints it, in an empty environment."""
    asked = [part for node in nodes for part in ("--node", node.url)]
    command = [sys.executable, str(SCRIPT), str(receipt), *asked, "--key", key, "--chain-id", chain_id]
    command += ["--account", account]
    return subprocess.run(command, env={}, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def servers_off(ledger_account: LedgerAccount) -> Callable[[Callable[[], None]], None]:
    """Runs something while database, Redis and the TPM with its service and identity provider are stopped."""

    def run(something: Callable[[], None]) -> None:
        stack = ledger_account.tpm
        connections.close_all()
        if POSTGRES.alive:
            POSTGRES.stop()
        REDIS.stop()
        stack.stop()
        try:
            something()
        finally:
            if connections["default"].vendor == "postgresql":
                POSTGRES.start()
            REDIS.start()
            stack.start()

    return run


def test_a_downloaded_receipt_verifies_with_everything_of_ours_stopped(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    owner: User,
    client: Client,
    settings: Settings,
    tmp_path: Path,
    servers_off: Callable[[Callable[[], None]], None],
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    true, altered = close_sessions(2)
    drive(all_recorded)
    ChargingSession.objects.filter(pk=altered.pk).update(energy_wh=7_781)
    log_in(client, owner)
    for session in (true, altered):
        (tmp_path / f"{session.pk}.json").write_bytes(client.get(f"/sessions/{session.pk}/receipt.json").content)
    key = ledger_account.tpm.client().key_get("ledger").public_key_eosio
    public = {"key": key, "chain_id": settings.LEDGER_CHAIN_ID, "account": settings.LEDGER_ACCOUNT}
    text = (tmp_path / f"{altered.pk}.json").read_text()
    assert text.count('"energy_wh": 7780') == 1, "the receipt is of what was recorded"
    (tmp_path / "forged.json").write_text(text.replace('"energy_wh": 7780', '"energy_wh": 7781'))

    def check() -> None:
        for session in (true, altered):
            found = verify(tmp_path / f"{session.pk}.json", ledger_account.node, second_node, **public)
            assert found.returncode == 0 and "VERIFIED" in found.stdout, found.stdout + found.stderr
        found = verify(tmp_path / "forged.json", ledger_account.node, second_node, **public)
        assert found.returncode == 1 and "NOT VALID" in found.stdout
        found = verify(tmp_path / f"{true.pk}.json", ledger_account.node, **public)
        assert found.returncode == 2 and "NOT DECIDED" in found.stdout

    servers_off(check)
