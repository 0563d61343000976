"""PURE: can these figures be true? An implausible charge is never billed; a remarkable one is flagged.

Why: a peer billed 910 kWh for a charge of 0.083 kWh, because a station that had been offline reported 0 as the
meter's value at the start.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from api.forms import METER_MAX_WH

# Why a session is INVALID
METER_BACKWARDS = "meter_backwards"
POWER_EXCEEDED = "power_exceeded"
ZERO_START_REPORTED_LATE = "zero_start_reported_late"
METER_IMPOSSIBLE = "meter_impossible"
METER_ROLLED_OVER = "meter_rolled_over"
# What is remarkable about one that is COMPLETED
START_REPORTED_LATE = "start_reported_late"
ZERO_ENERGY = "zero_energy"
LONG_SESSION = "long_session"
AMBIGUOUS_TIME = "ambiguous_time"

NOT_AUTHORIZED = "not_authorized"
ZONE_ASSUMED = "time_zone_assumed"
CLOCK_WRONG = "clock_wrong"
NUMBER_REUSED = "number_reused"
# Who ended it where its station did not
ENDED_BY_NEXT_START = "ended_by_next_start"
ENDED_BY_REBOOT = "ended_by_reboot"
ENDED_AFTER_SILENCE = "ended_after_silence"
ENDED_BY_OPERATOR = "ended_by_operator"
ENDED_BY_FREE_OUTLET = "ended_by_free_outlet"
ENDED_WITHOUT_STATION = (
    *(ENDED_BY_NEXT_START, ENDED_BY_REBOOT, ENDED_AFTER_SILENCE),
    *(ENDED_BY_OPERATOR, ENDED_BY_FREE_OUTLET),
)
# Nobody knows what the meter said then: such a session is INVALID
START_UNKNOWN = "start_unknown"
END_UNKNOWN = "end_unknown"
# What a station never told of its charge
START_NOT_REPORTED = "start_not_reported"
OUTLET_NOT_REPORTED = "outlet_not_reported"
END_FROM_READING = "end_from_reading"
MESSAGES_MISSING = "messages_missing"  # its numbers of messages (2.x seqNo) have gaps
# What figures do not show, so that judging them anew does not take it away
STANDING = (
    *(CLOCK_WRONG, ZONE_ASSUMED, AMBIGUOUS_TIME, NUMBER_REUSED, NOT_AUTHORIZED),
    *(START_NOT_REPORTED, OUTLET_NOT_REPORTED, END_FROM_READING, MESSAGES_MISSING),
    *ENDED_WITHOUT_STATION,
)

# A start that arrives later than this was queued in the station: its meter value may be a stand-in.
LATE_AFTER = timedelta(minutes=5)
LONG_AFTER = timedelta(hours=24)
# Where the connector's power is not known: the strongest CCS connectors in public use give 400 kW. A megawatt
# connector for lorries must say its max_power_w.
DEFAULT_MAX_POWER_W = 400_000
# Connectors are rated at nominal voltage, and EN 50160 lets mains voltage exceed that by 10 %.
POWER_TOLERANCE_PERCENT = 10
# Energy that was rounded by two hands: a start is cut to whole Wh where a sample is rounded, and the other way round.
# Each is off by less than a watt-hour, so readings of one moment differ by one at most.
ROUNDING_WH = 1
# Steps in which stations tell samples that are no single watt-hours: kWh with no, one or two digits.
STEPS_WH = (1000, 100, 10)
# The same of times: a clock that is read to the second stops up to a second before one that knows fractions.
ROUNDING_TIME = timedelta(seconds=1)
# Where registers of meters begin again: after so many decimal digits of Wh or kWh, or of bits.
REGISTER_ENDS_WH = (10**5, 10**6, 10**7, 10**8, 10**9, 2**32)
# Stations report whole minutes or seconds, and a start may be stamped after the first energy has flowed.
CLOCK_TOLERANCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Charge:
    """What was reported of a charge that has ended. Energy in Wh; meter values are register readings in Wh.

    `samples_wh` by their times, `arrivals_wh` the same as they came: one of the two is in order, unless the meter was.
    """

    started_at: datetime
    stopped_at: datetime
    energy_wh: int
    meter_start_wh: int | None = None
    meter_stop_wh: int | None = None
    samples_wh: Sequence[int] = ()
    arrivals_wh: Sequence[int] = ()
    start_reported_late: bool = False
    max_power_w: int | None = None
    longest: timedelta | None = None  # where the clock was set meanwhile, and the two times say nothing


@dataclass(frozen=True)
class Verdict:
    """`invalid`: why it must not be billed (empty: it may be). `remarks`: why a person may want to look.

    `energy_wh`: what was charged, where it may be billed; a stop that was cut below its start is 0.
    """

    invalid: tuple[str, ...]
    remarks: tuple[str, ...]
    energy_wh: int | None

    @property
    def billable(self) -> bool:
        """Whether its cost may be asked for."""
        return not self.invalid

    @property
    def flags(self) -> list[str]:
        """What is impossible first, then what is remarkable."""
        return [*self.invalid, *self.remarks]


def judge(charge: Charge) -> Verdict:
    """Judge a charge that has ended; `stopped_at` is not before `started_at`."""
    invalid = tuple(_invalid(charge))
    return Verdict(invalid, tuple(_remarks(charge)), energy_wh=None if invalid else max(charge.energy_wh, 0))


def _invalid(charge: Charge) -> list[str]:
    reasons = []
    if any(not 0 <= meter <= METER_MAX_WH for meter in (charge.meter_start_wh or 0, charge.meter_stop_wh or 0)):
        reasons.append(METER_IMPOSSIBLE)
    if meter_backwards(charge):
        reasons.append(METER_ROLLED_OVER if meter_rolled_over(charge) else METER_BACKWARDS)
    if charge.energy_wh > energy_limit_wh(charge):
        reasons.append(POWER_EXCEEDED)
    if charge.start_reported_late and charge.meter_start_wh == 0 and charge.energy_wh > 0:
        reasons.append(ZERO_START_REPORTED_LATE)
    return reasons


def _remarks(charge: Charge) -> list[str]:
    remarks = []
    if charge.start_reported_late:
        remarks.append(START_REPORTED_LATE)
    if charge.energy_wh <= 0 and not _energy_negative(charge, step_wh(charge.samples_wh)):
        remarks.append(ZERO_ENERGY)
    if charge.stopped_at - charge.started_at > LONG_AFTER:
        remarks.append(LONG_SESSION)
    return remarks


def meter_backwards(charge: Charge) -> bool:
    """Whether some reading lies below the first or above the last, by more than rounding explains.

    It asks nothing of the samples' own clock: a reading below the one before it counts where it is so by their times
    and as they came. Else the clock was set, or the messages were out of order.
    """
    start, stop, step = charge.meter_start_wh, charge.meter_stop_wh, step_wh(charge.samples_wh)
    least = None if start is None else start // step * step - ROUNDING_WH
    most = None if stop is None else (stop + step // 2) // step * step + ROUNDING_WH
    below = least is not None and any(sample < least for sample in charge.samples_wh)
    above = most is not None and any(sample > most for sample in charge.samples_wh)
    dropped = _falls(charge.samples_wh) and _falls(charge.arrivals_wh)
    return _energy_negative(charge, step) or below or above or dropped


def step_wh(samples_wh: Sequence[int]) -> int:
    """In what steps samples were told, in Wh: "12.3" kWh counts hundreds, where a start and an end count single ones.

    It is what all have in common: a station that knows single Wh does not tell round ones only. 0 shows nothing.
    """
    told = [sample for sample in samples_wh if sample]
    return next((step for step in STEPS_WH if told and all(sample % step == 0 for sample in told)), 1)


def _energy_negative(charge: Charge, step: int) -> bool:
    """Whether the end lies below the start, also as the samples count, where the end is one of them."""
    start, stop = charge.meter_start_wh, charge.meter_stop_wh
    if start is not None and stop is not None and stop in charge.samples_wh:
        return stop < start // step * step - ROUNDING_WH
    return charge.energy_wh < -ROUNDING_WH


def _falls(readings_wh: Sequence[int]) -> bool:
    return any(later < earlier - ROUNDING_WH for earlier, later in pairwise(readings_wh))


def meter_rolled_over(charge: Charge) -> bool:
    """Whether the register may have begun again at 0 after its highest value: then the energy can be worked out.

    It is not billed even so. A meter that was reset or replaced says the same figures, and nobody could tell; an
    operator knows the meter, and corrects the session with the energy that this explains.
    """
    start, stop = charge.meter_start_wh, charge.meter_stop_wh
    if start is None or stop is None or stop >= start:
        return False
    plain = all(not stop + ROUNDING_WH < sample < start - ROUNDING_WH for sample in charge.samples_wh)
    most_wh = energy_limit_wh(charge)
    return plain and any(start < end and stop + end - start <= most_wh for end in REGISTER_ENDS_WH)


def energy_limit_wh(charge: Charge) -> int:
    """The most that the connector can have given in that time, tolerances included, in Wh."""
    power_w = DEFAULT_MAX_POWER_W if charge.max_power_w is None else charge.max_power_w
    lasted = charge.stopped_at - charge.started_at if charge.longest is None else charge.longest
    milliseconds = (lasted + CLOCK_TOLERANCE) // timedelta(milliseconds=1)
    return power_w * milliseconds * (100 + POWER_TOLERANCE_PERCENT) // (3_600_000 * 100)


def meter_bounded(meter_wh: int) -> int:
    """What is no meter's value stays none (METER_IMPOSSIBLE), and fits the column."""
    return min(max(meter_wh, -1), METER_MAX_WH + 1)
