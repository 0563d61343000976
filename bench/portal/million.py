"""Sessions by the million for benches that read, made from the real data: as if drivers had charged for years.

Each customer takes after one of the real drivers with at least twenty sessions: their times of day, durations, energy,
cost, stations and sites, moved by whole weeks (so weekdays and shift times stay) and a few minutes. Sessions are
recorded: salt, canonical record and digest are real, the transactions that carry them are not, as there is no chain.
One entry in 500 waits still to be recorded. Import it once Django is set up; PostgreSQL only, as it is filled by COPY.
"""

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.color import no_style
from django.db import connection, models, transaction
from psycopg.types.json import Jsonb

from accounts.models import User
from bench.portal.importing import SOURCE
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.record import digest, new_salt, record_of
from stations.charging.sessions import location_of
from stations.models import ChargingSession, Connector, IdToken, Site, Station, months_decide

ZONE = ZoneInfo("America/New_York")
LEAST_SESSIONS = 20
YEARS = 5
CHUNK = 10_000
BATCH = 200  # entries a transaction
WAITING = 500  # one entry in so many has no transaction yet


@dataclass(frozen=True)
class Charge:
    """A real charge: Wh and cents."""

    started_at: datetime
    stopped_at: datetime
    energy_wh: int
    cost_minor: int
    station: str


@dataclass(frozen=True)
class Patterns:
    """The real drivers' charges, and what the places of the file became."""

    drivers: list[list[Charge]]
    connectors: dict[str, Connector]


def patterns() -> Patterns:
    """Read the real file; make its sites and stations."""
    drivers: dict[str, list[Charge]] = defaultdict(list)
    connectors: dict[str, Connector] = {}
    for row in _real_rows():
        station_id, site_code = row["stationId"], row["locationId"]
        if station_id not in connectors:
            site, _ = Site.objects.get_or_create(
                code=site_code, defaults={"name": f"Workplace {site_code}", "time_zone": ZONE.key, "currency": "USD"}
            )
            station, _ = Station.objects.get_or_create(identity=f"WP-{station_id}", defaults={"site": site})
            connectors[station_id], _ = Connector.objects.get_or_create(station=station)
        energy_wh, cost_minor = int(Decimal(row["kwhTotal"]) * 1000), int(Decimal(row["dollars"]) * 100)
        charge = Charge(_instant(row["created"]), _instant(row["ended"]), energy_wh, cost_minor, station_id)
        drivers[row["userId"]].append(charge)
    return Patterns([found for found in drivers.values() if len(found) >= LEAST_SESSIONS], connectors)


def _real_rows() -> Iterator[dict[str, str]]:
    with SOURCE.open(newline="") as file:
        yield from csv.DictReader(file)


def _instant(text: str) -> datetime:
    """A time of the file, whose years lack their century. Not the importer's: other revisions have it elsewhere."""
    return datetime.fromisoformat("20" + text[2:]).replace(tzinfo=ZONE).astimezone(UTC)


def customers_make(*, count: int, sessions: int, found: Patterns, first: int = 0) -> Iterator[int]:
    """Make `count` customers with a token and `sessions` sessions each; yields how many sessions each COPY brought.

    `first` is the first customer's number: those below it are there already.
    """
    per_turn = max(1, CHUNK // sessions)
    for start in range(first, first + count, per_turn):
        yield _turn(range(start, min(start + per_turn, first + count)), sessions, found)


def settle() -> None:
    """What the server would have done after a while: statistics, visibility for indexes, and all of it on the disc."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


@transaction.atomic
def _turn(numbers: range, sessions: int, found: Patterns) -> int:
    with connection.cursor() as cursor:  # what we make refers to what we made; having that checked takes longer than it
        cursor.execute("SET LOCAL session_replication_role = replica")
    users = User.objects.bulk_create([User(username=f"driver-{number}", password="!") for number in numbers])
    tokens = IdToken.objects.bulk_create([IdToken(uid=f"B{user.pk:013}", customer=user) for user in users])
    keys = DataKey.objects.bulk_create(
        [DataKey(key_id=os.urandom(16), id_token=token, wrapped=os.urandom(60)) for token in tokens]
    )
    made = []
    for number, token, key in zip(numbers, tokens, keys, strict=True):
        made += [(session, key) for session in _sessions(number, token, sessions, found)]
    months_decide([session for session, _ in made])
    copy([session for session, _ in made])
    copy(_entries(made))
    _sequence_follows(LedgerEntry)
    return len(made)


def _sessions(number: int, token: IdToken, count: int, found: Patterns) -> Iterator[ChargingSession]:
    driver = found.drivers[number % len(found.drivers)]
    for index in range(count):
        rounds, position = divmod(index, len(driver))
        charge = driver[position]
        connector = found.connectors[charge.station]
        back, cars = rounds % YEARS, rounds // YEARS  # a fleet has more than one car at work at once
        moved = timedelta(weeks=52 * back, minutes=(number * 7 + index * 3) % 30 + cars)
        yield ChargingSession(
            station=connector.station,
            connector=connector,
            transaction_id=f"{number}-{index}",
            id_token=token,
            customer=token.customer,
            location=location_of(connector.station.site),
            status=ChargingSession.Status.COMPLETED,
            started_at=charge.started_at - moved,
            stopped_at=charge.stopped_at - moved,
            energy_wh=charge.energy_wh,
            cost_minor=charge.cost_minor,
            currency="USD",
            source=ChargingSession.Source.IMPORT,
        )


def _entries(made: Sequence[tuple[ChargingSession, DataKey]]) -> list[LedgerEntry]:
    carriers = _transactions(1 + len(made) // BATCH)
    last = LedgerEntry.objects.aggregate(last=models.Max("id"))["last"] or 0
    entries = []
    for index, (session, key) in enumerate(made):
        record, salt = _canonical(session), new_salt()
        carrier = None if index % WAITING == 0 else carriers[index // BATCH]
        entries.append(
            LedgerEntry(
                id=last + 1 + index,
                session=session,
                salt=salt,
                canonical=record,
                digest=digest(salt, record),
                data_key=key,
                transaction=carrier,
                opened_at=session.stopped_at or session.started_at,
            )
        )
    return entries


def _canonical(session: ChargingSession) -> bytes:
    """As ledger.record.canonical has it (RFC 8785), ten times as quick: our names and values are ASCII and integers."""
    return json.dumps(record_of(session), sort_keys=True, separators=(",", ":")).encode()


def _transactions(count: int) -> list[ChainTransaction]:
    now = datetime.now(UTC)
    first = ChainTransaction.objects.count() + 1
    rows = [
        ChainTransaction(
            status=ChainTransaction.Status.IRREVERSIBLE,
            packed=os.urandom(2_000),
            signature="SIG_R1_" + "K" * 94,
            public_key="PUB_R1_" + "K" * 50,
            transaction_id=os.urandom(32).hex(),
            block_num=1_000 + number,
            block_id=os.urandom(32).hex(),
            **dict.fromkeys(("expires_at", "signed_at", "sent_at", "irreversible_at"), now),
        )
        for number in range(first, first + count)
    ]
    return ChainTransaction.objects.bulk_create(rows)


def copy(rows: Sequence[models.Model]) -> None:
    """Write new rows by COPY; psycopg knows all types of ours but JSON."""
    fields = list(type(rows[0])._meta.concrete_fields)
    names = ", ".join(connection.ops.quote_name(str(field.column)) for field in fields)
    table = connection.ops.quote_name(type(rows[0])._meta.db_table)
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as file:
        for row in rows:
            file.write_row([_value(field, row) for field in fields])


def _value(field: Any, row: models.Model) -> Any:
    value = field.pre_save(row, True)  # the attribute, or what auto_now makes of it
    return Jsonb(value) if isinstance(field, models.JSONField) else value


def _sequence_follows(model: type[models.Model]) -> None:
    """Ids that we gave ourselves are not given again."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [model]):
            cursor.execute(statement)
