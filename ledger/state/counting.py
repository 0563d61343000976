"""What a session counts in sums: one rule for pages, files, papers and programs, in Python and for the database.

A session counts once, with what was recorded of it. One that was taken back does not count, and neither does its
credit: the two cancel out, and nothing was charged twice or less than nothing. Where the session differs from its
record, the record's figures count; where the record itself is altered, nobody knows what was charged: it is left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db.models import Case, Exists, F, Q, SmallIntegerField, UUIDField, Value, When

from ledger.kept import as_recorded, kept_record
from ledger.models import LedgerEntry
from stations.charging.corrections import credited_by, credits_of_row, with_credits
from stations.models import ChargingSession

Role = Literal["session", "superseded", "credit"]
# What programs and files read of a session's record, in one word.
RECORD_WORDS = ("recorded", "pending", "mismatch", "superseded", "credit", "none")
DIFFERENT = Q(mismatch__gt="") | Q(conflict__gt="")  # as the partial index ledger_entry_differs has it


@dataclass(frozen=True)
class Counted:
    """`figures` are those that count: the session, or what was recorded of it; None where it is left out of sums."""

    role: Role
    differs: bool
    figures: ChargingSession | None

    @property
    def counts(self) -> bool:
        """Whether sums have it at all: neither taken back, nor a credit, nor with an altered record."""
        return self.role == "session" and self.figures is not None

    @property
    def energy_wh(self) -> int | None:
        """What sums add; None where it does not count, also where that is not known."""
        return self.figures.energy_wh if self.counts and self.figures else None

    @property
    def cost_minor(self) -> int | None:
        """What sums add, in minor units of `currency`; None as for energy."""
        return self.figures.cost_minor if self.counts and self.figures else None

    @property
    def currency(self) -> str:
        """Also of what does not count; "" where the record is altered itself."""
        return self.figures.currency if self.figures else ""

    def group(self) -> dict[str, Any]:
        """As `counted_groups` gives it, of this one alone."""
        return {
            **({"status": self.figures.status} if self.figures else {}),
            "currency": self.currency if self.counts else "",
            "sessions": int(self.counts),
            "energy": self.energy_wh or 0,
            "cost": self.cost_minor or 0,
            "differing": int(self.differs and self.counts),
            "left_out": int(self.role == "session" and self.figures is None),
        }


def counted_of(session: ChargingSession, *, differs: bool) -> Counted:
    """`differs`: from its record, as ledger.state.words.finding_of says."""
    figures = recorded_of(session) if differs else session
    if (figures or session).credit:
        return Counted("credit", differs, figures)
    return Counted("superseded" if credited_by(session) else "session", differs, figures)


def record_word(counted: Counted, state: str) -> str:
    """One of RECORD_WORDS: that it differs comes first, then what it is in sums, then how far its record is."""
    if counted.differs:
        return "mismatch"
    if counted.role != "session":
        return counted.role
    return "pending" if state == "late" else state


def recorded_of(session: ChargingSession) -> ChargingSession | None:
    """The session as its kept record has it; None where that record is altered or erased, or there is none."""
    entry = getattr(session, "ledger_entry", None)
    kept = kept_record(entry) if entry else None
    return as_recorded(session, kept) if kept is not None else None


# --- The same in the database

# Not one question a row: the few that differ are read once, from their index, and looked up.
_DIFFERS = Q(pk__in=LedgerEntry.objects.filter(DIFFERENT, session__isnull=False).values("session"))
# Group by these beside what else is wanted: what counts, what does not, and those that differ one by one.
KEYS: dict[str, Any] = {
    "counts": Case(
        When(credit=True, then=Value(0)),
        When(Exists(credits_of_row()), then=Value(0)),
        default=Value(1),
        output_field=SmallIntegerField(),
    ),
    "apart": Case(When(_DIFFERS, then=F("pk")), output_field=UUIDField()),
}


def counted_groups(groups: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Groups of the database by KEYS and more, with `sessions`, `energy` and `cost`, as sums count them.

    `rows` is how many there are, counted or not. The records of those that differ are read: a query more, if there are.
    """
    found = list(groups)
    apart = _apart([group["apart"] for group in found if group["apart"]])
    for group in found:
        rows = {"rows": group["sessions"]}
        if group["apart"] in apart:
            yield {**group, **apart[group["apart"]].group(), **rows}
        elif group["counts"]:
            yield {**group, **rows}
        else:
            yield {**group, "sessions": 0, "energy": 0, "cost": 0, "currency": "", **rows}


def _apart(keys: Sequence[UUID]) -> dict[UUID, Counted]:
    if not keys:
        return {}
    different = with_credits(ChargingSession.objects.filter(pk__in=keys)).select_related("ledger_entry")
    return {session.pk: counted_of(session, differs=True) for session in different.iterator(chunk_size=500)}
