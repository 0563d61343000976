"""Whether the log of key uses (audit.py) is as it was written: the chain, line by line. Reads only."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

FIELDS = ("sequence", "at", "client_id", "operation", "key", "digests", "outcome", "previous", "hash")
HASH_CHARACTERS = 64
TAIL = len(',"hash":""}') + HASH_CHARACTERS  # with which each line ends
PREVIOUS = len('"previous":""') + HASH_CHARACTERS  # and what stands before that
SEQUENCE = b'{"sequence":'  # with which it begins


class Head(NamedTuple):
    """An entry of the log by its sequence and hash (hex)."""

    sequence: int
    hash: str

    @classmethod
    def parsed(cls, text: str) -> "Head":
        """Read SEQUENCE:HASH; raises ValueError."""
        sequence, _, digest = text.partition(":")
        if len(digest) != HASH_CHARACTERS:
            raise ValueError(f"expected SEQUENCE:HASH with {HASH_CHARACTERS} hex digits, got {text!r}")
        return cls(int(sequence), digest.lower())


UNKNOWN = ""  # in the place of a hash: whatever the next line names as the one before is taken
NOTHING = Head(0, "0" * HASH_CHARACTERS)  # what the first entry follows


class Kept(NamedTuple):
    """What is left of an entry that was attested: its hash now (UNKNOWN where it is not there, or does not fit itself),
    and whether the chain leads on from it to the newest entry.
    """

    hash: str
    leads_on: bool


class Link(NamedTuple):
    """What the chain is made of in one line."""

    sequence: int
    previous: str
    hash: str


NO_LINK = Link(-1, UNKNOWN, UNKNOWN)  # of a line that is no entry, or not where it should be


class Line(NamedTuple):
    """One line of a file: its number (from 1), and what it claims to be; `whole` when its own hash fits."""

    number: int
    sequence: int | None
    previous: str
    hash: str
    operation: str
    whole: bool


@dataclass
class FileReport:
    """What was found in one file: breaks in words, its entries, where the chain ends, and an unfinished last line."""

    breaks: list[str]
    entries: list[Head]
    head: Head
    highest_sequence: int
    torn: bytes


@dataclass
class Report:
    """What was found in a log."""

    breaks: list[str] = field(default_factory=list)
    extent: str = "no entries"


def log_files(directory: Path) -> list[Path]:
    """Return the files of the log in this directory, oldest first."""
    return sorted(directory.glob("*.jsonl"))


def verify(paths: Sequence[Path], *, head: Head | None = None) -> Report:
    """Check a log: of a directory from entry 1 on, of files from where the first begins; raises OSError.

    `head` is an entry that was attested: it has to be there as it was. A file is checked with its last entry as the
    start of the next, one in memory at a time.
    """
    files = [file for path in paths for file in (log_files(path) if path.is_dir() else [path])]
    report = Report()
    last = NOTHING if paths[0].is_dir() else None
    first = attested = None
    for file in files:
        found = verified_file(file, last)
        report.breaks += found.breaks
        if found.torn:
            report.breaks.append(f"{file}: the last line is cut: {len(found.torn)} bytes without an end")
        first = first or next(iter(found.entries), None)
        last = found.head
        attested = next((entry for entry in found.entries if head and entry.sequence == head.sequence), attested)
    if first and last:
        report.extent = f"entries {first.sequence} to {last.sequence}, hash of the last {last.hash}"
    if head is not None and attested != head != NOTHING:
        report.breaks.append(_head_break(head, attested, last or NOTHING))
    return report


def _head_break(head: Head, found: Head | None, last: Head) -> str:
    if found is not None:
        return f"entry {head.sequence} is not the attested one: it, or what is before it, was written anew"
    return f"entry {head.sequence}, which was attested, is not there: the log ends with entry {last.sequence}"


def kept(directory: Path, sequence: int, newest: Head) -> Kept:
    """Look for the entry of this sequence, and follow the chain through its file and on to the newest; raises OSError.

    Where that file was moved away, the entry is what the first of the next one follows.
    """
    reached = NOTHING if sequence == NOTHING.sequence else None
    found = reached
    for link in _links(directory, sequence):
        reached = reached or Head(link.sequence - 1, link.previous)
        if reached.sequence == sequence:
            found = reached
        if reached == newest or (link.sequence - 1, link.previous) != reached:
            break
        reached = Head(link.sequence, link.hash)
    if reached is not None and reached.sequence == sequence:
        found = reached
    return Kept(found.hash if found else UNKNOWN, leads_on=reached == newest)


def _links(directory: Path, sequence: int) -> Iterator[Link]:
    """Yield the chain from the file of this entry on, without reading the rest of each line: 100,000 in 0.3 s."""
    files = log_files(directory)
    begun = [file for file in files if int(file.stem) <= sequence]
    for file in [*begun[-1:], *files[len(begun) :]]:
        for number, text in enumerate(file.read_bytes().split(b"\n")[:-1]):
            link = _link(text)
            yield NO_LINK if number == 0 and link.sequence != int(file.stem) else link  # its beginning was cut


def _link(text: bytes) -> Link:
    head, tail = text[:-TAIL], text[-TAIL:]
    number = text[len(SEQUENCE) : text.find(b",")]
    digest = hashlib.sha256(head + b"}").hexdigest()
    if not (text.startswith(SEQUENCE) and number.isdigit() and head[-PREVIOUS:].startswith(b'"previous":"')):
        return NO_LINK
    fits = tail == f',"hash":"{digest}"}}'.encode()
    return Link(int(number), head[-HASH_CHARACTERS - 1 : -1].decode("ascii", "replace"), digest if fits else UNKNOWN)


def verified_file(path: Path, start: Head | None) -> FileReport:
    """Check one file, whose first entry has to follow `start`; None: it may begin anywhere. Raises OSError."""
    content = path.read_bytes()
    *whole, torn = content.split(b"\n")
    lines = [_parsed(number, text) for number, text in enumerate(whole, 1)]
    walk = _Walk(path, lines, start)
    for index in range(len(lines)):
        walk.take(index)
    highest = max([walk.state.sequence, *(line.sequence for line in lines if line.whole and line.sequence)])
    return FileReport(walk.breaks, walk.accepted, walk.state, highest, torn)


def _parsed(number: int, text: bytes) -> Line:
    """Read a line; what is none has no sequence, and `whole` says whether its own hash fits."""
    damaged = Line(number, None, "", UNKNOWN, "", whole=False)
    try:
        entry: dict[str, Any] = json.loads(text)
        if tuple(entry) != FIELDS:
            return damaged
        sequence, previous, digest, operation = (entry[n] for n in ("sequence", "previous", "hash", "operation"))
    except (ValueError, TypeError):
        return damaged
    if not (type(sequence) is int and all(isinstance(one, str) for one in (previous, digest, operation))):
        return damaged
    fits = hashlib.sha256(text[:-TAIL] + b"}").hexdigest() == digest
    return Line(number, sequence, previous, digest, operation, whole=fits)


class _Walk:
    """Goes from line to line; `state` is the entry that the next line has to follow."""

    def __init__(self, path: Path, lines: Sequence[Line], start: Head | None) -> None:
        self.breaks: list[str] = []
        self.accepted: list[Head] = []
        self._path = path
        self._lines = lines
        first = next((line.sequence for line in lines if line.whole and line.sequence), 1)
        self.state = start or Head(first - 1, UNKNOWN)
        self._sequences = {line.sequence for line in lines}

    def take(self, index: int) -> None:
        """Judge one line by itself, by the entry before, and by the line after it."""
        line = self._lines[index]
        after = self._lines[index + 1] if index + 1 < len(self._lines) else None
        if not line.whole:
            self._take_damaged(line, after)
        elif line.sequence is None or self._follows(line):
            self._accept(line)
        elif line.operation == "chain_broken" and line.number == 1:
            self._report(line, f"entry {line.sequence}: the service found the chain broken before, and began anew")
            self._accept(line)
        elif line.sequence <= self.state.sequence:
            self._take_surplus(line, after)
        elif line.sequence > self.state.sequence + 1:
            self._take_after_gap(line)
        else:
            self._report(line, f"entry {line.sequence} follows another entry than the one before: that was altered")
            self._accept(line)

    def _follows(self, line: Line) -> bool:
        return line.sequence == self.state.sequence + 1 and self.state.hash in (line.previous, UNKNOWN)

    def _accept(self, line: Line) -> None:
        assert line.sequence is not None
        self.state = Head(line.sequence, line.hash)
        self.accepted.append(self.state)

    def _take_damaged(self, line: Line, after: Line | None) -> None:
        if after is not None and after.whole and self.state.hash != UNKNOWN and self._follows(after):
            self._report(line, "inserted: no entry, and the chain goes on behind it")
            return
        expected = self.state.sequence + 1
        self._report(line, f"altered: its hash does not fit (expected entry {expected})")
        self.state = Head(expected, line.hash)
        self.accepted.append(self.state)

    def _take_surplus(self, line: Line, after: Line | None) -> None:
        """An entry of a sequence that was there already, or that stands behind later ones."""
        twin = line.sequence == self.state.sequence and line.hash != self.state.hash
        if all(entry.sequence != line.sequence for entry in self.accepted):
            self._report(line, f"moved: entry {line.sequence} stands behind entry {self.state.sequence}")
        elif twin and after is not None and after.previous == line.hash:  # the chain goes on from this one
            self._report(line, f"the line before it, also entry {line.sequence}, was inserted")
            self._accept(line)
        else:
            self._report(line, f"inserted: entry {line.sequence} was there already")

    def _take_after_gap(self, line: Line) -> None:
        assert line.sequence is not None
        missing = [n for n in range(self.state.sequence + 1, line.sequence) if n not in self._sequences]
        if missing:
            named = f"entry {missing[0]}" if len(missing) == 1 else f"entries {missing[0]} to {missing[-1]}"
            self._report(line, f"{named} removed before it")
        else:
            self._report(line, f"moved: entry {line.sequence} stands before entry {self.state.sequence + 1}")
        self._accept(line)

    def _report(self, line: Line, what: str) -> None:
        self.breaks.append(f"{self._path}: line {line.number}: {what}")
