"""Chaos: `kill -9` of parts at random moments while sessions are being recorded. Nothing lost, nothing twice.

    python -m dev.trials.chaos.main [--sessions 2000] [--kills 200] [--database sqlite|postgres] [--seed N]

A whole portal of its own runs in a temporary directory. Sessions are closed in small transactions, spread over the run.
Worker, beat, TPM service, swtpm, Redis and nodeos are killed: all of their processes, the parent alone or one child
alone; each is started again after a short while, as a supervisor does, and often another is killed before that.

Meanwhile nodes are full, in maintenance or stand still (dev/trials/chaos/nodes.py), a worker with a wrong clock works
for a
while, and twice the database is put back from an older backup: once as docs/ledger.md says, once with workers and new
sessions before anybody thought of `ledger_restore`.

In the end every session must be irreversible on the chain exactly once (dev/trials/chaos/check.py). Exit status 0
when all is
well, 1 when not; then the directory with the logs stays. The same seed kills in the same order, though the machine
decides the moment.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from dev.common.processes import Child, wait_until
from dev.common.progress import bar
from dev.parts.tpm_service import ROOT
from dev.trials.chaos.backup import OlderBackup, keys_back_up, ledger_restore
from dev.trials.chaos.killing import Killer, verdict
from dev.trials.chaos.nodes import Illnesses, IllProxy
from dev.trials.portal_stack import PortalStack

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from dev.trials.sample_sessions import Sessions
    from ledger.models import Alert

STUCK_AFTER_S = 150.0
QUIET_WITHIN_S = 180.0
WRONG_BY_S = 7200
COLLIDING = 15  # sessions that close on the older database before the others are back
SETTINGS = {
    # Shorter than in production, so that the run meets expired transactions and abandoned claims as well.
    "EVPORTAL_LEDGER_EXPIRATION_S": "30",
    "EVPORTAL_LEDGER_CLAIM_S": "10",
    # Small batches, so that there are some hundred transactions to be torn apart.
    "EVPORTAL_LEDGER_BATCH_MAX": "10",
    "EVPORTAL_LEDGER_FLUSH_AT": "10",
}


class Closer:
    """Closes sessions in small transactions, on a thread of its own, up to the number that the killing has reached."""

    def __init__(self, sessions: "Sessions", rng: random.Random) -> None:
        self.sessions = sessions
        self.allowed = 0
        self.closed = 0
        self.ended = False
        self._rng = rng

    def run(self) -> None:
        from django.db import connections

        while not self.ended:
            count = min(self._rng.randint(1, 15), self.allowed - self.closed)
            if count > 0:
                self.sessions.close_few(count)
                self.closed += count
            else:
                connections.close_all()  # the database may be replaced
            time.sleep(self._rng.uniform(0, 0.05))
        connections.close_all()


class Story:
    """What happens besides, each at its share of the kills."""

    def __init__(self, stack: PortalStack, killer: Killer, closer: Closer) -> None:
        self.stack, self.killer, self.closer = stack, killer, closer
        celery = ["celery", "-A", "evportal", "worker", "--exclude-queues", "webhooks", "--concurrency", "1"]
        argv = [sys.executable, "-m", "dev.trials.wrong_clock", str(WRONG_BY_S), *celery, "--hostname", "late@%h"]
        self.late = Child("late", argv, log=stack.directory / "late.log", cwd=ROOT, env=stack.worker.env)
        self._chapters = [
            (0.10, self.late.start),
            (0.30, self._clock_put_right),
            (0.35, self._back_up),
            (0.50, lambda: self._put_back(first_the_workers=False)),
            (0.60, self._back_up),
            (0.75, lambda: self._put_back(first_the_workers=True)),
        ]

    def go_on(self, share: float) -> None:
        while self._chapters and share >= self._chapters[0][0]:
            _, chapter = self._chapters.pop(0)
            chapter()

    def _clock_put_right(self) -> None:
        from ledger.models import Alert

        tqdm.write(self._wait_for(Alert.objects.filter(code="clock", subject__startswith="late@")).message)
        self.late.stop()

    def _back_up(self) -> None:
        self._backup = OlderBackup(self.stack, self.stack.directory / "older.backup")

    def _put_back(self, *, first_the_workers: bool) -> None:
        if not wait_recorded(self.killer, "irreversible before the older database is put back"):
            raise ChaosError("not all was recorded before the older database was put back")
        keys = self.stack.directory / "data-keys.json"
        keys_back_up(keys)
        self.killer.kill("worker", "webhooks", "beat")
        self._backup.put_back()
        if first_the_workers:
            self._collide()
        self.killer.revive()  # TPM and chain are needed now
        if not first_the_workers:
            self.killer.kill("worker", "webhooks", "beat")
        ledger_restore(keys)
        self.killer.revive()

    def _collide(self) -> None:
        """The database is older, nobody has noticed, and sessions close."""
        from ledger.models import Alert

        self.closer.sessions.close_few(COLLIDING)
        self.closer.closed += COLLIDING
        self._wait_for(Alert.objects.filter(code="database_behind", closed_at__isnull=True))

    def _wait_for(self, alerts: "QuerySet[Alert]") -> "Alert":
        def raised() -> bool:
            self.killer.revive()
            return alerts.exists()

        if not wait_until(raised, STUCK_AFTER_S, poll_s=0.2):
            raise ChaosError(f"no alert was raised of {alerts.query}")
        return alerts[0]


class ChaosError(Exception):
    """It makes no sense to go on."""


def parts_of(stack: PortalStack) -> dict[str, Child]:
    """What is killed."""
    return {
        "worker": stack.worker,
        "webhooks": stack.webhooks,
        "beat": stack.beat,
        "tpm": stack.tpm.service,
        "swtpm": stack.tpm.swtpm,
        "redis": stack.redis,
        "nodeos": stack.node,
    }


def unleash(stack: PortalStack, *, sessions: int, kills: int, seed: int) -> Killer:
    """Close all the sessions while killing; returns who killed. Everything is alive at the end."""
    from dev.trials.sample_sessions import Sessions

    rng = random.Random(seed)  # noqa: S311  a reproducible order, nothing secret
    killer = Killer(parts_of(stack), rng)
    killer.revive()
    closer = Closer(Sessions(random.Random(seed)), random.Random(seed))  # noqa: S311
    story = Story(stack, killer, closer)
    with ThreadPoolExecutor(1) as pool, bar(kills, "killed", " parts") as progress:
        closing = pool.submit(closer.run)
        try:
            for number in range(kills):
                _wait_closed(closer, closing, closer.allowed)  # so that kills are spread over all the sessions
                story.go_on(number / kills)
                closer.allowed = sessions * (number + 1) // kills
                time.sleep(rng.uniform(0.1, 2.5))
                if not killer.alive():  # the last ones ended for themselves meanwhile
                    killer.revive()
                progress.set_postfix_str(f"{killer.kill_one()}; {closer.closed} closed")
                progress.update()
                time.sleep(rng.uniform(0, 1.5))
                if rng.random() < 0.7 or len(killer.alive()) < 3:  # else one more is killed before this one is back
                    killer.revive()
            _wait_closed(closer, closing, sessions)
        finally:
            closer.ended = True
            story.late.stop()
    closing.result()
    killer.revive()
    return killer


def _wait_closed(closer: Closer, closing: "Future[None]", sessions: int) -> None:
    while closer.closed < sessions and not closing.done():
        time.sleep(0.05)


def wait_recorded(killer: Killer, what: str = "irreversible") -> bool:
    """Wait until every entry is irreversible; False where nothing moves any more."""
    from ledger.models import ChainTransaction, LedgerEntry

    done = LedgerEntry.objects.filter(transaction__status=ChainTransaction.Status.IRREVERSIBLE)
    with bar(LedgerEntry.objects.count(), what, " sessions") as progress:
        moved_at = time.monotonic()
        while progress.n < (progress.total or 0):
            if (now := done.count()) > progress.n:
                progress.update(now - progress.n)
                moved_at = time.monotonic()
            if time.monotonic() - moved_at > STUCK_AFTER_S:
                return False
            killer.revive()  # what ended for itself, as under any supervisor
            time.sleep(0.2)
    return True


def wait_quiet() -> None:
    """Wait until alerts are closed, and transactions over that lost their members to others."""
    from ledger.models import Alert, ChainTransaction

    alerts = Alert.objects.filter(closed_at__isnull=True)
    unfinished = ChainTransaction.objects.filter(status__in=ChainTransaction.UNFINISHED)
    wait_until(lambda: not (alerts.exists() or unfinished.exists()), QUIET_WITHIN_S, poll_s=0.2)


def run(stack: PortalStack, illnesses: Illnesses, *, sessions: int, kills: int, seed: int) -> list[str]:
    """The whole story; returns what is wrong in the end, [] when all is well."""
    from dev.trials.chaos import check
    from ledger.models import Alert, ChainTransaction

    illnesses.start()
    try:
        killer = unleash(stack, sessions=sessions, kills=kills, seed=seed)
    except ChaosError as error:
        return [str(error)]
    finally:
        illnesses.end()
    recorded = wait_recorded(killer)
    if recorded:
        wait_quiet()
    statuses = Counter(ChainTransaction.objects.values_list("status", flat=True))
    alerts = {str(alert): alert.count for alert in Alert.objects.order_by("id")}
    print(f"killed: {dict(sorted(killer.kills.items()))}; ended for themselves: {dict(+killer.ended)}")
    print(f"nodes were: {illnesses.met}")
    print(f"transactions: {dict(statuses)}\nalerts raised: {alerts}")
    if not recorded:
        told = list(ChainTransaction.objects.exclude(status="IRREVERSIBLE").values()[:5])
        return [f"nothing moved for {STUCK_AFTER_S:g} s, transactions {dict(statuses)}, as {told}"[:3000]]
    # Whatever happens around them, these have to go on: not everybody runs them under a supervisor.
    ended = [f"{name} ended for itself" for name in ("worker", "webhooks", "beat") if killer.ended[name]]
    return ended + check.problems(sessions=sessions, public_key=stack.public_key)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m dev.trials.chaos.main", description="Kill parts while sessions are recorded."
    )
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    print(f"chaos with --sessions {options.sessions} --kills {options.kills} --seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="evp-"))  # short: Unix sockets below it may have 107 bytes
    stack = PortalStack(directory, database=options.database, settings=SETTINGS)
    proxies = [IllProxy(stack.node.url), IllProxy(stack.node.url)]
    stack.settings["EVPORTAL_LEDGER_NODES"] = ",".join(proxy.url for proxy in proxies)
    illnesses = Illnesses(proxies, random.Random(options.seed))  # noqa: S311
    with stack.running():
        wrong = run(stack, illnesses, sessions=options.sessions, kills=options.kills, seed=options.seed)
    return verdict(directory, wrong, well=f"{options.sessions} sessions, each once on the chain", begun=begun)


if __name__ == "__main__":
    sys.exit(main())
