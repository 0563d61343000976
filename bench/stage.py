"""What every measuring module does around its measurement: options, a stack of its own, a file for the samples."""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dev.trials.portal_stack import PortalStack, outer_environment

Samples = Sequence[float] | Mapping[str, Sequence[float]]  # of the module's figure, or by name those of several
Measured = Samples | tuple[Samples, Mapping[str, float]]  # and numbers that explain them, which stand beside them
Measure = Callable[[argparse.Namespace, Path], Measured]


def options(doc: str | None, *, count: int, what: str, portal: bool = False) -> argparse.ArgumentParser:
    """Options of every module; one that measures in a portal has a database, too."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help=f"{what} (%(default)s)")
    parser.add_argument("--out", type=Path, help="write the samples there as JSON")
    parser.add_argument("--keep", action="store_true", help="leave the directory with data and logs")
    if portal:
        parser.add_argument("--database", choices=["postgres", "sqlite"], default="postgres")
    return parser


def perform(parser: argparse.ArgumentParser, measure: Measure) -> None:
    """Measure in a directory of its own, and hand over what was found."""
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="evp-"))
    found = measure(chosen, directory)
    if chosen.keep:
        print(f"kept: {directory}", file=sys.stderr)
    else:
        shutil.rmtree(directory)
    samples, beside = found if isinstance(found, tuple) else (found, {})
    write(chosen.out, samples, beside)


def in_portal(measure: Callable[[PortalStack, argparse.Namespace], Measured], *, follower: bool = False) -> Measure:
    """Measure in a stack of its own: PostgreSQL with fsync on, everything on this machine, nothing shared."""

    def measured(chosen: argparse.Namespace, directory: Path) -> Measured:
        stack = PortalStack(directory, database=chosen.database, durable=True, follower=follower)
        with stack.running():
            return measure(stack, chosen)

    return measured


def become_portal(directory: Path, **settings: str) -> None:
    """Make this process a portal with these settings, its tables made. Models can be imported after it."""
    import django
    from django.core.management import call_command

    from dev.stack.master_key import ensure_recovery_key

    for name in set(os.environ) - set(outer_environment()):
        del os.environ[name]
    os.environ |= {
        "EVPORTAL_ENV_FILE": os.devnull,
        "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE": str(ensure_recovery_key(directory / "recovery_key.pem")),
        "EVPORTAL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "evportal.settings",
        **settings,
    }
    django.setup()
    call_command("migrate", verbosity=0)


def write(out: Path | None, samples: Samples, beside: Mapping[str, float]) -> None:
    """Hand over what was measured: to bench.run in a file, or to whoever runs the module alone in words."""
    if out:
        out.write_text(json.dumps({"samples": samples, "beside": beside}))
        return
    for name, found in samples.items() if isinstance(samples, Mapping) else [("samples", samples)]:
        median, least, most = statistics.median(found), min(found), max(found)
        print(f"{name}: {len(found)}, median {median:.4g}, from {least:.4g} to {most:.4g}")
    for name, number in beside.items():
        print(f"{name}: {number:g}")


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
