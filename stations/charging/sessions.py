"""What happens to stations, tokens and charging sessions, one step each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from common.database.updating import columns_update
from stations.agreements.agreed import tariffs_for
from stations.cards.services import TokenRef, id_token_get
from stations.charging import numbers, plausibility
from stations.charging.locks import session_locked, station_lock
from stations.charging.meter_digest import lines_sha256, meter_value_line
from stations.charging.vocabulary import ENERGY_REGISTER, Sample
from stations.errors import ConnectorUnknownError, SessionConflictError, SessionEndedError, TimesImpossibleError
from stations.metering import closing
from stations.models import (
    ChargingSession,
    Connector,
    IdToken,
    MeterValue,
    SessionClosedError,
    Site,
    Station,
    months_decide,
)
from stations.signals import sessions_closed, sessions_opened
from stations.tariffs.charged import cost_of_charge

# --- Sessions


@transaction.atomic
def session_start(
    *,
    station: Station,
    transaction_id: str,
    started_at: datetime,
    meter_start_wh: int,
    evse_id: int = 1,
    connector_id: int = 1,
    token: TokenRef | None = None,
    offline: bool = False,
    source: str = ChargingSession.Source.STATION.value,
) -> tuple[ChargingSession, bool]:
    """Open a session; returns it and whether it is new. The same message again gives the same session.

    A number that comes again is a new charge (stations/charging/numbers.py). What was open on the outlet is ended.
    `offline`: the station could not report at once (OCPP 2.0.1 TransactionEvent.offline); not compared on a repeat.
    Raises ConnectorUnknownError, and SessionConflictError for the same transaction with other content.
    """
    station_lock(station)  # of two starts at once the second finds the first
    connector = connector_get(station=station, evse_id=evse_id, connector_id=connector_id)
    id_token = id_token_get(token=token) if token else None
    reported = {
        "connector_id": connector.pk,
        "id_token_id": id_token.pk if id_token else None,
        "started_at": started_at,
        "meter_start_wh": meter_start_wh,
    }
    found = numbers.of_station(station, transaction_id)
    if same := numbers.same_charge(found, started_at=started_at, meter_start_wh=meter_start_wh):
        difference_refuse(session=same, reported=reported)
        return same, False
    session = session_open(
        station=station,
        connector=connector,
        id_token=id_token,
        transaction_id=transaction_id,
        started_at=started_at,
        meter_start_wh=meter_start_wh,
        flags=late_flags(started_at, offline=offline) + [plausibility.NUMBER_REUSED] * bool(found),
        source=source,
    )
    outlet_free(session, connector)
    return session, True


def session_open(**begun: Any) -> ChargingSession:
    """The row of a charge that begins (as session_new). The station is locked."""
    session = session_new(**begun)
    tariffs_promise([session])
    session.save(force_insert=True)
    sessions_opened.send(sender=ChargingSession, sessions=[session])
    return session


def session_new(
    *, station: Station, connector: Connector, id_token: IdToken | None, started_at: datetime, **reported: Any
) -> ChargingSession:
    """A charge that begins, with the place as it is then; its tariff: `tariffs_promise`; not stored here."""
    return ChargingSession(
        station=station,
        connector=connector,
        id_token=id_token,
        started_at=started_at,
        customer_id=id_token.customer_id if id_token else None,
        location=location_of(station.site),
        **reported,
    )


def tariffs_promise(sessions: Sequence[ChargingSession]) -> None:
    """Charges that begin get their tariffs as they are then (stations/agreements/agreed.py); not stored here."""
    promised = tariffs_for([(session.connector, session.id_token, session.started_at) for session in sessions])
    for session, tariff in zip(sessions, promised, strict=True):
        session.tariff = tariff.snapshot() if tariff else {}


def late_flags(started_at: datetime, *, offline: bool) -> list[str]:
    """What a start is flagged with that its station could not report at once."""
    late = offline or timezone.now() - started_at > plausibility.LATE_AFTER
    return [plausibility.START_REPORTED_LATE] * late


def outlet_free(session: ChargingSession, connector: Connector) -> None:
    """An EVSE charges one vehicle at a time (OCPP 2.0.1): what began there before, and is still open, is over.

    Not what was put there only because its station has not said where it is.
    """
    at_outlet = ChargingSession.objects.filter(station_id=session.station_id, connector__evse_id=connector.evse_id)
    older = at_outlet.filter(status=ChargingSession.Status.ACTIVE, started_at__lt=session.started_at)
    for other in older.order_by("started_at", "pk"):
        if plausibility.OUTLET_NOT_REPORTED in other.flags:
            continue
        session_end(session=other, flag=plausibility.ENDED_BY_NEXT_START, latest=session.started_at)


@transaction.atomic
def meter_values_add(*, session: ChargingSession, samples: Iterable[Sample]) -> int:
    """Store what is new of `samples`; returns how many that were. A sample that is already there is no error.

    Raises SessionConflictError for another value at the same time, measurand, phase and context, and
    SessionEndedError for new values after the stop; then nothing is stored.
    """
    wanted: dict[tuple[datetime, str, str, str], Sample] = {}
    session = session_locked(session)
    for sample in samples:
        sample_compare(wanted.setdefault(sample.key, sample), sample)
    stored = session.meter_values.filter(sampled_at__in={sample.sampled_at for sample in wanted.values()})
    for value in stored:
        key = (value.sampled_at, value.measurand, value.phase, value.context)
        if key in wanted:
            sample_compare(value, wanted.pop(key))
    if wanted and session.is_closed:
        raise SessionEndedError(f"expected meter values before the stop, session {session.transaction_id} has stopped")
    MeterValue.objects.bulk_create(
        MeterValue(
            session=session,
            sampled_at=sample.sampled_at,
            measurand=sample.measurand,
            value=sample.value,
            unit=sample.unit,
            phase=sample.phase,
            context=sample.context,
        )
        for sample in wanted.values()
    )
    if wanted:  # so far charged, in other systems' eyes
        ChargingSession.objects.filter(pk=session.pk).update(updated_at=timezone.now())
    return len(wanted)


@transaction.atomic
def session_close(
    *,
    session: ChargingSession,
    stopped_at: datetime,
    meter_stop_wh: int | None,
    stop_reason: str = "",
    flags: Sequence[str] = (),
) -> tuple[ChargingSession, bool]:
    """End a session; returns it and whether this call did it. The same message again changes nothing.

    The session becomes COMPLETED, with its cost under the tariff promised at the start, or INVALID where its figures
    cannot be true; that is never billed. A stop before its start means that the clock was set meanwhile: it is ended
    at its start, and flagged. The row and the signal
    `sessions_closed` are one database transaction: a receiver that raises leaves the session open.
    Raises SessionConflictError for another stop than the one before.
    """
    session = session_locked(session)
    clock_wrong = stopped_at <= session.started_at - plausibility.ROUNDING_TIME
    stopped_at = max(stopped_at, session.started_at)
    reported = {"stopped_at": stopped_at, "meter_stop_wh": meter_stop_wh, "stop_reason": stop_reason}
    if session.is_closed:
        difference_refuse(session=session, reported=reported)
        return session, False
    _close(session, reported, [*[plausibility.CLOCK_WRONG] * clock_wrong, *flags])
    return session, True


@transaction.atomic
def session_end(
    *,
    session: ChargingSession,
    flag: str,
    latest: datetime | None = None,
    stopped_at: datetime | None = None,
    meter_stop_wh: int | None = None,
    meter_start_wh: int | None = None,
    stop_reason: str = "",
) -> tuple[ChargingSession, bool]:
    """End a session whose station does not; `flag` says who did (plausibility.ENDED_WITHOUT_STATION).

    With the figures that are given, else those of its last reading; without any it is INVALID. `latest`: it ended
    then at the latest. `meter_start_wh`: where the station did not say it, and somebody knows. Nothing is done where
    it has ended. Raises TimesImpossibleError for an end before its start.
    """
    session = session_locked(session)
    if session.is_closed:
        return session, False
    last = readings_of(session).order_by("-sampled_at", "-pk").first()
    if meter_stop_wh is None and last is not None:
        meter_stop_wh = int(last.value)
    if stopped_at is None:
        stopped_at = max(last.sampled_at, session.started_at) if last else session.started_at
        stopped_at = min(stopped_at, latest or stopped_at)
    if stopped_at < session.started_at:
        begun = session.started_at.isoformat()
        raise TimesImpossibleError(f"expected an end at or after the start {begun}, got {stopped_at.isoformat()}")
    reported = {"stopped_at": stopped_at, "meter_stop_wh": meter_stop_wh, "stop_reason": stop_reason}
    if session.meter_start_wh is None and meter_start_wh is not None:
        reported["meter_start_wh"] = meter_start_wh
    _close(session, reported, [flag])
    return session, True


def _close(session: ChargingSession, reported: dict[str, Any], flags: list[str]) -> None:
    """Store the end of a session that is locked and open."""
    sessions_store_end([Ending(session, reported, flags)])


@dataclass(frozen=True)
class Ending:
    """An open session, locked, with what was `reported` of its end, by column, and what it is flagged with."""

    session: ChargingSession
    reported: Mapping[str, Any]
    flags: Sequence[str] = ()


# The end that is reported is no word of the station's.
ENDED_OTHERWISE = {*plausibility.ENDED_WITHOUT_STATION, plausibility.END_FROM_READING}
DECIDED = (
    *("status", "energy_wh", "flags", "cost_minor", "currency", "cost_lines", "meter_values_sha256", "statement_month"),
    *closing.COLUMNS,
)


def sessions_store_end(endings: Sequence[Ending]) -> None:
    """Store their ends, judged and with their cost, and tell of them.

    Raises SessionClosedError where one has ended meanwhile, which cannot be while it is locked.
    """
    sessions = [ending.session for ending in endings]
    values, proofs = _values_of(sessions), closing.proofs_of(sessions)
    for ending in endings:
        session, proof = ending.session, proofs[ending.session.pk]
        for name, value in ending.reported.items():
            setattr(session, name, value)
        session.flags = list(dict.fromkeys([*session.flags, *ending.flags]))
        closing.proof_fill(session, proof, ended_otherwise=not ENDED_OTHERWISE.isdisjoint(session.flags))
        verdict_apply(session=session, values=values[session.pk])
        closing.proof_apply(session, proof)
        cost_apply(session=session, values=values[session.pk])
        session.meter_values_sha256 = lines_sha256(meter_value_line(*value[1:]) for value in values[session.pk])
    months_decide(sessions)
    _store(endings)
    closing.texts_drop(proofs)
    sessions_closed.send(sender=ChargingSession, sessions=sessions)


def _store(endings: Sequence[Ending]) -> None:
    sessions, now = [ending.session for ending in endings], timezone.now()
    for session in sessions:
        session.updated_at = now
    names = dict.fromkeys([*(name for ending in endings for name in ending.reported), *DECIDED, "updated_at"])
    written = {name: [getattr(session, name) for session in sessions] for name in names}
    keys = [session.pk for session in sessions]
    still_open = {"status": ChargingSession.Status.ACTIVE.value}
    if columns_update(ChargingSession, keys, written, where=still_open) != len(endings):
        words = ", ".join(map(str, keys))
        raise SessionClosedError(f"one of the sessions {words} is closed; correct it by a session that credits it")


# pk, sampled_at, measurand, value, unit, phase, context
Value = tuple[int, datetime, str, Decimal, str, str, str]


def _values_of(sessions: Sequence[ChargingSession]) -> dict[UUID, list[Value]]:
    """The meter values of these, in the order in which they came."""
    found: dict[UUID, list[Value]] = {session.pk: [] for session in sessions}
    rows = MeterValue.objects.filter(session__in=list(found)).order_by("pk")
    names = ("session_id", "pk", "sampled_at", "measurand", "value", "unit", "phase", "context")
    for session_pk, *value in rows.values_list(*names):
        found[session_pk].append(cast(Value, tuple(value)))
    return found


def readings_of(session: ChargingSession) -> QuerySet[MeterValue]:
    """What its energy register said, all phases together."""
    return session.meter_values.filter(measurand=ENERGY_REGISTER, unit="Wh", phase="")


def verdict_apply(*, session: ChargingSession, values: Sequence[Value]) -> None:
    """Set status, energy and flags of a session that has ended from its meter values (not saved here)."""
    assert session.stopped_at is not None
    standing = [flag for flag in session.flags if flag in plausibility.STANDING]
    late = plausibility.START_REPORTED_LATE in session.flags
    if session.meter_start_wh is None or session.meter_stop_wh is None:
        session.status, session.energy_wh = ChargingSession.Status.INVALID, None
        unknown = [plausibility.START_UNKNOWN] * (session.meter_start_wh is None)
        unknown += [plausibility.END_UNKNOWN] * (session.meter_stop_wh is None)
        session.flags = [*unknown, *[plausibility.START_REPORTED_LATE] * late, *standing]
        return
    readings = [
        (sampled_at, pk, value)
        for pk, sampled_at, measurand, value, unit, phase, _ in values
        if (measurand, unit, phase) == (ENERGY_REGISTER, "Wh", "")
    ]
    verdict = plausibility.judge(
        plausibility.Charge(
            started_at=session.started_at,
            stopped_at=session.stopped_at,
            energy_wh=session.meter_stop_wh - session.meter_start_wh,
            meter_start_wh=session.meter_start_wh,
            meter_stop_wh=session.meter_stop_wh,
            samples_wh=[int(value) for *_, value in sorted(readings)],
            arrivals_wh=[int(value) for *_, value in readings],
            start_reported_late=late,
            max_power_w=session.connector.max_power_w,
            longest=_longest(session) if plausibility.CLOCK_WRONG in standing else None,
        )
    )
    session.status = ChargingSession.Status.COMPLETED if verdict.billable else ChargingSession.Status.INVALID
    session.energy_wh = verdict.energy_wh
    session.flags = verdict.flags + standing


def _longest(session: ChargingSession) -> timedelta:
    """How long it can have lasted, by our own clock: since we heard of it."""
    return timezone.now() - session.heard_at if session.heard_at else plausibility.LONG_AFTER


def cost_apply(*, session: ChargingSession, values: Sequence[Value]) -> None:
    """Set cost, its lines and its currency of a session that was judged (not saved here); unknown without a tariff."""
    if session.status == ChargingSession.Status.COMPLETED and session.tariff:
        assert session.energy_wh is not None
        cost = cost_of_charge(session, (value[1:6] for value in values), energy_wh=session.energy_wh)
        assert cost is not None
        session.cost_minor, session.currency, session.cost_lines = cost.minor, cost.currency, cost.lines


def difference_refuse(*, session: ChargingSession, reported: Mapping[str, Any]) -> None:
    """Raise SessionConflictError naming what differs from the stored session."""
    told = {"meter_start_wh": session.told_start_wh, "meter_stop_wh": session.told_stop_wh}
    stored = {name: told.get(name, getattr(session, name)) for name in reported}
    differences = [
        f"{name.removesuffix('_id')}: stored {stored[name]}, got {value}"
        for name, value in reported.items()
        if stored[name] != value
    ]
    if differences:
        raise SessionConflictError(
            f"transaction {session.transaction_id} was reported before with other content: {'; '.join(differences)}"
        )


def sample_compare(stored: MeterValue | Sample, sample: Sample) -> None:
    """Raises SessionConflictError where the same sample was reported before with another value or unit."""
    if (stored.value, stored.unit) != (sample.value, sample.unit):
        raise SessionConflictError(
            f"{sample.measurand} at {sample.sampled_at.isoformat()} was reported before with another value:"
            f" stored {stored.value.normalize():f} {stored.unit}, got {sample.value.normalize():f} {sample.unit}"
        )


def connector_get(*, station: Station, evse_id: int, connector_id: int) -> Connector:
    """The outlet by its OCPP 2.0.1 numbers; raises ConnectorUnknownError."""
    connectors = Connector.objects.select_related("tariff", "station__site__tariff")
    connector = connectors.filter(station=station, evse_id=evse_id, connector_id=connector_id).first()
    if connector is None:
        raise ConnectorUnknownError(f"station {station.identity} has no EVSE {evse_id} with connector {connector_id}")
    return connector


def location_of(site: Site) -> dict[str, str]:
    """The place as a session keeps it (the site's part of OCPI CdrLocation); address and coordinates if known."""
    known = {"id": site.code, "name": site.name, "country": site.country, "time_zone": site.time_zone}
    address = {"address": site.address, "city": site.city, "postal_code": site.postal_code}
    if site.latitude is not None and site.longitude is not None:
        address |= {"latitude": f"{site.latitude:.6f}", "longitude": f"{site.longitude:.6f}"}
    return known | {name: value for name, value in address.items() if value}
