"""What was recorded under the first contract verifies as ever after the upgrade, by portal and script."""

import json
from typing import Any

from dev.chain.nodeos import Nodeos
from ledger.chain import antelope
from ledger.receipts import receipt
from ledger.record import canonical
from tests.ledger.contract.conftest import FIRST_CONTRACT
from tests.ledger.contract.ledger_account import LedgerAccount, Rec
from tests.ledger.contract.test_reading import chain_of
from tests.ledger.receipts.receipt_chain import RECORD, Verifier, verifier

__all__ = ["verifier"]  # a fixture
SALT = bytes(range(32))


def receipt_of(ledger: LedgerAccount, node: Nodeos, trace: dict[str, Any], ledger_id: int) -> str:
    block = chain_of(ledger, node).block(trace["block_num"])
    built = receipt.build(
        canonical=canonical(RECORD),
        salt=SALT,
        digest=antelope.sha256(SALT + canonical(RECORD)),
        ledger_id=ledger_id,
        chain_id=node.info()["chain_id"],
        account=ledger.name,
        transaction_id=trace["id"],
        block_num=block.num,
        block_id=block.id,
        public_key=ledger.record_key.public,
    )
    return json.dumps(built)


def test_old_receipts_verify_after_the_upgrade(
    empty: LedgerAccount, contract_node: Nodeos, second_node: Nodeos, verifier: Verifier
) -> None:
    empty.bootstrap(FIRST_CONTRACT)
    digest = antelope.sha256(SALT + canonical(RECORD))
    trace = empty.record_packed(antelope.pack_records([(7, digest, b"sealed")]))
    empty.bootstrap()
    empty.record(Rec(8, "new"))
    last = contract_node.info()["head_block_num"] + 1
    for node in (contract_node, second_node):
        node.wait_for_block(last)
    content = receipt_of(empty, contract_node, trace, 7)
    pins = {"key": empty.record_key.public, "chain_id": contract_node.info()["chain_id"], "account": empty.name}
    found = verifier(content, [contract_node.url, second_node.url], **pins)
    assert found.verdict == "VERIFIED", found.text
