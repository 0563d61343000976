"""The contract is taken away, used, and put back (P15): receipts, in portal and script."""

from typing import Any

import pytest

from dev.chain.nodeos import Nodeos
from dev.chain.transactions import call
from ledger.chain import antelope
from ledger.record import canonical
from tests.ledger.contract.ledger_account import LedgerAccount
from tests.ledger.contract.test_history import evil, swapped
from tests.ledger.receipts.receipt_chain import RECORD, Verification, Verifier, receipt_of, verifier

__all__ = ["evil", "verifier"]  # fixtures
Json = dict[str, Any]
ID, SALT = 1500, bytes(range(32))
FORGED = {**RECORD, "energy_wh": 77_800}


def recorded(ledger: LedgerAccount, node: Nodeos, record: Json) -> Json:
    """Record it under ID, and make its receipt."""
    digest = antelope.sha256(SALT + canonical(record))
    trace = ledger.record_packed(antelope.pack_record_data([(ID, digest, b"sealed")]))
    place = receipt_of(node, str(trace["id"]), ID, SALT, ledger.record_key.public)
    return {**place, "account": ledger.name, "record": record, "digest": digest.hex()}


def published(ledger: LedgerAccount) -> Json:
    """The pins, as they are published once the contract is there."""
    code = call(ledger.url, "chain/get_code_hash", {"account_name": ledger.name})["code_hash"]
    pins = {
        "key": ledger.record_key.public,
        "account": ledger.name,
        "chain_id": call(ledger.url, "chain/get_info")["chain_id"],
    }
    return {**pins, "code_hash": code, "code_updated": ledger.account()["last_code_update"]}


@pytest.fixture
def checked(verifier: Verifier, contract_node: Nodeos, second_node: Nodeos) -> Any:
    def check(content: Json, pins: Json) -> Verification:
        from ledger.receipts import receipt

        last = contract_node.info()["head_block_num"] + 1
        for node in (contract_node, second_node):
            node.wait_for_block(last)
        return verifier(receipt.dumps(content), (contract_node.url, second_node.url), **pins)

    return check


def test_a_record_forged_by_another_contract_is_not_valid(
    ledger: LedgerAccount, contract_node: Nodeos, evil: bytes, checked: Any
) -> None:
    true, pins = recorded(ledger, contract_node, RECORD), published(ledger)
    assert checked(true, pins).verdict == "VERIFIED"

    swapped(ledger, evil, "erase", ID)
    forged = recorded(ledger, contract_node, FORGED)
    assert published(ledger)["code_hash"] == pins["code_hash"], "the hash is right again"

    found = checked(forged, pins)
    assert (found.verdict, found.failed) == ("NOT VALID", (11,)), found.text
    assert "what it holds may have been altered" in found.text
    assert f"{ledger.name}@active" in found.text and f"{ledger.name}@owner" in found.text
    driver = checked(true, pins)
    assert (driver.verdict, driver.failed) == ("NOT VALID", (10, 11)), driver.text
    assert "what it holds may have been altered" in driver.text, "the reader hears why a true receipt fails"

    unpinned = {**pins, "code_updated": None}
    blind = checked(forged, unpinned)
    assert blind.verdict == "VERIFIED" and ("not pinned" in blind.text or "Without --code-updated" in blind.text)


def test_where_the_contract_was_given_away_nobody_could(
    empty: LedgerAccount, contract_node: Nodeos, checked: Any
) -> None:
    empty.bootstrap(give_away=True)
    content = recorded(empty, contract_node, RECORD)
    found = checked(content, published(empty))
    assert found.verdict == "VERIFIED", found.text
    assert "replaceable_by=()" in found.text or "Nobody can replace the contract" in found.text
