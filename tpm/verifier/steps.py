"""PURE: numbered and named steps of a verification, each with what was expected and what was found."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tpm.verifier.errors import AttestationError

Outcome = Literal["ok", "failed", "undecided"]
SHOWN_CHARACTERS = 400


class Finding(NamedTuple):
    """What a check compared, and how it came out."""

    expected: str
    found: str
    good: bool
    note: str = ""


class NotDecidedError(AttestationError):
    """The check needs something that an earlier step found missing or unreadable."""


@dataclass(frozen=True, slots=True)
class Check:
    """A step that is still to be taken: its name, its title, what is expected in words, and how to look."""

    name: str
    title: str
    expected: str
    look: Callable[[], Finding]


@dataclass(frozen=True, slots=True)
class Step:
    """One step taken. `undecided` means that it could not be looked at, because an earlier step failed."""

    number: int
    name: str
    title: str
    expected: str
    found: str
    outcome: Outcome
    note: str = ""


def take(checks: Iterable[Check], *, first: int = 1) -> list[Step]:
    """Take the steps one after the other, numbered from `first`; none of them keeps the others from being taken."""
    return [_take(number, check) for number, check in enumerate(checks, start=first)]


def _take(number: int, check: Check) -> Step:
    try:
        finding = check.look()
    except NotDecidedError as error:
        return Step(number, check.name, check.title, check.expected, "", "undecided", shown(str(error)))
    except AttestationError as error:
        return Step(number, check.name, check.title, check.expected, shown(str(error)), "failed")
    outcome: Outcome = "ok" if finding.good else "failed"
    expected, found, note = shown(finding.expected), shown(finding.found), shown(finding.note)
    return Step(number, check.name, check.title, expected, found, outcome, note)


def accepted(steps: Sequence[Step]) -> bool:
    """Tell whether there are steps and all of them are ok."""
    return bool(steps) and all(step.outcome == "ok" for step in steps)


def reason(steps: Sequence[Step]) -> str:
    """Say in one sentence what failed first; "" where nothing did."""
    bad = next((step for step in steps if step.outcome == "failed"), None)
    bad = bad or next((step for step in steps if step.outcome != "ok"), None)
    if bad is None:
        return ""
    seen = f"expected {bad.expected}, got {bad.found}" if bad.found else bad.note
    return shown(f"step {bad.number} ({bad.name}): {seen}{f'; {bad.note}' if bad.found and bad.note else ''}")


def shown(text: str) -> str:
    """Return hostile text so that a page and a database can hold it: printable, and not too long."""
    safe = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return safe if len(safe) <= SHOWN_CHARACTERS else f"{safe[: SHOWN_CHARACTERS - 1]}…"
