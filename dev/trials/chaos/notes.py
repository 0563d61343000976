"""The notes of a log that anybody ever got, and whether they are all of one tree. Pure: it needs no database."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any
from urllib.request import urlopen

from ledger.log.note import Checkpoint, Note, VerifierKey, cosigned_at, verify
from ledger.log.tree import check_consistency, consistency_proof, leaf_hash, root_of

EVERY_S = 0.2
PATIENCE_S = 3.0


class Reader:
    """Reads what the portal serves and what the witnesses show, again and again, and keeps each note that it gets."""

    def __init__(self, portal: str, witnesses: Iterable[str]) -> None:
        self.notes: set[str] = set()
        self.evidence: list[str] = []
        self._portal, self._witnesses = portal, list(witnesses)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """No more from now on; what the portal serves and the witnesses show by then is among the notes."""
        self._ended.set()
        self._thread.join()
        self.look()

    def look(self) -> None:
        """Read all once; who is away is read the next time."""
        with suppress(OSError):
            self.notes.add(_read(f"{self._portal}/checkpoint").decode())
        for url in self._witnesses:
            log = standing(url)
            self.notes |= {log["checkpoint"]} if log and log["checkpoint"] else set()
            self.evidence += [json.dumps(each) for each in log["evidence"]] if log else []

    def _run(self) -> None:
        while not self._ended.wait(EVERY_S):
            self.look()


def standing(url: str) -> dict[str, Any] | None:
    """Where the witness at this address says that its one log stands; None while it is away."""
    try:
        logs: list[dict[str, Any]] = json.loads(_read(f"{url}/status"))["logs"]
    except (OSError, ValueError):
        return None
    return logs[0] if logs else None


def _read(url: str) -> bytes:
    with urlopen(url, timeout=PATIENCE_S) as answer:  # noqa: S310  an address of our own
        content: bytes = answer.read()
    return content


def problems(
    notes: Iterable[str], leaves: Sequence[bytes], key: VerifierKey, witnesses: Sequence[VerifierKey]
) -> list[str]:
    """What contradicts that all notes are of the tree over these leaves, and rightly signed; [] when nothing does."""
    found: list[str] = []
    roots: dict[int, set[bytes]] = defaultdict(set)
    for text in notes:
        note = Note.parse(text.encode())
        checkpoint = Checkpoint.parse(note.text)
        roots[checkpoint.size].add(checkpoint.root)
        if not verify(note, key):
            found.append(f"a note of {checkpoint.size} leaves without the log's own signature")
        rightly = sum(cosigned_at(note, each) is not None for each in witnesses)
        if rightly != len(note.signatures) - 1:
            found.append(f"a note of {checkpoint.size} leaves: {rightly} of {len(note.signatures) - 1} are witnesses'")
    found += [
        f"{len(several)} roots of {size} leaves were signed" for size, several in roots.items() if len(several) > 1
    ]
    return found + _of_one_tree(roots, [leaf_hash(leaf) for leaf in leaves])


def _of_one_tree(roots: Mapping[int, set[bytes]], hashes: Sequence[bytes]) -> list[str]:
    """Each root is what the leaves give, and each tree goes on from the one before."""
    found = [f"a note of {size} leaves, and there are {len(hashes)}" for size in roots if size > len(hashes)]
    sizes = sorted(size for size in roots if size <= len(hashes))
    found += [f"the root of {size} leaves is another one" for size in sizes if roots[size] != {root_of(hashes[:size])}]
    if found:
        return found

    def read(level: int, index: int) -> bytes:
        return root_of(hashes[index << level : (index + 1) << level])

    for old, new in pairwise(sizes):
        check_consistency(old, min(roots[old]), new, min(roots[new]), consistency_proof(old, new, read))
    return found
