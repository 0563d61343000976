"""Ways out of an open session whose stop never came: reboot, silence, a free outlet, an operator; and the late stop.

The next start on its outlet is another (stations/charging/sessions.py). A session that was ended so is closed like
any other, recorded and flagged. What its station says of the end later is not lost: it corrects the session, by a
credit and a session with the station's figures.
"""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from stations.charging import plausibility
from stations.charging.asides import late_set_aside
from stations.charging.corrections import Figures, correction_about, session_correct
from stations.charging.locks import station_lock
from stations.charging.numbers import is_ended_without_station
from stations.charging.sessions import session_close, session_end
from stations.errors import CorrectionRefusedError, RecordingUnavailableError, SessionConflictError
from stations.identifiers import letters
from stations.metering import closing
from stations.metering.received import SignedText
from stations.models import ChargingSession, Connector, Station
from stations.tariffs import charged
from stations.tariffs.charged import cost_of_figures

log = logging.getLogger(__name__)
# How long a stop may stay in a station's queue while the station is connected.
FREE_FOR = timedelta(minutes=15)
REASON = "The station reported the end later, with these figures."


def open_sessions(station: Station) -> list[ChargingSession]:
    """What still charges there, as far as we know."""
    rows = ChargingSession.objects.filter(station=station, status=ChargingSession.Status.ACTIVE)
    return list(rows.order_by("started_at", "pk"))


@transaction.atomic
def station_rebooted(*, station: Station, running: Collection[str], at: datetime) -> list[ChargingSession]:
    """The station has started anew, and these of its charges go on: the others that began before are over."""
    station_lock(station)
    going_on = {letters(number) for number in running}
    over = [one for one in open_sessions(station) if one.number not in going_on and one.started_at <= at]
    flag = plausibility.ENDED_BY_REBOOT
    return [session_end(session=one, flag=flag, latest=at, stop_reason="Reboot")[0] for one in over]


def silent_end() -> int:
    """End what nothing was heard of for as long as its site allows; returns their number."""
    open_now = ChargingSession.objects.filter(status=ChargingSession.Status.ACTIVE).order_by("updated_at")
    ended, now = 0, timezone.now()
    for session in open_now.select_related("station__site").iterator():
        hours = session.station.site.end_after_hours
        if hours is None or session.updated_at > now - timedelta(hours=hours):
            continue
        try:
            ended += session_end(session=session, flag=plausibility.ENDED_AFTER_SILENCE)[1]
        except RecordingUnavailableError as error:  # it is tried again
            log.warning("session %s cannot be ended now: %s", session.pk, error)
    return ended


def free_end() -> int:
    """End what goes on at outlets of which their stations say that nothing is plugged in; returns their number.

    OCPP tells of an outlet at once, but of a charge from a queue: after a reboot or an outage the stop comes after the
    news that the outlet is free. So it is waited for; what is still open then has lost its stop.
    """
    at_outlet, before = Q(connector__status=Connector.Status.AVAILABLE), timezone.now() - FREE_FOR
    free = at_outlet & Q(connector__status_at__lt=before, connector__status_at__gt=F("started_at"))
    told_since = Q(updated_at__gte=before) | Q(updated_at__gt=F("connector__status_at") + FREE_FOR)
    rows = ChargingSession.objects.filter(free, status=ChargingSession.Status.ACTIVE).exclude(told_since)
    ended = 0
    for session in rows.select_related("connector", "station").order_by("pk"):
        booted_at, free_at = session.station.booted_at, session.connector.status_at
        flag, latest = plausibility.ENDED_BY_FREE_OUTLET, free_at
        if booted_at is not None and free_at is not None and session.started_at < booted_at <= free_at:
            flag, latest = plausibility.ENDED_BY_REBOOT, booted_at
        try:
            ended += session_end(session=session, flag=flag, latest=latest)[1]
        except RecordingUnavailableError as error:  # it is tried again
            log.warning("session %s cannot be ended now: %s", session.pk, error)
    return ended


# --- What the station says after all


def session_stop(
    *, session: ChargingSession, said: Any, signed: Sequence[SignedText] = (), **stop: Any
) -> ChargingSession:
    """The station says how it ended; returns the session. `said`: the message as it came.

    `signed`: what the message brings that a meter signed, of a session that was ended without its station.

    Raises as session_close. Where the session was ended without its station, the station's figures correct it; where
    an operator ended it, or they cannot be true, they are set aside for an operator.
    """
    try:
        return session_close(session=session, **stop)[0]
    except SessionConflictError:
        session = ChargingSession.objects.select_related("connector", "id_token").get(pk=session.pk)
        if not is_ended_without_station(session):
            raise
    _stop_late(session, said, signed, **stop)
    return session


def _stop_late(
    session: ChargingSession,
    said: Any,
    signed: Sequence[SignedText],
    *,
    stopped_at: datetime,
    meter_stop_wh: int | None,
    stop_reason: str = "",
    flags: Sequence[str] = (),
) -> None:
    stopped_at = max(stopped_at, session.started_at)
    if (session.stopped_at, session.told_stop_wh) == (stopped_at, meter_stop_wh):
        return
    try:
        if plausibility.ENDED_BY_OPERATOR in session.flags:
            raise CorrectionRefusedError("an operator ended it, with the figures they knew")
        if meter_stop_wh is None or session.told_start_wh is None:
            raise CorrectionRefusedError("it is not known what the meter said at the start or at the end")
        meters = (session.told_start_wh, meter_stop_wh)
        times = {"started_at": session.started_at, "stopped_at": stopped_at}
        figures_correct(session, REASON, meters=meters, signed=signed, **times)
    except CorrectionRefusedError as error:
        late_set_aside(session, "stop", f"the end came late and corrects nothing: {error}", said)


def figures_correct(
    session: ChargingSession,
    reason: str,
    *,
    meters: tuple[int, int],
    started_at: datetime,
    stopped_at: datetime,
    signed: Sequence[SignedText] = (),
) -> None:
    """Correct a closed session by what its station says after all; nothing where that was done before.

    `meters`: at its start and at its end, Wh; `signed`: what the meter signed, besides what the session has.
    Raises CorrectionRefusedError.
    """
    values = closing.values_with(session, signed)
    energy_wh = closing.signed_energy(session, values, meters)
    if energy_wh is None:
        energy_wh = meters[1] - meters[0]
        energy_wh = max(energy_wh, 0) if energy_wh >= -plausibility.ROUNDING_WH else energy_wh
    elif session.status == ChargingSession.Status.COMPLETED and energy_wh == session.energy_wh:
        return  # the meter had signed it all
    correction = correction_about(session)
    if correction and (made := correction.replacement) and (made.stopped_at, made.energy_wh) == (stopped_at, energy_wh):
        return
    cost = cost_of_figures(session, charged.Figures(meters[0], energy_wh, started_at, stopped_at))
    figures = Figures(
        energy_wh, None if cost is None else cost.minor, started_at, stopped_at, cost.lines if cost else []
    )
    session_correct(session=session, reason=reason, figures=figures, by=None, signed=values)
