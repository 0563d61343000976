"""Charging sessions from a file into the database: streamed, in batches, repeatable.

Each batch is one database transaction with its sessions and the signal `sessions_closed`. A killed import is simply
run again: what is there is recognised and counted.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db import IntegrityError, models, transaction
from django.db.models import Q

from stations.charging import plausibility
from stations.charging.sessions import location_of
from stations.errors import ImportFileError, ImportRowError
from stations.imports import workplace_csv
from stations.imports.workplace_csv import Layout, Row
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.signals import sessions_closed

STATION_PREFIX = "WP-"  # "workplace": identities of real stations do not collide with the file's numbers
CURRENCY = "USD"
# The session's UUID follows from the file's sessionId: the same row is the same session wherever it is imported.
SESSION_NAMESPACE = uuid.UUID("0c1d7c4e-6a0f-5f0e-9a51-2f1d6f4e8b1a")
BATCH_ATTEMPTS = 3
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

M = TypeVar("M", bound=models.Model)


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
    def different(cls, row: Row, differing: Sequence[tuple[str, object, object]]) -> "Finding":
        reason = "; ".join(f"{name}: stored {stored}, got {got}" for name, stored, got in differing)
        names, stored, got = (", ".join(str(part[column]) for part in differing) for column in range(3))
        return cls(row.line, row.session_id, "different", reason, names, f"{stored}, as stored", got)


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


@dataclass(frozen=True)
class Options:
    """`time_zone` is for sites that the import makes; a site that is there keeps its own.

    `dry_run`: each batch is rolled back, and nobody is told. A row repeated in a later batch then counts as new.
    """

    time_zone: str = "America/New_York"
    batch: int = 1000
    dry_run: bool = False


def file_import(
    path: Path,
    *,
    options: Options,
    report: Callable[[Finding], None],
    progress: Callable[[int, Tally], None],
) -> Tally:
    """Import a file. `report` gets each row that stays out, `progress` the bytes read so far after each batch.

    Raises ImportFileError where the file as a whole is unusable; batches before that stay.
    """
    total = Tally()
    try:
        with path.open("rb") as file:
            layout = Layout(workplace_csv.line_read(file))
            lines = iter(lambda: workplace_csv.line_read(file), b"")
            for batch in batches(lines, options.batch):
                total.add(batch_import(batch, layout=layout, options=options, report=report))
                progress(file.tell(), total)
    except OSError as error:
        raise ImportFileError(f"cannot be read: {error.strerror}") from error
    return total


def batches(lines: Iterable[bytes], size: int, *, first: int = 2) -> Iterator[list[tuple[int, bytes]]]:
    """Numbered lines in lists of `size`; the header was line 1, `first` is the number of the first one here."""
    batch: list[tuple[int, bytes]] = []
    for numbered in enumerate(lines, start=first):
        batch.append(numbered)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def batch_import(
    lines: Sequence[tuple[int, bytes]], *, layout: Layout, options: Options, report: Callable[[Finding], None]
) -> Tally:
    """Read and store one batch of lines, all or (if something raises) none of it."""
    latest = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=1)
    rows, findings = [], []
    for number, line in lines:
        try:
            rows.append(layout.row(number, line, latest=latest))
        except ImportRowError as error:
            findings.append(Finding.skipped(number, "", error))
    tally, stored = batch_store(rows, options=options)
    findings += stored
    for finding in sorted(findings, key=lambda finding: finding.line):
        report(finding)
    counted = Counter(finding.outcome for finding in findings)
    tally.skipped, tally.different = counted["skipped"], counted["different"]
    return tally


def batch_store(rows: Sequence[Row], *, options: Options) -> tuple[Tally, list[Finding]]:
    """Store the rows in one transaction; once more where another import put some of them in at the same time."""
    for _ in range(BATCH_ATTEMPTS - 1):
        try:
            return _batch_store(rows, options=options)
        except IntegrityError:
            continue
    return _batch_store(rows, options=options)


@transaction.atomic
def _batch_store(rows: Sequence[Row], *, options: Options) -> tuple[Tally, list[Finding]]:
    places = Places(rows, time_zone=options.time_zone)
    sessions, findings = [], []
    for row in rows:
        try:
            sessions.append((row, session_of(row, places)))
        except ImportRowError as error:
            findings.append(Finding.skipped(row.line, row.session_id, error))
    known = Known([session for _, session in sessions])
    tally, new = Tally(), []
    for row, session in sessions:
        stored = known.find(session)
        if stored is None:
            known.add(session)
            new.append(session)
            tally.flags.update(session.flags)
        elif differing := differences(stored, session):
            findings.append(Finding.different(row, differing))
        else:
            tally.already_there += 1
    tally.imported = len(new)
    if options.dry_run:
        transaction.set_rollback(True)
    elif new:
        ChargingSession.objects.bulk_create(new)
        sessions_closed.send(sender=ChargingSession, sessions=new)
    return tally, findings


class Places:
    """The sites, stations, connectors and tokens of a batch: looked up once, made where missing."""

    def __init__(self, rows: Sequence[Row], *, time_zone: str) -> None:
        by_site = {row.site_code: row for row in reversed(rows)}
        by_station = {STATION_PREFIX + row.station_id: row for row in reversed(rows)}
        self.sites = ensure(Site.objects.all(), "code", by_site, lambda code: site_new(by_site[code], time_zone))
        self.stations = ensure(
            Station.objects.select_related("site"),
            "identity",
            by_station,
            lambda identity: Station(identity=identity, site=self.sites[by_station[identity].site_code]),
        )
        by_id = {str(station.pk): station for station in self.stations.values()}
        self.connectors = ensure(
            Connector.objects.select_related("station__site").filter(evse_id=1, connector_id=1),
            "station_id",
            by_id,
            lambda station_id: Connector(station=by_id[station_id]),
        )
        # Locked: who links a token meanwhile must wait, or these sessions would miss their customer.
        self.tokens = ensure(
            IdToken.objects.filter(type=IdToken.Type.CENTRAL).order_by("uid").select_for_update(no_key=True),
            "uid",
            {row.user_id for row in rows},
            lambda uid: IdToken(uid=uid, type=IdToken.Type.CENTRAL),
        )


def ensure(found_by: models.QuerySet[M], name: str, keys: Iterable[str], make: Callable[[str], M]) -> dict[str, M]:
    """The rows whose field `name` is one of `keys`, by that key; the missing ones are made.

    Made in sorted order, so that two imports at once wait for each other instead of locking each other out.
    """
    wanted = sorted(keys)
    found = {str(getattr(row, name)): row for row in found_by.filter(**{f"{name}__in": wanted})}
    missing = [make(key) for key in wanted if key not in found]
    if not missing:
        return found
    found_by.model._default_manager.bulk_create(missing, ignore_conflicts=True)
    return {str(getattr(row, name)): row for row in found_by.filter(**{f"{name}__in": wanted})}


def site_new(row: Row, time_zone: str) -> Site:
    name = f"Workplace {row.site_code} ({row.facility})"
    return Site(code=row.site_code, name=name, time_zone=time_zone, currency=CURRENCY)


def session_of(row: Row, places: Places) -> ChargingSession:
    """The row as a closed session that is not stored yet; raises ImportRowError."""
    station = places.stations[STATION_PREFIX + row.station_id]
    site = station.site
    if site.code != row.site_code:
        raise ImportRowError(f"{site.code}, where station {station} is", row.site_code, field="locationId")
    connector = places.connectors[str(station.pk)]
    token = places.tokens[row.user_id]
    period = workplace_csv.period(row, ZoneInfo(site.time_zone))
    verdict = plausibility.judge(
        plausibility.Charge(
            started_at=period.started_at,
            stopped_at=period.stopped_at,
            energy_wh=row.energy_wh,
            max_power_w=connector.max_power_w,
        )
    )
    return ChargingSession(
        id=uuid.uuid5(SESSION_NAMESPACE, row.session_id),
        station=station,
        connector=connector,
        transaction_id=row.session_id,
        id_token=token,
        customer_id=token.customer_id,
        location=location_of(site),
        status=ChargingSession.Status.COMPLETED if verdict.billable else ChargingSession.Status.INVALID,
        started_at=period.started_at,
        stopped_at=period.stopped_at,
        energy_wh=verdict.energy_wh,
        cost_minor=row.cost_minor if verdict.billable else None,
        currency=CURRENCY if verdict.billable else "",
        source=ChargingSession.Source.IMPORT,
        flags=verdict.flags + [plausibility.AMBIGUOUS_TIME] * period.ambiguous,
    )


class Known:
    """Sessions that are there already, found by UUID or by what a station calls them."""

    def __init__(self, sessions: Sequence[ChargingSession]) -> None:
        self._by_id: dict[uuid.UUID, ChargingSession] = {}
        self._by_name: dict[tuple[int, str], ChargingSession] = {}
        same_id = Q(pk__in=[session.pk for session in sessions])
        same_name = Q(
            station__in={session.station_id for session in sessions},
            transaction_id__in={session.transaction_id for session in sessions},
        )
        for session in ChargingSession.objects.filter(same_id | same_name):
            self.add(session)

    def add(self, session: ChargingSession) -> None:
        self._by_id[session.pk] = session
        self._by_name[session.station_id, session.transaction_id] = session

    def find(self, session: ChargingSession) -> ChargingSession | None:
        return self._by_id.get(session.pk) or self._by_name.get((session.station_id, session.transaction_id))


def differences(stored: ChargingSession, session: ChargingSession) -> list[tuple[str, object, object]]:
    """(name, stored, got) of what a row says otherwise than the stored session.

    A token that was erased since then is no difference.
    """
    return [
        (name.removesuffix("_id"), getattr(stored, name), getattr(session, name))
        for name in COMPARED
        if getattr(stored, name) != getattr(session, name)
        and not (name == "id_token_id" and stored.id_token_id is None)
    ]
