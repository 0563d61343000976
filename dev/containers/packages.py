"""A fresh Debian in a folder (debootstrap), and how this machine reaches the packages of Debian and of Python."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.containers.engine import run

MIRROR = "http://deb.debian.org/debian"
SOURCES = """\
deb http://deb.debian.org/debian {suite} main
deb http://deb.debian.org/debian {suite}-updates main
deb http://deb.debian.org/debian-security {suite}-security main
"""
TIMEOUT_S = 900
# Interrupted, they leave neither processes nor mounts: they have a space of their own for both, which ends with them.
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--")
CA_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
PIP_INDEX = ("index-url", "extra-index-url", "trusted-host")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def debootstrap(suite: str, root: Path, *, log: Path, include: Sequence[str] = ()) -> None:
    """Make the smallest Debian of this suite at `root`, with these packages; raises StackError, with the log's end."""
    more = [f"--include={','.join(include)}"] if include else []
    with log.open("w") as output:
        command = [*ALONE, "debootstrap", "--variant=minbase", *more, suite, str(root), MIRROR]
        run(command, timeout_s=TIMEOUT_S, log=output)
    (root / "etc/apt/sources.list").write_text(SOURCES.format(suite=suite))


def upgrade(root: Path, *, log: Path) -> None:
    """Bring it up to date with the suite's updates and security; raises StackError."""
    with log.open("a") as output:
        command = "apt-get update && apt-get --yes upgrade && apt-get clean"
        run([*ALONE, "chroot", str(root), "sh", "-c", command], timeout_s=TIMEOUT_S, log=output)


def ca_bundle() -> Path | None:
    """The certificates that this machine's environment names for pip, where it names some."""
    named = next((os.environ[name] for name in CA_BUNDLES if os.environ.get(name)), "")
    return Path(named) if Path(named).is_file() else None


def pip_index() -> str:
    """The lines of pip's configuration that name an index on the network; one on this machine's disk is no use."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    found = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        key, addresses = name.rpartition(".")[2], value.strip("'\"")
        if key in PIP_INDEX and "file:" not in addresses:
            found[key] = addresses
    return "".join(f"{key} = {value}\n" for key, value in found.items())


def proxies() -> dict[str, str]:
    """The proxies that this machine's environment names."""
    return {name: os.environ[name] for name in PROXIES if os.environ.get(name)}
