"""gateway_two_processes: how many times what one gateway process carries two carry.

Modelled: on two cores two gateway processes would share them with PostgreSQL and the stations, so that the machine
would be measured. What is measured is CPU time: one process answers a fixed rate, then two processes, each with half
of the stations, answer the same rate together, all after a first load that warms them; a turn in which the rate was
not reached is no result. Everything is stored, and PostgreSQL, Redis and the load are what they are in answers.py. One
process carries the answers of one core, 1 / (CPU time of one an answer); two those of two cores, 2 / (CPU time of the
two an answer): the figure is the ratio, 2 where a second process costs the first nothing. It errs to the low side: each
of the two gets half of the messages, so its group commits are half as large. It holds as long as PostgreSQL has cores
of its own: its CPU time an answer stands beside, with one process and with two.
"""

from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from bench.gateway.answers import REACHED, gateway, loaded, make_stations, turns
from bench.stage import Measured, in_portal, perform
from dev.trials.portal_stack import PortalStack

RATE = 400.0
WARM_UP_S = 10.0


def measure(stack: PortalStack, chosen: Namespace) -> Measured:
    assert stack.postgres is not None, "the gateway is measured on PostgreSQL"
    stack.node.stop()
    stations = stack.directory / "stations.json"
    make_stations(stations, chosen.count)
    postgres = psutil.Process(stack.postgres.pid)
    ratios: list[float] = []
    beside: dict[str, float] = {}
    for _ in range(chosen.turns):
        found = {processes: carried(processes, stations, chosen, postgres) for processes in (1, 2)}
        ratios.append(2 * found[1]["gateway_cpu_ms"] / found[2]["gateway_cpu_ms"])
        beside = {f"{key}_of_{processes}": value for processes, said in found.items() for key, value in said.items()}
    return {"gateway_two_processes": ratios}, beside


def carried(processes: int, stations: Path, chosen: Namespace, postgres: psutil.Process) -> dict[str, float]:
    """With so many gateway processes: answers a second, and CPU milliseconds an answer."""
    share = chosen.count // processes
    options = {"count": share, "rate": chosen.rate / processes, "seconds": chosen.seconds}
    with ExitStack() as running, ThreadPoolExecutor(processes) as pool:
        serving = [running.enter_context(gateway()) for _ in range(processes)]
        for place, one in enumerate(serving):  # a process that has just begun compiles its schemas
            loaded(one, stations, skip=place * share, count=share, seconds=WARM_UP_S)
        before = cpu_s(postgres)
        begun = [pool.submit(loaded, one, stations, skip=place * share, **options) for place, one in enumerate(serving)]
        said = [each.result() for each in begun]
        spent_s = cpu_s(postgres) - before
    answers = sum(one["answers"] for one in said)
    gateways = sum(one["cpu_ms"] * one["answers"] for one in said) / answers
    per_s = sum(one["per_s"] for one in said)
    if per_s < REACHED * chosen.rate:
        raise RuntimeError(f"{processes} answered {per_s:.0f} a second of {chosen.rate:.0f}: this machine is too busy")
    return {"per_s": per_s, "gateway_cpu_ms": gateways, "postgres_cpu_ms": spent_s * 1000 / answers}


def cpu_s(postgres: psutil.Process) -> float:
    """Of PostgreSQL: the server itself, its processes that ended, and those that run."""
    spent = sum(postgres.cpu_times()[:4])
    for process in postgres.children():
        with suppress(psutil.NoSuchProcess):  # ended just now
            spent += sum(process.cpu_times()[:2])
    return spent


if __name__ == "__main__":
    parser = turns(__doc__)
    parser.add_argument("--rate", type=float, default=RATE, help="messages a second of all (%(default)s)")
    perform(parser, in_portal(measure))
