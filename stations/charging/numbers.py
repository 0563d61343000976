"""Which charge a station means by its number: numbers come again, as when firmware or a factory reset counts anew."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from stations.charging.plausibility import ENDED_WITHOUT_STATION, ROUNDING_WH
from stations.models import ChargingSession, OcppMessage, SetAside, Station

if TYPE_CHECKING:
    from stations.cards.authorization import Authorization

# OCPP 1.6: the numbers that we give are at least the seconds since then.
FROM = datetime(2024, 1, 1, tzinfo=UTC)
SAME_MAX = 20  # of one number; older ones are never meant


@dataclass(frozen=True)
class Begun:
    """`created`: whether this message was the first to tell of it."""

    session: ChargingSession
    created: bool
    authorization: "Authorization"


def of_station(station: Station, transaction_id: str) -> list[ChargingSession]:
    """The charges to which it gave this number, the newest first."""
    found = ChargingSession.objects.filter(station=station).numbered(transaction_id)
    return list(found.select_related("connector", "id_token").order_by("-started_at", "-pk")[:SAME_MAX])


def meant(found: Sequence[ChargingSession], at: datetime | None = None) -> ChargingSession:
    """The newest of these (at least one), but an older one for what happened while that one went on, told late."""
    newest = found[0]
    if at is None or at >= newest.started_at:
        return newest
    return next((older for older in found[1:] if older.started_at <= at and _may_be_told(older, at)), newest)


def _may_be_told(session: ChargingSession, at: datetime) -> bool:
    return session.stopped_at is None or at <= session.stopped_at or is_ended_without_station(session)


def is_ended_without_station(session: ChargingSession) -> bool:
    """Whether its station was not asked: what it says of the end may still come."""
    return session.is_closed and any(flag in session.flags for flag in ENDED_WITHOUT_STATION)


def same_charge(
    found: Sequence[ChargingSession], *, started_at: datetime, meter_start_wh: int | None
) -> ChargingSession | None:
    """The charge that a start is a message of: that of its moment, or the newest where nobody can tell; None if new."""
    if same := next((session for session in found if session.started_at == started_at), None):
        return same
    if not found or is_new_charge(found[0], started_at=started_at, meter_start_wh=meter_start_wh):
        return None
    return found[0]


def is_new_charge(last: ChargingSession, *, started_at: datetime, meter_start_wh: int | None) -> bool:
    """Whether a start with a number that was used is a charge of its own, and no message of the old one.

    It begins after the old one ended, at the meter of its end or above. While the old one is open: later, and above
    all that was read of it. Otherwise nobody can tell (a clock that was set, a new meter), until an operator settles
    what was set aside. Where the station does not say what its meter showed, the times alone decide.
    """
    if meter_start_wh is None:
        decided = last.stopped_at is not None and started_at >= last.stopped_at
    elif last.stopped_at is not None:
        known = last.told_start_wh if last.told_stop_wh is None else last.told_stop_wh
        decided = started_at >= last.stopped_at and meter_start_wh >= (known or 0) - ROUNDING_WH
    else:
        readings = last.meter_values.filter(measurand="Energy.Active.Import.Register", phase="")
        known = max([int(value) for value in readings.values_list("value", flat=True)] + [last.meter_start_wh or 0])
        decided = started_at > last.started_at and meter_start_wh > known + ROUNDING_WH
    return decided or _settled(last, started_at)


def start_subject(transaction_id: str, started_at: datetime) -> str:
    """What a start that cannot be decided is counted by."""
    return f"{transaction_id} {started_at:%Y-%m-%dT%H:%M:%SZ}"


def _settled(last: ChargingSession, started_at: datetime) -> bool:
    """An operator has seen that it is a charge of its own; the station repeats it."""
    rows = SetAside.objects.filter(station_id=last.station_id, kind=SetAside.Kind.START, settled_at__isnull=False)
    return rows.filter(subject__iexact=start_subject(last.transaction_id, started_at)).exists()


# --- Numbers of messages


def messages_missing(session: ChargingSession, last: int | None) -> bool:
    """Whether numbers of its messages (2.x seqNo) are left out between the first heard and `last`, the one in hand.

    The message log has them. Stations count from 0, or go on from the transaction before; what is not kept any more
    is not missed.
    """
    if last is None:
        return False
    rows = OcppMessage.objects.filter(session=session, action="TransactionEvent", direction=OcppMessage.Direction.IN)
    heard = {_message_number(text) for text in rows.order_by("pk").values_list("text", flat=True)} | {last}
    if None in heard:  # one that was too long to be kept as a whole
        return False
    known = [number for number in heard if number is not None]
    return len(known) <= max(known) - min(known)


def _message_number(text: str) -> int | None:
    try:
        number = json.loads(text)[-1]["seqNo"]
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return number if isinstance(number, int) else None
