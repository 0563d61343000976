"""The log of key uses: what it holds, and what shows when somebody changes it."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.tpm.service.keys.audit_log import entries
from tpm.service import audit
from tpm.service.errors import AuditUnavailableError, QueueFullError, TpmFailureError
from tpm.service.keys.audit import AuditLog
from tpm.service.keys.audit_check import NOTHING, Head, Report, log_files, verify
from tpm.service.turn import caller

DIGEST = sha256(b"what was signed").hexdigest()

Lines = list[bytes]


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
