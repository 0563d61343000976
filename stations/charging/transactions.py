"""What a station tells of its transactions over OCPP 2.x (TransactionEvent), in whatever order it comes.

A transaction has the station's own number. It may begin with the cable, and the card come later; without an outlet,
while a station with several does not know which will be used; and its start may come late or never. So each message
opens the session if need be, adds what was not known yet, and takes nothing back. What comes when the session has
ended corrects it, or is set aside for an operator (stations/charging/transactions_late.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from stations.agreements.agreed import tariff_for
from stations.cards.authorization import Authorization, authorization_of, token_find, token_shown
from stations.cards.services import TokenRef
from stations.charging import numbers, plausibility
from stations.charging.asides import Aside, set_aside
from stations.charging.clocks import Said, is_plausible, offset_of
from stations.charging.ending import session_stop
from stations.charging.locks import session_locked, station_locked
from stations.charging.reported_values import Values, charge_values_many, clock_offset
from stations.charging.sessions import late_flags, outlet_free, readings_of, session_open
from stations.charging.transactions_late import Late, late_take
from stations.charging.vocabulary import ENERGY_REGISTER, Sample
from stations.errors import ConnectorUnknownError, SessionConflictError
from stations.identifiers import letters
from stations.metering.received import SignedText
from stations.models import ChargingSession, Connector, IdToken, SetAside, Station
from stations.places.outlets import outlet_get
from stations.signals import sessions_opened
from stations.tariffs.charged import states_with
from stations.tariffs.engine import has_elements

BEGIN = "Transaction.Begin"
PHASES_ALONE = ("L1", "L2", "L3", "L1-N", "L2-N", "L3-N")


class Kind(StrEnum):
    """OCPP 2.x TransactionEventEnumType."""

    STARTED = "Started"
    UPDATED = "Updated"
    ENDED = "Ended"


@dataclass(frozen=True)
class Told:
    """One message; times by the station's own clock.

    `begin_wh`: the meter before any energy had flowed. `first_wh`: the same, if nothing was read before. `end_wh`: the
    meter at the end. `stops`: the token is that of who ends the charge. `evse_id`, `connector_id`: 0 where not told.
    `message`: as it came, for what is set aside.
    """

    kind: Kind
    transaction_id: str
    said: Said
    received_at: datetime
    message: Any = None
    offline: bool = False
    token: TokenRef | None = None
    stops: bool = False
    evse_id: int = 0
    connector_id: int = 0
    begin_wh: int | None = None
    first_wh: int | None = None
    end_wh: int | None = None
    stop_reason: str = ""
    samples: Sequence[Sample] = ()
    asides: Sequence[Aside] = ()
    signed: Sequence[SignedText] = ()
    number: int | None = None  # its place among the messages of the transaction (seqNo)
    charging: bool | None = None  # whether it charges from then on; None where that is not said


@dataclass(frozen=True)
class Heard:
    """`authorization`: of the token that the message names, None where it names none."""

    session: ChargingSession
    authorization: Authorization | None


def transaction_told(*, station: Station, told: Told) -> Heard:
    """Take one message; returns its session as it is now. Call it inside a transaction."""
    station = station_locked(station)
    id_token = _token(told)
    allowed = authorization_of(station, id_token, starting=not told.stops) if told.token else None
    session = _meant(numbers.of_station(station, told.transaction_id), told)
    if session is None:
        session = _open(station, told, id_token, allowed)
    elif not session.is_closed:
        session = _complete(session, told, id_token, allowed)
    _state_keep(session, told)
    waits = told.kind is Kind.ENDED and numbers.is_ended_without_station(session)
    if told.samples or told.asides or (told.signed and not waits):
        charge_values_many([told_values(station, replace(told, signed=()) if waits else told)])
    if told.kind is Kind.ENDED:
        session = _end(session, told, station)
    if session.is_closed:
        _late(session, told, id_token, station)
    return Heard(session, allowed)


def told_values(station: Station, told: Told) -> Values:
    """Its meter values. They are of no other charge at that outlet, so the outlet is not named."""
    taken = told.samples, told.received_at, told.message, told.asides, told.signed
    return Values(station, 0, told.transaction_id, *taken)


def charges_known(numbered: Collection[tuple[int, str]]) -> dict[tuple[int, str], ChargingSession]:
    """The newest charges of these stations (their keys) with these numbers, which may be written in any letters.

    Found by station and letters(number).
    """
    wanted = {letters(number) for _, number in numbered}
    rows = ChargingSession.objects.filter(station__in={station for station, _ in numbered}, number__in=wanted)
    return {(one.station_id, one.number): one for one in rows.order_by("started_at", "pk")}


def _state_keep(session: ChargingSession, told: Told) -> None:
    """Keep whether it charges, of a charge that goes on and whose price asks for it. The session is locked."""
    if told.charging is None or session.is_closed or not has_elements(session.tariff):
        return
    moved = session.started_at - session.started_said if session.started_said else timedelta(0)
    session.charging_states = states_with(session, told.said.at + moved, told.charging)
    ChargingSession.objects.filter(pk=session.pk).update(charging_states=session.charging_states)


def is_missing(session: ChargingSession, told: Told) -> bool:
    """Whether the message may say of its charge what is not known yet, or comes when it has ended."""
    start = session.meter_start_wh is None and (told.begin_wh is not None or told.first_wh is not None)
    outlet = plausibility.OUTLET_NOT_REPORTED in session.flags and told.evse_id > 0
    return session.is_closed or start or outlet or told.said.at < session.started_at


def _token(told: Told) -> IdToken | None:
    """Locked. Who only stops a charge need not be known afterwards."""
    if told.token is None:
        return None
    return token_find(told.token) if told.stops else token_shown(told.token)


# --- Which session


def _meant(found: Sequence[ChargingSession], told: Told) -> ChargingSession | None:
    """The session that the message is about; None where it opens one."""
    if not found:
        return None
    if told.kind is not Kind.STARTED:
        return numbers.meant(found, told.said.at if is_plausible(told.said.at, told.received_at) else None)
    readings = told.said.readings
    same = next((one for one in found if one.started_said in readings or one.started_at in readings), None)
    return same or (None if _is_new(found[0], told) else found[0])


def _is_new(last: ChargingSession, told: Told) -> bool:
    """Whether a start with a number that was used is a charge of its own: one that begins after the old one's end.

    While the old one is open, with the meter above all that was read of it; and never where only its start was missing.
    """
    if plausibility.START_NOT_REPORTED in last.flags and told.said.at <= last.started_at:
        return False
    if told.said.unknown or not is_plausible(told.said.at, told.received_at):
        return last.is_closed and told.begin_wh is not None and told.begin_wh != last.told_start_wh
    if last.stopped_at is not None:
        return told.said.at >= last.stopped_at
    return numbers.is_new_charge(last, started_at=told.said.at, meter_start_wh=told.begin_wh)


def _open(station: Station, told: Told, id_token: IdToken | None, allowed: Authorization | None) -> ChargingSession:
    connector, guessed = _outlet(station, told)
    begun = told.kind is Kind.STARTED
    said_at = told.said.at if begun else min([told.said.at, *(one.sampled_at for one in told.samples)])
    connected_at = station.connected_at if begun and not told.offline else None
    right = not told.said.unknown and is_plausible(said_at, told.received_at, connected_at)
    started_at = said_at if right else said_at + offset_of(told.said.at, told.received_at)
    mine = None if told.stops and not _is_payer(told, id_token) else id_token
    session = session_open(
        station=station,
        connector=connector,
        id_token=mine,
        transaction_id=told.transaction_id,
        started_at=started_at,
        started_said=None if right or told.said.unknown else said_at,
        meter_start_wh=told.begin_wh,
        source=ChargingSession.Source.OCPP.value,
        flags=[
            *late_flags(started_at, offline=told.offline),
            *[plausibility.START_NOT_REPORTED] * (not begun),
            *[plausibility.OUTLET_NOT_REPORTED] * guessed,
            *[plausibility.CLOCK_WRONG] * (not right),
            *[plausibility.ZONE_ASSUMED] * told.said.zone_assumed,
            *[plausibility.AMBIGUOUS_TIME] * (told.said.also is not None),
            *[plausibility.NUMBER_REUSED] * bool(numbers.of_station(station, told.transaction_id)),
            *[plausibility.NOT_AUTHORIZED] * (mine is not None and _is_refused(allowed)),
        ],
    )
    if not guessed:
        outlet_free(session, connector)
    return session


def _is_payer(told: Told, id_token: IdToken | None) -> bool:
    """Whether who ends a charge is who began it: where others may end it, too, nobody can tell."""
    return id_token is not None and not id_token.group and told.stop_reason != "MasterPass"


def _is_refused(allowed: Authorization | None) -> bool:
    return allowed is not None and not allowed.is_accepted


def _outlet(station: Station, told: Told) -> tuple[Connector, bool]:
    """The outlet, and whether it is only guessed: a station with several has not said which."""
    known = list(Connector.objects.filter(station=station).order_by("evse_id", "connector_id"))
    if told.evse_id > 0:
        own = [one.connector_id for one in known if one.evse_id == told.evse_id]
        try:
            return outlet_get(station, told.evse_id, told.connector_id or next(iter(own), 1)), False
        except ConnectorUnknownError:  # it has invented too many; the energy has flowed all the same
            pass
    if not known:
        return outlet_get(station, 1, 1), told.evse_id <= 0
    open_now = ChargingSession.objects.filter(station=station, status=ChargingSession.Status.ACTIVE)
    taken = set(open_now.values_list("connector__evse_id", flat=True))
    free = [one for one in known if one.evse_id not in taken] or known
    is_only = len({one.evse_id for one in known}) == 1
    return outlet_get(station, free[0].evse_id, free[0].connector_id), not is_only


# --- What was not known yet


def _complete(
    session: ChargingSession, told: Told, id_token: IdToken | None, allowed: Authorization | None
) -> ChargingSession:
    """Add to an open session what this message knows more."""
    session = session_locked(session)
    flags, changed = list(session.flags), dict[str, Any]()
    if told.kind is Kind.STARTED and plausibility.START_NOT_REPORTED in flags:
        flags.remove(plausibility.START_NOT_REPORTED)
        changed |= _start(session, told)
        flags += [flag for flag in late_flags(told.said.at, offline=told.offline) if flag not in flags]
    begin_wh = told.begin_wh if told.begin_wh is not None else _first(session, told)
    if session.meter_start_wh is None and begin_wh is not None:
        changed["meter_start_wh"] = begin_wh
    if session.id_token_id is None and id_token and (not told.stops or _is_payer(told, id_token)):
        changed |= {"id_token_id": id_token.pk, "customer_id": id_token.customer_id}
        flags += [plausibility.NOT_AUTHORIZED] * _is_refused(allowed)
    moved = None
    if plausibility.OUTLET_NOT_REPORTED in flags and told.evse_id > 0:
        moved, guessed = _outlet(session.station, told)
        flags = [flag for flag in flags if flag != plausibility.OUTLET_NOT_REPORTED or guessed]
        changed["connector_id"] = moved.pk
    if changed.keys() & {"connector_id", "started_at", "id_token_id"}:
        connector = moved or outlet_get(session.station, session.connector.evse_id, session.connector.connector_id)
        card = id_token if "id_token_id" in changed else session.id_token
        tariff = tariff_for(connector, card, changed.get("started_at", session.started_at))
        changed["tariff"] = tariff.snapshot() if tariff else {}
    if flags != session.flags:
        changed["flags"] = flags
    if not changed:
        return session
    ChargingSession.objects.filter(pk=session.pk).update(**changed)
    session = session_locked(session)
    if moved:
        outlet_free(session, moved)
        sessions_opened.send(sender=ChargingSession, sessions=[session])  # there, as far as others care
    return session


def _start(session: ChargingSession, told: Told) -> dict[str, Any]:
    """When it really began, by the clock that its other times are told by."""
    moved = session.started_at - session.started_said if session.started_said else timedelta(0)
    at = told.said.at + moved
    if at >= session.started_at:
        return {}
    return {"started_at": at} | ({"started_said": told.said.at} if session.started_said else {})


def _first(session: ChargingSession, told: Told) -> int | None:
    """The first reading, where its start was told and nothing was read before: then no energy had flowed."""
    if told.first_wh is None or plausibility.START_NOT_REPORTED in session.flags:
        return None
    read = session.meter_values.filter(measurand=ENERGY_REGISTER).exists()
    return None if read else told.first_wh


# --- The end


def _end(session: ChargingSession, told: Told, station: Station) -> ChargingSession:
    """Close it with what the message says of the end, else with the last reading."""
    session = session_locked(session)
    # Of an hour that repeats, that half is meant in which the charge had begun.
    at = next((at for at in told.said.readings if at >= session.started_at), told.said.at)
    if not session.is_closed:
        at += clock_offset(session, at, told.received_at, None if told.offline else station.connected_at)
        _begin_from_reading(session)
    elif session.started_said:
        at += session.started_at - session.started_said
    waits = numbers.is_ended_without_station(session)
    end_wh = told.end_wh if told.end_wh is not None else last_wh(session)
    flags = [plausibility.END_FROM_READING] * (told.end_wh is None and end_wh is not None)
    flags += [plausibility.CLOCK_WRONG] * told.said.unknown
    if not session.is_closed and numbers.messages_missing(session, told.number):
        flags.append(plausibility.MESSAGES_MISSING)
    if _is_told_again(session, at, end_wh):
        return session
    stop = {"stopped_at": at, "meter_stop_wh": end_wh, "stop_reason": told.stop_reason, "flags": flags}
    try:
        session_stop(session=session, said=told.message, signed=told.signed if waits else (), **stop)
    except SessionConflictError as error:
        aside = Aside(f"{session.transaction_id} stop", str(error), told.message)
        set_aside(station=station, kind=SetAside.Kind.LATE, asides=[aside])
    return session_locked(session)


def _begin_from_reading(session: ChargingSession) -> None:
    """What was told as the value at the start, in whatever message."""
    if session.meter_start_wh is None:
        value = readings_of(session).filter(context=BEGIN).order_by("sampled_at").values_list("value", flat=True)
        if (begun := value.first()) is not None:
            ChargingSession.objects.filter(pk=session.pk).update(meter_start_wh=int(begun))


def last_wh(session: ChargingSession) -> int | None:
    """The last reading of its register; the sum of the phases where no total was told."""
    total = readings_of(session).order_by("sampled_at", "pk").last()
    if total is not None:
        return int(total.value)
    alone = session.meter_values.filter(measurand=ENERGY_REGISTER, unit="Wh", phase__in=PHASES_ALONE)
    last = alone.order_by("sampled_at").last()
    if last is None:
        return None
    return sum(int(one.value) for one in alone.filter(sampled_at=last.sampled_at, context=last.context))


def _is_told_again(session: ChargingSession, at: datetime, end_wh: int | None) -> bool:
    """With a clock that is wrong, the same end told again seems to be of another time."""
    if not session.is_closed or numbers.is_ended_without_station(session):
        return False
    if session.told_stop_wh != end_wh and not (end_wh is None and session.signed_verdict):
        return False
    return session.stopped_at == max(at, session.started_at) or plausibility.CLOCK_WRONG in session.flags


def _late(session: ChargingSession, told: Told, id_token: IdToken | None, station: Station) -> None:
    """What a message says of a session that has ended, and that was not known when it did."""
    began_at = told.said.at if told.kind is Kind.STARTED else None
    if began_at is not None and session.started_said:
        began_at += session.started_at - session.started_said
    mine = None if told.stops and not _is_payer(told, id_token) else id_token
    late_take(session, Late(told.begin_wh, began_at, mine), message=told.message)
