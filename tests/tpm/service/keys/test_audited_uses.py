"""In the running service every use of a key is logged, and nothing is done that cannot be."""

import base64
import json
import os
import resource
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.service.keys.audit_log import entries
from tpm.client import Key, TpmClient, TpmError, TpmUnavailable
from tpm.service.keys.audit_check import Head, log_files, verify

DATA = b"the data of a message"


def each_use(http: httpx2.Client, name: str, digests: list[bytes], nonce: bytes) -> str:
    """Do with keys and an object of this name all that there is to do; returns the ciphertext that was decrypted."""
    data = base64.b64encode(DATA).decode()
    items = [{"digest": base64.b64encode(digest).decode(), "format": "der"} for digest in digests]

    def call(method: str, path: str, **json: object) -> Any:
        answer = http.request(method, path, json=json or None)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    for key, type, usage in (("", "ecc-p256", "sign"), ("-h", "hmac", "sign"), ("-r", "rsa-2048", "decrypt")):
        call("POST", "/keys", name=name + key, type=type, usage=usage)
    call("POST", "/keys", name=name, type="ecc-p256", usage="sign")
    call("POST", f"/keys/{name}/sign", **items[0])
    wrong = {**items[0], "format": "pss"}
    call("POST", f"/keys/{name}/sign", batch=[items[1], wrong, items[2]])
    mac = call("POST", f"/keys/{name}-h/sign", data=data)["signature"]
    call("POST", f"/keys/{name}-h/verify", data=data, signature=mac)
    ciphertext: str = call("POST", f"/keys/{name}-r/encrypt", data=data)["ciphertext"]
    call("POST", f"/keys/{name}-r/decrypt", ciphertext=ciphertext)
    call("POST", f"/keys/{name}/certify", nonce=base64.b64encode(nonce).decode())
    call("PUT", f"/sealed/{name}", data=data)
    call("POST", f"/sealed/{name}/unseal")
    call("DELETE", f"/sealed/{name}")
    for key in ("", "-h", "-r"):
        call("DELETE", f"/keys/{name}{key}")
    return ciphertext


def test_every_use_of_a_key_is_logged(http: httpx2.Client, tpm_stack: TpmStack) -> None:
    directory = tpm_stack.key_dir / "audit"
    name = f"audited-{secrets.token_hex(4)}"
    before = len(entries(directory))
    nonce = secrets.token_bytes(16)
    digests = [secrets.token_bytes(32) for _ in range(3)]
    ciphertext = each_use(http, name, digests, nonce)

    logged = [entry for entry in entries(directory)[before:] if entry["key"].startswith(name)]
    message = sha256(DATA).hexdigest()
    expected: list[tuple[str, str, list[str], str]] = []
    for key, outcome in (("", "done"), ("-h", "done"), ("-r", "done"), ("", "unchanged")):
        expected += [("key_create", key, [], "begun"), ("key_create", key, [], outcome)]
    expected += [
        ("sign", "", [digests[0].hex()], "done"),
        ("sign", "", [digests[1].hex(), digests[2].hex()], "done"),
        ("sign", "-h", [message], "done"),
        ("verify", "-h", [message], "done"),
        ("decrypt", "-r", [sha256(base64.b64decode(ciphertext)).hexdigest()], "done"),
        ("certify", "", [sha256(nonce).hexdigest()], "done"),
        ("seal_create", "", [], "begun"),
        ("seal_create", "", [], "done"),
        ("unseal", "", [], "done"),
        ("seal_delete", "", [], "begun"),
        ("seal_delete", "", [], "done"),
    ]
    for key in ("", "-h", "-r"):
        expected += [("key_delete", key, [], "begun"), ("key_delete", key, [], "done")]
    found = [(e["operation"], e["key"].removeprefix(name), e["digests"], e["outcome"]) for e in logged]
    assert found == expected
    assert {entry["client_id"] for entry in logged} == {tpm_stack.portal.client_id}
    assert verify([directory]).breaks == []


def test_activations_are_uses_of_the_endorsement_key(http: httpx2.Client, tpm_stack: TpmStack) -> None:
    blob = secrets.token_bytes(68)
    body = {"credential_blob": base64.b64encode(blob).decode(), "secret": base64.b64encode(bytes(258)).decode()}
    assert http.post("/identity/activate", json=body).status_code == 400
    last = entries(tpm_stack.key_dir / "audit")[-1]
    assert (last["operation"], last["key"], last["outcome"]) == ("activate", "EK", "invalid_credential")
    assert last["digests"] == [sha256(blob).hexdigest()]


def test_a_kept_answer_is_not_a_use(http: httpx2.Client, tpm_stack: TpmStack, ledger_key: Key) -> None:
    digest = secrets.token_bytes(32)
    item = {"digest": base64.b64encode(digest).decode(), "format": "der"}
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    for _ in range(3):
        assert http.post("/keys/ledger/sign", json=item, headers=headers).status_code == 200
    uses = [entry for entry in entries(tpm_stack.key_dir / "audit") if entry["digests"] == [digest.hex()]]
    assert len(uses) == 1


def test_the_head_is_attested(http: httpx2.Client, tpm_stack: TpmStack, tpm_client: TpmClient, ledger_key: Key) -> None:
    tpm_client.sign("ledger", secrets.token_bytes(32))
    evidence = tpm_client.attest(secrets.token_bytes(32), [8])
    claimed = json.loads(evidence["claims"])["audit"]
    tpm_client.sign("ledger", secrets.token_bytes(32))
    head = Head(claimed["sequence"], claimed["hash"])
    assert head.sequence > 0
    assert verify([tpm_stack.key_dir / "audit"], head=head).breaks == []


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    """A service of this module's own, to be maltreated."""
    stack = TpmStack(tmp_path_factory.mktemp("tpm"), measured=False)
    try:
        stack.start()
        stack.client().key_create("ledger")
        yield stack
    finally:
        stack.stop()


def worker(stack: TpmStack) -> int:
    """Return the process of gunicorn that does the work."""
    children = Path(f"/proc/{stack.service.pid}/task/{stack.service.pid}/children").read_text()
    return int(children.split()[0])


def test_what_cannot_be_logged_is_refused(stack: TpmStack) -> None:
    """The file may not grow, as on a full disk: by the kernel's own limit for the running process."""
    client = stack.client()
    client.sign("ledger", secrets.token_bytes(32))
    client.seal("secret", b"kept")
    (file,) = log_files(stack.key_dir / "audit")
    length = file.stat().st_size
    limits = resource.prlimit(worker(stack), resource.RLIMIT_FSIZE)
    refused: list[Callable[[], object]] = [
        lambda: client.sign("ledger", secrets.token_bytes(32)),
        lambda: client.sign_batch("ledger", [secrets.token_bytes(32)] * 3),
        lambda: client.unseal("secret"),
        lambda: client.key_create("another"),
        lambda: client.key_delete("ledger"),
        lambda: client.seal("other", b"x"),
        lambda: client.sealed_delete("secret"),
    ]
    resource.prlimit(worker(stack), resource.RLIMIT_FSIZE, (length + 100, limits[1]))
    try:
        for use in refused:
            with pytest.raises(TpmUnavailable) as error:
                use()
            assert error.value.code == "audit_unavailable"
    finally:
        resource.prlimit(worker(stack), resource.RLIMIT_FSIZE, limits)
    assert client.unseal("secret") == b"kept", "nothing was deleted"
    assert [key.name for key in client.key_list()] == ["ledger"], "nothing was made"
    client.sign("ledger", secrets.token_bytes(32))
    assert verify([stack.key_dir / "audit"]).breaks == []
    assert len(file.read_bytes()) > length


def test_no_signature_without_its_entry_when_the_service_is_killed(stack: TpmStack) -> None:
    """SIGKILL, several times, while four clients sign: each digest that came back signed is in the log."""
    signed: list[bytes] = []
    stopping = threading.Event()

    def sign_on() -> None:
        client = stack.client()
        while not stopping.is_set():
            digests = [secrets.token_bytes(32) for _ in range(40)]
            try:
                client.sign_batch("ledger", digests)
                signed.extend(digests)
                client.sign("ledger", digests[0])
            except TpmError:
                stopping.wait(0.02)

    threads = [threading.Thread(target=sign_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            reached = len(signed)
            while len(signed) < reached + 400:
                stopping.wait(0.02)
            os.kill(worker(stack), signal.SIGKILL)
            stack.kill_service()
            stack.start_service()
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    logged = {digest for entry in entries(stack.key_dir / "audit") for digest in entry["digests"]}
    assert len(signed) >= 1200
    assert [digest.hex() for digest in signed if digest.hex() not in logged] == []
    assert verify([stack.key_dir / "audit"]).breaks == []
