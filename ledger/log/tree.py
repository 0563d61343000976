"""PURE: the tree over the log's entries: leaves, roots, inclusion and consistency proofs (RFC 6962, 2.1).

A tree of n leaves is made of complete subtrees. `ReadHashes` says the hash of one: read(level, index) is that of the
leaves from index * 2**level on, 2**level of them. What asks it never asks for one that is not complete in its tree.
"""

import struct
from collections.abc import Callable, Sequence
from hashlib import sha256

HASH_SIZE, LEAF_SIZE = 32, 40
ReadHashes = Callable[[int, int], bytes]
EMPTY_ROOT = sha256().digest()
PROOF_MAX = 64  # hashes: of a tree of 2**64 leaves


class ProofError(ValueError):
    """A proof, or what it is asked of, does not hold; the message says why."""


def leaf(ledger_id: int, digest: bytes) -> bytes:
    """An entry: the ledger id, 8 bytes, big-endian, and the record's digest, 32 bytes."""
    if len(digest) != HASH_SIZE:
        raise ProofError(f"digest: expected {HASH_SIZE} bytes, got {len(digest)}")
    return struct.pack(">Q", ledger_id) + digest


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\0" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\1" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root over these leaf hashes."""
    if not hashes:
        return EMPTY_ROOT
    rows = list(hashes)
    while len(rows) > 1:
        pairs = [node_hash(*rows[i : i + 2]) for i in range(0, len(rows) - 1, 2)]
        rows = pairs + rows[2 * len(pairs) :]  # one without a partner goes up as it is
    return rows[0]


def tree_root(size: int, read: ReadHashes) -> bytes:
    """The root of the tree of so many leaves."""
    return _joined([read(*subtree) for subtree in subtrees(0, size)]) if size else EMPTY_ROOT


def subtrees(begin: int, end: int) -> list[tuple[int, int]]:
    """The complete subtrees (level, index) that leaves from `begin` up to `end` are made of, from the left.

    `begin` is where a subtree of that size may begin: 0, or the larger half's end.
    """
    found = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        found.append((level, begin >> level))
        begin += 1 << level
    return found


def inclusion_proof(index: int, size: int, read: ReadHashes) -> list[bytes]:
    """The audit path of a leaf, from the leaf up (2.1.1); raises ProofError."""
    if not 0 <= index < size:
        raise ProofError(f"index: expected less than {size}, got {index}")
    path: list[bytes] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _half(end - begin)
        left = index < middle
        path.append(_range_hash(*((middle, end) if left else (begin, middle)), read))
        begin, end = (begin, middle) if left else (middle, end)
    return path[::-1]


def consistency_proof(old: int, new: int, read: ReadHashes) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of that of `new` (2.1.2); empty from 0; raises ProofError."""
    if not 0 <= old <= new:
        raise ProofError(f"old: expected at most {new}, got {old}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    begin, end, whole = 0, new, True
    while old != end:
        middle = begin + _half(end - begin)
        if old <= middle:
            path.append(_range_hash(middle, end, read))
            end = middle
        else:
            path.append(_range_hash(begin, middle, read))
            begin, whole = middle, False
    if not whole:
        path.append(_range_hash(begin, end, read))
    return path[::-1]


def root_from_inclusion(index: int, size: int, leaf_hash: bytes, proof: Sequence[bytes]) -> bytes:
    """The root of the tree of `size` leaves that this path leads to; raises ProofError for one of another length."""
    if not 0 <= index < size:
        raise ProofError(f"index: expected less than {size}, got {index}")
    _check_hashes([leaf_hash, *proof])
    sides = _sides(index, size)
    if len(proof) != len(sides):
        raise ProofError(f"proof: expected {len(sides)} hashes, got {len(proof)}")
    found = leaf_hash
    for is_left, sibling in zip(sides, proof, strict=True):
        found = node_hash(sibling, found) if is_left else node_hash(found, sibling)
    return found


def check_consistency(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Raise ProofError unless the tree with the new root begins with that of the old one."""
    if not 0 <= old <= new:
        raise ProofError(f"old size: expected at most {new}, got {old}")
    _check_hashes([old_root, new_root, *proof])
    if old in (0, new):
        expected = EMPTY_ROOT if old == 0 else new_root
        if proof:
            raise ProofError(f"proof: expected no hash from {old} to {new}, got {len(proof)}")
        if old_root != expected:
            raise ProofError(f"root of {old}: expected {expected.hex()}, got {old_root.hex()}")
        return
    found_old, found_new = _roots(old, new, old_root, list(proof))
    for size, root, found in ((old, old_root, found_old), (new, new_root, found_new)):
        if found != root:
            raise ProofError(f"root of {size}: expected {root.hex()}, the proof leads to {found.hex()}")


def _roots(old: int, new: int, old_root: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """Both roots that a proof leads to, with 0 < old < new."""
    begin, end, steps = 0, new, []  # of each step down: whether the old tree went on at the right
    while old != end:
        middle = begin + _half(end - begin)
        steps.append(old > middle)
        begin, end = (middle, end) if old > middle else (begin, middle)
    whole = not any(steps)  # the old tree is a subtree of the new one: its root is known
    expected = len(steps) + (not whole)
    if len(proof) != expected:
        raise ProofError(f"proof: expected {expected} hashes, got {len(proof)}")
    found_old = found_new = old_root if whole else proof.pop(0)
    for to_the_right, sibling in zip(reversed(steps), proof, strict=True):
        if to_the_right:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
        else:
            found_new = node_hash(found_new, sibling)
    return found_old, found_new


def _sides(index: int, size: int) -> list[bool]:
    """From the leaf up: whether its sibling stands at the left."""
    sides, begin, end = [], 0, size
    while end - begin > 1:
        middle = begin + _half(end - begin)
        sides.append(index >= middle)
        begin, end = (middle, end) if index >= middle else (begin, middle)
    return sides[::-1]


def _half(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << (count - 1).bit_length() - 1


def _range_hash(begin: int, end: int, read: ReadHashes) -> bytes:
    return _joined([read(*subtree) for subtree in subtrees(begin, end)])


def _joined(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees that get smaller to the right."""
    *lefts, found = hashes
    for left in reversed(lefts):
        found = node_hash(left, found)
    return found


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > PROOF_MAX + 3:
        raise ProofError(f"proof: expected at most {PROOF_MAX} hashes, got {len(hashes)}")
    if any(len(one) != HASH_SIZE for one in hashes):
        raise ProofError(f"hashes: expected {HASH_SIZE} bytes each")
