"""The real log, signed by a TPM and recorded on a node: witnessed by `witness/`, followed by a monitor."""

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from ledger.log.note import Note, VerifierKey, cosigned_at
from ledger.log.witnesses import tasks
from ledger.log.witnesses.register import witness_add
from ledger.log.witnesses.served import published_note
from ledger.models import LogCheckpoint, LogWitness
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import open_alerts
from tests.ledger.log.steps import published
from tests.waiting import until
from tests.witness.conftest import Program, program

__all__ = ["program"]
pytestmark = pytest.mark.django_db(transaction=True)


def cosigned(row: LogWitness, checkpoint: LogCheckpoint) -> Note:
    """Ask until it has signed: at first it only waits to see the checkpoint on its node."""

    def has_signed() -> bool:
        LogWitness.objects.filter(pk=row.pk).update(last_asked_at=None)
        tasks.witness_ask(row.pk)
        row.refresh_from_db()
        assert row.state != "REFUSES", row.last_error
        return checkpoint.cosignatures.exists()

    until(has_signed)
    return Note.parse(published_note(checkpoint))


def look(*options: str) -> str:
    out = StringIO()
    call_command("ledger_monitor", "--once", "--late", "0", *options, stdout=out, stderr=out)
    return out.getvalue()


def test_witnessed_and_followed(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    program: Callable[[], Program],
    settings: Settings,
    live_server: LiveServer,
    tmp_path: Path,
) -> None:
    settings.WEBHOOK_ALLOW_LOCAL, settings.LOG_EVERY_S = True, 0
    close_sessions(3)
    record_all()
    first = published(3)
    witness, nodes = program(), list(django_settings.LEDGER_NODES)
    about = f'vkey = "{first.vkey}"\nportal = "{live_server.url}/log"\nnodes = ["{nodes[0]}"]\n'
    about += f'account = "{ledger_account.name}"\nchain_id = "{ledger_account.chain.chain_id}"\n'
    witness.configure(f"[[log]]\n{about}")
    witness.start()
    row, _ = witness_add(url=witness.url, vkey=witness.vkey)
    key = VerifierKey.parse(witness.vkey)
    assert cosigned_at(cosigned(row, first), key)

    options = ["--log", f"{live_server.url}/log", "--log-key", first.vkey, "--witness", witness.vkey]
    options += ["--witness-url", witness.url, *(part for node in nodes for part in ("--node", node))]
    options += ["--account", ledger_account.name, "--state", str(tmp_path / "state.json")]
    assert "log: 3 entries" in (said := look(*options)) and "all is well" in said, said

    close_sessions(4)
    record_all()
    second = published(7)
    assert cosigned_at(cosigned(row, second), key)
    assert "7 entries, goes on from 3" in (said := look(*options)) and "all is well" in said, said
    assert f"up to block {second.upto_block}" in said and not open_alerts()

    # The operator signs another tree, with the key that he has: none is taken for the log.
    LogCheckpoint.objects.filter(pk=second.pk).update(note=first.note)
    with pytest.raises(SystemExit) as found:
        look(*options)
    assert found.value.code == 1
