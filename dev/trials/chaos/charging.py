"""Chaos while stations charge: `kill -9` of gateways, PostgreSQL, Redis and the stations themselves.

    python -m dev.trials.chaos.charging [--kills 100] [--stations 6] [--seed N] [--not-durable]

Simulated stations of OCPP 1.6, 2.0.1 and 2.1 charge one car after the other, by clocks that run 20 times as fast, and
connect to either of two gateways at random. At random moments one of the parts is killed (of PostgreSQL all processes,
the postmaster alone or one backend), is started again after a short while, and often another is killed before that.
Half of the stations go on charging after a `kill -9`, the others end their charges.

In the end each charge that stands in the stations' own books (their state files) must be in the database exactly once,
with its meter at start and stop, its energy, times and card, and all that a station had to say must be answered
(dev/trials/chaos/books.py). Exit status 0 when all is well, 1 when not; then the directory with the logs stays.

`--not-durable` lets PostgreSQL answer before it has written (synchronous_commit off): a fault that must be found.
After each kill PostgreSQL syncs all of its files; where the disk is slow, TMPDIR=/dev/shm saves minutes.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from dev.common.processes import wait_until
from dev.common.progress import bar
from dev.trials.chaos.gateways import ChargingStack
from dev.trials.chaos.killing import Killer, verdict

STUCK_AFTER_S = 120.0


def messages() -> int:
    """How many frames the message log has seen, -1 while the database is away."""
    from django.db import DatabaseError, connection
    from django.db.models import Max

    from stations.models import OcppMessage

    try:
        return int(OcppMessage.objects.aggregate(last=Max("id"))["last"] or 0)
    except DatabaseError:
        connection.close()
        return -1


def unleash(stack: ChargingStack, *, kills: int, seed: int) -> tuple[Killer, str]:
    """Kill while they charge; returns who killed, and why it makes no sense to go on, "" when all were killed."""
    rng = random.Random(seed)  # noqa: S311  a reproducible order, nothing secret
    killer = Killer(stack.parts, rng)
    killer.revive()
    with bar(kills, "killed", " parts") as progress:
        for _ in range(kills):
            if not wait_said(killer, rng.randint(3, 40)):
                return killer, f"nobody said anything for {STUCK_AFTER_S:g} s"
            time.sleep(rng.uniform(0, 0.3))
            progress.set_postfix_str(killer.kill_one())
            progress.update()
            time.sleep(rng.uniform(0, 1.0))
            while rng.random() < 0.3 and len(killer.alive()) > 1 and progress.n < kills:
                tqdm.write(f"and, before that is back, {killer.kill_one()}")
                progress.update()
            killer.revive()
            if progress.n >= kills:
                break
    return killer, ""


def wait_said(killer: Killer, count: int) -> bool:
    """Wait until so much more was said and stored, that there is something to tear apart."""
    before: list[int] = []

    def said() -> bool:
        killer.revive()  # what ended for itself, as under any supervisor
        now = messages()
        if not before and now >= 0:
            before.append(now)
        return bool(before) and now >= before[0] + count

    return wait_until(said, STUCK_AFTER_S, poll_s=0.1)


def wait_quiet(stack: ChargingStack, killer: Killer) -> bool:
    """Wait until all charges have ended, and all is said and answered; not for long when nothing gets less."""
    stack.calm()
    left, moved_at = stack.left_to_say(), time.monotonic()
    while left:
        killer.revive()
        if (now := stack.left_to_say()) != left:
            left, moved_at = now, time.monotonic()
        if time.monotonic() - moved_at > STUCK_AFTER_S:
            return False
        time.sleep(0.5)
    return True


def run(stack: ChargingStack, *, kills: int, seed: int) -> list[str]:
    """The whole story; returns what is wrong in the end, [] when all is well."""
    from django.db import connections

    from dev.trials.chaos import books
    from stations.models import ChargingSession, OcppMessage, Station

    killer, stuck = unleash(stack, kills=kills, seed=seed)
    killer.revive()
    quiet = wait_quiet(stack, killer)
    stack.simulator.stop()
    connections.close_all()  # PostgreSQL may have been killed since this process asked it last
    states = stack.simulator.states()
    versions = {one["identity"]: one["version"] for one in json.loads(stack.simulator.file.read_text())}
    charges = books.booked(states, versions)
    wh = sum(charge.energy_wh or 0 for charge in charges)
    flags = Counter(flag for flags in ChargingSession.objects.values_list("flags", flat=True) for flag in flags)
    print(f"killed: {dict(sorted(killer.kills.items()))}; ended for themselves: {dict(+killer.ended)}")
    print(f"{len(charges)} charges at {Station.objects.count()} stations, {wh} Wh, flags: {dict(flags)}")
    print(f"{OcppMessage.objects.count()} frames were kept")
    wrong = [stuck] if stuck else []
    wrong += [] if quiet else [f"nothing more was answered for {STUCK_AFTER_S:g} s"]
    wrong += [] if charges else ["nobody charged"]
    ended = [f"{name} ended for itself" for name in ("gateway-1", "gateway-2", "stations") if killer.ended[name]]
    return wrong + ended + books.problems(states, versions)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m dev.trials.chaos.charging", description="Kill parts while stations charge."
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--stations", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))  # noqa: S311
    parser.add_argument("--not-durable", action="store_true", help="a planted fault: answers before it is written")
    options = parser.parse_args(arguments)
    begun = time.monotonic()
    print(f"chaos while charging with --kills {options.kills} --seed {options.seed}", flush=True)
    directory = Path(tempfile.mkdtemp(prefix="evp-"))
    stack = ChargingStack(directory, stations=options.stations, durable=not options.not_durable)
    with stack.running():
        wrong = run(stack, kills=options.kills, seed=options.seed)
    return verdict(directory, wrong, well="each charge once, to the watt-hour", begun=begun)


if __name__ == "__main__":
    sys.exit(main())
