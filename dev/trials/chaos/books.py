"""The database against the stations' own books: each charge once, with its meter and its times, and no other.

Import it once Django is set up.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from stations.models import ChargingSession, MeterValue, SetAside

SHOWN = 5


@dataclass(frozen=True)
class Charge:
    """One charge, as either of them has it. `number`: the transaction's id, "" where the station never learnt it."""

    station: str
    evse_id: int
    began: datetime
    ended: datetime | None
    meter_start_wh: int | None
    meter_stop_wh: int | None
    energy_wh: int | None
    uid: str
    number: str

    @property
    def key(self) -> tuple[str, int, datetime]:
        """No two charges of an outlet begin at one moment."""
        return self.station, self.evse_id, self.began

    @classmethod
    def booked(cls, station: str, one: Mapping[str, Any], *, is_16: bool) -> Self:
        """As the state file of a station has it."""
        start, stop = one["meter_start_wh"], one["meter_stop_wh"]
        number = str(one["number"] or "") if is_16 else one["key"]
        times = datetime.fromisoformat(one["began"]), datetime.fromisoformat(one["ended"])
        return cls(station, one["outlet"], *times, start, stop, stop - start, one["uid"], number)

    @classmethod
    def kept(cls, session: ChargingSession) -> Self:
        """As the database has it."""
        uid = session.id_token.uid if session.id_token else ""
        place = session.station.identity, session.connector.evse_id
        meters = session.meter_start_wh, session.meter_stop_wh, session.energy_wh
        return cls(*place, session.started_at, session.stopped_at, *meters, uid, session.transaction_id)


def booked(states: Mapping[str, Mapping[str, Any]], versions: Mapping[str, str]) -> list[Charge]:
    """All that the stations' state files know."""
    return [
        Charge.booked(station, one, is_16=versions[station] == "1.6")
        for station, state in states.items()
        for one in state["books"]["charges"]
    ]


def problems(states: Mapping[str, Mapping[str, Any]], versions: Mapping[str, str]) -> list[str]:
    """Everything that is wrong, [] when all is well."""
    sessions = list(ChargingSession.objects.select_related("station", "connector", "id_token"))
    found = differences(booked(states, versions), [Charge.kept(session) for session in sessions])
    statuses = Counter(session.status for session in sessions if session.status != ChargingSession.Status.COMPLETED)
    found += [f"{status}: {count} charges" for status, count in statuses.items()]
    for station, state in states.items():
        found += [f"{station} gave up {message}" for message in state["books"]["dropped"][:SHOWN]]
        found += [f"{station} waits with {len(state['queue'])} messages"] if state["queue"] else []
        open_charges = [number for number, outlet in state["outlets"].items() if outlet["charge"]]
        found += [f"{station} still charges at {open_charges}"] if open_charges else []
    found += [f"set aside for a person: {one} ({one.reason})" for one in SetAside.objects.exclude(kind="VALUE")]
    return found + _values()


def differences(stations: Iterable[Charge], database: Iterable[Charge]) -> list[str]:
    """What one has and the other has not, or has otherwise."""
    ours, theirs = list(database), {charge.key: charge for charge in stations}
    count, by_key = Counter(charge.key for charge in ours), {charge.key: charge for charge in ours}
    wrong: dict[str, list[Any]] = {
        "lost": [charge for key, charge in theirs.items() if key not in by_key],
        "of nobody": [charge for charge in ours if charge.key not in theirs],
        "doubled": [key for key, times in count.items() if times > 1],
        "otherwise (station, database)": [
            (charge, by_key[key]) for key, charge in theirs.items() if key in by_key and not _same(charge, by_key[key])
        ],
    }
    return [f"{what}: {len(which)}, as {which[:SHOWN]}" for what, which in wrong.items() if which]


def _same(station: Charge, database: Charge) -> bool:
    """All of it; a number that the station never learnt is any."""
    return station == database or (not station.number and station == _without_number(database))


def _without_number(charge: Charge) -> Charge:
    return Charge(**(vars(charge) | {"number": ""}))


def _values() -> list[str]:
    """None outside of what its charge's meter went through (that none is kept twice the table itself sees to)."""
    sampled = MeterValue.objects.filter(measurand="Energy.Active.Import.Register", phase="")
    outside = [
        value
        for value in sampled.select_related("session")
        if not (value.session.meter_start_wh or 0) <= value.value <= (value.session.meter_stop_wh or 0)
    ]
    return [f"readings outside of their charge: {len(outside)}"] if outside else []
