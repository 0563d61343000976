"""Releases for development: complete, repeatable, and nothing outside of them is imported."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.parts import tpm_release
from tpm.service.release.manifest import Release
from tpm.service.release.measure import differences, measure
from tpm.service.release.release_files import load_public_key
from tpm.service.release.release_key import public_path
from tpm.service.release.strict_json import ReleaseError

ROOT = Path(__file__).parents[4]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)(\[[a-z]+\])?==(\S+)")
EVERYTHING = """
import sys
import gunicorn.app.wsgiapp, gunicorn.workers.gthread
import tpm.service.wsgi
for name, module in sorted(sys.modules.items()):
    if getattr(module, "__file__", None):
        print(module.__file__)
print(*sys.path, sep="\\n")
for line in open("/proc/self/maps"):
    fields = line.split(maxsplit=5)
    if len(fields) == 6 and fields[5].startswith("/"):
        print(fields[5].strip())
"""


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("release") / "full"
    tpm_release.build(directory, release_key=directory.parent / "key.pem")
    return directory


@pytest.fixture
def small(tmp_path: Path) -> Path:
    directory = tmp_path / "small"
    tpm_release.build(directory, release_key=tmp_path / "key.pem", full=False)
    return directory


def loaded(directory: Path) -> Release:
    return Release.load(directory / "release", load_public_key(public_path(directory.parent / "key.pem")))


def pins(path: Path) -> dict[str, str]:
    found = (PIN.match(line) for line in path.read_text().splitlines())
    return {match[1].lower(): match[3] for match in found if match}


def test_the_services_requirements_are_those_of_the_product() -> None:
    service, product = pins(ROOT / "tpm" / "requirements.txt"), pins(ROOT / "requirements.txt")
    constraints = pins(ROOT / "constraints.txt")
    assert service
    assert service == {name: product.get(name) for name in service}
    assert service == {name: constraints.get(name) for name in service}
    lines = [line for line in (ROOT / "tpm" / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    assert all(PIN.match(line) and " # " in line for line in lines), "each with its reason"


def test_a_full_release_is_all_that_the_service_loads(full: Path, tmp_path: Path) -> None:
    """Everything comes out of the release and was measured, but for libraries of the machine, which were, too."""
    settings = {
        "PATH": os.environ["PATH"],
        "TPM_TCTI": f"swtpm:path={tmp_path}/none",
        "TPM_KEY_DIR": str(tmp_path / "keys"),
        "TPM_JWKS_URL": "http://127.0.0.1:1/",
        "TPM_TOKEN_ISSUER": "nobody",
        "TPM_ALLOWED_CLIENTS": "nobody",
        "TPM_RELEASE_KEY": str(public_path(full.parent / "key.pem")),
    }
    done = subprocess.run(
        [*tpm_release.python(full), "-c", EVERYTHING],
        env={**settings, **tpm_release.environment(full)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    paths = set(done.stdout.split("\n")) - {""}
    assert not [path for path in paths if path.startswith((str(ROOT), str(tpm_release.SITE_PACKAGES)))]
    site_packages = [path for path in paths if "site-packages" in path]
    assert site_packages
    assert all(path.startswith(str(full)) for path in site_packages)
    assert any(path == str(full / "app" / "tpm" / "service" / "wsgi.py") for path in paths)
    tss = [path for path in paths if "libtss2" in path or "libcrypto" in path]
    assert any("libtss2-esys" in path for path in tss)
    assert all(path.startswith(str(full / "lib")) for path in tss)
    release = loaded(full)
    measured = {entry.path for entry in release.manifest.entries}
    files = {path for path in paths if Path(path).is_file()}
    assert len(files) > 500
    assert files - measured == set()
    assert differences(release.manifest.entries, measure(release.manifest.roots)) == [], "nothing was written"


def test_a_full_release_holds_the_closure_and_compiled_files(full: Path) -> None:
    packages = full / "site-packages"
    for name in (
        "django",
        "rest_framework",
        "gunicorn",
        "tpm2_pytss",
        "cryptography",
        "jwt",
        "httpx2",
        "asgiref",
        "cffi",
    ):
        assert (packages / name).is_dir(), name
    assert (packages / "inotify_simple.py").exists()
    for name in ("pytest", "celery", "redis", "eospy", "tqdm"):
        assert not (packages / name).exists(), name
    sources = sum(1 for _ in (full / "app").rglob("*.py"))
    compiled = list((full / "app").rglob("*.pyc"))
    assert len(compiled) == sources
    assert all(path.read_bytes()[4:8] == b"\1\0\0\0" for path in compiled), "unchecked-hash (PEP 552)"
    assert str(full).encode() in compiled[0].read_bytes(), "tracebacks name the place where it runs"
    entries = {entry.path for entry in loaded(full).manifest.entries}
    assert {str(path) for path in compiled} <= entries
    assert "/usr/bin/swtpm" in entries


def test_building_again_changes_nothing(full: Path) -> None:
    before = (full / "release" / "manifest.json").read_bytes()
    inode = full.stat().st_ino
    tpm_release.build(full, release_key=full.parent / "key.pem")
    assert (full / "release" / "manifest.json").read_bytes() == before
    assert full.stat().st_ino == inode


def test_a_key_is_made_when_it_is_missing_and_kept(small: Path) -> None:
    key = small.parent / "key.pem"
    assert key.stat().st_mode & 0o777 == 0o600
    content = key.read_bytes()
    tpm_release.build(small, release_key=key, full=False)
    assert key.read_bytes() == content


@pytest.mark.parametrize(
    "touch",
    [
        lambda small: (small / "app" / "tpm" / "__init__.py").write_text("evil = 1"),
        lambda small: (small / "app" / "more.py").write_text(""),
        lambda small: (small / "release" / "release.json").unlink(),
        lambda small: (small / "release" / "manifest.json").write_text("{}"),
        lambda small: (small / "inputs.json").unlink(),
        lambda small: (small / "inputs.json").write_text("[]"),
    ],
)
def test_what_somebody_touched_is_made_anew(small: Path, touch: Callable[[Path], object]) -> None:
    files = {entry.path: entry.sha256 for entry in loaded(small).manifest.entries}
    touch(small)
    release = tpm_release.build(small, release_key=small.parent / "key.pem", full=False)
    assert {entry.path: entry.sha256 for entry in release.manifest.entries} == files
    assert differences(release.manifest.entries, measure(release.manifest.roots)) == []
    assert not [path for path in small.parent.iterdir() if path.name.startswith(".small-")]


def test_another_version_or_key_is_another_release(small: Path) -> None:
    first = loaded(small)
    second = tpm_release.build(small, release_key=small.parent / "key.pem", full=False, version="2")
    assert (first.manifest.version, second.manifest.version) == ("development", "2")
    assert first.manifest.pcr == second.manifest.pcr, "the same files"
    third = tpm_release.build(small, release_key=small.parent / "other.pem", full=False, version="2")
    assert third.manifest.pcr == second.manifest.pcr
    assert third.signature != second.signature


def test_approvals_are_added_for_the_pcrs_that_are_named(small: Path) -> None:
    key = small.parent / "key.pem"
    host = {0: b"\1" * 32, 7: b"\2" * 32}
    release = tpm_release.build(small, release_key=key, full=False, measured_pcr=23, host_pcrs=host)
    assert [sorted(approval.pcrs) for approval in release.approvals] == [[8], [0, 7, 23]]
    again = tpm_release.build(small, release_key=key, full=False, measured_pcr=23, host_pcrs=host)
    assert again == release == loaded(small)


def test_no_release_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=r"is no release of dev.parts.tpm_release"):
        tpm_release.environment(tmp_path)
    (tmp_path / "inputs.json").write_text(json.dumps({"inputs": ""}))
    with pytest.raises(ReleaseError, match="expected inputs, full and base"):
        tpm_release.environment(tmp_path)


def test_what_is_not_installed_is_an_error() -> None:
    with pytest.raises(ReleaseError, match="expected no-such-thing to be installed"):
        tpm_release.closure(["no-such-thing"])
