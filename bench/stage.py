"""What every measuring module does around its measurement: options, a stack of its own, a file for the samples."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from dev.portal_stack import PortalStack

LINE_EVERY_S = 5.0

Measure = Callable[[PortalStack, argparse.Namespace], Sequence[float]]


def options(doc: str | None, *, count: int, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    parser.add_argument("--count", type=int, default=count, help=f"{what} (%(default)s)")
    parser.add_argument("--out", type=Path, help="write the samples there as a JSON list")
    parser.add_argument("--keep", action="store_true", help="leave the directory with data and logs")
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
    if chosen.out:
        chosen.out.write_text(json.dumps(samples))
    else:
        print(json.dumps(samples))


def bar(total: int, what: str, unit: str) -> "tqdm[None]":
    """A progress bar on a terminal; elsewhere a line now and then."""
    every = 0.1 if sys.stderr.isatty() else LINE_EVERY_S
    return tqdm(total=total, desc=what, unit=unit, mininterval=every)
