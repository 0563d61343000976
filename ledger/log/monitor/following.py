"""The log's side: its newest checkpoint, and that it goes on from the last one that was seen."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ledger.log.monitor.files import LogAway, LogFiles, LogFilesWrong
from ledger.log.monitor.findings import Finding
from ledger.log.monitor.frontier import Frontier
from ledger.log.monitor.ids import Ids
from ledger.log.monitor.state import State
from ledger.log.note import Checkpoint, Note, NoteError, VerifierKey, verify
from ledger.log.tree import ProofError, check_consistency, consistency_proof, leaf_hash, tree_root

Progress = Callable[[int], object]
DOUBLED_MAX = 20


@dataclass(frozen=True)
class Shown:
    """A checkpoint with the log's signature."""

    note: Note
    text: str
    checkpoint: Checkpoint


@dataclass
class Growth:
    """What came since the last look; `roots` are those at the sizes that somebody has claimed."""

    frontier: Frontier
    ids: Ids
    leaves: list[bytes] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    doubled: list[int] = field(default_factory=list)


def shown_by(files: LogFiles, key: VerifierKey) -> Shown | Finding:
    """The log's newest checkpoint, or why there is none to go by."""
    try:
        content = files.checkpoint()
    except LogAway as error:
        return Finding("log_away", "log", str(error))
    try:
        note = Note.parse(content)
        checkpoint = Checkpoint.parse(note.text)
    except NoteError as error:
        return Finding("log_unreadable", "log", str(error))
    if checkpoint.origin != key.name or not verify(note, key):
        return Finding(
            "log_key", "log", f"of {checkpoint.origin} with {checkpoint.size} entries", notes=(_text(content),)
        )
    return Shown(note, _text(content), checkpoint)


def _text(content: bytes) -> str:
    return content.decode(errors="replace")


def follow(
    state: State, files: LogFiles, shown: Shown, wanted: Collection[int], progress: Progress | None
) -> Growth | Finding:
    """What came since the last look, proven to go on from it; or what speaks against that. Changes no state."""
    size, root, old = shown.checkpoint.size, shown.checkpoint.root, state.frontier.size
    known = state.roots.get(size)
    if known is not None and known != root.hex():
        return _fork(state, shown, f"{size} entries with the root {root.hex()}, and before with {known}")
    if size < old:
        return Finding("log_older", "log", f"{size} entries, there were {old}", patient=True)
    try:
        growth = _grown(state, files, size, wanted, progress)
        if growth.frontier.root() == root:
            return growth
        return _mismatch(state, files, shown, growth.frontier.root())
    except LogAway as error:
        return Finding("log_away", "log", str(error))
    except LogFilesWrong as error:
        return Finding("log_files", "log", str(error), patient=True)


def _grown(state: State, files: LogFiles, size: int, wanted: Collection[int], progress: Progress | None) -> Growth:
    growth = Growth(state.frontier.copy(), state.ids.copy())
    for leaf in files.leaves(growth.frontier.size, size, progress):
        growth.leaves.append(leaf)
        growth.frontier.add(leaf_hash(leaf))
        ledger_id = id_of(leaf)
        if not growth.ids.add(ledger_id) and len(growth.doubled) < DOUBLED_MAX:
            growth.doubled.append(ledger_id)
        if growth.frontier.size in wanted:
            growth.roots[growth.frontier.size] = growth.frontier.root()
    return growth


def id_of(leaf: bytes) -> int:
    """The ledger id that a leaf begins with."""
    return int.from_bytes(leaf[:8], "big")


def _mismatch(state: State, files: LogFiles, shown: Shown, made: bytes) -> Finding:
    """The entries do not give what was signed. Does the tree do, and does that one go on from what we know?"""
    size, root, old = shown.checkpoint.size, shown.checkpoint.root, state.frontier
    read = files.hashes(size)
    if tree_root(size, read) == root and tree_root(old.size, read) != old.root():
        return _fork(state, shown, f"{size} entries that do not go on from the {old.size} before")
    text = f"the first {size} entries have the root {made.hex()}, signed is {root.hex()}"
    return Finding("log_files", "log", text, notes=_notes(state, shown))


def _fork(state: State, shown: Shown, text: str) -> Finding:
    return Finding("log_fork", "log", text, notes=_notes(state, shown))


def _notes(state: State, shown: Shown) -> tuple[str, ...]:
    return (state.note, shown.text) if state.note else (shown.text,)


def proven_root(state: State, files: LogFiles, size: int) -> bytes:
    """The root at a size below the last one, by the log's tiles; raises LogAway, and LogFilesWrong if they lie."""
    newest = state.frontier
    read = files.hashes(newest.size)
    root = tree_root(size, read)
    try:
        check_consistency(size, root, newest.size, newest.root(), consistency_proof(size, newest.size, read))
    except ProofError as error:
        raise LogFilesWrong(f"the tiles do not give the root of the first {newest.size} entries: {error}") from error
    return root
