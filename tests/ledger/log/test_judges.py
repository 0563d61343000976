"""Two implementations that nobody here wrote take our proofs, tiles and cosignatures, and refuse damaged ones.

Their readers of notes know Ed25519 only: the log's own line, P-256 as a TPM has it, is a stranger's to them.
"""

from collections.abc import Sequence
from hashlib import sha256
from types import ModuleType

import pytest
from proofbundle import checkpoint as proofbundle_notes
from proofbundle import merkle as proofbundle_trees
from proofbundle.errors import ProofBundleError

from dev.parts.aics_tlog import aics_tlog
from ledger.log import tree
from ledger.log.note import Checkpoint, Note, Signature
from ledger.log.tiles import WIDTH, bundle, tiles_of
from tests.ledger.log.test_note import by_log
from tests.ledger.log.test_tree import changed
from witness.keys import SigningKey

LEAVES = [tree.leaf(number, sha256(number.to_bytes(4, "big")).digest()) for number in range(WIDTH + 45)]
HASHES = [tree.leaf_hash(one) for one in LEAVES]
SIZES = (1, 2, 3, 6, 7, 8, 200, 256, 257, 301)
CLUB = SigningKey.new("club.example/witness")
AT = 1_790_000_000
TEXT = Checkpoint("localhost:8000/log", len(LEAVES), tree.root_of(HASHES)).text


def read(level: int, index: int) -> bytes:
    return tree.root_of(HASHES[index << level : index + 1 << level])


@pytest.fixture(scope="module")
def aics() -> ModuleType:
    return aics_tlog()


def included(aics: ModuleType, index: int, size: int, proof: Sequence[bytes], root: bytes) -> tuple[bool, bool]:
    """What both say."""
    return (
        aics.verify_leaf_inclusion(LEAVES[index], index, size, list(proof), root),
        proofbundle_trees.verify_inclusion(LEAVES[index], index, size, list(proof), root),
    )


def consistent(aics: ModuleType, old: int, new: int, proof: Sequence[bytes], roots: Sequence[bytes]) -> set[bool]:
    return {
        aics.verify_consistency(old, new, *roots, list(proof)),
        proofbundle_trees.verify_consistency(old, new, list(proof), *roots),
    }


def test_inclusion(aics: ModuleType) -> None:
    for size in SIZES:
        root = tree.root_of(HASHES[:size])
        for index in {0, size // 2, size - 1}:
            proof = tree.inclusion_proof(index, size, read)
            assert included(aics, index, size, proof, root) == (True, True), (index, size)
            for other in changed(proof):
                assert included(aics, index, size, other, root) == (False, False), (index, size)
            assert included(aics, index, size, proof, bytes(32)) == (False, False)


def test_consistency(aics: ModuleType) -> None:
    """From 0 they differ in what they call consistent: it is a branch of its own, and no judge's matter."""
    for new in SIZES:
        for old in {1, new // 2, new - 1, new} - {0}:
            proof = tree.consistency_proof(old, new, read)
            roots = tree.root_of(HASHES[:old]), tree.root_of(HASHES[:new])
            assert consistent(aics, old, new, proof, roots) == {True}, (old, new)
            for other in changed(proof):
                assert consistent(aics, old, new, other, roots) == {False}, (old, new)
            assert consistent(aics, old, new, proof, (roots[0], bytes(32))) == {False}
            assert consistent(aics, old, new, proof, (bytes(32), roots[1])) == {False}


def test_tiles(aics: ModuleType) -> None:
    """One of them reads the whole tree from what we serve."""
    tops = [tree.root_of(HASHES[:WIDTH])]
    served = {}
    for tile in tiles_of(len(LEAVES)):
        first = tile.index * WIDTH
        items = LEAVES if tile.level is None else tops if tile.level else HASHES
        some = items[first : first + tile.width]
        served[tile.path] = bundle(some) if tile.level is None else b"".join(some)
    root = tree.root_of(HASHES)
    assert aics.tree_root_from_tiles(aics.MemoryTileReader(served), len(LEAVES)) == root
    aics.audit_tiles(aics.MemoryTileReader(served), len(LEAVES), root)
    for path, data in served.items():
        broken = aics.MemoryTileReader({**served, path: bytes([data[0] ^ 1, *data[1:]])})
        with pytest.raises((aics.TileVerificationError, ValueError)):
            aics.audit_tiles(broken, len(LEAVES), root)


def judged(aics: ModuleType, whole: Note) -> list[bool]:
    """Whether it is the club's cosignature of this checkpoint, as both say; a note that cannot be read is none."""
    found = []
    try:
        key = aics.parse_vkey(CLUB.verifier.text)
        note = aics.parse_note(bytes(whole))
        point = aics.parse_checkpoint(note.text)
        blobs = [one for one in whole.signatures if one.name == CLUB.name]
        found += [
            aics.verify_cosignature(one.blob, key.name, key.public_key, point.origin, point.size, point.root)
            for one in blobs
        ]
    except ValueError:
        found.append(False)
    try:
        found.append(proofbundle_notes.verify_cosignature(bytes(whole).decode(), CLUB.verifier.text)["ok"])
    except ProofBundleError:
        found.append(False)
    return found


def test_cosignatures(aics: ModuleType) -> None:
    line = CLUB.cosign(TEXT, AT)
    signed = Signature(line.name, line.key_id, line.blob)
    whole = Note(TEXT, (by_log(TEXT), signed))
    assert judged(aics, whole) == [True, True]
    said = proofbundle_notes.verify_cosignature(bytes(whole).decode(), CLUB.verifier.text)
    assert (said["origin"], said["tree_size"], said["timestamp"]) == ("localhost:8000/log", len(LEAVES), AT)
    for i in range(len(line.blob)):
        blob = bytes([*line.blob[:i], line.blob[i] ^ 1, *line.blob[i + 1 :]])
        assert judged(aics, Note(TEXT, (by_log(TEXT), Signature(line.name, line.key_id, blob)))) == [False, False], i
    other = Checkpoint("localhost:8000/log", len(LEAVES) + 1, tree.root_of(HASHES)).text
    assert judged(aics, Note(other, (by_log(other), signed))) == [False, False]
