"""The faults of dev/trials/tpm_faults/main.py, one after the other, and how soon the service is well after each."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from random import Random

from dev.common.processes import wait_until
from dev.parts.swtpm import Swtpm
from dev.trials.tpm_faults import stranger
from dev.trials.tpm_faults.asking import expect
from dev.trials.tpm_faults.operations import Caller
from dev.trials.tpm_faults.proxy import CUTS, HEADER, Fault, TpmProxy
from dev.trials.tpm_faults.stranger import Stranger

KINDS = ("killed", "cut", "slow", "lockout", "slots")
WAIT_S = 60.0  # how soon it is well again is measured; this only ends what hangs
WITHIN_S = 3.0  # for a command of some sort to come along
VERY_LATE_S = 4.2  # longer than a request waits for the TPM
POLL_S = 0.01
USES_SLOTS = frozenset(
    {
        stranger.CC_LOAD,
        stranger.CC_CREATE,
        stranger.CC_START_SESSION,
        stranger.CC_LOAD_EXTERNAL,
        stranger.CC_HASH_SEQUENCE,
    }
)
WITHIN = (  # commands that come along all the time
    *(stranger.CC_LOAD, stranger.CC_CREATE, stranger.CC_START_SESSION, stranger.CC_SIGN),
    *(stranger.CC_UNSEAL, stranger.CC_QUOTE, stranger.CC_PCR_READ, stranger.CC_POLICY_PCR),
)


class Injector:
    """Lets faults happen to a running service, on the thread that calls: swtpm ends with the one that started it."""

    def __init__(self, swtpm: Swtpm, proxy: TpmProxy, prober: Caller, rng: Random) -> None:
        self.injected: Counter[str] = Counter()
        self.well_again: list[tuple[float, str]] = []  # seconds after the TPM was back, and after which fault
        self._swtpm = swtpm
        self._proxy = proxy
        self._stranger = Stranger(proxy.exchange)
        self._prober = prober
        self._rng = rng
        self._sorts: dict[str, tuple[Callable[[], None], ...]] = {
            "killed": (self._for_a_while, self._for_a_while, self._within_a_request, self._twice),
            "cut": (self._command, self._command, self._command, self._no_socket),
            "slow": (*[self._many_a_little] * 4, *[self._few_late] * 4, self._very_late),
            "lockout": (self._lockout,),
            "slots": (
                *(self._filled, self._filled_within, self._filled_within),
                *(self._filled_after_cut, self._taken, self._flushed),
            ),
        }

    def inject(self, kind: str) -> str:
        """Let one fault of KINDS happen, and wait until the service is well; returns its name.

        Raises WrongAnswerError, also when the service does not become well.
        """
        sort = self._rng.choice(self._sorts[kind])
        name = f"{kind}: {sort.__name__.strip('_').replace('_', ' ')}"
        self.injected[name] += 1
        try:
            sort()
        finally:
            self._proxy.heal()
        back_at = time.monotonic()
        self._until(lambda: self._prober.does(self._prober.sign_der), f"it signs, after {name}")
        self._until(lambda: self._prober.does(self._prober.health), f"it says that it is well, after {name}")
        self.well_again.append((time.monotonic() - back_at, name))
        return name

    # --- killed

    def _for_a_while(self) -> None:
        self._swtpm.kill()
        time.sleep(self._rng.uniform(0, 0.5))
        self._start()

    def _within_a_request(self) -> None:
        """The request's next command goes to a TPM that knows nothing of those before."""
        reached, go_on = threading.Event(), threading.Event()

        def pause(command: bytes) -> None:
            reached.set()
            go_on.wait(WAIT_S)

        self._proxy.inject(Fault(codes=frozenset({self._rng.choice(WITHIN)}), before=pause))
        try:
            reached.wait(WITHIN_S)
            self._swtpm.kill()
            self._start()
        finally:
            go_on.set()

    def _twice(self) -> None:
        self._for_a_while()
        time.sleep(self._rng.uniform(0, 0.1))
        self._for_a_while()

    def _start(self) -> None:
        self._prober.world.starts += 1
        self._swtpm.start()

    # --- cut

    def _command(self) -> None:
        """Up to four times: the service tries once more, and then has to say that it could not."""
        self._happens(Fault(times=self._rng.randint(1, 4), codes=self._some(), cut=self._rng.choice(CUTS)))

    def _no_socket(self) -> None:
        self._proxy.stop()
        time.sleep(self._rng.uniform(0.05, 0.5))
        self._proxy.start()

    # --- slow

    def _many_a_little(self) -> None:
        self._happens(Fault(times=20, delay_s=self._rng.uniform(0.01, 0.05)))

    def _few_late(self) -> None:
        self._happens(Fault(times=self._rng.randint(1, 2), delay_s=self._rng.uniform(0.1, 0.9)))

    def _very_late(self) -> None:
        self._happens(Fault(delay_s=VERY_LATE_S))

    # --- lockout

    def _lockout(self) -> None:
        """The keys of the service go on; one without noDA is refused, until somebody resets the lockout."""
        prober = self._prober
        with self._proxy.held():
            self._stranger.lock_out()
        for operation in (prober.sign_der, prober.sign_released, prober.mac, prober.sign_rsa, prober.attest):
            expect(prober.does(operation), f"in a lockout: {operation.__name__} was refused")
        before = prober.outcomes["tpm_lockout"]
        prober.does(prober.sign_frail)
        expect(prober.outcomes["tpm_lockout"] == before + 1, "a key without noDA was not refused with tpm_lockout")
        with self._proxy.held():
            self._stranger.reset_lockout()
        expect(prober.does(prober.sign_frail), "after the lockout: refused")

    # --- slots

    def _filled(self) -> None:
        self._fill()

    def _filled_within(self) -> None:
        """Right before a command that needs a slot, once or several times."""
        self._happens(Fault(times=self._rng.randint(1, 4), codes=USES_SLOTS, before=lambda command: self._fill()))

    def _filled_after_cut(self) -> None:
        self._happens(Fault(times=2, cut=self._rng.choice(CUTS)))
        self._fill()

    def _taken(self) -> None:
        """Another key is where the service's was, just before it signs."""

        def take(command: bytes) -> None:
            self._stranger.take_place(int.from_bytes(command[HEADER.size : HEADER.size + 4]))

        self._happens(Fault(codes=frozenset({stranger.CC_SIGN}), before=take))

    def _flushed(self) -> None:
        """All that is in the TPM, the service's too, within a request."""

        def flush(command: bytes) -> None:
            self._stranger.flush_all()

        self._happens(Fault(times=self._rng.randint(1, 4), codes=self._some(), before=flush))

    def _fill(self) -> None:
        with self._proxy.held():
            fill = (self._stranger.fill_objects, self._stranger.fill_sessions, self._stranger.save_sessions)
            self._rng.choice(fill)()

    # ---

    def _some(self) -> frozenset[int]:
        """Return the code of some command, or none for any."""
        return frozenset(self._rng.choice([[], [self._rng.choice(WITHIN)]]))

    def _happens(self, fault: Fault) -> None:
        """Inject a fault and wait until it has happened so many times, asking for things when nobody else does.

        Some commands come along once only, as the first after a cut: then it happened as often as it could.
        """
        times, deadline = fault.times, time.monotonic() + WITHIN_S
        self._proxy.inject(fault)
        while not fault.used.wait(POLL_S) and (fault.times == times or time.monotonic() < deadline):
            self._prober.one()
            expect(time.monotonic() < deadline + WAIT_S, "no command came along for the fault to happen")

    def _until(self, check: Callable[[], bool], what: str) -> None:
        expect(wait_until(check, WAIT_S, poll_s=POLL_S), f"waited {WAIT_S:g} s until {what}")
