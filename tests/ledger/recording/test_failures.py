"""The failure table's rows (docs/architecture.md), provoked against the real node, TPM and database; the network's and
the node's own are in test_node_failures.py."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.chain.keys import new_keypair
from dev.chain.setup import update_auth
from dev.chain.transactions import Action, pack_name, push_actions
from dev.parts.tpm_service import SCOPES
from ledger.chain import antelope
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording import entries, tasks, transactions
from ledger.signing.signer import signer
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Proxy, error, says
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.recording.steps import (
    assert_recorded_once,
    batched,
    record_elsewhere,
    release_claims,
    signed,
    wait_until_irreversible,
)
from tpm.models import TpmService

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


# --- a worker is killed


def test_killed_before_signed_is_committed(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    close_sessions(3)
    row = batched()
    tasks.sweep()
    row.refresh_from_db()
    assert row.status == S.BATCHED, "a living claim is respected"
    release_claims()
    drive(all_recorded)
    assert ChainTransaction.objects.count() == 1
    assert_recorded_once(ledger_account)


def test_a_slow_worker_does_not_replace_what_another_signed(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(3)
    slow = batched()
    fast = ChainTransaction.objects.get(pk=slow.pk)
    assert transactions.transactions_sign(transactions=[fast])
    time.sleep(0.6)  # another head block, so other bytes
    assert transactions.transactions_sign(transactions=[slow])
    assert slow.transaction_id == fast.transaction_id and bytes(slow.packed or b"") == bytes(fast.packed or b"")
    release_claims()
    drive(all_recorded)
    assert_recorded_once(ledger_account)


def test_killed_after_signed_the_same_bytes_are_sent(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(3)
    row = signed()
    release_claims()
    drive(all_recorded)
    row.refresh_from_db()
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert antelope.transaction_id(bytes(row.packed or b"")).hex() == row.transaction_id
    assert_recorded_once(ledger_account)


# --- resources


def test_busy_cpu_the_same_bytes_later(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions
) -> None:
    proxy.faults["send_transaction2"] += [error(3080004, "tx_cpu_usage_exceeded")] * 2
    close_sessions(4)
    row = signed()
    transactions.transaction_send(row=row)
    assert (row.status, row.error_code, row.attempts) == (S.SIGNED, "cpu", 1)
    assert row.retry_at > timezone.now()
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert len(set(proxy.calls["send_transaction2"])) == 1
    assert_recorded_once(ledger_account)


def test_repeated_cpu_trouble_halves_the_batch_after_expiry(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 6
    proxy.always["send_transaction2"] = error(3080004, "tx_cpu_usage_exceeded")
    close_sessions(4)
    row = signed()
    settings.LEDGER_EXPIRATION_S = 60  # only this one runs out: its halves would be halved again
    for attempts in (1, 2):
        transactions.transaction_send(row=row)
        assert (row.error_code, row.attempts) == ("cpu", attempts)
    release_claims()
    drive(lambda: ChainTransaction.objects.filter(pk=row.pk, status=S.EXPIRED).exists())
    proxy.always.clear()
    drive(all_recorded)
    halves = ChainTransaction.objects.filter(status=S.IRREVERSIBLE)
    assert sorted(half.entries.count() for half in halves) == [2, 2]
    assert_recorded_once(ledger_account)


def set_limits(account: LedgerAccount, name: str, *, ram: int = -1, net: int = -1, cpu: int = -1) -> None:
    data = pack_name(name) + b"".join(value.to_bytes(8, "little", signed=True) for value in (ram, net, cpu))
    push_actions(account.node.url, [Action("eosio", "setalimits", data, "eosio@active")], [account.producer])
    wait_until_irreversible(account)


@pytest.fixture
def greedy(ledger_account: LedgerAccount) -> Iterator[str]:
    """Another account with nearly all the weight on the chain, so that a weight of 1 is next to nothing."""
    set_limits(ledger_account, "eosio.null", net=10**15, cpu=10**15)
    yield "eosio.null"
    set_limits(ledger_account, "eosio.null")


@pytest.mark.parametrize("lacking", ["ram", "net", "cpu"])
def test_account_without_resources_is_deferred(
    ledger_account: LedgerAccount, greedy: str, close_sessions: CloseSessions, lacking: str
) -> None:
    usage = int(ledger_account.chain.account_info()["ram_usage"])
    limits = {"ram": {"ram": usage + 100}, "net": {"net": 1}, "cpu": {"cpu": 1}}[lacking]
    set_limits(ledger_account, ledger_account.name, **limits)
    close_sessions(200)
    tasks.anchor()
    row = ChainTransaction.objects.get()
    assert (row.status, row.error_code) == (S.DEFERRED, lacking)
    assert row.retry_at > timezone.now() + timedelta(seconds=30)
    assert open_alerts() == {lacking}
    close_sessions(1)
    tasks.sweep()
    assert ChainTransaction.objects.count() == 1, "no hot loop: nothing else is tried meanwhile"
    set_limits(ledger_account, ledger_account.name)
    entry = LedgerEntry.objects.filter(transaction=row).first()
    assert entry is not None
    entries.entry_send_again(entry=entry)
    drive(all_recorded)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


# --- authority and the contract


def test_a_rotated_key_stops_and_alerts(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    account = ledger_account
    tpm_key = account.tpm.client().key_get("ledger").public_key_eosio

    def record_permission(public_key: str) -> None:
        push_actions(account.node.url, [update_auth(account.name, "record", [public_key])], [account.active])
        wait_until_irreversible(account)

    record_permission(new_keypair("R1").public)
    close_sessions(3)
    tasks.anchor()
    row = ChainTransaction.objects.get()
    assert (row.status, row.error_code, open_alerts()) == (S.DEFERRED, "authority", {"authority"})
    record_permission(tpm_key)
    entry = LedgerEntry.objects.filter(transaction=row).first()
    assert entry is not None
    entries.entry_send_again(entry=entry)
    drive(all_recorded)
    assert open_alerts() == set()


def test_an_unknown_refusal_waits_for_a_person(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions
) -> None:
    proxy.faults["send_transaction2"].append(error(3999999, "something_new"))
    close_sessions(3)
    tasks.anchor()
    row = ChainTransaction.objects.get()
    assert (row.status, open_alerts()) == (S.DEFERRED, {"refused"})
    assert "something_new" in Alert.objects.get().message


def test_a_row_that_is_there_already_is_adopted(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 6
    close_sessions(3)
    records = [(entry.pk, bytes(entry.digest), b"") for entry in LedgerEntry.objects.order_by("id")]
    elsewhere = record_elsewhere(ledger_account, records[:2])
    row = signed()
    settings.LEDGER_EXPIRATION_S = 60  # what is signed in its place does not run out
    transactions.transaction_send(row=row)  # the contract says 3050003
    assert (row.status, row.error_code) == (S.SIGNED, "3050003")
    drive(all_recorded)
    adopted = LedgerEntry.objects.filter(transaction__transaction_id=elsewhere)
    assert set(adopted.values_list("id", flat=True)) == {records[0][0], records[1][0]}
    row.refresh_from_db()
    assert row.status == S.EXPIRED
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


def test_another_digest_under_our_id_is_a_conflict(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 6
    close_sessions(3)
    first = LedgerEntry.objects.order_by("id").first()
    assert first is not None
    row = signed()
    record_elsewhere(ledger_account, [(first.pk, b"\x11" * 32, b"")])
    settings.LEDGER_EXPIRATION_S = 60  # what is signed in its place does not run out
    transactions.transaction_send(row=row)
    drive(lambda: LedgerEntry.objects.filter(transaction__status=S.IRREVERSIBLE).count() == 2)
    first.refresh_from_db()
    assert first.state == "CONFLICT" and "1111" in first.conflict
    assert open_alerts() == {"conflict"}


def test_all_members_in_conflict_make_a_conflict_transaction(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 6
    close_sessions(1)
    entry = LedgerEntry.objects.get()
    row = signed()
    record_elsewhere(ledger_account, [(entry.pk, b"\x22" * 32, b"")])
    transactions.transaction_send(row=row)
    drive(lambda: ChainTransaction.objects.filter(pk=row.pk, status=S.CONFLICT).exists())


# --- the TPM


@pytest.mark.parametrize("part", ["service", "swtpm"])
def test_tpm_away_stays_batched_and_comes_back(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, part: str
) -> None:
    stack = ledger_account.tpm
    getattr(stack, f"kill_{part}")()
    try:
        close_sessions(3)
        tasks.anchor()
        row = ChainTransaction.objects.get()
        assert (row.status, row.error_code != "", row.packed) == (S.BATCHED, True, None)
        assert open_alerts() == {"tpm_unavailable"}
    finally:
        stack.start_service() if part == "service" else stack.swtpm.start()
    drive(all_recorded)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


def test_tpm_locked_stays_batched(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    """The service's 423 tpm_lockout comes from the proxy here: the service's keys do not count failures (NODA)."""
    token = ledger_account.tpm.credentials(ledger_account.tpm.portal, SCOPES)()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    locked = Proxy(ledger_account.tpm.service_url, headers)
    problem = b'{"type": "about:blank", "title": "locked", "status": 423, "code": "tpm_lockout", "detail": "locked"}'
    locked.always["sign"] = says(423, problem)
    real, settings.TPM_SERVICE_URL = settings.TPM_SERVICE_URL, ledger_account.tpm.service_url
    close_sessions(3)
    try:
        with_proxy(settings, locked.url, ledger_account)
        tasks.anchor()
        row = ChainTransaction.objects.get()
        assert (row.status, row.error_code) == (S.BATCHED, "tpm_lockout")
        assert open_alerts() == {"tpm_unavailable"}
    finally:
        with_proxy(settings, real, ledger_account)
        locked.close()
    drive(all_recorded)


def with_proxy(settings: Settings, url: str, account: LedgerAccount) -> None:
    """The register knows the service under this address, too: it is the same TPM behind it."""
    TpmService.objects.update(url=url)
    settings.TPM_SERVICE_URL = url
    signer()._public_key = (account.tpm.client().key_get("ledger").public_key_eosio, time.monotonic())


# --- two workers


def test_two_workers_at_once_record_once(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def work(step: Callable[[], None]) -> None:
        try:
            step()
        finally:
            connection.close()

    close_sessions(500)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, [tasks.anchor, tasks.anchor, tasks.sweep, tasks.anchor]))
    drive(all_recorded)
    assert_recorded_once(ledger_account)
