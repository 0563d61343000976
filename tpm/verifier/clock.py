"""PURE: has a TPM's state been put back? (TPM 2.0 Library, Part 1, 36: clock, resetCount and restartCount.)

The AK is not in the endorsement hierarchy, so the TPM adds a constant to resetCount and restartCount before it signs
them (Part 1, 36.7). Their differences are true, and modulo 2^32, so that is how they are compared here.
"""

from datetime import timedelta

from tpm.verifier.steps import Finding
from tpm.verifier.structures import Clock

COUNT = 1 << 32
# After a power cut the clock goes on from where it was last saved: a chip does that at least every 2^22 ms (Part 1,
# 36.3.2). swtpm only saves it when it is shut down, so our service has it do that with each quote.
LOST_MS = {False: 0, True: 1 << 22}
# How much slower than the verifier's clock a TPM's may be. swtpm uses its host's; a chip's may be off by 15 %, and by
# as much again where it was adjusted.
SLOWEST = {False: 0.98, True: 0.67}
SLACK_MS = 1_000


def words(clock: Clock) -> str:
    """Return the clock as a finding shows it: seconds, and both counters in hex."""
    unsafe = "" if clock.safe else ", not safe"
    counts = f"reset {clock.reset_count:08x}, restart {clock.restart_count:08x}"
    return f"{clock.clock_ms / 1000:,.1f} s, {counts}{unsafe}"


def compare(last: Clock, found: Clock, *, power_on_ms: int, passed: timedelta, hardware: bool) -> Finding:
    """Compare with the last accepted evidence; `passed` is at least how long ago that arrived.

    Within one power cycle the clock must have gone on by about the time that passed: a TPM whose state was put back
    starts again behind. A power cycle counts resetCount up; `power_on_ms`, what the clock said when the last one began,
    must then not lie before that evidence, but for what a chip may lose.
    """
    resets = (found.reset_count - last.reset_count) % COUNT
    restarts = (found.restart_count - last.restart_count) % COUNT
    gone_ms = found.clock_ms - last.clock_ms
    expected, seen = f"after {words(last)}", words(found)
    if resets >= COUNT // 2:
        return Finding(expected, seen, False, f"resetCount went back by {COUNT - resets}: {_PUT_BACK}")
    if resets:
        stood_ms = min(power_on_ms, found.clock_ms) - last.clock_ms
        allowed = 0 if found.safe else -LOST_MS[hardware]
        return Finding(expected, seen, stood_ms >= allowed, _gone_back(stood_ms, allowed))
    if restarts >= COUNT // 2:
        return Finding(expected, seen, False, f"restartCount went back by {COUNT - restarts}: {_PUT_BACK}")
    if restarts:
        return Finding(expected, seen, gone_ms >= 0, _gone_back(gone_ms, 0))
    passed_ms = passed.total_seconds() * 1000
    needed = max(0.0, passed_ms * SLOWEST[hardware] - SLACK_MS)
    if 0 <= gone_ms < needed:
        note = f"the clock went on by {gone_ms / 1000:,.1f} s in {passed_ms / 1000:,.1f} s: {_PUT_BACK}, {_OR_SLEPT}"
        return Finding(expected, seen, False, note)
    return Finding(expected, seen, gone_ms >= 0, _gone_back(gone_ms, 0))


_PUT_BACK = "the TPM's state was put back"
_OR_SLEPT = "or its host slept; after that, restart the TPM"


def _gone_back(gone_ms: int, allowed_ms: int) -> str:
    return "" if gone_ms >= allowed_ms else f"the clock had gone back by {-gone_ms / 1000:,.1f} s: {_PUT_BACK}"
