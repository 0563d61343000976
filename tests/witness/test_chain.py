"""A witness with nodes and the log's address: the chain's word, the entries, each record; invented and missing ones."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.witness.a_log import ALog, body, consistency, entry
from tests.witness.conftest import NOW, Watched
from tests.witness.stand_ins import CHAIN_ID, StandIn, served
from witness.chain import Chain
from witness.config import Log
from witness.content import Reader, tile_path


class Scene(Watched):
    """A witness, its nodes, a portal, and a log of 600 entries whose records are on the chain."""

    def __init__(self, directory: Path, portal: StandIn, *nodes: StandIn) -> None:
        self.a_log, self.portal, self.nodes = ALog(600), portal, nodes
        portal.published = self.a_log
        for node in nodes:
            node.record(self.a_log)
        self.size = 0
        super().__init__(directory, self.looking())

    def looking(self) -> Log:
        chain = Chain([node.url for node in self.nodes], account="evledger", chain_id=CHAIN_ID) if self.nodes else None
        return Log(self.a_log.vkey, Reader(f"{self.portal.url}/log"), chain)

    def again(self) -> None:
        self.log = self.looking()
        super().again()

    def grow(self, *ledger_ids: int, recorded: bool = True) -> None:
        """More entries; each node moves on by ten blocks and knows the new checkpoint."""
        self.a_log.leaves += [entry(ledger_id) for ledger_id in ledger_ids]
        for node in self.nodes:
            node.head, node.irreversible = node.head + 10, node.irreversible + 10
            if recorded:
                node.rows |= {ledger_id: entry(ledger_id)[8:] for ledger_id in ledger_ids}
            node.checkpoint(self.a_log)

    def ask(self) -> tuple[int, str]:
        """Ask for a cosignature of the whole log."""
        answer = self.witness.add_checkpoint(self.a_log.request(self.size))
        if answer.status == 200:
            self.size = len(self.a_log.leaves)
        return answer.status, answer.text


@pytest.fixture
def stand_ins() -> Iterator[tuple[StandIn, StandIn, StandIn]]:
    with ExitStack() as stack:
        portal, node, other = (stack.enter_context(served(StandIn())) for _ in range(3))
        yield portal, node, other


@pytest.fixture
def scene(tmp_path: Path, stand_ins: tuple[StandIn, StandIn, StandIn]) -> Iterator[Scene]:
    made = Scene(tmp_path, *stand_ins)
    yield made
    made.state.close()


def test_entries_and_chain_agree_and_each_is_read_once(scene: Scene) -> None:
    assert scene.ask()[0] == 200
    assert scene.witness.status()["logs"][0]["content"] == {"size": 600}
    scene.portal.asked.clear()
    scene.grow(601, 602)
    assert scene.ask()[0] == 200
    assert scene.portal.asked == ["/log/tile/entries/002.p/90"]
    scene.again()
    scene.portal.asked.clear()
    scene.grow(603)
    assert scene.ask()[0] == 200
    assert scene.portal.asked == ["/log/tile/entries/002.p/91"]
    assert all("/tile/" not in path for node in scene.nodes for path in node.asked)


def test_small_pages_of_a_busy_node(scene: Scene) -> None:
    scene.nodes[0].page = 7
    assert scene.ask()[0] == 200


def test_a_bundle_that_became_full_is_read_whole(scene: Scene) -> None:
    assert scene.ask()[0] == 200
    whole = ALog(768)
    scene.portal.published = whole  # no partial bundle is kept, once it is full
    scene.portal.get = lambda path, get=scene.portal.get: (404, b"") if ".p/" in path else get(path)  # type: ignore[method-assign,misc]
    scene.grow(601)
    assert scene.ask()[0] == 200


@pytest.mark.parametrize("number", [0, 1])
def test_an_invented_record(scene: Scene, number: int) -> None:
    """Its root is right, the log signed it, the contract has its checkpoint; only the record was never there."""
    assert scene.ask()[0] == 200
    scene.grow(601, 602)
    for node in scene.nodes:
        del node.rows[601 + number]
    status, text = scene.ask()
    assert (status, f"record {601 + number} is in the log and not on the chain" in text) == (422, True)
    told = scene.witness.status()["logs"][0]
    assert (told["size"], told["refused"]["reason"]) == (600, text.strip())


def test_a_record_with_another_digest(scene: Scene) -> None:
    scene.nodes[0].rows[300] = bytes(32)
    status, text = scene.ask()
    assert (status, "record 300: the log says" in text) == (422, True)


def test_a_record_twice(scene: Scene) -> None:
    assert scene.ask()[0] == 200
    scene.grow(7)
    status, text = scene.ask()
    assert (status, text) == (422, "record 7 is in the log twice\n")


def test_a_missing_record(scene: Scene) -> None:
    """It is on the chain and not in the log: too new at first, but not once the log says that it is complete."""
    for node in scene.nodes:
        node.rows[601] = entry(601)[8:]
    assert scene.ask()[0] == 200
    scene.grow(602)
    status, text = scene.ask()
    assert (status, "record 601 is on the chain since block 100 or before, and not in the log" in text) == (422, True)
    assert scene.ask()[0] == 422
    scene.grow(601)  # it comes late, and all is well
    assert scene.ask()[0] == 200


def test_a_missing_record_among_older_ones(scene: Scene) -> None:
    """Its id is below others that are in the log: the chain's own count gives it away."""
    scene.a_log.leaves.pop(299)
    for node in scene.nodes:
        del node.rows[300]
        node.checkpoint(scene.a_log)
    assert scene.ask()[0] == 200
    for node in scene.nodes:
        node.rows[300] = entry(300)[8:]
    scene.grow(601)
    assert scene.ask()[0] == 200
    scene.again()
    scene.grow(602)
    assert scene.ask()[0] == 200  # seen again by a witness that knew nothing of it, in a later block
    scene.grow(603)
    status, text = scene.ask()
    assert (status, "record 300 is on the chain" in text) == (422, True)
    scene.grow(300)
    assert scene.ask()[0] == 200


def test_what_was_pruned_cannot_be_compared(scene: Scene) -> None:
    for node in scene.nodes:
        node.floor = 100
        for ledger_id in range(1, 101):
            del node.rows[ledger_id]
    assert scene.ask()[0] == 200
    scene.grow(0, recorded=False)
    assert scene.ask()[0] == 422  # no record has this id


def test_entries_that_make_another_root(scene: Scene) -> None:
    """What is served is not what was signed."""
    scene.portal.published = ALog(600)
    scene.portal.published.leaves[5] = entry(6, "other")
    status, text = scene.ask()
    assert (status, "make the root" in text or "the log says" in text) == (422, True)


@pytest.mark.parametrize("damage", ["short", "long", "length"])
def test_bundles_that_are_none(scene: Scene, damage: str) -> None:
    def get(path: str, right: object = scene.portal.get) -> tuple[int, bytes]:
        status, data = right(path)  # type: ignore[operator]
        return status, {"short": data[:-42], "long": data + b"x", "length": b"\1" + data[1:]}[damage]

    scene.portal.get = get  # type: ignore[method-assign]
    assert scene.ask()[0] == 422


def test_a_portal_that_does_not_answer_is_asked_again(scene: Scene) -> None:
    scene.portal.status = 502
    status, text = scene.ask()
    assert (status, text.startswith("ask again")) == (503, True)
    scene.portal.status = 200
    assert scene.ask()[0] == 200


def test_the_chain_has_another_root(scene: Scene) -> None:
    """One face for the chain, another for the witness; of two nodes one is enough to know it."""
    other = ALog(600)
    other.leaves[0] = bytes(40)
    scene.nodes[1].checkpoint(other)
    status, text = scene.ask()
    assert (status, "on the chain 600 leaves have the root" in text) == (422, True)


def test_not_there_yet(scene: Scene) -> None:
    for node in scene.nodes:
        node.log = None
    assert scene.ask() == (503, "ask again: a checkpoint of 600 leaves is not irreversible on the chain yet\n")
    for node in scene.nodes:
        node.checkpoint(scene.a_log, block=100)
    assert scene.ask()[0] == 503
    for node in scene.nodes:
        node.irreversible = 100
    assert scene.ask()[0] == 200


def test_the_row_that_went_on_was_seen_in_time(scene: Scene) -> None:
    assert scene.log.chain
    scene.log.chain.look()
    behind, size = scene.a_log.request(0), len(scene.a_log.leaves)
    scene.grow(601)
    scene.portal.published = scene.a_log
    assert scene.witness.add_checkpoint(behind).status == 200
    scene.size = size
    assert scene.ask()[0] == 200


def test_the_row_went_on_before_we_looked(scene: Scene) -> None:
    behind = scene.a_log.request(0)
    scene.grow(601)
    answer = scene.witness.add_checkpoint(behind)
    assert (answer.status, "ask with a newer checkpoint" in answer.text) == (503, True)
    assert scene.ask()[0] == 200


def test_one_node_of_two_is_enough(scene: Scene) -> None:
    scene.nodes[0].status = 500
    assert scene.ask()[0] == 200
    scene.nodes[1].chain_id = "cd" * 32
    scene.grow(601)
    status, text = scene.ask()
    assert (status, "no node answers" in text, "another chain" in text) == (503, True, True)
    told = scene.witness.status()["logs"][0]["chain"]
    assert [bool(node["trouble"]) for node in told] == [True, True]


@pytest.mark.parametrize(("off", "status"), [(-3600.0, 503), (3600.0, 503), (300.0, 200), (-30.0, 200)])
def test_our_clock_beside_the_chains(scene: Scene, off: float, status: int) -> None:
    scene.now = NOW + off
    assert scene.ask()[0] == status


def test_two_roots_in_the_contract(scene: Scene) -> None:
    """A root that the contract showed is not forgotten, though another came after it."""
    scene.nodes[0].checkpoint(ALog(1), block=50)
    assert scene.ask()[0] == 200  # by the other node
    other = ALog(601)
    other.leaves[0] = bytes(40)
    scene.grow(601)
    scene.nodes[0].checkpoint(other)
    assert scene.log.chain
    scene.log.chain.look()
    scene.nodes[0].checkpoint(scene.a_log)
    assert scene.ask()[0] == 422


def test_without_nodes_the_entries_alone(tmp_path: Path, stand_ins: tuple[StandIn, StandIn, StandIn]) -> None:
    scene = Scene(tmp_path, stand_ins[0])
    assert scene.ask()[0] == 200
    scene.a_log.leaves.append(entry(601))
    wrong = scene.a_log.note(root=bytes(32))
    assert scene.witness.add_checkpoint(body(600, consistency(600, scene.a_log.leaves), wrong)).status == 422
    assert scene.ask()[0] == 200
    scene.state.close()


def test_numbers_of_tiles() -> None:
    assert [tile_path(number) for number in (0, 999, 1000, 1234067)] == ["000", "999", "x001/000", "x001/x234/067"]
