"""The failure table's rows (docs/architecture.md) of network, time and forks, provoked against the real node."""

import time

import pytest
from pytest_django.fixtures import Settings

from ledger.models import ChainTransaction
from ledger.recording import settlement, tasks, transactions
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Fault, Proxy, altered, cut_after, cut_before, late, says
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.recording.steps import assert_recorded_once, signed

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


# --- the network and the node


@pytest.mark.parametrize(
    "fault",
    [cut_before, cut_after, late(1.5), says(502, b"<html>Bad Gateway</html>"), says(500, b'{"message": "busy"}')],
    ids=["cut before", "cut after", "time-out", "proxy's 502", "500 without a code"],
)
def test_outcome_unknown(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, fault: Fault
) -> None:
    close_sessions(3)
    row = signed()
    proxy.faults["send_transaction2"].append(fault)
    transactions.transaction_send(row=row)
    assert (row.status, row.error_code) == (S.SENT, "outcome_unknown")
    assert open_alerts() == {"chain_unreachable"}
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert len(set(proxy.calls["send_transaction2"])) == 1, "only ever the same bytes"
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


def test_the_next_endpoint_takes_over(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_NODES = ["http://127.0.0.1:1", proxy.url]
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    assert (row.status, row.error_code) == (S.SENT, "")
    drive(all_recorded)
    assert_recorded_once(ledger_account)


def test_no_node_answers_and_nothing_is_signed(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    close_sessions(3)
    nodes, settings.LEDGER_NODES = settings.LEDGER_NODES, ["http://127.0.0.1:1"]
    tasks.anchor()
    row = ChainTransaction.objects.get()
    assert (row.status, row.packed) == (S.BATCHED, None)
    assert open_alerts() == {"chain_unreachable"}
    settings.LEDGER_NODES = nodes
    drive(all_recorded)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


def test_a_node_of_another_chain_is_refused(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions
) -> None:
    proxy.always["get_info"] = altered(lambda info: info.update(chain_id="ab" * 32))
    close_sessions(3)
    tasks.anchor()
    assert ChainTransaction.objects.get().status == S.BATCHED
    assert open_alerts() == {"wrong_chain"}
    assert not proxy.calls["send_transaction2"]
    proxy.always.clear()
    drive(all_recorded)
    assert open_alerts() == set()


def test_executed_is_only_sent(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    assert (row.status, row.block_num, row.irreversible_at) == (S.SENT, None, None)


def test_duplicate_transaction_is_a_success_so_far(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(3)
    row = signed()
    ledger_account.chain.send(bytes(row.packed or b""), row.signature)
    transactions.transaction_send(row=row)  # the node says 3040008
    assert (row.status, row.error_code, open_alerts()) == (S.SENT, "", set())
    drive(all_recorded)
    assert_recorded_once(ledger_account)


# --- time


def test_expired_means_a_new_transaction(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 1
    close_sessions(3)
    row = signed()
    time.sleep(2.5)
    transactions.transaction_send(row=row)  # the node says 3040005
    assert (row.status, row.error_code) == (S.SIGNED, "3040005")
    settings.LEDGER_EXPIRATION_S = 60
    drive(all_recorded)
    row.refresh_from_db()
    new = ChainTransaction.objects.get(status=S.IRREVERSIBLE)
    assert row.status == S.EXPIRED and new.pk != row.pk and new.transaction_id != row.transaction_id
    assert_recorded_once(ledger_account)


def test_expired_but_in_is_found_by_its_rows(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    """The answer was lost, the node keeps no statuses, the time is over: the rows decide, nothing is sent again."""
    settings.LEDGER_EXPIRATION_S = 5
    proxy.always["get_transaction_status"] = says(404, b'{"code": 404, "message": "Unknown Endpoint"}')
    close_sessions(3)
    row = signed()
    proxy.faults["send_transaction2"].append(cut_after)
    transactions.transaction_send(row=row)
    time.sleep(6.5)
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert len(proxy.calls["send_transaction2"]) == 1
    assert_recorded_once(ledger_account)


def test_bad_reference_block_is_signed_anew_after_expiry(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.LEDGER_EXPIRATION_S = 6

    def other_block(info: dict[str, str]) -> None:
        info["last_irreversible_block_id"] = info["last_irreversible_block_id"][:16] + "00" * 24

    proxy.faults["get_info"].append(altered(other_block))
    close_sessions(3)
    row = signed()
    settings.LEDGER_EXPIRATION_S = 60  # what is signed in its place does not run out
    transactions.transaction_send(row=row)  # the real node says 3040007
    assert (row.status, row.error_code) == (S.SIGNED, "3040007")
    drive(all_recorded)
    row.refresh_from_db()
    assert row.status == S.EXPIRED
    assert_recorded_once(ledger_account)


# --- forks and forgetful nodes


def test_forked_out_the_same_bytes_again(ledger_account: LedgerAccount, close_sessions: CloseSessions) -> None:
    """The producer is killed before the block is irreversible: its reversible blocks are gone for good."""
    account = ledger_account
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    account.node.kill()
    account.node.start()
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert_recorded_once(account)


def test_the_block_that_was_told_is_not_the_one_that_stays(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    close_sessions(3)
    row = signed()
    lib = ledger_account.chain.info().lib_num
    transactions.move(row, expected=[S.SIGNED], to=S.IN_BLOCK, block_num=lib, block_id="00" * 32)
    settlement.confirm_open()
    row.refresh_from_db()
    assert (row.status, row.block_num) == (S.SENT, None)
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert_recorded_once(ledger_account)


def test_a_node_that_keeps_no_statuses(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions
) -> None:
    proxy.always["get_transaction_status"] = says(404, b'{"code": 404, "message": "Unknown Endpoint"}')
    close_sessions(3)
    drive(all_recorded)
    row = ChainTransaction.objects.get()
    block = ledger_account.chain.block(row.block_num or 0)
    assert row.block_id == block.id and row.transaction_id in block.transactions
    assert_recorded_once(ledger_account)


def test_forked_out_status_sends_the_same_bytes(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions
) -> None:
    close_sessions(3)
    row = signed()
    proxy.faults["send_transaction2"].append(cut_before)
    transactions.transaction_send(row=row)
    proxy.faults["get_transaction_status"].append(altered(lambda found: found.update(state="FORKED_OUT")))
    drive(all_recorded)
    assert len(proxy.calls["send_transaction2"]) == 2 and len(set(proxy.calls["send_transaction2"])) == 1
    assert_recorded_once(ledger_account)
