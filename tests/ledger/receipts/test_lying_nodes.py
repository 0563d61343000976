"""Both verifiers against nodes that are few, silent, slow or liars: they agree on everything."""

from copy import deepcopy
from typing import Any

import pytest

from dev.common.processes import free_port
from tests.ledger.chain.proxy import Proxy, altered, cut_before, late, says
from tests.ledger.receipts.lies import LIES, altering, row_of, whole
from tests.ledger.receipts.receipt_chain import RECORD, STEPS, Json, Recorded, Verifier, check, verifier

__all__ = ["verifier"]  # fixture


def test_one_node_is_not_enough(verifier: Verifier, recorded: Recorded) -> None:
    url = recorded.nodes[0]
    for nodes in ((), (url,), (url, url), (url, url + "/")):
        found = check(verifier, recorded, nodes=nodes)
        assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS)))
        assert "at least 2 nodes" in found.text


def test_a_silent_node_leaves_it_undecided(verifier: Verifier, recorded: Recorded) -> None:
    nodes = (recorded.nodes[0], f"http://127.0.0.1:{free_port()}")
    found = check(verifier, recorded, nodes=nodes)
    assert (found.verdict, found.undecided) == ("NOT DECIDED", tuple(range(2, STEPS)))
    changed = {**recorded.receipt, "transaction_id": "0" * 64}
    assert check(verifier, recorded, changed, nodes=nodes).verdict == "NOT DECIDED"
    changed = {**recorded.receipt, "record": {**RECORD, "energy_wh": 1}}
    assert check(verifier, recorded, changed, nodes=nodes).failed == (1,)


@pytest.mark.parametrize("lie", LIES)
def test_a_lying_node_is_found_out(verifier: Verifier, recorded: Recorded, proxy: Proxy, lie: str) -> None:
    """One of two nodes lies: the step that shows it is named, and a true receipt is not called false."""
    call, change, step = LIES[lie]
    proxy.always[call] = altered(change)
    found = check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.verdict == "NOT DECIDED", found.text
    assert found.undecided[0] == step, found.text
    if step != 3:
        assert "disagree" in found.text or lie == "row hidden"


@pytest.mark.parametrize("lie", LIES)
def test_two_lying_nodes_do_not_verify(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy, lie: str
) -> None:
    call, change, step = LIES[lie]
    proxy.always[call] = other.always[call] = altered(change)
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert found.verdict == ("NOT DECIDED" if step == 3 else "NOT VALID"), found.text
    assert (found.failed or found.undecided)[0] == step, found.text


def test_two_nodes_that_confirm_a_changed_row_do_not_help(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    """The table alone proves nothing: the signed transaction says otherwise."""
    changed = deepcopy(recorded.receipt)
    changed["record"]["energy_wh"] = 1
    changed["digest"] = digest = _digest_of(changed)
    proxy.always["get_table_rows"] = other.always["get_table_rows"] = altered(
        altering(row_of, "digest", lambda _: digest)
    )
    found = check(verifier, recorded, changed, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed) == ("NOT VALID", (9,)), found.text


def _digest_of(changed: Json) -> str:
    from ledger.chain.antelope import sha256
    from ledger.record import canonical

    return sha256(bytes.fromhex(changed["salt"]) + canonical(changed["record"])).hex()


def test_a_row_that_is_absent_above_the_floor_fails(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    def hide(content: Json) -> None:
        if content["rows"] and "digest" in content["rows"][0]:
            content["rows"] = []

    proxy.always["get_table_rows"] = other.always["get_table_rows"] = altered(hide)
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed) == ("NOT VALID", (10,)), found.text


def test_a_block_that_is_not_irreversible_yet_is_undecided(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, other: Proxy
) -> None:
    number = recorded.receipt["block_num"] - 1
    lower = altered(altering(whole, "last_irreversible_block_num", lambda _: number))
    proxy.always["get_info"] = other.always["get_info"] = lower
    found = check(verifier, recorded, nodes=(other.url, proxy.url))
    assert (found.verdict, found.failed, found.undecided) == ("NOT DECIDED", (), (3,))


@pytest.mark.parametrize("call", ["get_info", "get_raw_block", "get_table_rows"])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"7",
        b"<html>",
        b'{"rows": 7}',
        b'{"rows": [7]}',
        b"[" * 100_000,
        b'{"previous": 7}',
    ],
)
def test_a_node_that_talks_nonsense_is_no_witness(
    verifier: Verifier, recorded: Recorded, proxy: Proxy, call: str, answer: bytes
) -> None:
    proxy.always[call] = says(200, answer)
    found = check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url))
    assert found.verdict == "NOT DECIDED", found.text


@pytest.mark.parametrize("fault", [cut_before, says(500, b"{}"), says(302, b""), says(404, b"no such call")])
def test_a_node_that_fails_is_no_witness(verifier: Verifier, recorded: Recorded, proxy: Proxy, fault: Any) -> None:
    for call in ("get_info", "get_raw_block", "get_table_rows"):
        proxy.always.clear()
        proxy.always[call] = fault
        assert check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url)).verdict == "NOT DECIDED"


def test_a_slow_node_is_waited_for(verifier: Verifier, recorded: Recorded, proxy: Proxy) -> None:
    proxy.always["get_raw_block"] = late(0.5)
    assert check(verifier, recorded, nodes=(recorded.nodes[0], proxy.url)).verdict == "VERIFIED"
