"""Which node is asked, and what counts as an answer: nobody, refusals, a node that is cut off, or of another chain."""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import User
from common.outgoing.asking import Asker
from dev.chain.nodeos import Nodeos
from dev.common.processes import free_port
from ledger.admin import overview
from ledger.chain import node as chain
from ledger.chain import nodes
from ledger.errors import ChainError, ChainUnreachable, WrongChain
from ledger.models import Alert, ChainTransaction
from ledger.recording import settlement, tasks, transactions
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.chain.proxy import Answer, Fault, Proxy, altered, in_json, says
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tests.ledger.recording.steps import assert_recorded_once, signed
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status
CALLS = (
    *("get_info", "get_transaction_status", "get_raw_block", "get_table_rows", "get_account", "get_producer_schedule"),
    "send_transaction2",
)


def busy(status: int, code: int) -> Fault:
    what = "Too many bytes in flight: 524288001. Try again later."
    return in_json(
        status,
        {"code": status, "message": "Busy", "error": {"code": code, "name": "Busy", "what": what, "details": []}},
    )


# What stands for nobody, whatever it says.
NOBODY = {
    "429 of a node, code 429": busy(429, 429),
    "429 of a node, code 1": busy(429, 1),
    "503 of a node": busy(503, 503),
    "429 of a gateway": in_json(429, {"message": "API rate limit exceeded"}),
    "403 of a gateway": in_json(403, {"error": {"code": 1020, "message": "Access denied"}}),
    "408": in_json(408, {"code": 408, "message": "Request Timeout", "error": {"code": 408}}),
    "400 of a gateway": in_json(400, {"message": "no such route"}),
    "502": in_json(502, {"code": 502, "error": {"code": 502}}),
    "504": in_json(504, {"code": 504, "error": {"code": 504}}),
    "404 of nodeos": in_json(
        404, {"code": 404, "message": "Not Found", "error": {"code": 1, "what": "Unknown Endpoint"}}
    ),
    "a redirect": in_json(302, {"error": {"code": 3050003}}),
    "maintenance": in_json(200, {"status": "maintenance"}),
    "a list": in_json(200, []),
    "nested without end": says(200, b"[" * 100_000),
    "not UTF-8": says(200, b'{"a": "\xff"}'),
}
READS: dict[str, Callable[[chain.Chain], object]] = {
    "info": lambda node: node.info(),
    "row": lambda node: node.row(1),
    "row_id_of": lambda node: node.row_id_of(bytes(32)),
    "state": lambda node: node.state(),
    "block": lambda node: node.block(2),
    "account_info": lambda node: node.account_info(),
    "cpu_left_us": lambda node: node.cpu_left_us(),
    "producers": lambda node: node.producers(),
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests wait for what these decide, so they are short; what is compared stays as it is."""
    monkeypatch.setattr(nodes, "LOOK_EVERY_S", 0.2)
    monkeypatch.setattr(nodes, "QUIET_FOR_S", 0.5)
    monkeypatch.setattr(nodes, "BEHIND_AFTER", timedelta(seconds=3))


def only(account: LedgerAccount, proxy: Proxy) -> chain.Chain:
    return chain.Chain([proxy.url], account=account.name, chain_id=account.chain.chain_id)


# --- nobody


@pytest.mark.parametrize("fault", NOBODY.values(), ids=NOBODY.keys())
@pytest.mark.parametrize("looks_well", [True, False], ids=["all but get_info", "all calls"])
def test_where_nobody_is_there_the_next_node_is_asked(
    ledger_account: LedgerAccount,
    proxy: Proxy,
    close_sessions: CloseSessions,
    settings: Settings,
    fault: Fault,
    looks_well: bool,
) -> None:
    settings.LEDGER_NODES = [proxy.url, ledger_account.node.url]
    proxy.always = dict.fromkeys(CALLS[looks_well:], fault)
    for read in READS.values():
        read(chain.chain())
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    assert (row.status, row.error_code, open_alerts()) == (S.SENT, "", set())
    drive(all_recorded)
    assert Alert.objects.count() == 0
    assert_recorded_once(ledger_account)


@pytest.mark.parametrize("fault", NOBODY.values(), ids=NOBODY.keys())
def test_where_nobody_else_is_there_it_is_said_so(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings, fault: Fault
) -> None:
    settings.LEDGER_NODES = [proxy.url]
    close_sessions(3)
    row = signed()
    proxy.always = dict.fromkeys(CALLS, fault)
    for name, read in READS.items():
        with pytest.raises(ChainUnreachable) as told:
            read(chain.chain())
        assert proxy.url in str(told.value), name
    assert overview._chain_asked().reason
    transactions.transaction_send(row=row)
    assert (row.status, row.error_code, open_alerts()) == (S.SENT, "outcome_unknown", {"chain_unreachable"})
    proxy.always = {}
    drive(all_recorded)
    assert open_alerts() == set()
    assert_recorded_once(ledger_account)


@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
def test_an_answer_in_another_form_is_none(
    ledger_account: LedgerAccount, proxy: Proxy, read: Callable[[chain.Chain], object]
) -> None:
    """Each member that the node itself gives, in its place something else, at every depth."""
    for call in CALLS[:-1]:
        proxy.always[call] = partial(_remember, call)
    node = only(ledger_account, proxy)
    read(node)
    asked = next(call for call in CALLS if proxy.calls[call])
    good = json.loads(_SEEN[asked])
    for path in list(_paths(good)):
        for other in (None, [], {}, "?", -1, 1.5, [None], {"a": 1}, "9" * 30):
            content = json.loads(_SEEN[asked])
            _put(content, path, other)
            proxy.always[asked] = in_json(200, content)
            with suppress(ChainError):  # anything else fails the test
                read(node)


_SEEN: dict[str, bytes] = {}


def _remember(call: str, ask: Callable[[], Answer]) -> Answer:
    answer = ask()
    _SEEN[call] = answer[1]
    return answer


def _paths(content: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else []
    for name, value in items:
        yield from _paths(value, (*path, name))


def _put(content: Any, path: tuple[Any, ...], value: object) -> None:
    for name in path[:-1]:
        content = content[name]
    content[path[-1]] = value


def test_the_home_page_never_raises(proxy: Proxy, client: Client, settings: Settings) -> None:
    settings.LEDGER_NODES = [proxy.url]
    client.force_login(User.objects.create_user("olga", is_staff=True, is_superuser=True))
    for fault in NOBODY.values():
        proxy.always["get_info"] = fault
        assert overview._chain_asked().reason
        overview.chain_state()
    assert client.get("/admin/").status_code in {200, 302}


def test_an_answer_is_never_unpacked(ledger_account: LedgerAccount, proxy: Proxy) -> None:
    """Some kB that would be 100 MB."""
    proxy.headers["content-encoding"] = "gzip"
    proxy.always["get_info"] = says(200, gzip.compress(b'{"a": "' + b" " * 100_000_000 + b'"}'))
    with pytest.raises(ChainUnreachable, match="not packed"):
        only(ledger_account, proxy).info()


def test_an_endless_answer_is_cut_off(
    ledger_account: LedgerAccount, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MAX_ANSWER_BYTES", 1000)
    proxy.always["get_info"] = says(200, b'{"a": "' + b" " * 2000 + b'"}')
    with pytest.raises(ChainUnreachable, match="at most 1000 bytes"):
        only(ledger_account, proxy).info()


# --- cut off


@pytest.fixture
def loose_node(chain_node: Nodeos, tmp_path: Any) -> Iterator[Nodeos]:
    """A follower of its own, which a test may cut off."""
    node = Nodeos(
        tmp_path / "loose",
        free_port(),
        free_port(),
        genesis=chain_node.genesis,
        producer=None,
        peers=[chain_node.p2p_address],
    )
    node.start()
    yield node
    node.stop()


def connect(node: Nodeos, *peers: str) -> None:
    node.stop()
    node.peers = list(peers)
    node.start()


def test_a_node_that_is_cut_off_is_passed_over_and_named(
    ledger_account: LedgerAccount,
    loose_node: Nodeos,
    close_sessions: CloseSessions,
    settings: Settings,
    impatient: None,
) -> None:
    account = ledger_account
    until(lambda: loose_node.info()["head_block_num"] >= account.chain.info().lib_num)
    connect(loose_node)  # it answers, and hears of nobody
    stood_at = loose_node.info()["head_block_num"]
    settings.LEDGER_NODES = [loose_node.url, account.node.url]
    until(lambda: chain.chain().info().head_block_num > stood_at + 5)
    close_sessions(3)
    drive(all_recorded)
    alert = Alert.objects.get()
    assert (alert.code, alert.subject, alert.closed_at) == ("node_behind", loose_node.url, None)
    assert str(stood_at) in alert.message and alert.what_to_do
    assert_recorded_once(account)
    connect(loose_node, account.node.p2p_address)

    def closed() -> bool:
        tasks.sweep()
        return open_alerts() == set()

    until(closed)


def test_bytes_that_a_cut_off_node_took_are_sent_again_elsewhere(
    ledger_account: LedgerAccount,
    loose_node: Nodeos,
    close_sessions: CloseSessions,
    settings: Settings,
    impatient: None,
) -> None:
    """It is cut off in the moment of sending: it says yes, and nobody hears of it."""
    account = ledger_account
    until(lambda: loose_node.info()["head_block_num"] >= account.chain.info().lib_num)
    settings.LEDGER_NODES = [loose_node.url, account.node.url]
    close_sessions(3)
    row = signed()
    connect(loose_node)
    transactions.transaction_send(row=row)
    assert row.status == S.SENT
    drive(all_recorded)
    assert ChainTransaction.objects.get().transaction_id == row.transaction_id
    assert_recorded_once(account)


def test_where_all_nodes_stand_still_none_is_silent(
    ledger_account: LedgerAccount, proxy: Proxy, settings: Settings, impatient: None
) -> None:
    """Whatever our own clock says: nodes are compared with each other."""
    old = altered(lambda info: info.update(head_block_time="2020-01-01T00:00:00.000"))
    proxy.always["get_info"] = old
    settings.LEDGER_NODES = [proxy.url, f"{proxy.url}/"[:-1].replace("127.0.0.1", "localhost")]
    assert chain.chain().info().head_block_time.year == 2020
    tasks.sweep()
    assert open_alerts() == set()


# --- another chain


def test_a_node_of_another_chain_beside_a_good_one_is_named_and_passed_over(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings, impatient: None
) -> None:
    proxy.always["get_info"] = altered(lambda info: info.update(chain_id="ab" * 32))
    settings.LEDGER_NODES = [proxy.url, ledger_account.node.url]
    close_sessions(3)
    drive(all_recorded)
    assert list(Alert.objects.values_list("code", "subject", "closed_at")) == [("wrong_chain", proxy.url, None)]
    assert "abab" in Alert.objects.get().message
    assert set(proxy.calls) == {"get_info"}
    assert_recorded_once(ledger_account)
    settings.LEDGER_NODES = [ledger_account.node.url]
    tasks.sweep()
    assert open_alerts() == set()


def test_only_nodes_of_another_chain(
    ledger_account: LedgerAccount, proxy: Proxy, settings: Settings, impatient: None
) -> None:
    proxy.always["get_info"] = altered(lambda info: info.update(chain_id="ab" * 32))
    settings.LEDGER_NODES = [proxy.url, proxy.url.replace("127.0.0.1", "localhost")]
    for read in READS.values():
        with pytest.raises(WrongChain, match="expected chain"):
            read(chain.chain())
    settings.LEDGER_NODES = [proxy.url, "http://127.0.0.1:1"]
    with pytest.raises(ChainUnreachable, match="expected chain"):
        chain.chain().info()


def test_another_nodes_silence_is_no_reason_to_raise_another_chain(
    ledger_account: LedgerAccount, proxy: Proxy, close_sessions: CloseSessions, settings: Settings
) -> None:
    """A refused read in settling is not `wrong_chain`."""
    close_sessions(3)
    row = signed()
    transactions.transaction_send(row=row)
    settings.LEDGER_NODES = [proxy.url]
    refusal = {"code": 3999999, "name": "something_new", "what": "something new", "details": []}
    proxy.always["get_table_rows"] = in_json(500, {"code": 500, "error": refusal})
    until(lambda: settlement.confirm_open() and open_alerts())
    assert open_alerts() == {"chain_unreachable"}
    proxy.always = {}
    drive(all_recorded)
    assert open_alerts() == set()


def test_httpx_is_asked_for_nothing_packed(ledger_account: LedgerAccount) -> None:
    assert isinstance(ledger_account.chain.nodes._asker, Asker)
    assert ledger_account.chain.nodes._asker._http.headers["accept-encoding"] == "identity"
