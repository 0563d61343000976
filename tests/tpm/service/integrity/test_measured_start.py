"""The service measures itself before it answers; keys and objects of the policy "release" are for what was approved.

One service for all. What a story leaves behind, the next one's `stack` puts back. Each kind of tampering is in
test_tampering.py, and what the TPM does in tests/tpm/service/device.
"""

import base64
import hmac
import json
import os
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from dev.common.processes import Child
from dev.parts.tpm_service import ROOT, TpmStack, reset_tpm
from tests.tpm.conftest import ALL_SCOPES
from tests.tpm.service.integrity.measured_service import (
    DATA,
    WELL,
    change_the_application,
    client,
    good,
    refused,
    restart,
    running,
    signs,
    soon,
    stack,
    works,
)
from tests.waiting import until
from tpm.client import TpmClient
from tpm.service.release.manifest import Release, approve, sign
from tpm.service.release.pcr import PCR_START, extended
from tpm.service.release.release_key import load_private_key

__all__ = ["client", "running", "stack"]  # fixtures


# --- the start


def test_an_approved_release_works(stack: TpmStack, client: TpmClient) -> None:
    assert stack.health_status() == 200
    assert works(client)
    evidence = client.attest(bytes(32), [8])
    release = Release.load(stack.release_dir / "release", load_private_key(stack.release_key).public_key())
    assert evidence["event_log"] == release.manifest.events
    assert base64.b64decode(evidence["pcrs"]["8"]) == release.manifest.pcr
    claims = json.loads(evidence["claims"])
    assert (claims["integrity"], claims["measured_pcr"]) == ("verified", 8)
    assert claims["manifest_digest"] == release.digest.hex() == client.manifest()["digest"]


def test_an_approved_upgrade_opens_everything_without_a_new_seal(stack: TpmStack, client: TpmClient) -> None:
    stack.kill_service()
    kept = {path: path.read_bytes() for path in stack.key_dir.rglob("*.json")}
    change_the_application(stack)
    stack.release_again(version="2")
    stack.start_service()
    assert client.health() == WELL
    assert works(client)
    assert {path: path.read_bytes() for path in stack.key_dir.rglob("*.json")} == kept
    assert json.loads(client.manifest()["manifest"])["version"] == "2"
    assert "<!-- another version -->" in httpx2.get(f"{stack.service_url}/v1/docs").text
    stack.kill_service()
    shutil.rmtree(stack.release_dir)
    shutil.copytree(good(stack), stack.release_dir, symlinks=True)
    stack.start_service()
    assert works(client)  # and back, for that one is approved as well


def test_a_release_that_nobody_approved(stack: TpmStack, client: TpmClient) -> None:
    stack.kill_service()
    change_the_application(stack)
    stack.release_again(approved=False)
    stack.start_service()
    assert refused(lambda: client.sign("ledger", bytes(32))) == "integrity_failed"
    assert refused(lambda: client.sign("plain", bytes(32))) == "integrity_failed"
    assert refused(lambda: client.unseal("secret")) == "integrity_failed"


def test_while_it_failed(stack: TpmStack, client: TpmClient) -> None:
    """401 and 403 come first; evidence is given; health says so, and nothing tells the reason."""
    stack.kill_service()
    change_the_application(stack)
    stack.start_service()
    assert (stack.health_status(), client.health()) == (503, {**WELL, "integrity": "failed"})
    token = stack.credentials(stack.portal, ["tpm/attest", "tpm/keys"])()
    with httpx2.Client(base_url=f"{stack.service_url}/v1", headers={"Authorization": f"Bearer {token}"}) as http:
        for path in ("/openapi.json", "/docs", "/identity", "/manifest", "/pcrs"):
            assert http.get(path).status_code == 200, path
        nonce = base64.b64encode(bytes(32)).decode()
        assert http.post("/attestations", json={"nonce": nonce, "pcrs": [8]}).status_code == 200
        for method, path in (
            ("GET", "/keys"),
            ("GET", "/keys/none"),
            ("POST", "/keys"),
            ("POST", "/pcrs/16/events"),
            ("POST", "/keys/ledger/certify"),
        ):
            answer = http.request(method, path, json={})
            assert (answer.status_code, answer.json()["code"]) == (503, "integrity_failed"), path
            assert answer.headers["retry-after"]
            assert str(stack.release_dir) not in answer.text
        assert http.post("/keys/ledger/sign", json={}).json()["code"] == "insufficient_scope"
        del http.headers["Authorization"]
        assert http.post("/keys/ledger/sign", json={}).json()["code"] == "token_missing"


def other_release_key(stack: TpmStack) -> None:
    path = stack.release_dir / "release"
    stranger = ec.generate_private_key(ec.SECP256R1())
    release = sign((path / "manifest.json").read_bytes(), stranger)
    approve(release, stranger, {8: release.manifest.pcr}).save(path)


def approved_for_other_pcrs(stack: TpmStack) -> None:
    path, key = stack.release_dir / "release", load_private_key(stack.release_key)
    release = sign((path / "manifest.json").read_bytes(), key)
    approve(approve(release, key, {8: bytes(32)}), key, {8: release.manifest.pcr, 0: bytes(32)}).save(path)


def no_json(stack: TpmStack) -> None:
    (stack.release_dir / "release" / "release.json").write_text('{"manifest_sha256": ')


def a_directory(stack: TpmStack) -> None:
    path = stack.release_dir / "release" / "manifest.json"
    path.unlink()
    path.mkdir()


def no_root(stack: TpmStack) -> None:
    shutil.rmtree(stack.release_dir / "lib")


@pytest.mark.parametrize("spoil", [other_release_key, approved_for_other_pcrs, no_json, a_directory, no_root])
def test_a_release_that_proves_nothing_is_a_failure_and_no_crash(
    stack: TpmStack, client: TpmClient, spoil: Callable[[TpmStack], None]
) -> None:
    stack.kill_service()
    spoil(stack)
    stack.start_service()
    assert client.health() == {**WELL, "integrity": "failed"}
    assert refused(lambda: client.sign("ledger", bytes(32))) == "integrity_failed"


def test_code_from_elsewhere_is_a_failure(stack: TpmStack, client: TpmClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """gunicorn puts its working directory first on Python's path: here the sources, which nobody measured."""
    stack.kill_service()
    monkeypatch.setattr(stack.service, "cwd", ROOT)
    stack.start_service()
    assert client.health() == {**WELL, "integrity": "failed"}
    assert "and was not measured" in stack.service.log_tail()


@pytest.mark.parametrize("content", [None, "no key\n"])
def test_without_a_release_key(stack: TpmStack, client: TpmClient, content: str | None) -> None:
    public = stack.release_key.with_name("release_key.pub.pem")
    pem = public.read_text()
    stack.kill_service()
    try:
        public.unlink() if content is None else public.write_text(content)
        stack.start_service()
        assert client.health() == {**WELL, "integrity": "failed"}
    finally:
        public.write_text(pem)


def test_it_refuses_to_start_on_a_pcr_that_is_not_zero(stack: TpmStack, client: TpmClient) -> None:
    """Whoever starts it resets the TPM before; the service never does, or anybody could start over."""
    stack.kill_service()
    Child.start(stack.service)
    until(lambda: not stack.service.alive)
    assert stack.service.returncode == 3
    said = [line for line in stack.service.log_tail().splitlines() if "not started" in line]
    assert len(said) == 1  # one worker, which no other replaces
    assert "PCR 8 is not zero: the TPM has to be reset before the service starts" in said[0]


def test_when_the_worker_is_killed_everything_ends(stack: TpmStack) -> None:
    """Another worker could not measure: the PCR holds the first one's measurements."""
    master = stack.service.pid
    (worker,) = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)
    until(lambda: not stack.service.alive)
    assert stack.service.returncode == 4
    with pytest.raises(ProcessLookupError):
        os.killpg(master, 0)
    stack.start_service()
    assert works(stack.client())


def test_it_starts_before_its_tpm(stack: TpmStack, client: TpmClient) -> None:
    stack.kill_service()
    stack.kill_swtpm()
    stack.start_service()
    assert client.health() == {"live": True, "tpm": "unavailable", "integrity": "unmeasured"}
    assert refused(lambda: client.key_get("ledger")) == "tpm_unavailable"
    stack.swtpm.start()
    soon(lambda: works(client))
    assert client.health() == WELL


# --- while it runs


def measured(client: TpmClient) -> bool:
    """Whether the PCR holds the event log."""
    evidence = client.attest(bytes(32), [8])
    return base64.b64decode(evidence["pcrs"]["8"]) == extended(PCR_START, evidence["event_log"])


@pytest.mark.parametrize("how", ["killed", "reset"])
def test_after_the_tpm_was_away_it_is_measured_again(stack: TpmStack, client: TpmClient, how: str) -> None:
    for first in (lambda: works(client), lambda: measured(client), lambda: client.health() == WELL):
        if how == "killed":
            stack.kill_swtpm()
            assert client.health() == {**WELL, "tpm": "unavailable"}
            stack.swtpm.start()
        else:
            reset_tpm(stack.swtpm.socket)
        soon(first)
        assert measured(client)
    assert works(client)


def test_drift_is_for_good(stack: TpmStack, client: TpmClient) -> None:
    assert works(client)
    change_the_application(stack)
    soon(lambda: client.health()["integrity"] == "failed")
    assert refused(lambda: client.sign("ledger", bytes(32))) == "integrity_failed"
    assert client.attest(bytes(32), [8])["event_log"][-1].startswith("drift:changed ")
    assert measured(client)
    reset_tpm(stack.swtpm.socket)
    soon(lambda: measured(client))
    assert client.attest(bytes(32), [8])["event_log"][-1].startswith("drift:changed ")
    assert refused(lambda: client.unseal("secret")) == "integrity_failed"


def test_drift_while_the_tpm_is_away(stack: TpmStack, client: TpmClient) -> None:
    stack.kill_swtpm()
    change_the_application(stack)
    soon(lambda: client.health() == {"live": True, "tpm": "unavailable", "integrity": "failed"})
    stack.swtpm.start()
    soon(lambda: measured(client))
    assert client.attest(bytes(32), [8])["event_log"][-1].startswith("drift:changed ")
    assert refused(lambda: client.sign("ledger", bytes(32))) == "integrity_failed"


# --- key files


def test_the_files_hold_nothing_that_opens_without_the_policy(stack: TpmStack) -> None:
    key = json.loads((stack.key_dir / "ledger.json").read_text())
    assert key.keys() == {"version", "name", "type", "usage", "policy", "created_at", "public", "private", "guard"}
    assert (key["version"], key["policy"], set(key["guard"])) == (3, "release", {"public", "private"})
    sealed = json.loads((stack.key_dir / "sealed" / "secret.json").read_text())
    assert set(sealed) & {"auth", "seed"} == set()


@pytest.mark.parametrize("policy", [None, "release"])
def test_a_file_under_another_name_does_not_open(stack: TpmStack, client: TpmClient, policy: str | None) -> None:
    for name in ("mine", "theirs"):
        client.key_create(name, policy=policy)
        client.seal(name, name.encode(), policy=policy)
    for directory in (stack.key_dir, stack.key_dir / "sealed"):
        mine, theirs = (json.loads((directory / f"{name}.json").read_text()) for name in ("mine", "theirs"))
        (directory / "mine.json").write_text(json.dumps({**theirs, "name": "mine"}))
        (directory / "theirs.json").write_text(json.dumps({**mine, "name": "theirs"}))
    restart(stack)
    for name in ("mine", "theirs"):
        assert refused(lambda name=name: client.sign(name, bytes(32))) == "key_unusable"  # type: ignore[misc]
        assert refused(lambda name=name: client.unseal(name)) == "key_unusable"  # type: ignore[misc]
        client.key_delete(name)
        client.sealed_delete(name)
    assert client.health() == WELL
    assert works(client)


def test_policy_and_guard_cannot_be_taken_off(stack: TpmStack, client: TpmClient) -> None:
    client.key_create("strict", policy="release")
    path = stack.key_dir / "strict.json"
    document = json.loads(path.read_text())
    other = json.loads((stack.key_dir / "plain.json").read_text())
    for changed in (
        {**document, "policy": None},
        {**document, "policy": None, "seed": other["seed"]},
        {**document, "policy": None, "version": 2, "auth": ""},
        {**document, "policy": "other"},
        {**document, "version": 2},
        {**document, "guard": {"public": other["public"], "private": other["private"]}},
    ):
        path.write_text(json.dumps(changed))
        restart(stack)
        assert refused(lambda: client.sign("strict", bytes(32))) in ("key_unusable", "integrity_failed"), changed
        assert works(client)
    path.write_text(json.dumps(document))
    restart(stack)
    assert signs(client, client.key_get("strict"))
    client.key_delete("strict")


@pytest.mark.parametrize("version", [1, 2])
def test_key_files_of_older_versions_work(stack: TpmStack, client: TpmClient, version: int) -> None:
    """They have the auth value itself, and sealed objects had no policy."""
    key = client.key_create("elder")
    client.seal("elder", b"old")
    path, sealed = stack.key_dir / "elder.json", stack.key_dir / "sealed" / "elder.json"
    document = json.loads(path.read_text())
    seed = base64.b64decode(document.pop("seed"))
    auth = base64.b64encode(hmac.digest(seed, b"elder", "sha256")).decode()
    path.write_text(json.dumps({**document, "version": version, "auth": auth}))
    sealed.write_text(json.dumps({**json.loads(sealed.read_text()), "version": 1}))
    restart(stack)
    assert client.key_get("elder") == key
    assert signs(client, key)
    assert client.unseal("elder") == b"old"
    client.key_delete("elder")
    client.sealed_delete("elder")


def test_what_exists_keeps_its_policy(stack: TpmStack, client: TpmClient) -> None:
    assert refused(lambda: client.key_create("ledger")) == "key_conflict"
    assert refused(lambda: client.key_create("plain", policy="release")) == "key_conflict"
    assert refused(lambda: client.seal("secret", DATA)) == "sealed_conflict"
    client.seal("secret", DATA, policy="release")
    assert refused(lambda: client.seal("secret", b"other", policy="release")) == "sealed_conflict"
    for policy in ("", "Release", "none"):
        assert refused(lambda policy=policy: client.key_create("new", policy=policy)) == "invalid_request"  # type: ignore[misc]
        assert refused(lambda policy=policy: client.seal("new", b"x", policy=policy)) == "invalid_request"  # type: ignore[misc]
    http = httpx2.Client(headers={"Authorization": f"Bearer {stack.credentials(stack.portal, ['tpm/keys'])()}"})
    odd_ones: list[object] = [{}, [], 0, True]
    for odd in odd_ones:
        body = {"name": "new", "type": "ecc-p256", "usage": "sign", "policy": odd}
        answer = http.post(f"{stack.service_url}/v1/keys", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")
    http.close()


@pytest.mark.parametrize("size", [1, 128, 129, 32 * 1024])
def test_objects_of_every_size(stack: TpmStack, client: TpmClient, size: int) -> None:
    data = secrets.token_bytes(size)
    client.seal("sized", data, policy="release")
    restart(stack)
    assert client.unseal("sized") == data
    client.sealed_delete("sized")


# --- a chip


def test_pcr_23_with_the_hosts_pcrs(tmp_path: Path) -> None:
    """The service resets PCR 23 itself, so that it starts again without a reset of the chip."""
    stack = TpmStack(tmp_path, {"TPM_MEASURED_PCR": "23", "TPM_HOST_PCRS": "0,2,4,7"})
    client = stack.client(scopes=ALL_SCOPES)
    try:
        stack.provider.pool.ensure_client("portal", ALL_SCOPES)
        stack.start()
        key = client.key_create("ledger", policy="release")
        assert signs(client, key)
        stack.kill_service()
        Child.start(stack.service)
        stack.service.wait_ready(lambda: stack.health_status() is not None, timeout_s=60)
        assert client.health() == WELL
        assert signs(client, key)
        evidence = client.attest(bytes(32), [0, 8, 23])
        assert base64.b64decode(evidence["pcrs"]["23"]) == extended(PCR_START, evidence["event_log"])
        assert base64.b64decode(evidence["pcrs"]["8"]) == PCR_START
        change_the_application(stack)
        soon(lambda: client.health()["integrity"] == "failed")
        assert refused(lambda: client.sign("ledger", bytes(32))) == "integrity_failed"
    finally:
        client.close()
        stack.stop()
