"""PURE: whether what a meter signed and what its station says are the same, and what a charge is flagged with."""

from collections.abc import Sequence

# Why a charge is INVALID
SIGNED_CONTRADICTS = "signed_contradicts"
SIGNED_REQUIRED = "signed_required"
# What is remarkable about one that is billed by the station's own figures
SIGNED_FAILED = "signed_failed"
RECORD_DIFFERS = "record_differs"  # of stations.metering.words.REASONS

ROUNDING_WH = 1
# Of registers in kWh with two digits; whoever rounds more cannot be told from whoever says another figure.
COARSE_WH = 10


def contradicts(own: tuple[int | None, int | None], signed: tuple[int, int]) -> bool:
    """Whether the registers at begin and end, in whole Wh, are further apart than rounding explains.

    `own`: of the station, None where it said none. A station that counts each charge from 0 says other registers, and
    the same energy.
    """
    begin, end = own
    tolerance = max(_step(signed), _step([one for one in own if one is not None]))
    if begin == 0 and end is not None:
        return abs((end - begin) - (signed[1] - signed[0])) > tolerance
    apart = [abs(mine - theirs) for mine, theirs in zip(own, signed, strict=True) if mine is not None]
    return any(distance > tolerance for distance in apart)


def _step(readings_wh: Sequence[int]) -> int:
    """In what steps they are told."""
    is_coarse = any(readings_wh) and all(reading % COARSE_WH == 0 for reading in readings_wh)
    return COARSE_WH if is_coarse else ROUNDING_WH
