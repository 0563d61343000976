"""The log of key uses: what it holds, what shows when somebody changes it, and that nothing is done unlogged."""

import base64
import json
import logging
import os
import resource
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tpm.client import Key, TpmClient, TpmError, TpmUnavailable
from tpm.service import audit
from tpm.service.errors import AuditUnavailableError, QueueFullError, TpmFailureError
from tpm.service.keys.audit import AuditLog
from tpm.service.keys.audit_check import NOTHING, Head, Report, log_files, verify
from tpm.service.turn import caller

DIGEST = sha256(b"what was signed").hexdigest()

Lines = list[bytes]


def entries(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in log_files(directory) for line in file.read_bytes().splitlines()]


def written(directory: Path, count: int = 9, **options: Any) -> Head:
    """Write a log of so many entries; returns its head."""
    log = AuditLog(directory, **options)
    for number in range(1, count + 1):
        log.append("sign", f"key-{number}", [DIGEST])
    head = log.head()
    log.close()
    return head


def test_an_entry_says_who_did_what_with_which_key(tmp_path: Path) -> None:
    caller.set("portal")
    log = AuditLog(tmp_path)
    with log.use("sign", "ledger", [DIGEST]):
        pass
    with log.change("key_delete", "old"):
        pass
    log.close()
    first, begun, done = entries(tmp_path)
    assert first["client_id"] == "portal"
    assert (first["sequence"], first["operation"], first["key"]) == (1, "sign", "ledger")
    assert (first["digests"], first["outcome"], first["previous"]) == ([DIGEST], "done", NOTHING.hash)
    assert first["at"].endswith("+00:00")
    assert [(e["operation"], e["key"], e["outcome"]) for e in (begun, done)] == [
        ("key_delete", "old", "begun"),
        ("key_delete", "old", "done"),
    ]
    assert done["previous"] == begun["hash"]


def test_a_use_that_the_tpm_refused_is_logged_and_one_that_waited_in_vain_is_not(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    with pytest.raises(TpmFailureError), log.use("decrypt", "mail"):
        raise TpmFailureError()
    with pytest.raises(QueueFullError), log.use("decrypt", "mail"):
        raise QueueFullError()
    log.close()
    assert [entry["outcome"] for entry in entries(tmp_path)] == ["tpm_failure"]


def test_a_use_that_ends_in_a_defect_of_ours_is_logged(tmp_path: Path) -> None:
    """The TPM may have done it before that."""
    log = AuditLog(tmp_path)
    with pytest.raises(ZeroDivisionError), log.use("sign", "ledger", [DIGEST]):
        raise ZeroDivisionError
    log.close()
    assert [(entry["outcome"], entry["digests"]) for entry in entries(tmp_path)] == [("internal_error", [DIGEST])]


def test_the_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    written(tmp_path, 3)
    written(tmp_path, 3)
    assert [entry["sequence"] for entry in entries(tmp_path)] == [1, 2, 3, 4, 5, 6]
    assert verify([tmp_path]).breaks == []


def test_two_processes_do_not_write_one_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    with pytest.raises(AuditUnavailableError):
        AuditLog(tmp_path)
    log.close()
    AuditLog(tmp_path).close()


def altered(line: bytes) -> bytes:
    return line.replace(b'"key":"key-5"', b'"key":"other"')


def rehashed(line: bytes, **changes: object) -> bytes:
    """Return the line with other contents and the hash that fits them, as one who knows the format would."""
    entry = json.loads(line) | changes
    del entry["hash"]
    text = json.dumps(entry, separators=(",", ":"))
    return f'{text[:-1]},"hash":"{sha256(text.encode()).hexdigest()}"}}'.encode()


def swapped(lines: Lines) -> Lines:
    return [*lines[:4], lines[5], lines[4], *lines[6:]]


CHANGES: dict[str, tuple[Callable[[Lines], Lines], str]] = {
    "altered": (lambda ls: [*ls[:4], altered(ls[4]), *ls[5:]], "line 5: altered: its hash does not fit"),
    "garbage": (lambda ls: [*ls[:4], b"\0" * 80, *ls[5:]], "line 5: altered: its hash does not fit"),
    "altered and hashed anew": (
        lambda ls: [*ls[:4], rehashed(ls[4], key="other"), *ls[5:]],
        "line 6: entry 6 follows another entry than the one before",
    ),
    "removed": (lambda ls: [*ls[:4], *ls[5:]], "line 5: entry 5 removed before it"),
    "several removed": (lambda ls: [*ls[:4], *ls[7:]], "line 5: entries 5 to 7 removed before it"),
    "first removed": (lambda ls: ls[1:], "line 1: entry 1 removed before it"),
    "swapped": (swapped, "line 5: moved: entry 6 stands before entry 5"),
    "garbage inserted": (lambda ls: [*ls[:4], b"{}", *ls[4:]], "line 5: inserted: no entry"),
    "repeated": (lambda ls: [*ls[:5], ls[4], *ls[5:]], "line 6: inserted: entry 5 was there already"),
    "forged behind": (
        lambda ls: [*ls[:5], rehashed(ls[4], key="other"), *ls[5:]],
        "line 6: inserted: entry 5 was there already",
    ),
    "forged before": (
        lambda ls: [*ls[:4], rehashed(ls[4], key="other"), *ls[4:]],
        "line 6: the line before it, also entry 5, was inserted",
    ),
    "number altered": (
        lambda ls: [*ls[:4], ls[4].replace(b'"sequence":5', b'"sequence":6'), *ls[5:]],
        "line 5: altered",
    ),
    "several repeated": (lambda ls: [*ls[:6], *ls[2:4], *ls[6:]], "line 7: inserted: entry 3 was there already"),
    "moved to the end": (lambda ls: [*ls[:4], *ls[5:], ls[4]], "line 9: moved: entry 5 stands behind entry 9"),
}


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_is_changed_is_named(tmp_path: Path, change: str) -> None:
    written(tmp_path)
    assert verify([tmp_path]).breaks == []
    (file,) = log_files(tmp_path)
    make, expected = CHANGES[change]
    file.write_bytes(b"".join(line + b"\n" for line in make(file.read_bytes().splitlines())))
    report = verify([tmp_path])
    assert any(found.startswith(f"{file}: {expected}") for found in report.breaks), report.breaks
    assert len(report.breaks) <= 2, "what comes behind the change is whole, and the report should say so"


def test_a_line_that_is_cut_is_named(tmp_path: Path) -> None:
    written(tmp_path)
    (file,) = log_files(tmp_path)
    os.truncate(file, file.stat().st_size - 10)
    assert "the last line is cut" in verify([tmp_path]).breaks[0]


def test_what_only_an_attested_head_shows(tmp_path: Path) -> None:
    """Whole lines cut from the end, and a log that was written anew, are chains without a break."""
    head = written(tmp_path)
    assert verify([tmp_path], head=head).breaks == []
    (file,) = log_files(tmp_path)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:-2]))
    assert verify([tmp_path]).breaks == []
    assert "not there: the log ends with entry 7" in verify([tmp_path], head=head).breaks[0]
    file.unlink()
    written(tmp_path)
    assert verify([tmp_path]).breaks == []
    assert "written anew" in verify([tmp_path], head=head).breaks[0]


def test_full_files_are_left_and_the_chain_goes_on(tmp_path: Path) -> None:
    head = written(tmp_path, 40, max_file_bytes=2000)
    files = log_files(tmp_path)
    assert len(files) > 5
    assert all(file.stat().st_size <= 2000 for file in files)
    assert files[0].name == "000000000001.jsonl"
    assert verify([tmp_path], head=head) == Report(extent=f"entries 1 to 40, hash of the last {head.hash}")
    assert verify(files[3:]).breaks == [], "older files may have been moved away"
    files[2].unlink()
    assert "removed before it" in verify([tmp_path]).breaks[0]


def test_the_chain_goes_on_in_a_file_that_was_just_begun(tmp_path: Path) -> None:
    """The process ended between making the next file and writing to it."""
    written(tmp_path, 3, max_file_bytes=10_000)
    (tmp_path / "000000000004.jsonl").touch()
    written(tmp_path, 40, max_file_bytes=2000)
    assert verify([tmp_path]).breaks == []
    assert [entry["sequence"] for entry in entries(tmp_path)] == list(range(1, 44))


def test_a_torn_last_line_is_cut_at_the_start_and_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path, 3)
    (file,) = log_files(tmp_path)
    torn = b'{"sequence":4,"at":"2026'
    with file.open("ab") as end:
        end.write(torn)
    with caplog.at_level(logging.ERROR):
        written(tmp_path, 1)
    assert "torn" in caplog.text
    assert verify([tmp_path]).breaks == []
    assert [(e["operation"], e["digests"]) for e in entries(tmp_path)[3:]] == [
        ("line_cut", [sha256(torn).hexdigest()]),
        ("sign", [DIGEST]),
    ]


def test_a_damaged_chain_is_left_and_named_for_ever(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written(tmp_path, 5)
    (damaged,) = log_files(tmp_path)
    damaged.write_bytes(altered(damaged.read_bytes()))
    before = damaged.read_bytes()
    with caplog.at_level(logging.CRITICAL):
        written(tmp_path, 2)
    assert "DAMAGED" in caplog.text
    assert damaged.read_bytes() == before
    first = entries(tmp_path)[5]
    assert (first["sequence"], first["operation"], first["digests"]) == (
        6,
        "chain_broken",
        [sha256(before).hexdigest()],
    )
    caplog.clear()
    written(tmp_path, 1)  # the new file is whole, and so the next start has nothing to say
    assert "DAMAGED" not in caplog.text
    breaks = verify([tmp_path]).breaks
    assert len(breaks) == 2
    assert "line 5: altered" in breaks[0]
    assert "entry 6: the service found the chain broken before" in breaks[1]


def test_threads_share_the_log(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, max_file_bytes=20_000, sync_every_s=0.01)

    def work(thread: int) -> None:
        caller.set(f"client-{thread}")
        for number in range(100):
            log.append("sign", f"key-{number}", [DIGEST])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    log.close()
    assert verify([tmp_path]).extent.startswith("entries 1 to 800")
    assert verify([tmp_path]).breaks == []
    for thread in range(8):
        keys = [entry["key"] for entry in entries(tmp_path) if entry["client_id"] == f"client-{thread}"]
        assert keys == [f"key-{number}" for number in range(100)]


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = written(tmp_path)
    assert audit.main(["verify", str(tmp_path), "--head", f"{head.sequence}:{head.hash}"]) == 0
    assert f"intact: entries 1 to 9, hash of the last {head.hash}" in capsys.readouterr().out
    (file,) = log_files(tmp_path)
    file.write_bytes(altered(file.read_bytes()))
    run = subprocess.run(
        [sys.executable, "-m", "tpm.service.audit", "verify", tmp_path], capture_output=True, text=True
    )
    assert (run.returncode, run.stderr) == (1, "")
    assert "line 5: altered" in run.stdout
    assert audit.main(["verify", str(tmp_path / "nothing.jsonl")]) == 2


# --- in the service ---


def test_every_use_of_a_key_is_logged(http: httpx2.Client, tpm_stack: TpmStack) -> None:
    directory = tpm_stack.key_dir / "audit"
    name = f"audited-{secrets.token_hex(4)}"
    before = len(entries(directory))
    data = base64.b64encode(b"the data of a message").decode()
    nonce = secrets.token_bytes(16)
    digests = [secrets.token_bytes(32) for _ in range(3)]
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
    ciphertext = call("POST", f"/keys/{name}-r/encrypt", data=data)["ciphertext"]
    call("POST", f"/keys/{name}-r/decrypt", ciphertext=ciphertext)
    call("POST", f"/keys/{name}/certify", nonce=base64.b64encode(nonce).decode())
    call("PUT", f"/sealed/{name}", data=data)
    call("POST", f"/sealed/{name}/unseal")
    call("DELETE", f"/sealed/{name}")
    for key in ("", "-h", "-r"):
        call("DELETE", f"/keys/{name}{key}")

    logged = [entry for entry in entries(directory)[before:] if entry["key"].startswith(name)]
    message = sha256(b"the data of a message").hexdigest()
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
