"""What the cars of a site draw, by their stations' meter values."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil

from stations.charging.power import power_w
from stations.load.rows import amperes_of
from stations.load.sharing import MINIMUM
from stations.models import LimitedOutlet, MeterValue, SiteLimit
from stations.models.load import AMPERES_MAX

CURRENT, POWER = "Current.Import", "Power.Active.Import"
LATELY = timedelta(minutes=15)
SETTLED_AFTER = timedelta(seconds=30)  # a car follows a new limit not at once
LEFT_A = 2  # whoever leaves so much of what it may draw does not want it
NOTHING_A = 0.5  # what a meter may say of a car that draws nothing
ASKED_AGAIN_AFTER = timedelta(hours=1)
LINES = ("L1", "L2", "L3")


@dataclass(frozen=True)
class Drawn:
    """At a moment, in amperes: the most of all phases, and the only line that carries something, where there is one."""

    at: datetime
    amperes: float
    line: int | None = None


def drawn_by(sessions: Iterable[object], now: datetime, limit: SiteLimit, dc: Iterable[object]) -> dict[object, Drawn]:
    """What each of these sessions drew last, by its id; nothing of those that said nothing lately.

    `dc`: those whose cars get direct current: of these the power counts.
    """
    rows = MeterValue.objects.filter(
        session__in=list(sessions), measurand__in=(CURRENT, POWER), sampled_at__gt=now - LATELY
    )
    by_session: dict[object, list[MeterValue]] = defaultdict(list)
    for row in rows.order_by("sampled_at", "id"):
        by_session[row.session_id].append(row)
    powered = set(dc)
    found: dict[object, Drawn] = {}
    for session, values in by_session.items():
        drawn = _power(values, limit) if session in powered else _current(values)
        if drawn is not None and 0 <= drawn.amperes <= AMPERES_MAX:  # more is a meter's mistake
            found[session] = drawn
    return found


def _current(values: list[MeterValue]) -> Drawn | None:
    samples = [value for value in values if value.measurand == CURRENT and value.unit in {"A", ""}]
    if not samples:
        return None
    last = [value for value in samples if value.sampled_at == samples[-1].sampled_at]
    amperes = {value.phase: float(value.value) for value in last if value.phase in {"", *LINES}}
    if not amperes:
        return None
    used = [line for line in LINES if amperes.get(line, 0) > NOTHING_A]
    is_told = all(line in amperes for line in LINES)
    line = LINES.index(used[0]) + 1 if is_told and len(used) == 1 else None
    return Drawn(last[0].sampled_at, max(amperes.values()), line)


def _power(values: list[MeterValue], limit: SiteLimit) -> Drawn | None:
    powers = [(value, power) for value in values if not value.phase and (power := power_w(value)) is not None]
    if not powers:
        return None
    value, power = powers[-1]
    return Drawn(value.sampled_at, amperes_of(power, limit))


def car_take(row: LimitedOutlet, drawn: Drawn | None, *, allowed: int | None, since: datetime | None) -> None:
    """What the sample says of the car, into the outlet's row (not saved here).

    `allowed`: what it may draw, and `since` when. Only a sample that came after the car could follow tells how much of
    it the car wants; until the next one that stays.
    """
    row.drawn_a = None if drawn is None else Decimal(f"{drawn.amperes:.1f}")
    row.drawn_at = None if drawn is None else drawn.at
    if drawn is None:
        row.want_a = None
        return
    if drawn.amperes > NOTHING_A:
        first = row.first_line
        row.lines = str((first - 1 + drawn.line - 1) % 3 + 1) if first and drawn.line else ""
    if allowed is None or since is None or allowed < MINIMUM or drawn.at < since + SETTLED_AFTER:
        return
    leaves = drawn.amperes <= allowed - LEFT_A
    row.want_a = (ceil(drawn.amperes) if drawn.amperes > NOTHING_A else 0) if leaves else None
    row.want_at = drawn.at


def want_of(row: LimitedOutlet, now: datetime) -> int | None:
    """What its car wants, where that is known; whoever took nothing is asked again after an hour."""
    is_old = row.want_at is None or row.want_at < now - ASKED_AGAIN_AFTER
    return None if row.want_a == 0 and is_old else row.want_a
