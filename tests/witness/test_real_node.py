"""A witness beside a real node: the contract's row and records as nodeos tells them, an invented and a missing one."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.chain.keys import KeyPair
from dev.chain.nodeos import Nodeos
from dev.chain.transactions import call, pack_list
from tests.ledger.contract.ledger_account import LedgerAccount, Rec, make_records
from tests.waiting import until
from tests.witness.a_log import ALog, root_of
from tests.witness.conftest import Watched
from tests.witness.stand_ins import StandIn, served
from witness.chain import Chain
from witness.config import Log
from witness.content import Reader


class OnChain:
    """A log whose records and checkpoints are on a real chain; only its pages are served by a stand-in."""

    def __init__(self, directory: Path, ledger: LedgerAccount, pages: StandIn) -> None:
        self.ledger, self.a_log, self.size = ledger, ALog(0), 0
        pages.published = self.a_log
        chain_id = self.info()["chain_id"]
        chain = Chain([ledger.url], account=ledger.name, chain_id=chain_id)
        self.watched = Watched(directory, Log(self.a_log.vkey, Reader(f"{pages.url}/log"), chain))

    def info(self) -> dict[str, Any]:
        found: dict[str, Any] = call(self.ledger.url, "chain/get_info")
        return found

    def enter(self, *records: Rec) -> None:
        """Put them into the log."""
        self.a_log.leaves += [record.id.to_bytes(8, "big") + record.digest for record in records]

    def checkpoint(self, upto: int) -> int:
        """Record the log's checkpoint on the chain; returns its block."""
        until(lambda: self.info()["head_block_num"] > upto)
        size, root = len(self.a_log.leaves), root_of(self.a_log.leaves)
        data = size.to_bytes(8, "little") + root + upto.to_bytes(4, "little") + pack_list([])
        trace = self.ledger.push(self.ledger.action("checkpoint", data, "record"), self.ledger.record_key)
        return int(trace["block_num"])

    def asked(self) -> tuple[int, str]:
        """Ask for the newest checkpoint."""
        self.watched.now = time.time()
        answer = self.watched.witness.add_checkpoint(self.a_log.request(self.size))
        if answer.status == 200:
            self.size = len(self.a_log.leaves)
        return answer.status, answer.text


@pytest.fixture
def on_chain(
    tmp_path: Path, chain_node: Nodeos, producer_key: KeyPair, account_names: Iterator[str]
) -> Iterator[OnChain]:
    ledger = LedgerAccount(chain_node.url, next(account_names), producer_key)
    ledger.bootstrap()
    with served(StandIn()) as pages:
        made = OnChain(tmp_path, ledger, pages)
        yield made
        made.watched.state.close()


def test_it_follows_records_and_roots_and_finds_what_is_wrong(on_chain: OnChain) -> None:
    many = make_records(1, 320)
    blocks = [on_chain.ledger.record(*many[at : at + 160])["block_num"] for at in (0, 160)]
    on_chain.enter(*many)
    on_chain.checkpoint(max(blocks))
    first = on_chain.asked()
    assert first[0] in (200, 503), first  # which of them says how quick the chain was
    until(lambda: on_chain.size == 320 or on_chain.asked()[0] == 200)
    invented, left_out = make_records(321, 322)
    block = on_chain.ledger.record(left_out)["block_num"]
    on_chain.enter(invented)
    on_chain.checkpoint(block)
    until(lambda: on_chain.asked()[0] == 422)
    assert "record 321 is in the log and not on the chain" in on_chain.asked()[1]
    on_chain.ledger.record(invented)  # now it is; but another one is on the chain, and not in the log
    until(lambda: on_chain.asked()[0] == 200)
    (last,) = make_records(323, 323)
    block = on_chain.ledger.record(last)["block_num"]
    on_chain.enter(last)
    on_chain.checkpoint(block)
    until(lambda: on_chain.asked()[0] == 422)
    assert "record 322 is on the chain" in on_chain.asked()[1]
    on_chain.enter(left_out)
    on_chain.checkpoint(block)
    until(lambda: on_chain.asked()[0] == 200)


def test_another_face_than_the_chains(on_chain: OnChain) -> None:
    many = make_records(1, 3)
    block = on_chain.ledger.record(*many)["block_num"]
    on_chain.enter(*many)
    on_chain.checkpoint(block)
    on_chain.a_log.leaves[0] = bytes(40)
    until(lambda: on_chain.asked()[0] == 422)
    assert "on the chain 3 leaves have the root" in on_chain.asked()[1]
