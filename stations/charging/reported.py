"""Charges as stations tell of them over OCPP: begun and ended. Nothing is refused: the energy has flowed.

Who may not charge is flagged, what cannot be true is INVALID with its reason, and what belongs to no charge is set
aside for an operator. A message that is told again, with whatever message id, changes nothing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from stations.cards.authorization import authorization_of, token_find, token_shown
from stations.cards.services import TokenRef
from stations.charging import numbers, plausibility
from stations.charging.asides import Aside, set_aside
from stations.charging.clocks import Said, is_plausible, offset_of, start_flags
from stations.charging.ending import session_stop
from stations.charging.locks import station_locked
from stations.charging.reported_values import Values, charge_values_many, clock_offset, flags_add
from stations.charging.sessions import late_flags, outlet_free, session_open
from stations.charging.vocabulary import Sample
from stations.errors import SessionConflictError
from stations.metering.received import SignedText
from stations.models import ChargingSession, Connector, IdToken, SetAside, Station
from stations.places.outlets import outlet_get

OCPP = ChargingSession.Source.OCPP.value


def charge_start(
    *,
    station: Station,
    evse_id: int,
    connector_id: int = 1,
    token: TokenRef | None,
    said: Said,
    meter_start_wh: int,
    received_at: datetime,
    transaction_id: str | None = None,
    offline: bool = False,
) -> numbers.Begun:
    """A charge has begun. Call it inside a transaction.

    `transaction_id`: the station's own number (2.x); None: we give one (1.6), and the same start again is known by its
    outlet, token, time and meter. Recorded whatever the authorization says. Raises ConnectorUnknownError.
    """
    station = station_locked(station)
    connector = outlet_get(station, evse_id, connector_id)
    id_token = token_shown(token) if token else None
    allowed = authorization_of(station, id_token, starting=True)
    meter_start_wh = plausibility.meter_bounded(meter_start_wh)
    found = numbers.of_station(station, transaction_id) if transaction_id else []
    if same := _same_start(connector, id_token, said, meter_start_wh, found if transaction_id else None):
        return numbers.Begun(same, False, allowed)
    right = not said.unknown and is_plausible(said.at, received_at, station.connected_at)
    started_at = said.at if right else said.at + offset_of(said.at, received_at)
    session = session_open(
        station=station,
        connector=connector,
        id_token=id_token,
        transaction_id=transaction_id or _number_next(station, received_at),
        started_at=started_at,
        started_said=None if right or said.unknown else said.at,
        meter_start_wh=meter_start_wh,
        source=OCPP,
        heard_at=received_at,
        flags=late_flags(started_at, offline=offline)
        + start_flags(said, right=right, reused=bool(found), accepted=allowed.is_accepted),
    )
    outlet_free(session, connector)
    return numbers.Begun(session, True, allowed)


def _same_start(
    connector: Connector,
    id_token: IdToken | None,
    said: Said,
    meter_start_wh: int,
    found: Sequence[ChargingSession] | None,
) -> ChargingSession | None:
    """The charge that this start tells of again; `found`: those of its number, where the station gives numbers."""
    if found is not None:
        told = next((one for one in found if one.started_said in said.readings), None)
        return told or numbers.same_charge(found, started_at=said.at, meter_start_wh=meter_start_wh)
    rows = ChargingSession.objects.filter(connector=connector, id_token=id_token, source=OCPP)
    at = Q(started_at__in=said.readings) | Q(started_said__in=said.readings)
    if said.unknown:  # while it is open, the same card at the same meter is the same charge
        at = Q(status=ChargingSession.Status.ACTIVE)
    meter = Q(meter_start_wh=meter_start_wh) | Q(meter_start_told_wh=meter_start_wh)
    same = rows.filter(at, meter)
    return next((one for one in same if one.transaction_id.isdecimal()), None)  # the others are of OCPP 2.x


def _number_next(station: Station, received_at: datetime) -> str:
    """OCPP 1.6: never one that was given before, also not by a database that was put back from an older backup."""
    seconds = int((received_at - numbers.FROM).total_seconds())
    number = max(station.last_transaction + 1, seconds)
    Station.objects.filter(pk=station.pk).update(last_transaction=number)
    return str(number)


# --- The end


def charge_stop(
    *,
    station: Station,
    number: str,
    token: TokenRef | None,
    said: Said,
    meter_stop_wh: int,
    stop_reason: str,
    received_at: datetime,
    message: Any,
    samples: Sequence[Sample] = (),
    asides: Sequence[Aside] = (),
    evse_id: int = 0,
    signed: Sequence[SignedText] = (),
) -> ChargingSession | None:
    """A charge has ended; returns it, None where nobody knows which. Call it inside a transaction.

    `number`: of the transaction; one that is not known is matched to the one open charge that it can mean. `samples`,
    `signed`: what the message tells of the charge besides. `message`: as it came, for an operator where it cannot be
    taken.
    """
    station = station_locked(station)
    meter_stop_wh = plausibility.meter_bounded(meter_stop_wh)
    session = _meant(station, number, token, said, meter_stop_wh, received_at)
    if session is None:
        reason = "no open charge is the only one that it can mean: neither its number, nor its card and meter"
        set_aside(station=station, kind=SetAside.Kind.LATE, asides=[Aside(f"stop {number}", reason, message)])
        return None
    waits = numbers.is_ended_without_station(session)  # then the signed values are part of what corrects it
    if samples or asides or (signed and not waits):
        told = samples, received_at, message, asides, () if waits else signed
        charge_values_many([Values(station, evse_id, session.transaction_id, *told)])
    at = _ended_at(session, said, received_at, station)
    if _is_told_again(session, at, meter_stop_wh):
        return session
    stop = {"stopped_at": at, "meter_stop_wh": meter_stop_wh, "stop_reason": stop_reason}
    try:
        return session_stop(session=session, said=message, signed=signed if waits else (), **stop)
    except SessionConflictError as error:
        aside = Aside(f"{session.transaction_id} stop", str(error), message)
        set_aside(station=station, kind=SetAside.Kind.LATE, asides=[aside])
        return session


def _ended_at(session: ChargingSession, said: Said, received_at: datetime, station: Station) -> datetime:
    """When it ended, by the clock that its start was told by, or a better one; what that says of it is kept."""
    wrong = [plausibility.ZONE_ASSUMED] * said.zone_assumed + [plausibility.CLOCK_WRONG] * said.unknown
    flags_add(session, wrong)
    # Of an hour that repeats, that half is meant in which the charge had begun.
    at = min(said.readings, key=lambda at: (at < session.started_at, at != said.at))
    return at + clock_offset(session, at, received_at, station.connected_at)


def _is_told_again(session: ChargingSession, at: datetime, meter_stop_wh: int) -> bool:
    """With a clock that is wrong, the same stop told again seems to be of another time."""
    if not session.is_closed or session.told_stop_wh != meter_stop_wh or numbers.is_ended_without_station(session):
        return False
    return session.stopped_at == max(at, session.started_at) or plausibility.CLOCK_WRONG in session.flags


def _meant(
    station: Station,
    number: str,
    token: TokenRef | None,
    said: Said,
    meter_stop_wh: int,
    received_at: datetime,
) -> ChargingSession | None:
    """The charge of this number; else the one open charge that can have ended so.

    Stations that lost the answer to a start say 0, -1 or a number of their own.
    """
    if found := numbers.of_station(station, number):
        return numbers.meant(found, said.at if is_plausible(said.at, received_at) else None)
    rows = ChargingSession.objects.filter(station=station, source=OCPP).select_related("connector", "id_token")
    meter = Q(meter_stop_wh=meter_stop_wh) | Q(meter_stop_told_wh=meter_stop_wh)
    again = rows.closed().filter(meter, stopped_at__in=said.readings).first()
    if again is not None:
        return again
    began = Q(started_at__lte=received_at, meter_start_wh__lte=meter_stop_wh + plausibility.ROUNDING_WH)
    if is_plausible(said.at, received_at):
        began &= Q(started_at__lte=max(said.readings) + plausibility.CLOCK_TOLERANCE) | Q(started_said__isnull=False)
    open_now = rows.filter(began, status=ChargingSession.Status.ACTIVE)
    if token is not None:
        shown = token_find(token)
        same = Q(id_token=shown)
        if shown is not None and shown.group:
            same |= Q(id_token__group=shown.group)
        open_now = open_now.filter(same)
    candidates = list(open_now[:2])
    return candidates[0] if len(candidates) == 1 else None
