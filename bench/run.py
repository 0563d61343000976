"""The figures of DESIGN.md section 8 into bench/results.json: `python -m bench.run [FIGURE …]`.

Each figure is measured by a module of this package, which states its method, in a process of its own with a whole
portal of its own in a temporary directory; nothing of a running `make demo` is touched. A figure that is run alone
replaces only its own entry. Run it on a machine that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import results
from bench.results import Figure
from dev.tpm_service import ROOT

FIGURES = {
    figure.name: figure
    for figure in (
        Figure("backlog_100k_s", "backlog", "s", 60),
        Figure("close_to_irreversible_p95_s", "close_one", "s", 3, p95_counts=True),
        Figure("import_sessions_per_s", "importing", "sessions/s", 2000, at_most=False),
        Figure("receipt_verify_s", "receipt", "s", 0.5, databases=("postgres",)),
    )
}


def measure(figure: Figure) -> dict[str, Any]:
    """Run the figure's module once a database; returns the entry for results.json."""
    entry: dict[str, Any] = {"value": None, "unit": figure.unit, "target": figure.target}
    load = round(os.getloadavg()[0], 2)
    for database in figure.databases:
        print(f"{figure.name} on {database}", file=sys.stderr, flush=True)
        found = figure.summary(samples(figure, database))
        if database == figure.databases[0]:
            entry |= found
        else:
            entry[database] = found
    return entry | {
        "command": f"python -m bench.run {figure.name}",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_before": load,
    }


def samples(figure: Figure, database: str) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="evp-bench-") as directory:
        out = Path(directory) / "samples.json"
        command = [sys.executable, "-m", f"bench.{figure.module}", "--database", database, "--out", str(out)]
        subprocess.run(command, cwd=ROOT, check=True)
        found: list[float] = json.loads(out.read_text())
    return found


def line(name: str, entry: dict[str, Any]) -> str:
    beside = [f"{key}: {value['value']:g}" for key, value in entry.items() if isinstance(value, dict)]
    verdict = "reached" if entry["reached"] else "NOT reached"
    numbers = f"{entry['value']:g} {entry['unit']}, target {entry['target']:g}: {verdict}"
    return f"{name:30} {numbers}" + (f" ({', '.join(beside)})" if beside else "")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description="Measure figures of DESIGN.md section 8.")
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"all, or some of: {', '.join(FIGURES)}")
    names = parser.parse_args(arguments).figures or list(FIGURES)
    unknown = [name for name in names if name not in FIGURES]
    if unknown:
        parser.error(f"no figure {', '.join(unknown)}; there are {', '.join(FIGURES)}")
    measured_on = results.machine()
    for name in names:
        try:
            entry = measure(FIGURES[name])
        except subprocess.CalledProcessError as error:
            print(f"{name}: {' '.join(error.cmd)} ended with status {error.returncode}", file=sys.stderr)
            return 1
        results.update(FIGURES[name], entry, measured_on=measured_on)
        print(line(name, entry), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
