"""Faults: the TPM service under mixed load while its TPM is killed, cut off, slow, locked out, and filled by others.

    python -m dev.trials.tpm_faults.main [--operations 10000] [--faults 0.01] [--seed N]

A measured service runs in a temporary directory, with a proxy between it and its TPM. Four clients do operations of all
resources and check every answer (dev/trials/tpm_faults/operations.py). One in a hundred meets a fault
(dev/trials/tpm_faults/injector.py):

    killed    the TPM, SIGKILL: for a while, between two commands of one request, or twice
    cut       the connection, before, within or after a command, once or several times; or there is no socket at all
    slow      answers late: many a little, few half a second, or one so late that the deadlines of others pass
    lockout   of dictionary attacks, provoked by a foreign client
    slots     filled by a foreign client, with objects or sessions, within a request or not; or a key's place taken

Asked for: no wrong answer, no refusal but the documented ones, no key and no sealed object lost, every use in the log
and its chain whole, nothing left in the TPM when the service has ended; and, on a machine that does nothing else, no
answer after 5 s, well again 2 s after the TPM is back. Exit status 0 when all that holds, 1 when not; then the
directory with the logs stays. The same seed has the same faults in the same order; the machine decides the
moment.
"""

import argparse
import base64
import json
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from dev.common.progress import bar
from dev.parts.tpm_service import SCOPES, TpmStack
from dev.trials.tpm_faults.asking import REFUSAL_CODES, World, WrongAnswerError, expect
from dev.trials.tpm_faults.injector import KINDS, Injector
from dev.trials.tpm_faults.operations import SERVICE, Caller
from dev.trials.tpm_faults.proxy import TpmProxy
from dev.trials.tpm_faults.stranger import Stranger
from tpm.service.release.release_key import public_path
from tpm.verifier.evidence import Pinned, SignedManifest

ROOT = Path(__file__).parents[3]
CALLERS = 4
ANSWER_S = 5.0
WELL_AGAIN_S = 2.0
PAUSE_S = 0.05  # after a refusal
STORAGE_KEY = 0x81000001
MEASURED_PCR = 8
LOADED_KEYS = 2  # that the service keeps in the TPM
SETTINGS = {"TPM_CLIENT_RATE": "100000", "TPM_CLIENT_BURST": "100000"}
SHARED = (  # keys that all use: name, type, usage, policy
    ("shared", "ecc-p256", "sign", None),
    ("released", "ecc-p256", "sign", "release"),
    ("rsa", "rsa-2048", "sign", None),
    ("mail", "rsa-2048", "decrypt", None),
    ("mac", "hmac", "sign", None),
)


class FaultyStack(TpmStack):
    """A measured TPM service that reaches its TPM through a proxy, and has a key that a lockout stops (`frail`)."""

    def __init__(self, directory: Path) -> None:
        self.proxy = TpmProxy(directory / "proxy", directory / "tpm")
        self.stranger = Stranger(self.proxy.exchange)
        super().__init__(directory, {**SETTINGS, "TPM_TCTI": self.proxy.tcti})

    def start(self) -> None:
        self.proxy.start()
        super().start()
        self.service.stop()
        self._add_frail()
        self.start_service()

    def stop(self) -> None:
        super().stop()
        self.proxy.stop()

    def _add_frail(self) -> None:
        """Add the file of a key without noDA, made below the storage key by another program."""
        auth = secrets.token_bytes(32)
        public, private = self.stranger.create_key(STORAGE_KEY, auth)
        parts = {"public": public, "private": private, "auth": auth}
        texts = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        head = {"name": "frail", "version": 2, "type": "ecc-p256", "usage": "sign", "policy": None}
        head["created_at"] = datetime.now(UTC).isoformat()
        (self.key_dir / "frail.json").write_text(json.dumps({**head, **texts}))

    def caller(self, number: int, *, seed: int, world: World) -> Caller:
        """Return a client of the service, every second one another program."""
        scopes = (*SCOPES, "tpm/crypto")
        client = self.provider.pool.ensure_client(("portal", "neighbour")[number % 2], scopes)
        token = self.credentials(client, scopes)
        return Caller(self.service_url, token, client.client_id, name=f"c{number}", world=world, seed=seed)


class Pace:
    """Lets the callers go on to the next fault, so that faults are spread over all operations."""

    def __init__(self, total: int, allowed: int) -> None:
        self.begun = 0
        self._total = total
        self._allowed = allowed
        self._ended = False
        self._changed = threading.Condition()

    def next(self) -> bool:
        """Wait until one more operation may begin; returns whether there is one."""
        with self._changed:
            self._changed.wait_for(lambda: self.begun < self._allowed or self._over)
            if self._over:
                return False
            self.begun += 1
            self._changed.notify_all()
            return True

    def reached(self, count: int) -> bool:
        """Wait until so many have begun; returns whether the callers go on."""
        with self._changed:
            self._changed.wait_for(lambda: self.begun >= count or self._ended)
            return not self._ended

    def allow(self, count: int) -> None:
        with self._changed:
            self._allowed = count
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    @property
    def _over(self) -> bool:
        return self._ended or self.begun >= self._total


class Run:
    """One run against a stack that is started."""

    def __init__(self, stack: FaultyStack, *, operations: int, faults: float, seed: int) -> None:
        rng = random.Random(seed)  # noqa: S311  a reproducible order, nothing secret
        self.stack = stack
        self.world = World()
        self.prober, *self.callers = (
            stack.caller(number, seed=rng.getrandbits(32), world=self.world) for number in range(CALLERS + 1)
        )
        self.injector = Injector(stack.swtpm, stack.proxy, self.prober, rng)
        count = max(1, round(operations * faults))
        self.positions = [*sorted(rng.sample(range(1, operations + 1), count)), operations]
        self.kinds = [KINDS[number % len(KINDS)] for number in range(count)]
        rng.shuffle(self.kinds)
        self.pace = Pace(operations, self.positions[0])

    def prepare(self) -> None:
        """Make the keys that all use, and learn what is to be the same ever after."""
        world, call = self.world, self.prober.call
        for name, kind, usage, policy in SHARED:
            call("POST", "/keys", {"name": name, "type": kind, "usage": usage, "policy": policy})
        listed = {key["name"]: key for key in call("GET", "/keys")["keys"]}
        world.pems = {name: key["public_key_pem"] for name, key in listed.items()}
        world.eosio = {name: key["public_key_eosio"] for name, key in listed.items()}
        world.identity = call("GET", "/identity")
        world.manifest = SignedManifest.parse(call("GET", "/manifest"))
        ak, release_key = base64.b64decode(world.identity["ak"]["public"]), public_path(self.stack.release_key)
        world.pinned = Pinned(SERVICE, ak, release_key.read_text(), MEASURED_PCR)
        world.measured = base64.b64decode(call("GET", "/pcrs")["pcrs"][MEASURED_PCR]["value"])
        expect(self.prober.does(self.prober.attest), "the service is not attested before the first fault")

    def go(self) -> list[str]:
        """Do it all; returns what was wrong."""
        with ThreadPoolExecutor(CALLERS) as pool:
            calling = [pool.submit(self._call, caller) for caller in self.callers]
            wrong = self._inject()
            wrong += [str(error) for error in (future.exception() for future in calling) if error]
        return wrong

    def _call(self, caller: Caller) -> None:
        try:
            while self.pace.next():
                if not caller.one():
                    time.sleep(PAUSE_S)
        except BaseException:
            self.pace.end()
            raise

    def _inject(self) -> list[str]:
        try:
            with bar(len(self.kinds), "faults", " faults") as progress:
                for number, kind in enumerate(self.kinds):
                    if not self.pace.reached(self.positions[number]):
                        return []
                    self.pace.allow(self.positions[number + 1])
                    progress.set_postfix_str(f"{self.injector.inject(kind)}; {self.pace.begun} operations")
                    progress.update()
        except WrongAnswerError as wrong:
            self.pace.end()
            return [str(wrong)]
        except BaseException:
            self.pace.end()
            raise
        return []

    # --- afterwards

    def afterwards(self) -> list[str]:
        """Check what has to hold when it is over; stops the service. Returns what does not."""
        wrong: list[str] = []
        self.stack.stranger.flush_all()
        for caller in (self.prober, *self.callers):
            try:
                caller.all_there()
            except WrongAnswerError as error:
                wrong.append(f"afterwards: {error}")
            caller.close()
        left = self.stack.stranger.handles()
        if len(left["transient"]) > LOADED_KEYS or left["loaded sessions"] or left["saved sessions"]:
            wrong.append(f"expected {LOADED_KEYS} loaded keys and no session in the TPM, found {left}")
        self.stack.service.stop()
        if any((left := self.stack.stranger.handles()).values()):
            wrong.append(f"left in the TPM by a service that has ended: {left}")
        return wrong + self._log_of_uses()

    def late(self) -> list[str]:
        """What took longer than asked for."""
        late = [caller.longest for caller in (self.prober, *self.callers) if caller.longest[0] > ANSWER_S]
        ill = [one for one in self.injector.well_again if one[0] > WELL_AGAIN_S]
        return [f"answered after {took_s:.2f} s: {what}" for took_s, what in late] + [
            f"well again only {took_s:.2f} s after {what}" for took_s, what in ill
        ]

    def _log_of_uses(self) -> list[str]:
        """The chain is whole, and what the clients got is in it, from them."""
        directory = self.stack.key_dir / "audit"
        argv = [sys.executable, "-m", "tpm.service.audit", "verify", str(directory)]
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
        wrong = [] if done.returncode == 0 else [f"the log of key uses: {done.stdout}{done.stderr}"]
        written: Counter[tuple[str, ...]] = Counter()
        for path in directory.glob("*.jsonl"):
            for entry in map(json.loads, path.read_text().splitlines()):
                if entry["outcome"] == "done":
                    head = entry["client_id"], entry["operation"], entry["key"]
                    written.update((*head, digest) for digest in entry["digests"])
        got = Counter(use for caller in (self.prober, *self.callers) for use in caller.logged)
        missing = got - written
        return [*wrong, f"not in the log: {len(missing)} uses, as {next(iter(missing))}"] if missing else wrong

    def report(self) -> str:
        """The figures, in words."""
        callers = (self.prober, *self.callers)
        outcomes = sum((caller.outcomes for caller in callers), Counter[str]())
        refused = {code: count for code, count in outcomes.items() if code in REFUSAL_CODES}
        took_s, what = max(caller.longest for caller in callers)
        times = sorted(self.injector.well_again) or [(0.0, "")]
        middle_s, (most_s, after) = median(one[0] for one in times), times[-1]
        return "\n".join(
            [
                f"faults: {dict(sorted(self.injector.injected.items()))}",
                f"answered: {dict(sorted((outcomes - Counter(refused)).items()))}",
                f"refused: {dict(sorted(refused.items()))}",
                f"signatures and other uses found in the log: {sum(len(caller.logged) for caller in callers)}",
                f"longest request: {took_s:.2f} s ({what})",
                f"well again: median {middle_s:.3f} s, most {most_s:.3f} s ({after})",
            ]
        )


def run(stack: FaultyStack, *, operations: int, faults: float, seed: int) -> tuple[list[str], list[str]]:
    """The whole story, with a stack that is started; returns what was wrong and what was late, [] when all is well."""
    one = Run(stack, operations=operations, faults=faults, seed=seed)
    one.prepare()
    wrong = one.go()
    wrong += one.afterwards()
    print(one.report(), flush=True)
    return wrong, one.late()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.trials.tpm_faults.main", description=__doc__.split("\n")[0])
    parser.add_argument("--operations", type=int, default=10_000)
    parser.add_argument("--faults", type=float, default=0.01, help="the part of operations that meets one (0.01)")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    options = parser.parse_args(arguments)
    print(f"with --operations {options.operations} --faults {options.faults} --seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="evp-"))  # short: Unix sockets below it may have 107 bytes
    stack, begun = FaultyStack(directory), time.monotonic()
    try:
        stack.start()
        wrong, late = run(stack, operations=options.operations, faults=options.faults, seed=options.seed)
    finally:
        stack.stop()
    took_s = time.monotonic() - begun
    if wrong or late:
        print(*wrong, *late, f"NOT WELL after {took_s:.0f} s; the logs are in {directory}", sep="\n", file=sys.stderr)
        return 1
    shutil.rmtree(directory)
    print(f"All is well: {options.operations} operations in {took_s:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
