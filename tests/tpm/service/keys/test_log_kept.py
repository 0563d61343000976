"""The log of key uses cannot be written anew behind an entry that was attested: by files, and on the real service."""

import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx2
import pytest
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from tests.enrolment import pins, use
from tests.environment import DIRECTORY
from tpm.client import TpmUnavailable
from tpm.models import AttestationReport, TpmService
from tpm.register import gate, register
from tpm.register.enrolment import enrol
from tpm.service.errors import AuditUnavailableError
from tpm.service.keys.audit import AuditLog
from tpm.service.keys.audit_check import NOTHING, UNKNOWN, Head, Kept, kept, log_files

DIGEST = sha256(b"what was signed").hexdigest()


# --- the files


def appended(log: AuditLog, count: int) -> Head:
    for _ in range(count):
        log.append("sign", "ledger", [DIGEST])
    return log.head()


def test_the_chain_leads_on_over_many_thousand_uses_and_many_files(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, max_file_bytes=1_000_000)
    heads = [NOTHING, *(appended(log, count) for count in (1, 7, 20_000, 1, 3_000))]
    assert len(log_files(tmp_path)) > 6
    for head in heads:
        assert log.since(head, heads[-1]) == Kept(head.hash, leads_on=True), head
    log.close()


def test_full_files_may_be_moved_once_a_later_entry_was_attested(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "log", max_file_bytes=2_000)
    attested, newest = appended(log, 20), appended(log, 20)
    moved = [file for file in log_files(tmp_path / "log") if int(file.stem) <= attested.sequence][:-1]
    assert len(moved) > 2
    for file in moved:
        shutil.move(file, tmp_path)
    assert log.since(attested, newest) == Kept(attested.hash, leads_on=True)
    assert log.since(Head(1, "ab" * 32), newest) == Kept(UNKNOWN, leads_on=True)
    last_moved = json.loads((tmp_path / moved[-1].name).read_bytes().splitlines()[-1])
    head = Head(last_moved["sequence"], last_moved["hash"])
    assert log.since(head, newest) == Kept(head.hash, leads_on=True), "the next one's first entry follows it"
    log.close()


def rehashed(lines: list[bytes], previous: str, **changes: object) -> list[bytes]:
    """Return these entries in a chain of their own, with other contents."""
    made = []
    for line in lines:
        entry = json.loads(line) | changes | {"previous": previous}
        del entry["hash"]
        text = json.dumps(entry, separators=(",", ":"))
        previous = sha256(text.encode()).hexdigest()
        made.append(f'{text[:-1]},"hash":"{previous}"}}'.encode())
    return made


def altered(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b'"key":"ledger"', b'"key":"others"'), *lines[4:]]


def all_anew(lines: list[bytes]) -> list[bytes]:
    return rehashed(lines, NOTHING.hash, key="other")


def another_tail(lines: list[bytes]) -> list[bytes]:
    return [*lines[:7], *rehashed(lines[7:], json.loads(lines[6])["hash"], key="other")]


def cut(lines: list[bytes]) -> list[bytes]:
    return lines[:-1]


def removed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:8], *lines[9:]]


def first_cut(lines: list[bytes]) -> list[bytes]:
    return lines[2:]


@pytest.mark.parametrize(
    "change", [altered, all_anew, first_cut, another_tail, cut, removed, lambda lines: [b"{}", *lines[1:]]]
)
def test_what_is_changed_behind_the_service_shows(tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    log = AuditLog(tmp_path)
    attested, newest = appended(log, 6), appended(log, 4)
    (file,) = log_files(tmp_path)
    file.write_bytes(b"".join(line + b"\n" for line in change(file.read_bytes().splitlines())))
    assert log.since(attested, newest) != Kept(attested.hash, leads_on=True)
    log.close()


def test_an_entry_that_is_still_to_come_is_not_there(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    newest = appended(log, 6)
    assert log.since(Head(7, "ab" * 32), newest).hash == UNKNOWN
    log.close()
    assert kept(tmp_path / "nothing", 0, NOTHING) == Kept(NOTHING.hash, leads_on=True)


def test_files_that_cannot_be_read_are_no_proof(tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    newest = appended(log, 6)
    (file,) = log_files(tmp_path)
    file.rename(tmp_path / "elsewhere")
    file.mkdir()
    with pytest.raises(AuditUnavailableError):
        log.since(newest, newest)
    log.close()


# --- the service and the portal


@pytest.fixture(scope="module")
def stack() -> Iterator[TpmStack]:
    """A stack of this module's own: its log is written anew."""
    made = TpmStack(DIRECTORY / "kept")
    made.start()
    made.client().key_create("ledger")
    yield made
    made.stop()


@pytest.fixture
def service(stack: TpmStack, settings: Settings, db: None) -> TpmService:
    use(stack, settings)
    enrol(name="main", url=stack.service_url, pins=pins(stack))  # with the head of now: the last test changed the log
    return TpmService.objects.get()


def attested(service: TpmService) -> AttestationReport:
    """Attest it as it lies in the database, where all is that is known of it after a restart of the portal."""
    report = register.attest(TpmService.objects.get(pk=service.pk))
    assert report is not None
    return report


def failed(report: AttestationReport) -> list[str]:
    return [step["name"] for step in report.steps if step["outcome"] == "failed"]


def signs(stack: TpmStack, count: int) -> None:
    for _ in range(count):
        stack.client().sign("ledger", bytes(32))


def log_of(stack: TpmStack) -> Path:
    return log_files(stack.key_dir / "audit")[-1]


def last_seen(service: TpmService) -> Head:
    service.refresh_from_db()
    assert service.last is not None
    return Head(service.last["audit_sequence"], service.last["audit_hash"])


def change_while_stopped(stack: TpmStack, change: Callable[[list[bytes]], list[bytes]]) -> None:
    stack.service.stop()
    file = log_of(stack)
    file.write_bytes(b"".join(line + b"\n" for line in change(file.read_bytes().splitlines())))
    stack.start_service()


def test_a_log_that_was_cut_and_filled_again_is_refused(service: TpmService, stack: TpmStack) -> None:
    """Twelve entries are cut, attested ones among them, and new uses bring the log to a higher number."""
    signs(stack, 12)
    assert failed(attested(service)) == []
    before = last_seen(service)
    change_while_stopped(stack, lambda lines: lines[:-12])
    signs(stack, 20)
    report = attested(service)
    assert json.loads(bytes(report.claims or b""))["audit"]["sequence"] > before.sequence
    assert failed(report) == ["audit_kept"]
    assert f"entry {before.sequence} with {before.hash}" in report.reason
    assert "cut or written anew behind an entry that was attested" in report.reason
    assert "THE LOG OF KEY USES IS NOT THE ONE THAT WAS ATTESTED" in stack.service.log_tail()
    with pytest.raises(TpmUnavailable, match=r"not_attested.*audit_kept"):
        gate.require_attested(service.url)
    assert failed(attested(service)) == ["audit_kept"], "and it stays so"
    assert last_seen(service) == before

    enrol(name=service.name, url=service.url, pins=pins(stack), replace=True)  # it was you: from this head on
    signs(stack, 3)
    assert failed(attested(service)) == []


def test_a_log_that_was_written_anew_while_the_service_runs_is_refused(service: TpmService, stack: TpmStack) -> None:
    signs(stack, 3)
    assert failed(attested(service)) == []
    file = log_of(stack)
    good = file.read_bytes()
    lines = good.splitlines()
    anew = rehashed(lines[-2:], json.loads(lines[-3])["hash"], key="another")
    with file.open("r+b") as opened:  # in place: the service has it open
        opened.write(b"".join(line + b"\n" for line in [*lines[:-2], *anew]))
        opened.truncate()
    assert failed(attested(service)) == ["audit_kept"]
    file.write_bytes(good)
    assert failed(attested(service)) == []


def test_a_log_that_was_damaged_behind_the_attested_entry_is_refused(service: TpmService, stack: TpmStack) -> None:
    """The service goes on in a new file, and its first entry says why; whether to go on, too, is for people."""
    assert failed(attested(service)) == []
    signs(stack, 3)
    change_while_stopped(stack, lambda lines: [*lines[:-2], lines[-2].replace(b"sign", b"seal"), lines[-1]])
    signs(stack, 1)
    report = attested(service)
    assert failed(report) == ["audit_kept"]
    assert "damaged or written anew behind this entry" in report.reason
    enrol(name=service.name, url=service.url, pins=pins(stack), replace=True)
    assert failed(attested(service)) == []


def test_two_portals_attest_one_service(service: TpmService, stack: TpmStack) -> None:
    """Each asks about what it saw itself, at its own times; the service remembers neither."""
    enrol(name="other", url=f"http://localhost:{stack.port}", pins=pins(stack))
    second = TpmService.objects.get(name="other")
    for asked in (service, second, second, service, second):
        signs(stack, 2)
        assert failed(attested(asked)) == []
    assert last_seen(service) != last_seen(second)


class OlderService(BaseHTTPRequestHandler):
    """The service, but that it knows no `audit` in a request, as before 2026-11-30; and so refuses it."""

    upstream = ""

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/v1/attestations" and b'"audit"' in body:
            problem = {"code": "invalid_request", "status": 400, "detail": "audit: unknown", "title": "", "type": ""}
            self._answer(400, json.dumps(problem).encode())
            return
        headers = {
            name: value for name, value in self.headers.items() if name.lower() in ("authorization", "content-type")
        }
        answer = httpx2.request(self.command, self.upstream + self.path, content=body, headers=headers, timeout=60)
        self._answer(answer.status_code, answer.content)

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass

    do_GET = do_POST = _forward


def test_a_service_that_is_older_than_the_portal_is_named_so(service: TpmService, stack: TpmStack) -> None:
    older = type("Older", (OlderService,), {"upstream": stack.service_url})
    with ThreadingHTTPServer(("127.0.0.1", 0), older) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        TpmService.objects.filter(pk=service.pk).update(url=f"http://127.0.0.1:{server.server_port}")
        report = attested(service)
        server.shutdown()
    assert failed(report) == ["audit_kept"]
    assert "older than this portal, update it" in report.reason
