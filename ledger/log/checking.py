"""The log against the entries, its own tiles and the chain: one sentence a difference (the audit's part).

Everything is made anew from the leaves. While it is looked at the log may grow: what is beyond the checkpoint that was
the newest at the beginning counts only where that still is the newest at the end.
"""

from collections.abc import Iterator
from itertools import count

from django.conf import settings

from ledger.chain.checkpoints import CheckpointData, checkpoints_of
from ledger.chain.node import Chain
from ledger.log import store
from ledger.log.names import public_key_of
from ledger.log.note import Checkpoint, Note, NoteError, VerifierKey, verify
from ledger.log.tree import leaf, leaf_hash, node_hash, root_of
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint, LogTile
from tpm.register import gate

WIDTH = store.WIDTH
TILES_AT_ONCE = 16


class Growing:
    """The tree over leaves that come one by one: complete subtrees, the largest first, and each tile's hashes."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []  # (height, root)
        self.tiles: dict[int, list[bytes]] = {}  # by level from 1 on: roots of the tiles below

    def add(self, hashed: bytes) -> None:
        """One more leaf, by its hash."""
        height = 0
        while self._peaks and self._peaks[-1][0] == height:
            hashed = node_hash(self._peaks.pop()[1], hashed)
            height += 1
            if height % 8 == 0:
                self.tiles.setdefault(height // 8, []).append(hashed)
        self._peaks.append((height, hashed))
        self.size += 1

    @property
    def root(self) -> bytes:
        """Of all leaves so far."""
        peaks = [peak for _, peak in self._peaks]
        root = peaks.pop() if peaks else root_of([])
        while peaks:
            root = node_hash(peaks.pop(), root)
        return root


def differences(node: Chain) -> Iterator[str]:
    """What of the log is not as it was published. Raises ChainError."""
    newest = LogCheckpoint.objects.values_list("size", flat=True).first() or 0
    tree, roots = Growing(), {}
    wanted = set(LogCheckpoint.objects.values_list("size", flat=True))
    beyond: list[str] = []
    for first, leaves in _leaves(newest, beyond):
        yield from _entries(first, leaves)
        for each in leaves:
            tree.add(leaf_hash(each))
            if tree.size in wanted:
                roots[tree.size] = tree.root
    if tree.size != newest:
        yield f"log: {tree.size} leaves, and the newest checkpoint is of {newest}"
    yield from _tiles_above(tree, beyond)
    yield from _checkpoints(roots, newest)
    yield from _on_chain(node)
    beyond += [f"log: entry {pk} says that it is leaf {at}" for pk, at in _numbered_beyond(newest)]
    if (LogCheckpoint.objects.values_list("size", flat=True).first() or 0) == newest:
        yield from beyond


def _leaves(size: int, beyond: list[str]) -> Iterator[tuple[int, list[bytes]]]:
    """The leaves by the tile, as far as they lie one behind the other."""
    for index in count(0, TILES_AT_ONCE):
        rows = LogTile.objects.filter(level=0, index__gte=index, index__lt=index + TILES_AT_ONCE).order_by("index")
        found = list(rows)
        for place, tile in enumerate(found, start=index):
            data, first = bytes(tile.data), place * WIDTH
            if tile.index != place:
                beyond.append(f"log: tile 0/{tile.index} is none of {size} leaves")
                continue
            kept = store.items_of(data, 0)[: max(size - first, 0)]
            if len(data) != tile.width * store.LEAF_BYTES or len(kept) < len(data) // store.LEAF_BYTES:
                beyond.append(f"log: tile 0/{place} has {tile.width} of 256, and {len(data)} bytes")
            if kept and len(kept[-1]) == store.LEAF_BYTES:
                yield first, kept
        if len(found) < TILES_AT_ONCE:
            break
    last = LogTile.objects.filter(level=0).order_by("-index").values_list("index", flat=True).first()
    if last is not None and last > max(size - 1, 0) // WIDTH:
        beyond.append(f"log: tile 0/{last} is none of {size} leaves")


def _entries(first: int, leaves: list[bytes]) -> Iterator[str]:
    """Each leaf is of the entry that says so."""
    rows = LedgerEntry.objects.filter(log_index__gte=first, log_index__lt=first + len(leaves))
    known = {at: leaf(pk, bytes(digest)) for at, pk, digest in rows.values_list("log_index", "pk", "digest")}
    for at, each in enumerate(leaves, start=first):
        if known.get(at) != each:
            ledger_id = int.from_bytes(each[:8], "big")
            there = "another one" if at in known else "none"
            yield f"log: leaf {at} is of ledger id {ledger_id} with digest {each[8:].hex()}, its entry is {there}"


def _numbered_beyond(size: int) -> list[tuple[int, int | None]]:
    below = LedgerEntry.objects.filter(log_index__lt=0).values_list("pk", "log_index")[:10]
    above = LedgerEntry.objects.filter(log_index__gte=size).values_list("pk", "log_index")[:10]
    return [*below, *above]


def _tiles_above(tree: Growing, beyond: list[str]) -> Iterator[str]:
    """Each tile of hashes is made of those below it."""
    expected = {
        (level, at // WIDTH): b"".join(hashes[at : at + WIDTH])
        for level, hashes in tree.tiles.items()
        for at in range(0, len(hashes), WIDTH)
    }
    for tile in LogTile.objects.filter(level__gte=1).order_by("level", "index").iterator(chunk_size=200):
        data, wanted = bytes(tile.data), expected.pop((tile.level, tile.index), b"")
        if not data.startswith(wanted) or (wanted and tile.width * store.HASH_BYTES < len(wanted)):
            yield f"log: tile {tile.level}/{tile.index} is not made of the leaves"
        elif data != wanted or tile.width * store.HASH_BYTES != len(data):
            beyond.append(f"log: tile {tile.level}/{tile.index} has {tile.width} of 256, and {len(data)} bytes")
    for level, index in sorted(expected):
        yield f"log: tile {level}/{index} is gone"


# --- checkpoints


def _checkpoints(roots: dict[int, bytes], newest: int) -> Iterator[str]:
    """Each follows the one before, has the root of its leaves, and says what the log's key signed and the chain has."""
    before = 0
    rows = LogCheckpoint.objects.filter(size__lte=newest).select_related("transaction").order_by("size")
    for row in rows.iterator(chunk_size=500):
        if row.old_size != before:
            yield f"log: checkpoint {row.size} follows {row.old_size}, the one before it is {before}"
        before = row.size
        if roots.get(row.size) != bytes(row.root):
            yield f"log: checkpoint {row.size} has the root {bytes(row.root).hex()}, its leaves have another"
        yield from _note(row)
        yield from _transaction(row)


def _note(row: LogCheckpoint) -> Iterator[str]:
    if not row.note:
        if row.vkey:
            yield f"log: checkpoint {row.size} has a key and no note"
        return
    try:
        note, key = Note.parse(row.note.encode()), VerifierKey.parse(row.vkey)
        said = Checkpoint.parse(note.text)
    except NoteError as error:
        yield f"log: the note of checkpoint {row.size}: {error}"
        return
    if (said.size, said.root) != (row.size, bytes(row.root)) or said.origin != key.name:
        yield f"log: the note of checkpoint {row.size} says something else than the checkpoint"
    if len(note.signatures) != 1 or not verify(note, key):
        yield f"log: the note of checkpoint {row.size} is not signed by its key"
    elif not _is_ours(key):
        yield f"log: the note of checkpoint {row.size} is signed by a key that no TPM of ours certified"


def _is_ours(key: VerifierKey) -> bool:
    if settings.TPM_ATTESTATION == "off":
        return True
    return gate.certification_of(public_key_of(key)) is not None


def _transaction(row: LogCheckpoint) -> Iterator[str]:
    """That the transaction is what its block holds is compared where all transactions are."""
    carrier = row.transaction
    if row.published_at is not None and carrier is not None and carrier.status != ChainTransaction.Status.IRREVERSIBLE:
        yield f"log: checkpoint {row.size} is published, and its transaction {carrier.status}"
    if carrier is None or carrier.packed is None:
        if row.published_at is not None:
            yield f"log: checkpoint {row.size} is published, and no transaction recorded it"
        return
    try:
        wanted = CheckpointData(row.size, bytes(row.root), row.upto_block, tuple(map(int, row.late)))
    except (TypeError, ValueError):
        wanted = None  # `late` is no list of ledger ids
    if checkpoints_of(bytes(carrier.packed), settings.LEDGER_ACCOUNT) != [wanted]:
        yield f"log: checkpoint {row.size} is not what its transaction says"


def _on_chain(node: Chain) -> Iterator[str]:
    """The chain's last one is the newest that is published, or the one on its way."""
    found = node.log()
    known = LogCheckpoint.objects.filter(size=found.size).first() if found.size else None
    if found.size and (known is None or bytes(known.root) != found.root):
        yield f"log: the chain's is of {found.size} leaves with root {found.root.hex()}, which is not here"
    published = LogCheckpoint.objects.filter(published_at__isnull=False).values_list("size", flat=True).first() or 0
    if found.size < published:
        yield f"log: checkpoint {published} is published, and the chain's is of {found.size} leaves"
