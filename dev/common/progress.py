"""How far a long run is."""

import sys

from tqdm import tqdm

LINE_EVERY_S = 5.0


def bar(total: int, what: str, unit: str, *, done: int = 0) -> "tqdm[None]":
    """A bar on a terminal; elsewhere a line now and then."""
    every = 0.1 if sys.stderr.isatty() else LINE_EVERY_S
    return tqdm(total=total, initial=done, desc=what, unit=unit, mininterval=every)
