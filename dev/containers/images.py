"""The images: the base from debootstrap, for want of a registry, and all others from it."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dev.common.steps import StackError, step
from dev.containers import packages
from dev.containers.engine import Engine, docker_program, run
from dev.stack.layout import LOG, ROOT, VAR

BASE = "debian:bookworm-slim"
SUITE = "bookworm"
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


def make_base(engine: Engine) -> None:
    """Give the engine the base image, unless it has one: from the registry if it can, else through debootstrap."""
    if _has(engine, BASE):
        return
    if not engine.ours and _pulled(engine):
        return
    with step(f"the base image {BASE} (debootstrap)"), tempfile.TemporaryDirectory(dir=_scratch()) as directory:
        root = Path(directory) / "root"
        log = LOG / "debootstrap.log"
        packages.debootstrap(SUITE, root, log=log)
        _slim(root)
        packages.upgrade(root, log=log)
        for path in (root / "var/lib/apt/lists").iterdir():
            path.unlink() if path.is_file() else shutil.rmtree(path)
        for name in OF_THE_MACHINE:
            (root / name).unlink(missing_ok=True)
        _import(engine, root)


def _slim(root: Path) -> None:
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
                arguments += [option for proxy in packages.proxies() for option in ("--build-arg", proxy)]
                command = [docker_program(), "build", "--file", dockerfile, "--tag", f"evportal/{name}", *arguments]
                run([*command, str(ROOT)], env=engine.environment, timeout_s=BUILD_TIMEOUT_S, log=log)


@contextmanager
def _secrets() -> Iterator[list[str]]:
    """How this machine reaches its package index, as build secrets: no image keeps them."""
    with tempfile.TemporaryDirectory(dir=_scratch()) as directory:
        options = []
        bundle = packages.ca_bundle()
        if bundle:
            options += ["--secret", f"id=ca,src={bundle}"]
        index = packages.pip_index()
        if index:
            pip = Path(directory) / "pip.conf"
            pip.touch(mode=0o600)
            pip.write_text("[global]\n" + index)
            options += ["--secret", f"id=pip_conf,src={pip}"]
        yield options


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
