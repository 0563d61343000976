"""This tree beside another revision, in one run: `python -m bench.against REV [FIGURE …]` (make bench-against REV=…).

The other revision is checked out as a git worktree in var/against. Both are measured in turn, so that a machine that
gets slower slows both, and bench/results.json gets the ratio: this tree's median over the other's.

The bench is this tree's for both: it is run with the other checkout's code on the path, so what these figures use of
it may ask only for what both revisions have.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import results
from bench.results import Figure
from dev.bootstrap import REQUIREMENTS
from dev.parts.tpm_service import ROOT

RATIOS = {
    figure.name: figure
    for figure in (
        Figure("audit_100k_ratio", "ledger.audit", "times", 0.33, databases=()),
        Figure("restore_100k_blocks_ratio", "ledger.restore", "times", 0.05, databases=()),
    )
}
BENCH = Path(__file__).parent


@dataclass
class Measured:
    """Samples of both trees, one a round; `beside` are the numbers that explain this tree's last one."""

    this: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)
    beside: dict[str, float] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return statistics.median(self.this) / statistics.median(self.other)


def checked_out(revision: str) -> tuple[Path, str]:
    """The worktree of this revision and its commit; made where it is not there yet."""
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}")
    place = ROOT / "var" / "against" / commit[:12]
    if not (place / "manage.py").exists():
        _git("worktree", "prune")
        _git("worktree", "add", "--detach", "--force", str(place), commit)
    (place / "var").mkdir(exist_ok=True)
    _link(place / "var" / "parts", ROOT / "var" / "parts")
    if all((place / path.relative_to(ROOT)).read_bytes() == path.read_bytes() for path in REQUIREMENTS):
        _link(place / ".venv", ROOT / ".venv")
    else:  # other packages: a virtualenv of its own
        subprocess.run([sys.executable, "-m", "dev.bootstrap", "test"], cwd=place, check=True)
    return place, commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _link(place: Path, target: Path) -> None:
    if not place.exists():
        place.symlink_to(target.resolve())


def sample(checkout: Path, module: str) -> dict[str, Any]:
    """Run a module of this tree's bench with the code of `checkout`; returns what `stage.write` wrote."""
    with tempfile.TemporaryDirectory(prefix="evp-against-") as directory:
        out = Path(directory) / "samples.json"
        python = str(checkout / ".venv" / "bin" / "python")
        beside = Path(__file__).with_name("beside.py")
        command = [python, str(beside), str(BENCH), f"bench.{module}", "--out", str(out)]
        subprocess.run(command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, check=True)
        found: dict[str, Any] = json.loads(out.read_text())
    return found


def compare(figure: Figure, other: Path, *, rounds: int) -> Measured:
    """Both trees in turn, the other one first, `rounds` times."""
    found = Measured()
    for number in range(1, rounds + 1):
        for checkout, samples in ((other, found.other), (ROOT, found.this)):
            name = "this tree" if checkout == ROOT else f"revision {other.name}"
            print(f"{figure.name}: round {number} of {rounds}, {name}", file=sys.stderr, flush=True)
            one = sample(checkout, figure.module)
            samples.append(statistics.median(figure.samples(one)))
            found.beside = one["beside"]
    return found


def entry(figure: Figure, found: Measured, *, commit: str, load: float) -> dict[str, Any]:
    """The figure's entry in results.json: the ratio, and what both took."""
    both = {
        "this": [results.rounded(value) for value in found.this],
        "other": [results.rounded(value) for value in found.other],
    }
    command = f"python -m bench.against {commit[:12]} {figure.name}"
    more = {"revision": commit[:12], "load_before": load}
    return figure.entry(figure.valued(found.ratio) | both, beside=found.beside, command=command, **more)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.against", description="This tree beside another revision.")
    parser.add_argument("revision", metavar="REV", help="a commit, tag or branch")
    parser.add_argument("--rounds", type=int, default=1, help="how often both are measured in turn (%(default)s)")
    chosen, names = results.chosen_figures(parser, RATIOS, arguments)
    load, measured_on = round(os.getloadavg()[0], 2), results.machine()
    try:
        other, commit = checked_out(chosen.revision)
        for name in names:
            found = compare(RATIOS[name], other, rounds=max(chosen.rounds, 1))
            written = entry(RATIOS[name], found, commit=commit, load=load)
            results.update(RATIOS[name], written, measured_on=measured_on)
            print(results.line(name, written), flush=True)
    except subprocess.CalledProcessError as error:
        said = f"\n{error.stderr.strip()}" if error.stderr else ""
        print(f"{' '.join(map(str, error.cmd[:6]))} … ended with status {error.returncode}{said}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
