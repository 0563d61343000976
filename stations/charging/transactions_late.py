"""What a station tells of a transaction when its session has ended: it corrects that, or waits for an operator.

Messages overtake each other: an end may come before its start, or before the card was told. A session that has ended
never changes, so credit and replacement have it right (stations/charging/corrections.py).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stations.charging import plausibility
from stations.charging.asides import late_set_aside
from stations.charging.corrections import Figures, counting_now, session_correct
from stations.errors import CorrectionRefusedError
from stations.models import ChargingSession, IdToken
from stations.tariffs import charged
from stations.tariffs.charged import cost_of_figures

REASON = "The station reported the start later, with these figures."


@dataclass(frozen=True)
class Late:
    """What a message knows of the start; None where it does not."""

    begin_wh: int | None
    began_at: datetime | None
    id_token: IdToken | None


def late_take(session: ChargingSession, late: Late, *, message: Any) -> None:
    """Correct the session by what is new of it. Told again, nothing is new."""
    now = counting_now(session)
    start_missing = now.pk == session.pk and plausibility.START_NOT_REPORTED in session.flags
    unknown = now.pk == session.pk and session.meter_start_wh is None
    new_meter = late.begin_wh if unknown else None
    earlier = start_missing and late.began_at and late.began_at < session.started_at - plausibility.CLOCK_TOLERANCE
    new_start = late.began_at if earlier or new_meter is not None else None
    new_token = late.id_token if now.id_token_id is None else None
    if new_meter is None and new_start is None and new_token is None:
        return
    try:
        _correct(session, now, new_meter, new_start, new_token)
    except CorrectionRefusedError as error:
        late_set_aside(session, "start", f"the start came after the end and corrects nothing: {error}", message)


def _correct(
    session: ChargingSession,
    now: ChargingSession,
    meter_start_wh: int | None,
    started_at: datetime | None,
    id_token: IdToken | None,
) -> None:
    if plausibility.ENDED_BY_OPERATOR in session.flags:
        raise CorrectionRefusedError("an operator ended it, with the figures they knew")
    energy_wh = now.energy_wh
    if meter_start_wh is not None and session.meter_stop_wh is not None:
        energy_wh = session.meter_stop_wh - meter_start_wh
        energy_wh = max(energy_wh, 0) if energy_wh >= -plausibility.ROUNDING_WH else energy_wh
    if energy_wh is None or now.stopped_at is None:
        raise CorrectionRefusedError("nobody knows what the meter said at the start or at the end")
    began_at = now.started_at if started_at is None else min(started_at, now.started_at)
    begin_wh = session.told_start_wh if meter_start_wh is None else meter_start_wh
    cost = cost_of_figures(session, charged.Figures(begin_wh, energy_wh, began_at, now.stopped_at))
    figures = Figures(
        energy_wh, None if cost is None else cost.minor, began_at, now.stopped_at, cost.lines if cost else []
    )
    session_correct(session=now, reason=REASON, figures=figures, by=None, id_token=id_token)
