"""What is there already: in the database, and in the lines of the same file before this one."""

import uuid
from array import array
from collections.abc import Sequence
from itertools import chain

from django.db import connection

from stations.identifiers import letters
from stations.imports.reading.row import Row
from stations.models import ChargingSession

COMPARED = (
    "station_id",
    "connector_id",
    "id_token_id",
    "started_at",
    "stopped_at",
    "status",
    "energy_wh",
    "cost_minor",
    "currency",
)
LINES_LOOKED_UP = 1_000


class Known:
    """Sessions that are there already, found by UUID or by what a station calls them."""

    def __init__(self, sessions: Sequence[ChargingSession]) -> None:
        self._by_id: dict[uuid.UUID, ChargingSession] = {}
        self._by_name: dict[tuple[int, str], ChargingSession] = {}
        wanted = {session.pk for session in sessions} | named(sessions)
        for session in ChargingSession.objects.filter(pk__in=wanted):
            self.add(session)

    def add(self, session: ChargingSession) -> None:
        self._by_id[session.pk] = session
        self._by_name[session.station_id, session.transaction_id] = session

    def find(self, session: ChargingSession) -> ChargingSession | None:
        return self._by_id.get(session.pk) or self._by_name.get((session.station_id, session.transaction_id))


def named(sessions: Sequence[ChargingSession]) -> set[uuid.UUID]:
    """UUIDs of sessions with the same station and number, in whatever letters.

    Asked pair by pair: each is one look into an index, where "one of these stations and one of these numbers" reads all
    that the stations ever had, at each batch anew. CROSS JOIN tells SQLite to begin with the pairs.
    """
    pairs = {(session.station_id, letters(session.transaction_id)) for session in sessions}
    if not pairs:
        return set()
    values, table = ", ".join(["(%s, %s)"] * len(pairs)), ChargingSession._meta.db_table
    statement = (
        f"WITH wanted(station, number) AS (VALUES {values}) SELECT kept.id FROM wanted CROSS JOIN {table} kept"  # noqa: S608  # our own name
        " WHERE kept.station_id = wanted.station AND kept.number = wanted.number"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, list(chain.from_iterable(pairs)))
        return {uuid.UUID(str(found)) for (found,) in cursor.fetchall()}


class Seen:
    """The sessions of one file so far: twelve bytes a row, in a dry run (where nothing is stored) some two hundred."""

    def __init__(self) -> None:
        self._hashes, self._lines = array("q"), array("L")
        self._dry: dict[int, tuple[int, int]] = {}
        self._left = LINES_LOOKED_UP

    def add(self, session_id: uuid.UUID, row: Row, *, dry_run: bool) -> None:
        """A row that brings a session."""
        key = hash(session_id)
        if dry_run:
            self._dry.setdefault(key, (row.line, hash(row[1:])))
        else:
            self._hashes.append(key)
            self._lines.append(row.line)

    def repeated(self, session_id: uuid.UUID, row: Row) -> tuple[int, bool] | None:
        """The line that a dry run has read this session in, and whether it said the same."""
        found = self._dry.get(hash(session_id))
        return (found[0], found[1] == hash(row[1:])) if found else None

    def line_of(self, session_id: uuid.UUID, before: int) -> int | None:
        """The earlier line that brought this session; looked up for the first thousand only, as it takes long."""
        self._left -= 1
        if self._left < 0:
            return None
        try:
            line = self._lines[self._hashes.index(hash(session_id))]
        except ValueError:
            return None
        return line if line < before else None


def differences(stored: ChargingSession, session: ChargingSession) -> list[tuple[str, object, object]]:
    """(name, stored, got) of what a row says otherwise than the stored session.

    A token that was erased since then, or that the file does not name, is no difference.
    """
    return [
        (name.removesuffix("_id"), getattr(stored, name), getattr(session, name))
        for name in COMPARED
        if getattr(stored, name) != getattr(session, name)
        and not (name == "id_token_id" and None in {stored.id_token_id, session.id_token_id})
    ]
