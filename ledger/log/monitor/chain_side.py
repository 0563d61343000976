"""The chain's side: the log's root as each node tells it, and the chain's records against the log's leaves."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ledger.chain.node import Chain, LogRow
from ledger.chain.nodes import Info
from ledger.chain.records import rows_of
from ledger.errors import ChainError
from ledger.log.monitor.findings import Finding
from ledger.log.monitor.following import id_of
from ledger.log.monitor.state import Claim, State

CHUNK = 20_000  # leaves that are compared at once
FOUND_MAX = 20
GAPS_MAX = 20  # runs of ids without a leaf that are asked for one by one


@dataclass(frozen=True)
class NodeView:
    """What one node says of the log: the row that the contract keeps, and where the node was right after."""

    url: str
    chain: Chain
    row: LogRow
    info: Info

    @property
    def is_final(self) -> bool:
        """Whether the row can no longer be forked out."""
        return 0 < self.row.block <= self.info.lib_num

    @property
    def claim(self) -> Claim:
        return Claim(f"chain {self.url}", self.row.size, self.row.root.hex())


def node_views(chains: Sequence[Chain]) -> tuple[list[NodeView], list[Finding]]:
    """Each node by itself: they may be of different people, and need not say the same."""
    views, findings = [], []
    for chain in chains:
        url = chain.nodes.urls[0]
        try:
            row = chain.log()
            views.append(NodeView(url, chain, row, chain.info()))
        except ChainError as error:
            findings.append(Finding("chain_away", url, str(error)))
    return views, findings


def invented(
    chain: Chain, leaves: Sequence[bytes], first: int, progress: Callable[[int], object] | None
) -> list[Finding]:
    """Leaves that are no records of the chain; the first of them has this index. Below the floor nobody can tell."""
    found: list[Finding] = []
    for start in range(0, len(leaves), CHUNK):
        chunk = leaves[start : start + CHUNK]
        wanted = {id_of(leaf): (first + start + place, leaf[8:]) for place, leaf in enumerate(chunk)}
        rows = rows_of(chain, sorted(wanted))
        floor = chain.state().floor  # read after the rows: what was pruned meanwhile is below it
        for ledger_id, (index, digest) in wanted.items():
            row = rows.get(ledger_id)
            if row != digest and (row is not None or ledger_id > floor):
                there = f"the digest {row.hex()}" if row else "no such record"
                text = f"leaf {index} says record {ledger_id} has the digest {digest.hex()}, the chain has {there}"
                found.append(Finding("record_invented", str(ledger_id), text))
        if progress:
            progress(len(chunk))
    return found[:FOUND_MAX]


def unlogged(state: State, view: NodeView, now: int) -> None:
    """Note which records of the chain have no leaf now, in which block at the latest, and since when it is so."""
    contract = view.chain.state()
    if contract.count == state.ids.above(contract.floor):  # as each leaf is a record, none is left over
        state.unlogged = {}
        return
    gaps = state.ids.gaps(contract.floor)
    runs = gaps if len(gaps) <= GAPS_MAX else [(contract.floor + 1, None)]
    rows = dict(_rows(view.chain, runs))
    new = {ledger_id: digest for ledger_id, digest in rows.items() if ledger_id not in state.ids}
    # the rows are those of now: what is there after the view's block is not in an older one
    block = view.chain.info().head_block_num
    seen = {ledger_id: [digest.hex(), block, now] for ledger_id, digest in new.items()}
    state.unlogged = {ledger_id: state.unlogged.get(ledger_id, at) for ledger_id, at in seen.items()}


def _rows(chain: Chain, runs: Sequence[tuple[int, int | None]]) -> Iterator[tuple[int, bytes]]:
    for first, last in runs:
        yield from chain.rows_iter(first, last)


def missing(state: State, now: int, late_s: int) -> list[Finding]:
    """Records that should be leaves by now."""
    old = {ledger_id: block for ledger_id, (_, block, seen) in state.unlogged.items() if now - seen >= late_s}
    gone = sorted(ledger_id for ledger_id, block in old.items() if block <= state.upto)
    text = "the chain has it in block {block} or before, the log says that it has everything up to block {upto}"
    found = [
        Finding("record_missing", str(number), text.format(block=old[number], upto=state.upto))
        for number in gone[:FOUND_MAX]
    ]
    waiting = len(old) - len(gone)
    if waiting:
        number = min(set(old) - set(gone))
        found.append(Finding("log_stands_still", "log", f"{waiting} for {late_s} s or longer, as record {number}"))
    return found
