"""A release of the TPM service for development and tests: what tpm/Dockerfile makes in an image, made in a directory.

    DIR/app            tpm/service, compiled
    DIR/site-packages  the closure of tpm/requirements.txt out of the running environment, compiled
    DIR/python         the running interpreter and its library, compiled (tpm_python.py)
    DIR/lib            the TSS and OpenSSL libraries that it loads, so that tests may tamper with them
    DIR/release        manifest.json and release.json (TPM_RELEASE_DIR)

`python -m dev.parts.tpm_release DIR --key FILE` makes one. The service runs with environment() and argv(). All that
it loads
is in there, and measured, but for the machine's own shared libraries, which are measured where they lie.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dev.common.files import locked
from dev.common.steps import run
from dev.parts import tpm_python
from tpm.service.release.entries import within
from tpm.service.release.manifest import Release, approve, manifest_of, sign
from tpm.service.release.measure import differences, measure
from tpm.service.release.release_files import write
from tpm.service.release.release_key import load_private_key, make_key, public_path
from tpm.service.release.strict_json import ReleaseError

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "tpm" / "requirements.txt"
SITE_PACKAGES = Path(sysconfig.get_path("platlib"))
SMALL = ("inotify_simple", "PyJWT")  # what a release that is not full has of its own
BASES = ROOT / "var" / "tpm-base"  # what all those of one machine share: Python and all packages, measured there
BASES_KEPT_S = 86_400
UNUSED = (".po", ".mo")  # Django's translations are half of all files, and the service speaks English
STAMP = "inputs.json"
MAPPED = "mapped.json"
MEASURED_PCR = 8
LIBRARIES = ("libtss2-*.so*", "libcrypto.so.3", "libssl.so.3")
SWTPM_LIBRARIES = ("libtpms.so*", "swtpm/libswtpm_libtpms.so*")


def build(
    directory: Path,
    *,
    release_key: Path,
    full: bool = True,
    version: str = "development",
    host_pcrs: Mapping[int, bytes] | None = None,
    measured_pcr: int = MEASURED_PCR,
) -> Release:
    """Make the release in this directory, signed and approved for these PCRs, and return it.

    What is there already and made of the same sources is left alone, as long as nobody touched it. Without `full`, only
    the application, a few packages and the libraries are its own; the other packages and Python are those of one base
    for all such releases, measured as well. The release key is made when it is missing. Raises ReleaseError.
    """
    directory = directory.resolve()
    with locked(directory.with_name(f".{directory.name}.lock")):
        if not release_key.exists():
            release_key.parent.mkdir(parents=True, exist_ok=True)
            make_key(release_key)
        inputs = _inputs(directory, full, version)
        if not _is_current(directory, inputs, release_key):
            _rebuild(directory, inputs, full=full)
            resign(directory, release_key=release_key, version=version)
        release = Release.load(directory / "release", load_private_key(release_key).public_key())
        approved = approve(
            release, load_private_key(release_key), {measured_pcr: release.manifest.pcr, **(host_pcrs or {})}
        )
        if release.approval(approved.approvals[-1].policy) is None:
            approved.save(directory / "release")
            return approved
        return release


def resign(directory: Path, *, release_key: Path, version: str) -> Release:
    """Measure what is in the directory now, sign it as this version and save it, without approvals."""
    measured = roots(directory)
    created_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = manifest_of(version=version, created_at=created_at, roots=measured, entries=measure(measured))
    release = sign(manifest.dumps(), load_private_key(release_key))
    (directory / "release").mkdir(exist_ok=True)
    release.save(directory / "release")
    return release


def roots(directory: Path) -> list[str]:
    """Return what is measured: the directory's own parts and its base's, and files of the machine: those that the
    service maps, and for a full release swtpm where it lies.
    """
    stamp, base = _stamp(directory), _base(directory)
    parts = {directory / name for name in ("app", "lib", "site-packages")}
    parts |= {base / "site-packages", base / "python"}
    files = {*_mapped(base), *(map(str, swtpm_files()) if stamp["full"] else ())}
    return sorted({*map(str, parts), *files})


def environment(directory: Path) -> dict[str, str]:
    """Return what the service's environment needs beside its settings; PATH and the like are the caller's."""
    directory = directory.resolve()
    path = [directory / "app", directory / "site-packages", _base(directory) / "site-packages"]
    return {
        "PYTHONPATH": ":".join(dict.fromkeys(map(str, path))),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "LD_LIBRARY_PATH": str(directory / "lib"),
        "LC_ALL": "C.UTF-8",  # or other files of the machine would be mapped for each language
        "TPM_RELEASE_DIR": str(directory / "release"),
    }


def python(directory: Path) -> list[str]:
    """Return how Python starts without site-packages of its own, the working directory, or writing .pyc files."""
    return [str(tpm_python.interpreter(_base(directory.resolve()) / "python")), *tpm_python.OPTIONS]


def argv(directory: Path, port: int) -> list[str]:
    """Return the command line that serves on this port of 127.0.0.1; for environment()."""
    app = directory.resolve() / "app"
    conf = app / "tpm" / "service" / "gunicorn.conf.py"
    return [*python(directory), "-m", "gunicorn", "--chdir", str(app), "-c", str(conf), "--bind", f"127.0.0.1:{port}"]


def libraries() -> list[Path]:
    """Return the TSS and OpenSSL libraries of this machine, links and what they lead to; raises ReleaseError."""
    found = [path for pattern in LIBRARIES for path in _library_directory().glob(pattern)]
    if not any(path.name.startswith("libtss2-esys.so") for path in found):
        raise ReleaseError(f"expected libtss2-esys.so in {_library_directory()}, found none")
    return sorted({*found, *(path.resolve() for path in found)})


def swtpm_files() -> list[Path]:
    """Return swtpm and the libraries of libtpms, empty where they are not on this machine."""
    program = shutil.which("swtpm")
    if program is None:
        return []
    found = [path for pattern in SWTPM_LIBRARIES for path in _library_directory().glob(pattern)]
    return sorted({Path(program).resolve(), *found, *(path.resolve() for path in found)})


def closure(names: Sequence[str]) -> list[importlib.metadata.Distribution]:
    """Return these installed distributions and all that they need; raises ReleaseError for one that is not there."""
    wanted = [Requirement(name) for name in names]
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        if (name, frozenset(requirement.extras)) in seen:
            continue
        seen.add((name, frozenset(requirement.extras)))
        try:
            found[name] = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError as error:
            raise ReleaseError(f"expected {name} to be installed in {SITE_PACKAGES}") from error
        for text in found[name].requires or []:
            needed = Requirement(text)
            extras = requirement.extras or {""}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(needed)
    return [found[name] for name in sorted(found)]


def requirements() -> list[str]:
    """Return the lines of tpm/requirements.txt without their reasons."""
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text().splitlines())
    return [line for line in lines if line]


def _rebuild(directory: Path, inputs: str, *, full: bool) -> None:
    """Make the directory anew, beside its place, and move it there."""
    with _building(directory) as building:
        _copy_app(building / "app" / "tpm")
        base = directory if full else _shared_base(building / "app")
        if full:
            _make_base(building)
        else:
            _copy_distributions(SMALL, building / "site-packages")
        _copy_libraries(building / "lib")
        _compile(building, directory)
        (building / STAMP).write_text(json.dumps({"inputs": inputs, "full": full, "base": str(base)}))
    if not (base / MAPPED).exists():
        with tempfile.TemporaryDirectory() as scratch:
            found = tpm_python.loaded(python(directory), environment(directory), Path(scratch))
        elsewhere = [path for path in found if not any(within(path, str(own)) for own in (directory, base))]
        write(base / MAPPED, json.dumps(elsewhere).encode())


@contextmanager
def _building(directory: Path) -> Iterator[Path]:
    """Lend a directory beside its place, and move it there when all is in it."""
    building = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        building.chmod(0o755)
        yield building
        if directory.exists():
            directory.rename(building / "before")
        building.rename(directory)
        shutil.rmtree(directory / "before", ignore_errors=True)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _shared_base(app: Path) -> Path:
    """Return the base of releases that are not full, made when it is missing; one that is a day old is not needed.

    Each start of a service reads and hashes every file, and tests start hundreds: of the packages it has only what
    this application loads. All is loaded before it is measured, so that nothing else is ever wanted.
    """
    base = BASES / hashlib.sha256("\n".join([str(BASES), sys.version, *_base_inputs()]).encode()).hexdigest()[:16]
    with locked(BASES / ".lock"):
        if base.exists():
            os.utime(base)
            return base
        for old in BASES.iterdir():
            if old.is_dir() and old.stat().st_mtime < time.time() - BASES_KEPT_S:
                shutil.rmtree(old, ignore_errors=True)
        with _building(base) as building:
            _make_base(building)
            _compile(building, base)
            _drop_what_is_not_loaded(building, app)
    return base


def _drop_what_is_not_loaded(base: Path, app: Path) -> None:
    """Whole folders go in which nothing is loaded; not single files: one may be loaded that then has no use here."""
    env = {"PYTHONPATH": f"{app}:{base / 'site-packages'}", "LC_ALL": "C.UTF-8"}
    argv = [str(tpm_python.interpreter(base / "python")), *tpm_python.OPTIONS]
    with tempfile.TemporaryDirectory() as scratch:
        loaded = map(Path, tpm_python.loaded(argv, env, Path(scratch)))
        used = {folder for path in loaded for folder in path.parents}
    for folder in [path for path in base.rglob("*") if path.is_dir()]:
        if folder not in used and folder.suffix != ".dist-info":
            shutil.rmtree(folder, ignore_errors=True)  # perhaps with the one above it


def _make_base(building: Path) -> None:
    """Copy Python and all packages."""
    tpm_python.copy(building / "python")
    _copy_distributions(requirements(), building / "site-packages")


def _base_inputs() -> Iterator[str]:
    """Yield a line for all that Python and the packages are made of, and one that changes with the machine's files."""
    yield from tpm_python.inputs()
    yield hashlib.sha256(Path(__file__).read_bytes() + Path(tpm_python.__file__).read_bytes()).hexdigest()
    yield f"{_library_directory()} {_library_directory().stat().st_mtime_ns}"
    for distribution in closure(requirements()):
        yield f"{distribution.name} {distribution.read_text('RECORD')}"


def _sources() -> Iterator[Path]:
    """Yield the service's own files, below the repository."""
    yield ROOT / "tpm" / "__init__.py"
    yield ROOT / "tpm" / "base58.py"
    for path in sorted((ROOT / "tpm" / "service").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _copy_app(target: Path) -> None:
    for source in _sources():
        _copy(source, target / source.relative_to(ROOT / "tpm"))


def _copy_distributions(names: Sequence[str], target: Path) -> None:
    for distribution in closure(names):
        for file in distribution.files or []:
            if _used(file):
                _copy(Path(str(distribution.locate_file(file))), target / file)


def _used(file: PurePath) -> bool:
    """Tell whether the service may need this file of a distribution."""
    if ".." in file.parts or "__pycache__" in file.parts or file.suffix in UNUSED:
        return False
    return file.parts[:3] != ("django", "conf", "locale") or len(file.parts) <= 4  # of other countries' dates


def _copy_libraries(target: Path) -> None:
    target.mkdir()
    for path in libraries():
        if path.is_symlink():
            (target / path.name).symlink_to(path.readlink().name)
        else:
            _copy(path, target / path.name)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def _compile(building: Path, directory: Path) -> None:
    """Compile all for its final place; unchecked-hash: Python compares no times, and what runs is what was measured."""
    command = [sys.executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    parts = [building / name for name in ("app", "site-packages", "python") if (building / name).exists()]
    paths = list(map(str, parts))
    done = subprocess.run(
        [*command, "-s", str(building), "-p", str(directory), *paths], capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise ReleaseError(f"compileall: status {done.returncode}: {done.stdout}{done.stderr}")


def _inputs(directory: Path, full: bool, version: str) -> str:
    """Return the digest of all that the release is made of."""
    digest = hashlib.sha256(f"{directory} {full} {version} {sys.version} {sys.executable}\n".encode())
    for path in [*_sources(), Path(__file__), Path(tpm_python.__file__)]:
        digest.update(f"{path} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    for line in _base_inputs():
        digest.update(f"{line}\n".encode())
    for path in [*libraries(), *swtpm_files()]:
        state = path.lstat()
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _is_current(directory: Path, inputs: str, release_key: Path) -> bool:
    """Tell whether the directory was made of these inputs and is as it was made."""
    try:
        if _stamp(directory)["inputs"] != inputs:
            return False
        release = Release.load(directory / "release", load_private_key(release_key).public_key())
        return not differences(release.manifest.entries, measure(roots(directory)))
    except ReleaseError:
        return False


def _stamp(directory: Path) -> Mapping[str, object]:
    try:
        stamp = json.loads((directory / STAMP).read_bytes())
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{directory} is no release of dev.parts.tpm_release: {error}") from error
    if not isinstance(stamp, dict) or not {"inputs", "full", "base"} <= stamp.keys():
        raise ReleaseError(f"{directory / STAMP}: expected inputs, full and base")
    return stamp


def _base(directory: Path) -> Path:
    """Return where Python and the packages of this release lie: for a full one, in itself."""
    return directory if _stamp(directory)["full"] else Path(str(_stamp(directory)["base"]))


def _mapped(base: Path) -> list[str]:
    """Return the machine's own files that the service maps; raises ReleaseError."""
    try:
        return [str(path) for path in json.loads((base / MAPPED).read_bytes())]
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{base} is no base of dev.parts.tpm_release: {error}") from error


def _library_directory() -> Path:
    """Return where this machine keeps its shared libraries (Debian: /usr/lib/x86_64-linux-gnu)."""
    multiarch = sysconfig.get_config_var("MULTIARCH") or ""
    candidates = [Path("/usr/lib") / multiarch, Path("/usr/lib64"), Path("/usr/lib")]
    return next((path for path in candidates if any(path.glob("libtss2-esys.so*"))), candidates[0]).resolve()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.parts.tpm_release", description=__doc__.split("\n\n")[0])
    parser.add_argument("directory", type=Path, help="of the release; made anew when its sources changed")
    parser.add_argument("--key", type=Path, required=True, help="the release key; made when it is missing")
    parser.add_argument(
        "--small", action="store_true", help="Python and most packages from one base for all such releases"
    )
    options = parser.parse_args(arguments)
    release = build(options.directory, release_key=options.key, full=not options.small)
    print(f"{options.directory}: {len(release.manifest.entries)} files, public key {public_path(options.key)}")


if __name__ == "__main__":
    run(main, ReleaseError)
