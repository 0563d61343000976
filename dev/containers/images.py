"""The images: the base from debootstrap, for want of a registry, and all others from it."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.containers.engine import Engine, docker_program, run
from dev.stack.layout import LOG, ROOT, VAR
from dev.steps import StackError, step

BASE = "debian:bookworm-slim"
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
SOURCES = """\
deb http://deb.debian.org/debian bookworm main
deb http://deb.debian.org/debian bookworm-updates main
deb http://deb.debian.org/debian-security bookworm-security main
"""
# As Debian's own slim image: no documents, no translations, no packages kept after they were installed.
DPKG_EXCLUDES = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
"""
APT_CLEAN = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Acquire::Languages "none";
"""
OF_THE_MACHINE = ("etc/resolv.conf", "etc/hostname", "etc/hosts")  # debootstrap copies them
DEV_DOCKERFILE = "dev/containers/Dockerfile"
IMAGES = {  # name: Dockerfile, target
    "portal": ("Dockerfile", None),
    "tpm": ("tpm/Dockerfile", None),
    "tools": (DEV_DOCKERFILE, "tools"),
    "swtpm": (DEV_DOCKERFILE, "swtpm"),
    "redis": (DEV_DOCKERFILE, "redis"),
    "postgres": (DEV_DOCKERFILE, "postgres"),
}
BUILD_TIMEOUT_S = 1500
CA_BUNDLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
PIP_INDEX = ("index-url", "extra-index-url", "trusted-host")
PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def make_base(engine: Engine) -> None:
    """Give the engine the base image, unless it has one: from the registry if it can, else through debootstrap."""
    if _has(engine, BASE):
        return
    if not engine.ours and _pulled(engine):
        return
    with step(f"the base image {BASE} (debootstrap)"), tempfile.TemporaryDirectory(dir=_scratch()) as directory:
        root = Path(directory) / "root"
        with (LOG / "debootstrap.log").open("w") as log:
            run(["debootstrap", "--variant=minbase", SUITE, str(root), MIRROR], timeout_s=900, log=log)
            _slim(root)
            upgrade = "apt-get update && apt-get --yes upgrade && apt-get clean"
            run(["chroot", str(root), "sh", "-c", upgrade], timeout_s=900, log=log)
        for path in (root / "var/lib/apt/lists").iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)
        for name in OF_THE_MACHINE:
            (root / name).unlink(missing_ok=True)
        _import(engine, root)


def _slim(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text(SOURCES)
    (root / "etc/dpkg/dpkg.cfg.d/slim").write_text(DPKG_EXCLUDES)
    (root / "etc/apt/apt.conf.d/slim").write_text(APT_CLEAN)
    for name in ("locale", "man", "info"):
        shutil.rmtree(root / "usr/share" / name, ignore_errors=True)
    for path in (root / "usr/share/doc").glob("*/*"):
        if path.name != "copyright":
            path.unlink() if not path.is_dir() or path.is_symlink() else shutil.rmtree(path)


def _import(engine: Engine, root: Path) -> None:
    pack = ["tar", "--directory", str(root), "--one-file-system", "--numeric-owner", "--create", "."]
    with subprocess.Popen(pack, stdout=subprocess.PIPE) as tar:
        load = [docker_program(), "import", "-", BASE]
        done = subprocess.run(
            load, stdin=tar.stdout, env=engine.environment, capture_output=True, text=True, check=False
        )
    if done.returncode or tar.returncode:
        raise StackError(f"docker import of the base image failed: {done.stderr}")


def build(engine: Engine, *, version: str) -> None:
    """Build every image; what did not change comes from the engine's cache. Raises StackError."""
    with _secrets() as secrets:
        for name, (dockerfile, target) in IMAGES.items():
            with step(f"image evportal/{name}"), (LOG / f"build-{name}.log").open("w") as log:
                arguments = ["--network", "host", *secrets]
                arguments += ["--target", target] if target else []
                arguments += ["--build-arg", f"VERSION={version}"] if name == "tpm" else []
                arguments += [option for proxy in PROXIES if os.environ.get(proxy) for option in ("--build-arg", proxy)]
                command = [docker_program(), "build", "--file", dockerfile, "--tag", f"evportal/{name}", *arguments]
                run([*command, str(ROOT)], env=engine.environment, timeout_s=BUILD_TIMEOUT_S, log=log)


@contextmanager
def _secrets() -> Iterator[list[str]]:
    """How this machine reaches its package index, as build secrets: no image keeps them."""
    with tempfile.TemporaryDirectory(dir=_scratch()) as directory:
        options = []
        bundle = next((os.environ[name] for name in CA_BUNDLES if os.environ.get(name)), "")
        if Path(bundle).is_file():
            options += ["--secret", f"id=ca,src={bundle}"]
        index = pip_index()
        if index:
            pip = Path(directory) / "pip.conf"
            pip.touch(mode=0o600)
            pip.write_text("[global]\n" + index)
            options += ["--secret", f"id=pip_conf,src={pip}"]
        yield options


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


def _has(engine: Engine, image: str) -> bool:
    return bool(engine.docker("images", "--quiet", image).strip())


def _pulled(engine: Engine) -> bool:
    try:
        engine.docker("pull", "--quiet", BASE, timeout_s=120)
    except StackError:
        return False
    return True


def _scratch() -> Path:
    """Root file systems and secrets are kept in var while they are needed, not in /tmp, which may be small."""
    directory = VAR / "scratch"
    directory.mkdir(parents=True, exist_ok=True)
    return directory
