"""Three producers make the chain: one dies, one is cut off and comes back with a fork that nobody wants."""

import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from dev.chain.keys import new_keypair
from dev.chain.producers import schedule, scheduled
from dev.chain.setup import SYSTEM, bootstrap
from dev.chain.several import Several
from dev.chain.transactions import call
from dev.parts.tpm_service import TpmStack
from ledger.chain.node import chain
from ledger.keys import data_keys
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts import checks
from stations.models import ChargingSession
from tests.conftest import CloseSessions
from tests.enrolment import enrolled, use
from tests.environment import DIRECTORY
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tpm.client import TpmClient

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.node]
S = ChainTransaction.Status
PATIENCE_S = 120  # blocks come in turns of six seconds, and are irreversible two turns later
FIRST, SECOND, THIRD = SYSTEM, "producerb", "producerc"


@pytest.fixture(scope="module")
def several() -> Iterator[Several]:
    made = Several(DIRECTORY / "chain" / "several")
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def accounts(several: Several, tpm_client: TpmClient) -> Iterator[str]:
    """One with the contract for each test, on a chain that three make from now on."""
    key, url, names = several.keys[SYSTEM], several.nodes[SYSTEM].url, ("evledger.a", "evledger.b", "evledger.c")
    for name in names:
        bootstrap(
            url,
            producer_key=key,
            owner_key=new_keypair(),
            active_key=new_keypair(),
            record_public_key=tpm_client.key_create("ledger").public_key_eosio,
            account=name,
            wait=name == names[-1],
        )
    schedule(url, {name: key.public for name, key in several.keys.items()}, producer_key=key)
    assert wait(lambda: set(scheduled(url)) == set(several.keys))
    schedule(url, {name: key.public for name, key in several.keys.items()}, producer_key=key)  # nothing to do
    return iter(names)


@pytest.fixture(autouse=True)
def ledger(accounts: Iterator[str], several: Several, tpm_stack: TpmStack, settings: Settings, tmp_path: Path) -> None:
    settings.LEDGER_NODES = [node.url for node in several.nodes.values()]
    settings.LEDGER_CHAIN_ID = several.nodes[FIRST].info()["chain_id"]
    settings.LEDGER_ACCOUNT, settings.LEDGER_KEY = next(accounts), "ledger"
    settings.LEDGER_MASTER_KEY_FILE = tmp_path / "master_keys"
    use(tpm_stack, settings)
    enrolled(tpm_stack, keys=["ledger"])
    data_keys.keyring()


def wait(until: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE_S
    while not until():
        if time.monotonic() > end:
            return False
        time.sleep(0.3)
    return True


def head(several: Several, name: str) -> int:
    return int(several.nodes[name].info()["head_block_num"])


def irreversible(several: Several, name: str = FIRST) -> int:
    return int(several.nodes[name].info()["last_irreversible_block_num"])


def irreversible_at(several: Several, name: str, number: int) -> bool:
    return irreversible(several, name) >= number


def in_a_block() -> bool:
    """All that waits is in a block, and none of it irreversible."""
    if LedgerEntry.objects.filter(transaction=None).exists():
        return False
    return set(ChainTransaction.objects.values_list("status", flat=True)) == {S.IN_BLOCK}


def right(several: Several, sessions: list[ChargingSession]) -> None:
    """Each on the chain once, the same on all nodes, and its receipt verifies."""
    for session in sessions:
        entry = LedgerEntry.objects.select_related("transaction").get(session=session)
        row = entry.transaction
        assert row is not None and row.status == S.IRREVERSIBLE and row.block_num is not None
        assert chain().row(entry.pk) == bytes(entry.digest)
        for name, node in several.nodes.items():
            reached = functools.partial(irreversible_at, several, name, row.block_num)
            assert wait(reached)
            assert call(node.url, "chain/get_block_info", {"block_num": row.block_num})["id"] == row.block_id
        check = checks.verify_session(session)
        assert check.verdict == "VERIFIED", check.steps
        assert check.notices.producers == len(several.nodes)
    assert "mismatch" not in open_alerts() and "conflict" not in open_alerts()


def test_irreversible_comes_late_and_is_not_said_before(several: Several, close_sessions: CloseSessions) -> None:
    sessions = close_sessions(3)
    drive(in_a_block, timeout_s=PATIENCE_S)
    row = ChainTransaction.objects.get()
    assert row.block_num is not None and irreversible(several) < row.block_num
    drive(all_recorded, timeout_s=PATIENCE_S)
    assert irreversible(several) >= row.block_num
    right(several, sessions)


def test_one_of_three_dies_and_comes_back(several: Several, close_sessions: CloseSessions) -> None:
    """Nothing becomes irreversible without it, so nothing is called recorded; all else goes on."""
    several.nodes[THIRD].kill()
    try:
        dead_at = head(several, FIRST)
        sessions = close_sessions(2)
        drive(in_a_block, timeout_s=PATIENCE_S)
        assert wait(lambda: head(several, FIRST) >= dead_at + 30)  # longer than a round
        sessions += close_sessions(1)
        drive(in_a_block, timeout_s=PATIENCE_S)
        assert ChainTransaction.objects.count() == 2 and irreversible(several) <= dead_at
    finally:
        several.nodes[THIRD].start()
    drive(all_recorded, timeout_s=PATIENCE_S)
    right(several, sessions)


def test_who_was_cut_off_has_a_fork_that_goes_away(
    several: Several, close_sessions: CloseSessions, settings: Settings
) -> None:
    """The portal saw the records in blocks of the fork: they come onto the chain that stays, once."""
    settings.LEDGER_NODES = [several.nodes[FIRST].url]
    settings.LEDGER_EXPIRATION_S = 20  # what refers to a block of the fork never gets into the other chain
    with several.apart(FIRST):
        apart_at = head(several, FIRST)
        assert wait(lambda: head(several, FIRST) > apart_at + 2)  # its own turn: blocks that nobody else has
        sessions = close_sessions(2)
        drive(in_a_block, timeout_s=PATIENCE_S)
        assert wait(lambda: head(several, SECOND) > head(several, FIRST) + 2)  # two of three are faster
        number = apart_at + 1
        ids = {call(several.nodes[n].url, "chain/get_block_info", {"block_num": number})["id"] for n in (FIRST, SECOND)}
        assert len(ids) == 2 and not all_recorded()
    drive(all_recorded, timeout_s=PATIENCE_S)
    settings.LEDGER_NODES = [node.url for node in several.nodes.values()]
    right(several, sessions)
