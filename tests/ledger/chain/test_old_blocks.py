"""Nodes that lack old blocks: what needs none of them goes on, and what is held up is named."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from ledger.errors import BlockUnavailable
from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording import settlement, tasks, transactions
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Answer, Proxy, altered
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.recording.steps import assert_recorded_once, record_elsewhere, signed
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


def lacks_blocks_before(proxy: Proxy, first: int, *, told: bool) -> None:
    """As a node that was started from a snapshot, or keeps few blocks."""

    def block(ask: Callable[[], Answer]) -> Answer:
        num = json.loads(proxy.calls["get_raw_block"][-1])["block_num_or_id"]
        if num >= first:
            return ask()
        what = {"code": 3100002, "name": "unknown_block_exception", "what": "Unknown block", "details": []}
        return 400, json.dumps({"code": 400, "message": "Unknown Block", "error": what}).encode()

    def info(found: dict[str, Any]) -> None:
        found["earliest_available_block_num"] = first
        if not told:
            del found["earliest_available_block_num"]

    proxy.always |= {"get_raw_block": block, "get_info": altered(info)}


def test_what_the_node_says_of_a_block_that_it_lacks(ledger_account: LedgerAccount) -> None:
    with pytest.raises(BlockUnavailable, match="block 100000000: http") as told:
        ledger_account.chain.block(100_000_000)
    assert told.value.code == 3100002
    assert ledger_account.chain.info().earliest_num >= 1


@pytest.mark.parametrize("told", [True, False], ids=["earliest told", "earliest not told"])
@pytest.mark.parametrize("alone", [True, False], ids=["alone", "beside one with all blocks"])
def test_a_node_without_old_blocks_settles(
    ledger_account: LedgerAccount,
    proxy: Proxy,
    close_sessions: CloseSessions,
    settings: Settings,
    told: bool,
    alone: bool,
) -> None:
    settings.LEDGER_EXPIRATION_S = 6
    lacks_blocks_before(proxy, ledger_account.chain.info().head_block_num - 2, told=told)
    settings.LEDGER_NODES = [proxy.url, *([] if alone else [ledger_account.node.url])]
    close_sessions(3)
    records = [(entry.pk, bytes(entry.digest), b"") for entry in LedgerEntry.objects.order_by("id")]
    elsewhere = record_elsewhere(ledger_account, records[:2])
    row = signed()
    settings.LEDGER_EXPIRATION_S = 60
    transactions.transaction_send(row=row)
    drive(all_recorded)
    adopted = LedgerEntry.objects.filter(transaction__transaction_id=elsewhere)
    assert adopted.count() == 2
    assert Alert.objects.count() == 0
    assert_recorded_once(ledger_account)


def test_a_block_that_no_node_has_holds_up_only_what_needs_it(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    num = until(lambda: ledger_account.chain.status(row.transaction_id or "").block_num or 0)
    until(lambda: ledger_account.chain.info().lib_num > num)
    lacks_blocks_before(proxy, num + 1, told=True)
    settings.LEDGER_NODES = [proxy.url]
    close_sessions(3)

    def others_recorded() -> bool:
        return ChainTransaction.objects.filter(status=S.IRREVERSIBLE).count() == 1

    drive(others_recorded)
    tasks.sweep()
    row.refresh_from_db()
    assert row.status != S.IRREVERSIBLE
    alert = Alert.objects.get(closed_at__isnull=True)
    assert (alert.code, alert.subject) == ("block_unavailable", str(row.pk))
    assert "block " in alert.message and proxy.url in alert.message and alert.what_to_do
    settings.LEDGER_NODES = [proxy.url, ledger_account.node.url]
    drive(all_recorded)
    settlement.for_each([], lambda row: None)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)
