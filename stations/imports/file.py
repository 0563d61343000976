"""Charging sessions from a file into the database: streamed, in batches, repeatable.

Each batch is one database transaction with its sessions and the signal `sessions_closed`. A killed import is simply
run again: what is there is recognised and counted.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.base import ModelState

from common import clock
from common.database.inserting import rows_insert
from stations.charging import plausibility
from stations.errors import ImportFileError, ImportRowError
from stations.imports.known import Known, Seen, differences
from stations.imports.places import Places, session_id
from stations.imports.plan import Options, Plan, planned
from stations.imports.reading.row import Record, Row, duration_check, period
from stations.metering import closing
from stations.models import ChargingSession, months_decide
from stations.signals import sessions_closed

BATCH_ATTEMPTS = 3
COMPLETED, INVALID = ChargingSession.Status.COMPLETED.value, ChargingSession.Status.INVALID.value
IMPORT = ChargingSession.Source.IMPORT.value
DEFAULTS = {field.attname: field.get_default() for field in ChargingSession._meta.concrete_fields}


@dataclass(frozen=True)
class Finding:
    """A row that did not become a session: `outcome` is "skipped", or "different" from the one already there.

    `reason` is the whole sentence; `field`, `expected` and `got` are its parts, for tables.
    """

    line: int
    session_id: str
    outcome: str
    reason: str
    field: str = ""
    expected: str = ""
    got: str = ""

    @classmethod
    def skipped(cls, line: int, session_id: str, error: ImportRowError) -> "Finding":
        """A row that could not be read, and why."""
        return cls(line, session_id, "skipped", str(error), error.field, error.expected, error.got)

    @classmethod
    def different(cls, row: Row, differing: Sequence[tuple[str, object, object]], earlier: int | None) -> "Finding":
        """A row that says otherwise than the stored session, or than line `earlier` of the same file."""
        there = f"line {earlier} of this file has" if earlier else "stored"
        reason = "; ".join(f"{name}: {there} {stored}, got {got}" for name, stored, got in differing)
        names, stored, got = (", ".join(str(part[column]) for part in differing) for column in range(3))
        where = f"as line {earlier} of this file says" if earlier else "as stored"
        return cls(row.line, row.number, "different", reason, names, f"{stored}, {where}", got)

    @classmethod
    def repeated(cls, row: Row, earlier: int) -> "Finding":
        """A row that says otherwise than an earlier one, of which a dry run keeps no more than where it was."""
        expected = f"what line {earlier} of this file says, or another number"
        error = ImportRowError(expected, "other values", field="")
        return cls(row.line, row.number, "different", str(error), "", error.expected, error.got)


@dataclass
class Tally:
    """How many rows of a file became what."""

    imported: int = 0
    already_there: int = 0
    skipped: int = 0
    different: int = 0
    flags: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return self.imported + self.already_there + self.skipped + self.different

    def add(self, other: "Tally") -> None:
        self.imported += other.imported
        self.already_there += other.already_there
        self.skipped += other.skipped
        self.different += other.different
        self.flags += other.flags


@dataclass
class Bringing:
    """One import on its way: what was decided for the file, and what it has brought so far."""

    plan: Plan
    options: Options
    run_id: int | None = None
    stored: Callable[["Bringing", Tally], None] = lambda bringing, tally: None
    seen: Seen = field(default_factory=Seen)
    made: dict[str, list[str]] = field(default_factory=dict)  # places and tokens of the last batch that were not there


def file_import(
    path: Path,
    *,
    options: Options,
    report: Callable[[Finding], None],
    progress: Callable[[int, Tally], None],
    begin: Callable[[Plan], int | None] = lambda plan: None,
    stored: Callable[[Bringing, Tally], None] = lambda bringing, tally: None,
) -> Tally:
    """Import a file. `report` gets each row that stays out, `progress` the bytes read so far after each batch.

    `begin` hears what the file is before anything is stored, and gives the id of its run; `stored` hears of each batch
    in its transaction.
    Raises ImportFileError where the file as a whole is unusable; batches before that stay.
    """
    total = Tally()
    try:
        with path.open("rb") as file:
            plan = planned(file, options)
            bringing = Bringing(plan, options, begin(plan), stored)
            for batch in batches(plan.records(), options.batch):
                total.add(batch_import(batch, bringing=bringing, report=report))
                progress(file.tell(), total)
    except OSError as error:
        raise ImportFileError(f"cannot be read: {error.strerror}") from error
    return total


def batches(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """Records in lists of `size`."""
    several = iter(records)
    while batch := list(islice(several, size)):
        yield batch


def batch_import(records: Sequence[Record], *, bringing: Bringing, report: Callable[[Finding], None]) -> Tally:
    """Read and store one batch of records, all or (if something raises) none of it."""
    rows, findings, read = [], [], bringing.plan.read
    for line, values, error in records:
        if error is None:
            try:
                rows.append(read(line, values))
            except ImportRowError as found:
                error = found
        if error is not None:
            findings.append(Finding.skipped(line, "", error))
    tally, findings = batch_store(rows, findings, bringing)
    for finding in sorted(findings, key=lambda finding: finding.line):
        report(finding)
    return tally


def batch_store(rows: Sequence[Row], unread: list[Finding], bringing: Bringing) -> tuple[Tally, list[Finding]]:
    """Store the rows in one transaction; once more where another import put some of them in at the same time."""
    for _ in range(BATCH_ATTEMPTS - 1):
        try:
            return _batch_store(rows, unread, bringing)
        except IntegrityError:
            continue
    return _batch_store(rows, unread, bringing)


@transaction.atomic
def _batch_store(rows: Sequence[Row], unread: list[Finding], bringing: Bringing) -> tuple[Tally, list[Finding]]:
    dry_run, seen = bringing.options.dry_run, bringing.seen
    places = Places(rows, bringing.plan)
    sessions, findings = [], [*unread]
    for row in rows:
        try:
            session = session_of(row, places, bringing.run_id)
            closing.proof_imported(session, closing.values_of(row.signed))
            sessions.append((row, session))
        except ImportRowError as error:
            findings.append(Finding.skipped(row.line, row.number, error))
    known = Known([session for _, session in sessions])
    tally, new = Tally(), dict[uuid.UUID, tuple[Row, ChargingSession]]()
    for row, session in sessions:
        stored = known.find(session)
        if stored is None and dry_run and (earlier := seen.repeated(session.pk, row)):
            if earlier[1]:
                tally.already_there += 1
            else:
                findings.append(Finding.repeated(row, earlier[0]))
        elif stored is None:
            known.add(session)
            new[session.pk] = (row, session)
            tally.flags.update(session.flags)
        elif differing := differences(stored, session):
            findings.append(Finding.different(row, differing, _earlier(stored, row, new, bringing)))
        else:
            tally.already_there += 1
    counted = Counter(finding.outcome for finding in findings)
    tally.imported, tally.skipped, tally.different = len(new), counted["skipped"], counted["different"]
    _keep(places, [session for _, session in new.values()], bringing)
    bringing.stored(bringing, tally)
    for row, session in new.values():
        seen.add(session.pk, row, dry_run=dry_run)
    return tally, findings


def _earlier(
    stored: ChargingSession, row: Row, new: Mapping[uuid.UUID, tuple[Row, ChargingSession]], bringing: Bringing
) -> int | None:
    """The line of this file that brought the stored session, where it was this file."""
    if stored.pk in new:
        return new[stored.pk][0].line
    ours = stored.import_run_id == bringing.run_id
    return bringing.seen.line_of(stored.pk, row.line) if ours else None


def _keep(places: Places, new: list[ChargingSession], bringing: Bringing) -> None:
    bringing.made = {} if bringing.options.dry_run else places.made
    if bringing.options.dry_run:
        transaction.set_rollback(True)
    elif new:
        months_decide(new)
        rows_insert(new)
        sessions_closed.send(sender=ChargingSession, sessions=new)


def session_of(row: Row, places: Places, run_id: int | None) -> ChargingSession:
    """The row as a closed session that is not stored yet; raises ImportRowError."""
    station = places.station(row)
    connector, token = places.outlet(row, station), places.token(row)
    zone, location = places.zone_and_location(station.site)
    times = period(row, zone)
    duration_check(row, times)
    flags = list(row.flags)
    billable = row.energy_wh is not None
    if row.energy_wh is not None:
        verdict = plausibility.judge(
            plausibility.Charge(
                started_at=times.started_at,
                stopped_at=times.stopped_at,
                energy_wh=row.energy_wh,
                max_power_w=connector.max_power_w,
            )
        )
        billable = verdict.billable
        flags += [flag for flag in verdict.flags if flag not in flags]
    return session_new(
        {"station": station, "connector": connector, "id_token": token},
        id=session_id(row, places.plan),
        station_id=station.pk,
        connector_id=connector.pk,
        transaction_id=row.number,
        id_token_id=token.pk if token else None,
        customer_id=token.customer_id if token else None,
        location=location,
        status=COMPLETED if billable else INVALID,
        started_at=times.started_at,
        stopped_at=times.stopped_at,
        meter_start_wh=row.meter_start_wh,
        meter_stop_wh=row.meter_stop_wh,
        energy_wh=row.energy_wh if billable else None,
        cost_minor=row.cost_minor if billable else None,
        currency=row.currency if billable else "",
        stop_reason=row.stop_reason,
        source=IMPORT,
        flags=flags + [plausibility.AMBIGUOUS_TIME] * (times.ambiguous and plausibility.AMBIGUOUS_TIME not in flags),
        import_run_id=run_id,
        heard_at=clock.now(),
    )


def session_new(related: Mapping[str, Any], **values: Any) -> ChargingSession:
    """A session that is not stored yet, with what it refers to.

    Its attributes are set at once: Django sets each apart, which takes twenty times as long.
    """
    session, state = ChargingSession.__new__(ChargingSession), ModelState()
    state.fields_cache = dict(related)
    session.__dict__ |= {"_state": state, **DEFAULTS, **values}
    return session
