"""Charges of many stations that begin or end plainly, at once: in a number of queries that hardly grows with them.

Plain is what nearly all messages are: a free outlet, a clock that is right, a charge that is
open. For everything else there is None, nothing of it was stored, and it is looked at alone (reported.py), which
stores the same for what is plain (tests/gateway/ocpp/test_together.py).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import F, Q
from django.db.models.functions import Greatest

from common.database.inserting import rows_insert
from stations.cards.authorization import Authorization, authorization_of, best_of, tokens_find, tokens_shown
from stations.cards.services import TokenRef
from stations.charging.clocks import Said, is_plausible, offset_in_charge, start_flags
from stations.charging.numbers import FROM, Begun
from stations.charging.plausibility import meter_bounded
from stations.charging.sessions import Ending, late_flags, session_new, sessions_store_end, tariffs_promise
from stations.identifiers import letters
from stations.models import ChargingSession, Connector, IdToken, Station
from stations.signals import sessions_opened

ACTIVE, OCPP = ChargingSession.Status.ACTIVE, ChargingSession.Source.OCPP.value


@dataclass(frozen=True)
class Start:
    """As charge_start has it, of OCPP 1.6: we give the number, and the outlet is an EVSE with connector 1."""

    station: Station
    evse_id: int
    token: TokenRef
    said: Said
    meter_start_wh: int
    received_at: datetime


@dataclass(frozen=True)
class Stop:
    """As charge_stop has it, with nothing told of the charge besides."""

    station: Station
    number: str
    token: TokenRef | None
    said: Said
    meter_stop_wh: int
    stop_reason: str
    received_at: datetime


@dataclass(frozen=True)
class Ended:
    """`authorization`: of the card with which it was ended, where one was shown."""

    session: ChargingSession
    authorization: Authorization | None


def charges_start(starts: Sequence[Start]) -> list[Begun | None]:
    """Charges have begun. Call it inside a transaction."""
    stations = _stations_locked(starts)
    outlets = _outlets(stations)
    tokens = tokens_shown([start.token for start in starts if start.token.uid])
    busy, told = _open_and_told(stations, starts)
    places: dict[int, ChargingSession] = {}
    allowed: dict[int, Authorization] = {}
    for place, start in _first_of_each(starts):
        station = stations[start.station.pk]
        connector = outlets.get((station.pk, start.evse_id))
        token = best_of(tokens.get(start.token, ()))
        if connector is None or token is None or token.single or not _is_plain(start, station):
            continue
        if (station.pk, start.evse_id) in busy or station.pk in told:
            continue
        allowed[place] = authorization_of(station, token, starting=True)
        places[place] = _begun(start, station, connector, token, allowed[place])
    tariffs_promise(list(places.values()))
    rows_insert(list(places.values()))
    if places:
        sessions_opened.send(sender=ChargingSession, sessions=list(places.values()))
    return [Begun(places[at], True, allowed[at]) if at in places else None for at in range(len(starts))]


def _begun(
    start: Start, station: Station, connector: Connector, token: IdToken, allowed: Authorization
) -> ChargingSession:
    reused = {"right": True, "reused": False, "accepted": allowed.is_accepted}
    return session_new(
        station=station,
        connector=connector,
        id_token=token,
        transaction_id=str(station.last_transaction),
        started_at=start.said.at,
        started_said=None,
        meter_start_wh=meter_bounded(start.meter_start_wh),
        source=OCPP,
        heard_at=start.received_at,
        flags=late_flags(start.said.at, offline=False) + start_flags(start.said, **reused),
    )


def _open_and_told(stations: Mapping[int, Station], starts: Sequence[Start]) -> tuple[set[tuple[int, int]], set[int]]:
    """Outlets where a charge is open, and stations that told of one at one of these moments before."""
    moments = {start.said.at for start in starts}
    rows = ChargingSession.objects.filter(station__in=stations).order_by()
    again = Q(started_at__in=moments) | Q(started_said__in=moments)
    found = rows.filter(again | Q(status=ACTIVE)).values_list(
        "station_id", "connector__evse_id", "status", "started_at", "started_said"
    )
    busy, told = set(), set()
    for station_pk, evse_id, status, started_at, started_said in found:
        if status == ACTIVE:
            busy.add((station_pk, evse_id))
        if started_at in moments or started_said in moments:
            told.add(station_pk)
    return busy, told


def charges_stop(stops: Sequence[Stop]) -> list[Ended | None]:
    """Charges have ended. Call it inside a transaction."""
    stations = _stations_locked(stops)
    open_now = _numbered_locked(stops)
    shown = [stop.token for stop in stops if stop.token is not None]
    tokens = tokens_find(shown)
    ended: dict[int, Ended] = {}
    endings = []
    for place, stop in _first_of_each(stops):
        station = stations[stop.station.pk]
        same = open_now[station.pk, letters(stop.number)]
        if len(same) != 1 or not _ends_plainly(same[0], stop, station):
            continue
        same[0].station = station  # with its site: its record names both
        reported = {"stopped_at": stop.said.at, "meter_stop_wh": meter_bounded(stop.meter_stop_wh)}
        endings.append(Ending(same[0], reported | {"stop_reason": stop.stop_reason}))
        token = best_of(tokens[stop.token]) if stop.token else None
        ended[place] = Ended(same[0], authorization_of(station, token) if stop.token else None)
    if endings:
        sessions_store_end(endings)
    return [ended.get(place) for place in range(len(stops))]


def _ends_plainly(session: ChargingSession, stop: Stop, station: Station) -> bool:
    if session.status != ACTIVE or session.source != OCPP or session.started_said is not None:
        return False
    if not _is_plain(stop, station) or stop.said.at < session.started_at:
        return False
    times = {"received_at": stop.received_at, "started_at": session.started_at}
    offset = offset_in_charge(stop.said.at, **times, known=None, connected_at=station.connected_at)
    return offset == timedelta(0)


def _numbered_locked(stops: Sequence[Stop]) -> Mapping[tuple[int, str], list[ChargingSession]]:
    """The charges of these numbers, locked in the order of their keys, as everybody who locks several."""
    which = {"station__in": {stop.station.pk for stop in stops}, "number__in": {letters(stop.number) for stop in stops}}
    rows = ChargingSession.objects.select_related("connector", "id_token").filter(**which).order_by("pk")
    found = defaultdict(list)
    for session in rows.select_for_update(of=("self",), no_key=True):
        found[session.station_id, session.number].append(session)
    return found


# --- For both

Told = TypeVar("Told", Start, Stop)


def _first_of_each(told: Sequence[Told]) -> Iterable[tuple[int, Told]]:
    """Of a station's messages the first, with its place; another of the same station may depend on it."""
    seen: set[int] = set()
    for place, one in enumerate(told):
        if one.station.pk not in seen:
            seen.add(one.station.pk)
            yield place, one


def _is_plain(told: Start | Stop, station: Station) -> bool:
    """Whether its clock says nothing that has to be thought about."""
    said = told.said
    if said.unknown or said.zone_assumed or said.also is not None:
        return False
    return is_plausible(said.at, told.received_at, station.connected_at)


def _stations_locked(told: Sequence[Start] | Sequence[Stop]) -> dict[int, Station]:
    """As they are now, in the order of their keys; where charges begin, each with the number that the next one gets."""
    which = {one.station.pk for one in told}
    rows = Station.objects.select_related("site__tariff").filter(pk__in=which).order_by("pk")
    found = {row.pk: row for row in rows.select_for_update(of=("self",), no_key=True)}
    if told and isinstance(told[0], Start):
        seconds = int((max(one.received_at for one in told) - FROM).total_seconds())
        Station.objects.filter(pk__in=which).update(last_transaction=Greatest(F("last_transaction") + 1, seconds))
        for row in found.values():
            row.last_transaction = max(row.last_transaction + 1, seconds)
    return found


def _outlets(stations: Mapping[int, Station]) -> dict[tuple[int, int], Connector]:
    rows = Connector.objects.select_related("tariff").filter(station__in=stations, connector_id=1)
    found = {}
    for row in rows:
        row.station = stations[row.station_id]
        found[row.station_id, row.evse_id] = row
    return found
