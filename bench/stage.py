"""What every measuring module does around its measurement: options, a stack of its own, a file for the samples."""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tqdm import tqdm

from dev.trials.portal_stack import PortalStack

LINE_EVERY_S = 5.0

Measure = Callable[[PortalStack, argparse.Namespace], Sequence[float]]


def options(doc: str | None, *, count: int, what: str) -> argparse.ArgumentParser:
    parser = plain_options(doc, count=count, what=what)
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--keep", action="store_true", help="leave the directory with data and logs")
    return parser


def plain_options(doc: str | None, *, count: int, what: str) -> argparse.ArgumentParser:
    """Options of a module that measures without a portal."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help=f"{what} (%(default)s)")
    parser.add_argument("--out", type=Path, help="write the samples there as JSON")
    return parser


def perform(parser: argparse.ArgumentParser, measure: Measure, *, follower: bool = False) -> None:
    """Measure in a stack of its own: PostgreSQL with fsync on, everything on this machine, nothing shared."""
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="evp-"))
    stack = PortalStack(directory, database=chosen.database, durable=True, follower=follower)
    with stack.running():
        samples = list(measure(stack, chosen))
    if chosen.keep:
        print(f"kept: {directory}", file=sys.stderr)
    else:
        shutil.rmtree(directory)
    write(chosen.out, samples)


def write(out: Path | None, samples: Sequence[float] | Mapping[str, Sequence[float]], **beside: float) -> None:
    """Hand over what was measured: the samples of the module's figure, or by name those of several.

    `beside` are numbers that explain them, and stand beside them in results.json.
    """
    if out:
        out.write_text(json.dumps({"samples": samples, "beside": beside}))
        return
    for name, found in samples.items() if isinstance(samples, Mapping) else [("samples", samples)]:
        ordered = sorted(found)
        print(
            f"{name}: {len(found)}, median {statistics.median(found):.4g}, from {ordered[0]:.4g} to {ordered[-1]:.4g}"
        )
    for name, number in beside.items():
        print(f"{name}: {number:g}")


def bar(total: int, what: str, unit: str) -> "tqdm[None]":
    """A progress bar on a terminal; elsewhere a line now and then."""
    every = 0.1 if sys.stderr.isatty() else LINE_EVERY_S
    return tqdm(total=total, desc=what, unit=unit, mininterval=every)
