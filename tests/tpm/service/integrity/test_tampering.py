"""The running service, tampered with: each kind, in each group, while it runs and before its next start, is refused.

One service for all. What was tampered with is put back between two cases, and then everything works again.
"""

import base64
import py_compile
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import ALL_SCOPES
from tests.tpm.service.integrity import tampering
from tests.tpm.service.integrity.tampering import Tampering, Victims
from tests.waiting import until
from tpm.client import TpmClient, TpmUnavailable
from tpm.service.release.pcr import PCR_START, extended

pytestmark = pytest.mark.tpm
DIGEST = bytes(32)
VICTIMS = {  # none of them is needed to start, so that the tampered service lives and can refuse
    "app": "app/tpm/service/templates/openapi.html",
    "site-packages": "site-packages/jwt/py.typed",
    "libraries": "lib/libtss2-tcti-cmd.so.0.0.0",
}
KINDS: tuple[Tampering, ...] = (
    tampering.changed,
    tampering.added,
    tampering.removed,
    tampering.moved,
    tampering.mode_changed,
    tampering.replaced_by_a_link,
)


class Measured:
    """The service that runs an approved release, and what is kept by it under the policy `release`."""

    def __init__(self, directory: Path) -> None:
        self.stack = TpmStack(directory / "stack")
        self.stack.start()
        self.release = self.stack.release_dir
        self.good = directory / "good"
        self.outside = directory / "outside"
        shutil.copytree(self.release, self.good, symlinks=True)
        portal = self.stack.provider.pool.ensure_client("portal", ALL_SCOPES)
        self.client: TpmClient = self.stack.client(portal, scopes=ALL_SCOPES)
        self.client.key_create("measured", policy="release")
        self.client.seal("secret", b"of the release", policy="release")

    def victims(self, group: str) -> Victims:
        file = self.release / VICTIMS[group]
        return Victims(file, file.with_name("libtss2-tcti-cmd.so.0"), self.outside)

    def restore(self) -> None:
        """End the service, put everything back, and start it. Killed, because ending in order takes 2 s."""
        self.stack.kill_service()
        shutil.rmtree(self.release)
        shutil.copytree(self.good, self.release, symlinks=True)
        shutil.rmtree(self.outside, ignore_errors=True)
        self.outside.mkdir()
        self.stack.start_service()

    def restart(self) -> None:
        self.stack.kill_service()
        self.stack.start_service()

    def evidence(self) -> dict[str, Any]:
        return self.client.attest(bytes(32), [8])

    def wait_failed(self) -> None:
        until(lambda: self.client.health()["integrity"] == "failed", what="the drift was noticed")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    measured = Measured(tmp_path_factory.mktemp("m"))
    yield measured
    measured.client.close()
    measured.stack.stop()


@pytest.fixture
def measured(running: Measured) -> Measured:
    """The service on an untouched release, verified and at work."""
    running.restore()
    works(running)
    return running


def works(measured: Measured) -> None:
    assert measured.client.health() == {"live": True, "tpm": "ok", "integrity": "verified"}
    assert base64.b64decode(measured.client.sign("measured", DIGEST, format="der"))
    assert measured.client.unseal("secret") == b"of the release"


def refuses(measured: Measured) -> None:
    """Everything that uses a key or an object is `integrity_failed`; what proves the failure is answered."""
    client = measured.client
    for use in (
        lambda: client.sign("measured", DIGEST),
        lambda: client.sign_batch("measured", [DIGEST]),
        lambda: client.unseal("secret"),
        lambda: client.key_create("another", policy="release"),
        lambda: client.key_create("without-policy"),
        lambda: client.key_get("measured"),
        lambda: client.seal("other", b"data"),
        lambda: client.random(8),
    ):
        with pytest.raises(TpmUnavailable) as caught:
            use()
        assert caught.value.code == "integrity_failed"
    health = httpx2.get(f"{measured.stack.service_url}/v1/health", timeout=5)
    assert (health.status_code, health.json()["integrity"]) == (503, "failed")
    shown = measured.evidence()
    assert '"integrity": "failed"' in shown["claims"].replace('":"', '": "')
    assert base64.b64decode(shown["pcrs"]["8"]) == extended(PCR_START, shown["event_log"])
    assert client.manifest()["digest"]


@pytest.mark.parametrize("group", VICTIMS)
@pytest.mark.parametrize("tamper", KINDS, ids=lambda tamper: tamper.__name__)
def test_tampering_is_refused(measured: Measured, group: str, tamper: Tampering) -> None:
    approved = measured.evidence()["event_log"]
    tamper(measured.victims(group))

    measured.wait_failed()  # while it runs
    refuses(measured)
    log = measured.evidence()["event_log"]
    assert log[:-1] == approved
    assert log[-1].startswith("drift:")
    assert str(measured.release) in log[-1]

    measured.restart()  # before it starts
    refuses(measured)
    log = measured.evidence()["event_log"]
    assert log != approved
    assert not log[-1].startswith("drift:")


def test_what_was_put_back_while_it_runs_stays_refused(measured: Measured) -> None:
    """For a moment anything may have run; only a start on a TPM that was reset says what runs now."""
    file = measured.victims("app").file
    mode = file.stat().st_mode
    file.chmod(0o600)
    measured.wait_failed()
    file.chmod(mode)
    refuses(measured)
    measured.restart()
    works(measured)


def test_a_backdoor_that_runs_gets_nothing(measured: Measured) -> None:
    """The module that signs, changed together with the .pyc that Python runs: it is loaded, and refused its keys."""
    measured.stack.kill_service()
    module = measured.release / "app" / "tpm" / "service" / "keys" / "signing.py"
    module.write_text(module.read_text() + "\nBACKDOOR = True\n")
    py_compile.compile(str(module), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    measured.stack.start_service()
    refuses(measured)


def test_a_library_that_is_loaded_may_not_be_another(measured: Measured) -> None:
    measured.stack.kill_service()
    library = next(path for path in (measured.release / "lib").glob("libtss2-esys.so.*") if not path.is_symlink())
    library.write_bytes(library.read_bytes() + b"\0")  # it loads and works as before
    measured.stack.start_service()
    refuses(measured)


def test_a_library_link_may_not_lead_elsewhere(measured: Measured) -> None:
    """To a copy of the same content."""
    tampering.link_retargeted(measured.victims("libraries"))
    measured.wait_failed()
    measured.restart()
    refuses(measured)


@pytest.mark.parametrize("what", ["manifest.json", "release.json"])
@pytest.mark.parametrize("damage", ["altered", "removed"])
def test_a_release_that_was_meddled_with_is_refused(measured: Measured, what: str, damage: str) -> None:
    measured.stack.kill_service()
    path = measured.release / "release" / what
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(re.sub(rb"[0-9a-f]{64}", b"0" * 64, path.read_bytes()))
    measured.stack.start_service()
    assert measured.client.health() == {"live": True, "tpm": "ok", "integrity": "failed"}
    for use in (lambda: measured.client.sign("measured", DIGEST), lambda: measured.client.unseal("secret")):
        with pytest.raises(TpmUnavailable) as caught:
            use()
        assert caught.value.code == "integrity_failed"
