"""Several producers on one machine, and wires between them that can be cut."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.producers import NAMES
from dev.chain.relay import Relay
from dev.chain.setup import SYSTEM, write_genesis
from dev.common.processes import free_port


class Several:
    """A nodeos for each producer; each pair of them has a wire of its own."""

    def __init__(self, directory: Path, names: Sequence[str] = NAMES) -> None:
        self.keys: dict[str, KeyPair] = {name: new_keypair() for name in names}
        genesis = directory / "genesis.json"
        write_genesis(genesis, self.keys[SYSTEM].public)
        ports = {name: free_port() for name in names}
        self.wires = {frozenset(pair): Relay(ports[pair[0]]) for pair in combinations(names, 2)}
        self.nodes = {
            name: Nodeos(
                directory / name,
                free_port(),
                ports[name],
                genesis=genesis,
                producer=self.keys[name],
                producer_name=name,
                # the later one of two asks the earlier one
                peers=[self.wires[frozenset((name, other))].address for other in names[: names.index(name)]],
            )
            for name in names
        }

    def start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def stop(self) -> None:
        for node in self.nodes.values():
            node.stop()
        for wire in self.wires.values():
            wire.cut()

    @contextmanager
    def apart(self, *names: str) -> Iterator[None]:
        """These hear nothing of the others, until the end of the block."""
        cut = [wire for pair, wire in self.wires.items() if len(pair & set(names)) == 1]
        for wire in cut:
            wire.cut()
        try:
            yield
        finally:
            for wire in cut:
                wire.mend()
