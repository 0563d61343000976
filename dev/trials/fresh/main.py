"""`make fresh SUITE=trixie`: `make demo` and `make test`, each as the first command on a fresh Debian.

    python -m dev.trials.fresh.main bookworm|trixie [--only demo|test] [--workers N] [--keep]

Debian is made below var/fresh (debootstrap) with what a new user has: Python, git and make. A clean clone of HEAD is
put in it, so what is not committed is not tried. Each command has a copy of its own, in which nothing was installed
before; it shares the machine's network, and nothing else. The demo listens on ports that are free here, has to answer
and to equal its chain, and `make stop` has to leave no process. Everything is ended and removed again, also after a
failure and after Ctrl-C; what was said stays in var/log/fresh-*.log. On this machine debootstrap is installed where it
is missing, and nothing is written outside var.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dev import bootstrap
from dev.common.processes import ProcessError, free_port
from dev.common.steps import StackError, step
from dev.containers import packages
from dev.containers.engine import DEBOOTSTRAP, run
from dev.stack.layout import DEFAULT_PORTS, LOG, ROOT, VAR, make_directories, variable
from dev.trials.fresh.room import Room, lived_in

SUITES = ("bookworm", "trixie")
COMMANDS = ("demo", "test")
NEW_USER_HAS = ("python3", "git", "make", "ca-certificates")
CHECKOUT = "/root/EVPortal"
CA_BUNDLE = "/etc/ssl/certs/of-the-machine.pem"
DEMO_TIMEOUT_S = 1800
TEST_TIMEOUT_S = 7200
SHORT_TIMEOUT_S = 300
OUTCOME = re.compile(r"^\d+ (?:passed|failed).* in [\d.]+s\b.*$", re.MULTILINE)  # pytest's last line


def make_base(base: Path, suite: str, *, log: Path) -> None:
    """A Debian as a new user has it, a clean clone in it, and this machine's way to Python's packages."""
    with step(f"a fresh Debian, {suite} (debootstrap)"):
        packages.debootstrap(suite, base, log=log, include=NEW_USER_HAS)
        packages.upgrade(base, log=log)
    with step("a clean clone of HEAD") as remarks:
        clone = f"{base}{CHECKOUT}"
        run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), clone], timeout_s=SHORT_TIMEOUT_S)
        remarks.append(run(["git", "-C", clone, "log", "-1", "--format=%h"], timeout_s=SHORT_TIMEOUT_S).strip())
    pip = packages.pip_index()
    bundle = packages.ca_bundle()
    if bundle:
        shutil.copy(bundle, f"{base}{CA_BUNDLE}")
        pip += f"cert = {CA_BUNDLE}\n"
    (base / "etc/pip.conf").write_text(f"[global]\n{pip}")


def try_demo(room: Room, *, log: Path, ports: Mapping[str, int]) -> None:
    """`make demo` stands, answers and equals its chain, and `make stop` ends it; raises StackError."""
    with step("make demo, as the first command"):
        room.run("make demo", folder=CHECKOUT, log=log, timeout_s=DEMO_TIMEOUT_S)
    with step("all parts run, and the portal answers"):
        room.run("make status", folder=CHECKOUT, log=log, timeout_s=SHORT_TIMEOUT_S)
        url = f"http://127.0.0.1:{ports['WEB']}/"
        with urllib.request.urlopen(url, timeout=30) as page:
            if b"EVPortal" not in page.read():
                raise StackError(f"{url}: expected the portal, got another page")
    with step("every session equals the chain (ledger_audit)") as remarks:
        audit = ".venv/bin/python manage.py ledger_audit"
        said = room.run(audit, folder=CHECKOUT, log=log, timeout_s=SHORT_TIMEOUT_S)
        remarks.append(said.strip().splitlines()[-1])
    with step("make stop, and nothing runs any more"):
        room.run("make stop", folder=CHECKOUT, log=log, timeout_s=SHORT_TIMEOUT_S)
        left = room.processes()
        if left:
            raise StackError("make stop left behind:\n" + "\n".join(left))


def try_tests(room: Room, *, log: Path, workers: int) -> None:
    """`make test` passes; raises StackError."""
    with step(f"make test, as the first command ({workers} at once)") as remarks:
        said = room.run(f"make test WORKERS={workers}", folder=CHECKOUT, log=log, timeout_s=TEST_TIMEOUT_S)
        remarks += OUTCOME.findall(said)


def try_command(command: str, base: Path, *, suite: str, workers: int) -> None:
    """One of the two commands in a copy of the fresh Debian; raises StackError, ProcessError."""
    root = base.with_name(command)
    log = LOG / f"fresh-{suite}-{command}.log"
    with step(f"a copy for make {command}; it will say what it does in {log.relative_to(ROOT)}"):
        run(["cp", "--archive", "--reflink=auto", str(base), str(root)], timeout_s=SHORT_TIMEOUT_S)
    ports = {name: free_port() for name in DEFAULT_PORTS}
    chosen = {variable(name): str(port) for name, port in ports.items()} if command == "demo" else {}
    with lived_in(root, log=log, environment={**packages.proxies(), **chosen}) as room:
        if command == "demo":
            try_demo(room, log=log, ports=ports)
        else:
            try_tests(room, log=log, workers=workers)


@contextmanager
def removed(folder: Path, *, keep: bool) -> Iterator[None]:
    """A folder that is not there before, and not afterwards unless `keep`."""
    remove(folder)  # what a killed or a kept run left
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        if keep:
            print(f"\nKept: {folder}, a Debian in each folder. To look into one: chroot {folder}/demo")
        else:
            for impatient in (signal.SIGINT, signal.SIGTERM):  # either would leave half of it behind
                signal.signal(impatient, signal.SIG_IGN)
            with step("removing what was made"):
                remove(folder)


def remove(folder: Path) -> None:
    """Delete a folder with a Debian in it; raises StackError where somebody has mounted something there."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    below = [mount for mount in mounts if Path(mount).is_relative_to(folder)]
    if below:
        raise StackError(f"Something is mounted in {folder}, and would be deleted with it. First: umount {below[-1]}")
    if folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:  # what was being killed just now has made a file behind our back
            time.sleep(1)
            shutil.rmtree(folder)


def fresh(suite: str, commands: list[str], *, workers: int, keep: bool) -> None:
    """All of it; raises StackError, ProcessError at the first thing that is not as it should be."""
    if os.geteuid() != 0:
        raise StackError(f"Making a Debian needs root: sudo make fresh SUITE={suite}")
    if not DEBOOTSTRAP.present():
        bootstrap.install_packages([DEBOOTSTRAP])
    folder = VAR / "fresh" / suite
    with removed(folder, keep=keep):
        base = folder / "base"
        make_base(base, suite, log=LOG / f"fresh-{suite}.log")
        for command in commands:
            try_command(command, base, suite=suite, workers=workers)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="make fresh SUITE=…",
        description="make demo and make test, each as the first command on a fresh Debian.",
        epilog="In make's words: make fresh SUITE=trixie WORKERS=2 KEEP=1 ARGS='--only demo'",
    )
    parser.add_argument("suite", metavar="SUITE", choices=SUITES, help=f"which Debian: {' or '.join(SUITES)}")
    parser.add_argument("--only", choices=COMMANDS, help="try one of the two commands")
    parser.add_argument("--workers", type=int, default=4, help="tests at once (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave var/fresh/SUITE there, to look into it")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    make_directories()
    started = time.monotonic()
    commands = [options.only] if options.only else list(COMMANDS)
    try:
        fresh(options.suite, commands, workers=options.workers, keep=options.keep)
    except (StackError, ProcessError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything was ended and removed.", file=sys.stderr)
        return 130
    print(f"make fresh SUITE={options.suite} passed in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
