"""What a monitor remembers from one look to the next: one JSON file, written whole or not at all."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ledger.log.monitor.findings import MEANINGS, Finding
from ledger.log.monitor.frontier import Frontier
from ledger.log.monitor.ids import Ids

FORMAT = "evportal-monitor/1"
ROOTS_MAX = 1000
LATER_MAX = 200
KEPT_MAX = 100  # contradictions


class StateError(Exception):
    """The file is none of ours, or another log's."""


@dataclass(frozen=True)
class Claim:
    """That the log has this root at this size: said by `who`, with the log's signature where `note` is there."""

    who: str
    size: int
    root: str
    note: str = ""


@dataclass
class State:
    """All of it is verified: `frontier` is the tree of the last signed checkpoint that went on from the one before."""

    log_key: str
    account: str
    chain_id: str = ""
    frontier: Frontier = field(default_factory=Frontier)
    ids: Ids = field(default_factory=Ids)
    note: str = ""
    roots: dict[int, str] = field(default_factory=dict)  # sizes of checkpoints that were seen
    uncompared: list[str] = field(default_factory=list)  # the last leaves, not yet compared with the chain's records
    upto: int = 0  # the block up to which the log has all records, by the chain
    unlogged: dict[int, list[Any]] = field(default_factory=dict)  # records without a leaf: digest, block, when seen
    later: list[Claim] = field(default_factory=list)  # sizes that the log does not show yet
    witnesses: dict[str, list[int]] = field(default_factory=dict)  # what each signed last: size, POSIX seconds
    since: dict[str, int] = field(default_factory=dict)  # when patient findings began
    found: list[dict[str, Any]] = field(default_factory=list)  # contradictions, until somebody takes them out

    def remember(self, size: int, root: bytes) -> None:
        """Keep the root of a checkpoint, of the newest so many."""
        self.roots[size] = root.hex()
        for old in sorted(self.roots)[:-ROOTS_MAX]:
            del self.roots[old]

    def wait_for(self, claim: Claim) -> None:
        """Compare it once the log is that large."""
        if claim not in self.later:
            self.later = [*self.later, claim][-LATER_MAX:]

    def keep(self, finding: Finding, now: int) -> None:
        """A contradiction does not pass: what was seen once was so."""
        known = {(each["code"], each["subject"]) for each in self.found}
        if (finding.code, finding.subject) not in known and len(self.found) < KEPT_MAX:
            kept = {"code": finding.code, "subject": finding.subject, "text": finding.text, "at": now}
            self.found.append(kept | {"notes": list(finding.notes)})

    @property
    def contradictions(self) -> list[Finding]:
        return [Finding(each["code"], each["subject"], each["text"], notes=tuple(each["notes"])) for each in self.found]


def save(state: State, path: Path) -> None:
    """Write it beside and put it in place: whoever reads, or is killed, has the old one or the new one."""
    whole = {name: value for name, value in vars(state).items() if name not in ("frontier", "ids", "later")}
    whole |= {
        "format": FORMAT,
        "size": state.frontier.size,
        "tree": [part.hex() for part in state.frontier.parts],
        "ids": state.ids.runs,
        "later": [asdict(claim) for claim in state.later],
    }
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(whole, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def load(path: Path, *, log_key: str, account: str) -> State:
    """What was saved; a new one where there is no file. Raises StateError: a monitor never begins anew by itself."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        return State(log_key, account)
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{path}: cannot be read: {error}") from error
    try:
        found = json.loads(text)
        if found.pop("format") != FORMAT:
            raise StateError(f"{path}: expected format {FORMAT}")
        if (found["log_key"], found["account"]) != (log_key, account):
            raise StateError(
                f"{path}: is of another log: its key is {found['log_key']}, its account {found['account']}"
            )
        return _read(found)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"{path}: not in its form: {error}; put a copy back, or begin anew with another file"
        ) from error


def _read(found: dict[str, Any]) -> State:
    frontier = Frontier(found.pop("size"), [bytes.fromhex(part) for part in found.pop("tree")])
    ids, later = Ids(found.pop("ids")), [Claim(**claim) for claim in found.pop("later")]
    state = State(**found, frontier=frontier, ids=ids, later=later)
    state.roots = {int(size): root for size, root in state.roots.items()}
    state.unlogged = {int(number): seen for number, seen in state.unlogged.items()}
    if any(each["code"] not in MEANINGS for each in state.found):
        raise ValueError("a finding that this version does not know")
    return state
