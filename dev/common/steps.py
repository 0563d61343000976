"""One line a step on the terminal: what is done, and how long it took. Standard library only (dev/bootstrap.py)."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

WIDTH = 62


class StackError(RuntimeError):
    """The stack cannot go on; the message says why and what to do about it."""


def run(main: Callable[[], int | None], *errors: type[Exception]) -> NoReturn:
    """End this program with what `main` returns; an error of these is its last word, with status 1."""
    try:
        status = main()
    except errors as error:
        sys.exit(f"\n{error}")
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    sys.exit(status)


@contextmanager
def step(title: str) -> Iterator[list[str]]:
    """Print `title` now and its time at the end; what is appended to the list it yields is printed behind the time."""
    remarks: list[str] = []
    started = time.monotonic()
    if sys.stdout.isatty():
        print(f"  {title} …", end="", flush=True)
    try:
        yield remarks
    except BaseException:
        print(f"{_start()}  {title} … stopped after {time.monotonic() - started:.1f} s", flush=True)
        raise
    remark = f"  ({', '.join(remarks)})" if remarks else ""
    print(f"{_start()}  {title:<{WIDTH}} {time.monotonic() - started:5.1f} s{remark}", flush=True)


def _start() -> str:
    """On a terminal the finished line replaces the one that announced it."""
    return "\r\x1b[K" if sys.stdout.isatty() else ""
