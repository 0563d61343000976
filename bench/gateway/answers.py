"""gateway_vs_bare, gateway_p99_ms, gateway_station_kib: what one gateway process carries.

Method: PostgreSQL (fsync on), Redis and a TPM service of the bench's own, `manage.py gateway` as a process of its own,
stations in another (load.py: raw frames, OCPP 1.6), all on this machine; no worker runs, and no node. In turns, the
same load asks the bare system (bare.py: `ocpp` on `websockets`, validating, storing nothing) and the gateway, which
stores every message, meter value and charge before it answers. `gateway_vs_bare` is the gateway's answers a second over
the bare system's of the same turn; a turn in which the gateway's p99 was over 1 s counts as 0.

`gateway_p99_ms`: at 1,000 messages a second from 2,000 stations that charge, half a minute after they began to: steady.
A turn in which they could not say so many counts as a minute. They had all booted at once before: `storm_s` is how long
it took until the last of those boots was answered, `storm_p99_ms` how long all but a hundredth waited for theirs, of a
process that had answered nobody yet. `gateway_station_kib`: what the process grew by with 5,000 idle stations connected
to it, over their number. Beside them stand answers a second and the CPU time of the serving process for an answer, of
the last turn, and how many stations were connected at once (`gateway_stations`).
"""

import json
import os
import resource
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.stage import Measured, in_portal, options, perform
from dev.common.processes import free_port, port_open, wait_until
from dev.parts.tpm_service import ROOT
from dev.trials.portal_stack import PortalStack

STATIONS, MANY, IDLE = 200, 2000, 5000
TURNS = 3
RATE = 1000.0
WARM_UP_S = 30.0
P99_MAX_MS, STALLED_MS = 1000.0, 60_000.0
REACHED = 0.95  # of a rate
STARTS_WITHIN_S = 60


@dataclass(frozen=True)
class Serving:
    url: str
    process: psutil.Process

    def cpu_s(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system


@contextmanager
def serving(argv: list[str], port: int, path: str = "", env: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """A process that listens at this port, until it is ended."""
    process = subprocess.Popen(argv, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
    try:
        if not wait_until(lambda: port_open(port), STARTS_WITHIN_S):
            raise RuntimeError(f"{argv} does not listen")
        yield Serving(f"ws://127.0.0.1:{port}{path}", psutil.Process(process.pid))
    finally:
        process.terminate()
        process.wait(60)


def loaded(serving: Serving, stations: Path, **options: Any) -> dict[str, float]:
    """What load.py says, and the CPU milliseconds of the serving process for an answer."""
    flags = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    command = [sys.executable, "-m", "bench.gateway.load", "--url", serving.url, "--stations", str(stations), *flags]
    before = serving.cpu_s()
    found: dict[str, float] = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    if found["errors"]:
        raise RuntimeError(f"{found['errors']} messages were answered with an error")
    return found | {"cpu_ms": (serving.cpu_s() - before) * 1000 / found["answers"]}


def make_stations(file: Path, count: int) -> None:
    """In the database, each with an outlet; their credentials go into the file."""
    from stations.models import Connector, Site, Station
    from stations.places.credentials import credential_hash

    site = Site.objects.create(code="BENCH", name="Bench", unknown_cards=True)
    hashed = credential_hash("bench")
    names = [f"BENCH-{number:05}" for number in range(count)]
    made = Station.objects.bulk_create(Station(site=site, identity=name, credential_hash=hashed) for name in names)
    Connector.objects.bulk_create(Connector(station=one, evse_id=1, connector_id=1) for one in made)
    file.write_text(json.dumps([{"identity": name, "credential": "bench"} for name in names]))


@contextmanager
def gateway(**settings: str) -> Iterator[Serving]:
    port = free_port()
    os.environ |= {"EVPORTAL_OCPP_MESSAGES_PER_S": "10000", "EVPORTAL_LOG_LEVEL": "WARNING", **settings}
    with serving([sys.executable, "manage.py", "gateway", "--port", str(port)], port, "/ocpp") as found:
        yield found


@contextmanager
def bare() -> Iterator[Serving]:
    port = free_port()
    with serving([sys.executable, "-m", "bench.gateway.bare", "--port", str(port)], port) as found:
        yield found


def measure(stack: PortalStack, chosen: Namespace) -> Measured:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    stack.node.stop()
    stations = stack.directory / "stations.json"
    make_stations(stations, IDLE)
    ratios, beside = in_turns(stations, chosen)
    with gateway() as ours:
        steadily = {"count": MANY, "rate": RATE, "warm_up": WARM_UP_S, "seconds": chosen.seconds}
        steady = [loaded(ours, stations, **steadily) for _ in range(chosen.turns)]
    kib = [idle_kib(stations)]
    samples = {
        "gateway_vs_bare": ratios,
        "gateway_p99_ms": [found["p99_ms"] if found["per_s"] >= REACHED * RATE else STALLED_MS for found in steady],
        "gateway_station_kib": kib,
    }
    storm = {name: steady[0][name] for name in ("storm_s", "storm_p99_ms")}
    return samples, beside | storm | {"gateway_stations": IDLE, "steady_per_s": min(one["per_s"] for one in steady)}


def in_turns(stations: Path, chosen: Namespace) -> tuple[list[float], dict[str, float]]:
    """The ratios, and the numbers of the last turn beside them."""
    ratios: list[float] = []
    beside: dict[str, float] = {}
    for _ in range(chosen.turns):
        with bare() as theirs:
            first = loaded(theirs, stations, count=chosen.count, seconds=chosen.seconds)
        with gateway() as ours:
            second = loaded(ours, stations, count=chosen.count, seconds=chosen.seconds)
        ratios.append(second["per_s"] / first["per_s"] if second["p99_ms"] <= P99_MAX_MS else 0.0)
        for name, found in (("bare", first), ("gateway", second)):
            beside |= {f"{name}_{key}": found[key] for key in ("per_s", "p99_ms", "cpu_ms")}
    return ratios, beside


def idle_kib(stations: Path) -> float:
    """What each of many connected stations costs the process in memory."""
    with gateway() as ours:
        before = ours.process.memory_info().rss
        command = [sys.executable, "-m", "bench.gateway.load", "--url", ours.url, "--stations", str(stations)]
        with subprocess.Popen(
            [*command, "--count", str(IDLE), "--idle", "--seconds", "5"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as load:
            assert load.stdout is not None
            load.stdout.readline()  # all are connected
            time.sleep(2)
            grown = ours.process.memory_info().rss - before
        if load.returncode:
            raise RuntimeError("the stations did not stay connected")
    return grown / 1024 / IDLE


def turns(doc: str | None) -> ArgumentParser:
    """The options of what is measured in turns."""
    parser = options(doc, count=STATIONS, what="stations at once", portal=True)
    parser.add_argument("--seconds", type=float, default=10.0, help="that are measured of a turn (%(default)s)")
    parser.add_argument("--turns", type=int, default=TURNS, help="(%(default)s)")
    return parser


if __name__ == "__main__":
    perform(turns(__doc__), in_portal(measure))
