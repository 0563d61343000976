"""Simulated charging stations, which charge while the demo runs.

python -m dev.stations run --gateway ws://127.0.0.1:8300/ocpp --stations var/secrets/live_stations.json --state var/live

`--gateway` may be said several times: each connection goes to one of them at random. With `--speed 20` and `--clock`
(what their clocks show now) they live faster than the world, for trials.
"""

import argparse
import asyncio
import json
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dev.stations.device.clock import Clock
from dev.stations.device.told import Told
from dev.stations.station import Station
from dev.stations.world import day

TIMEOUT_S = 10.0


def log(line: str) -> None:
    """One line, with the world's time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {line[:400]}", flush=True)


def stations_of(chosen: argparse.Namespace) -> list[Station]:
    """The stations of the file, with what each of them keeps."""
    chosen.state.mkdir(parents=True, exist_ok=True)
    return [
        Station(
            told,
            chosen.gateway[0],
            others=chosen.gateway[1:],
            clock=Clock(chosen.clock, chosen.speed) if chosen.clock else None,
            state=chosen.state / f"{told.identity}.json",
            timeout_s=TIMEOUT_S,
            log=log,
            ca=chosen.ca,
        )
        for told in map(Told.read, json.loads(chosen.stations.read_text()))
    ]


async def run(chosen: argparse.Namespace) -> None:
    """Until SIGTERM or SIGINT."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, lambda: task.cancel() if task else None)
    await day(stations_of(chosen))


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.stations", description="Simulated charging stations.")
    commands = parser.add_subparsers(required=True)
    told = commands.add_parser("run", help="let the stations of a file charge all day")
    told.add_argument("--gateway", required=True, action="append", metavar="URL", help="ws://127.0.0.1:8300/ocpp")
    told.add_argument("--stations", required=True, type=Path, metavar="FILE")
    told.add_argument("--state", required=True, type=Path, metavar="DIRECTORY")
    told.add_argument("--ca", type=Path, metavar="FILE", help="the root to trust for wss://")
    told.add_argument("--clock", type=datetime.fromisoformat, metavar="TIME", help="what their clocks show now")
    told.add_argument("--speed", type=float, default=1.0, help="seconds on their clocks in one (with --clock)")
    chosen = parser.parse_args(arguments)
    with suppress(asyncio.CancelledError):
        asyncio.run(run(chosen))


if __name__ == "__main__":
    main()
