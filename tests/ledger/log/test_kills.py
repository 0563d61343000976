"""A worker may end anywhere: whoever comes next finishes the checkpoint that is there; one root a size is signed."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain.setup import link_auth
from dev.chain.transactions import Action, pack_name, push_actions
from ledger.chain.view import View
from ledger.errors import OutcomeUnknown
from ledger.log import building, keys, publishing, receivers
from ledger.log.newest import newest
from ledger.log.note import Checkpoint
from ledger.models import Alert, ChainTransaction, LedgerEntry, LogCheckpoint
from ledger.recording import checkpoints, resuming, settlement, transactions
from ledger.signing.signer import TpmSigner
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import open_alerts
from tests.ledger.log.steps import published, root_of_entries
from tests.ledger.recording.steps import release_claims, wait_until_irreversible
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status
# After each of these the worker is gone; what it has not committed is, too.
STEPS: tuple[tuple[Any, str], ...] = (
    (building, "_build"),
    (building, "build"),
    (TpmSigner, "sign_der"),
    (keys, "sign"),
    (publishing, "sign"),
    (publishing, "carry"),
    (TpmSigner, "sign_many"),
    (transactions, "_signed"),
    (transactions, "transaction_send"),
    (publishing, "send"),
    (receivers, "publish"),
)


class Killed(BaseException):
    """As a signal: nobody catches it."""


def killed_after(owner: Any, name: str, patch: pytest.MonkeyPatch) -> None:
    function = getattr(owner, name)

    def last(*args: Any, **kwargs: Any) -> Any:
        function(*args, **kwargs)
        raise Killed(name)

    patch.setattr(owner, name, last)


@pytest.fixture(autouse=True)
def at_once(settings: Settings) -> None:
    settings.LOG_EVERY_S = 0


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[int, set[bytes]]]:
    """Each root that the TPM was asked to sign, by size."""
    found: dict[int, set[bytes]] = defaultdict(set)
    sign = keys.sign

    def noted(text: str) -> tuple[str, str]:
        said = Checkpoint.parse(text)
        found[said.size].add(said.root)
        return sign(text)

    monkeypatch.setattr(keys, "sign", noted)
    yield found
    assert all(len(roots) == 1 for roots in found.values()), found


def test_killed_at_any_step_the_next_one_finishes_it(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    signed: dict[int, set[bytes]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for size, (owner, name) in enumerate(STEPS, start=1):
        close_sessions(1)
        record_all()
        with monkeypatch.context() as patch:
            killed_after(owner, name, patch)
            with pytest.raises(Killed, match=name):
                published(size)
        before = LogCheckpoint.objects.filter(size=size).values_list("root", flat=True).first()
        checkpoint = published(size)
        assert before is None or bytes(before) == bytes(checkpoint.root), f"{name}: the root that was there stays"
        assert bytes(checkpoint.root) == root_of_entries()
    assert set(signed) == set(range(1, len(STEPS) + 1))
    assert set(LedgerEntry.objects.values_list("log_index", flat=True)) == set(range(len(STEPS)))
    assert not open_alerts()


def test_two_workers_at_once_make_one(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(2)
    record_all()
    lib_num = ledger_account.chain.info().lib_num
    first = building.build(None, lib_num)
    assert first is not None and building.build(None, lib_num) is None
    one, other = newest(), newest()
    assert one is not None and other is not None
    publishing.sign(one)
    publishing.sign(other)
    assert one.note == other.note, "what was committed first stays"
    assert publishing.carry(one) is not None and publishing.carry(other) is None
    assert published(2).note == one.note


def lost_on_its_way(*args: object, **kwargs: object) -> None:
    """The node never hears of it, and nobody knows."""
    raise OutcomeUnknown("lost on its way")


def test_expired_the_same_checkpoint_goes_into_another_transaction(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    signed: dict[int, set[bytes]],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    close_sessions(2)
    record_all()
    settings.LEDGER_EXPIRATION_S = 2
    with monkeypatch.context() as patch:
        patch.setattr("ledger.chain.node.Chain.send", lost_on_its_way)
        publishing.advance()
        first = LogCheckpoint.objects.get()
        assert first.transaction is not None and first.transaction.status == S.SENT
        number = first.transaction.pk

        def is_over() -> bool:
            ChainTransaction.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
            settlement.confirm_open(view=View())
            return ChainTransaction.objects.filter(pk=number, status=S.EXPIRED).exists()

        until(is_over)
    settings.LEDGER_EXPIRATION_S = 120
    second = published(2)
    assert second.transaction_id != first.transaction_id
    assert (bytes(second.root), second.note) == (bytes(first.root), first.note)


def test_a_checkpoint_that_another_transaction_recorded_is_adopted(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    close_sessions(2)
    record_all()
    publishing.advance()
    sent = LogCheckpoint.objects.get().transaction
    assert sent is not None
    wait_until_irreversible(ledger_account)
    # As after a backup from before it was sent was put back.
    LogCheckpoint.objects.update(transaction=None)
    ChainTransaction.objects.filter(pk=sent.pk).delete()
    row = published(2).transaction
    assert row is not None and row.transaction_id == sent.transaction_id and row.status == S.IRREVERSIBLE


def test_without_the_link_the_log_waits_and_recording_goes_on(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    account = ledger_account
    names = pack_name(account.name) + pack_name(account.name) + pack_name("checkpoint")
    unlink = Action("eosio", "unlinkauth", names, f"{account.name}@active")
    push_actions(account.node.url, [unlink], [account.active])
    close_sessions(1)
    record_all()
    assert not publishing.advance()
    assert open_alerts() == {"log_not_on_chain"}
    close_sessions(1)
    record_all()
    link = link_auth(account.name, account.name, "checkpoint", "record")
    push_actions(account.node.url, [link], [account.active])
    published(1)
    published(2)
    assert not open_alerts()


def test_a_link_that_goes_while_it_is_sent_does_not_stop_recording(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = ledger_account
    close_sessions(1)
    root = bytes(32)
    checkpoint = LogCheckpoint.objects.create(
        size=1, old_size=0, root=root, upto_block=1, note="n", vkey="k", signed_at=timezone.now()
    )
    names = pack_name(account.name) + pack_name(account.name) + pack_name("checkpoint")
    unlink = Action("eosio", "unlinkauth", names, f"{account.name}@active")
    push_actions(account.node.url, [unlink], [account.active])
    row = publishing.carry(checkpoint)
    assert row is not None and resuming.sign_and_send([row])
    row.refresh_from_db()
    assert row.status == S.SIGNED and open_alerts() == {"log_not_on_chain"}
    assert not transactions.halted()


def test_a_larger_log_on_the_chain_holds_ours(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    signed: dict[int, set[bytes]],
) -> None:
    close_sessions(2)
    record_all()
    published(2)
    row = LogCheckpoint.objects.get()
    LogCheckpoint.objects.update(size=1)  # as if it were an older one
    close_sessions(1)
    record_all()
    asked = dict(signed)
    assert not publishing.advance()
    alert = Alert.objects.get(code="database_behind", subject=checkpoints.SUBJECT)
    assert "the chain's log has 2 leaves" in alert.message
    LogCheckpoint.objects.update(size=2, root=bytes(32))
    assert not publishing.advance()
    assert open_alerts() == {"database_behind", "log_differs"} and signed == asked, "nothing was signed"
    LogCheckpoint.objects.update(root=row.root)
    assert bytes(published(3).root) == root_of_entries()
    assert not open_alerts()
    release_claims()
