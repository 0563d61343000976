"""The archive of one's data proves itself: each receipt in it is verified by the script in it, on two real nodes."""

import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings

from accounts.models import User
from accounts.privacy.archive import archive_ask, archive_build, archive_bytes
from dev.chain.nodeos import Nodeos
from ledger.models import ChainTransaction
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import drive

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_receipt_in_it_is_verified_by_the_script_in_it(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    owner: User,
    tmp_path: Path,
) -> None:
    recorded = close_sessions(3)
    record_all()
    close_sessions(1)  # not recorded yet: no receipt
    archive = archive_ask(customer=owner)
    assert archive_build(archive_id=archive.pk)
    archive.refresh_from_db()
    zipfile.ZipFile(io.BytesIO(b"".join(archive_bytes(archive)))).extractall(tmp_path)
    receipts = sorted((tmp_path / "receipts").iterdir())
    assert {path.name for path in receipts} == {f"{session.pk}.json" for session in recorded}
    caught_up(second_node)
    for path in receipts:
        command = command_of((tmp_path / "README.txt").read_text(), path.name, [ledger_account.node, second_node])
        found = subprocess.run([sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert found.returncode == 0 and "VERIFIED" in found.stdout, found.stdout + found.stderr


def caught_up(node: Nodeos) -> None:
    newest = ChainTransaction.objects.get(status="IRREVERSIBLE").block_num or 0
    drive(lambda: bool(node.info()["last_irreversible_block_num"] >= newest))


def command_of(readme: str, receipt: str, nodes: list[Nodeos]) -> list[str]:
    """The command that the README gives, with a receipt, nodes, chain id and key put in."""
    found = re.search(r"python3 (verify_receipt\.py .*?)\n\n", readme, re.DOTALL)
    assert found
    key = ChainTransaction.objects.get(status="IRREVERSIBLE").public_key
    words = {"OTHER_NODE": nodes[1].url, "NODE": nodes[0].url, "FILE.json": receipt, "KEY": key}
    text = found[1].replace("\\\n", " ").replace("CHAIN_ID", settings.LEDGER_CHAIN_ID)
    text = text.replace("ACCOUNT", settings.LEDGER_ACCOUNT)
    for word, value in words.items():
        text = text.replace(word, value)
    return text.split()
