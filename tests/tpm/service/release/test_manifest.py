"""The release manifest: its form, and its events and policies against tpm2-tools."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import utils
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.parts.swtpm import Swtpm
from tests.tpm.service.release.conftest import KEY
from tpm.service.release.entries import Entry, drift_event
from tpm.service.release.manifest import Manifest, Release, approve, manifest_of, policy_digest
from tpm.service.release.pcr import PCR_START, POLICY_REF, approval_digest, event_digest, extended, path_bytes
from tpm.service.release.strict_json import ManifestError

FILE = {"path": "/app/a", "sha256": "ab" * 32, "size": 3, "mode": "0644"}
LINK = {"path": "/app/b", "link": "a"}
GOOD: dict[str, Any] = {
    "format": "evportal-manifest/1",
    "version": "1.4.0",
    "created_at": "2026-11-23T09:00:00Z",
    "roots": ["/app", "/lib/x.so"],
    "files": [FILE, LINK],
}


def text(document: object) -> bytes:
    return json.dumps(document).encode()


@dataclass(frozen=True)
class Tpm2Tools:
    """Runs tpm2-tools in a directory, on one TPM."""

    directory: Path
    tcti: str

    def __call__(self, *arguments: str) -> None:
        environment = {**os.environ, "TPM2TOOLS_TCTI": self.tcti, "TSS2_LOG": "all+none"}
        done = subprocess.run(arguments, env=environment, cwd=self.directory, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def tpm2(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tpm2Tools]:
    directory = tmp_path_factory.mktemp("tpm")
    swtpm = Swtpm(directory / "state", directory / "tpm")
    swtpm.start()
    yield Tpm2Tools(directory, swtpm.tcti)
    swtpm.stop()


def test_a_manifest_is_what_it_says() -> None:
    manifest = Manifest.parse(text(GOOD))
    assert manifest.entries == (Entry("/app/a", b"\xab" * 32, 3, 0o644), Entry("/app/b", link="a"))
    assert manifest.events == [f"sha256:{'ab' * 32} 0644 /app/a", "link:a /app/b"]
    assert manifest.pcr == extended(extended(PCR_START, manifest.events[:1]), manifest.events[1:])
    assert Manifest.parse(manifest.dumps()) == manifest
    assert json.loads(manifest.dumps()) == GOOD
    assert drift_event("changed", "/app/a") == "drift:changed /app/a"


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.binary(min_size=1, max_size=12).filter(lambda name: not {b"/", b"\0"} & {bytes([c]) for c in name}),
        st.one_of(st.binary(min_size=32, max_size=32), st.binary(min_size=1).filter(lambda name: b"\0" not in name)),
        min_size=1,
    ),
    st.integers(0, 0o7777),
)
def test_any_names_and_modes_survive(tree: dict[bytes, bytes], mode: int) -> None:
    entries = []
    for name, content in tree.items():
        if name in (b".", b".."):
            continue
        path = "/app/" + name.decode("utf-8", "surrogateescape")
        if len(content) == 32:
            entries.append(Entry(path, content, 5, mode))
        else:
            entries.append(Entry(path, link=content.decode("utf-8", "surrogateescape")))
    if not entries:
        return
    manifest = manifest_of(version="1", created_at="2026-11-23T09:00:00Z", roots=["/app"], entries=entries)
    assert sorted(manifest.entries, key=str) == sorted(entries, key=str)
    assert list(manifest.entries) == sorted(entries, key=lambda entry: path_bytes(entry.path))
    assert len(set(manifest.events)) == len(entries)


def without(field: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != field}


def files(*items: object) -> dict[str, Any]:
    return {**GOOD, "files": list(items)}


HOSTILE: list[tuple[object, str]] = [
    (b"", "manifest: expected JSON"),
    (b"\xff\xfe{}", "manifest: expected JSON in UTF-8"),
    (b"[" * 100_000, "manifest: expected JSON"),
    (b'{"size": ' + b"9" * 10_000 + b"}", "manifest: expected JSON"),
    (text(GOOD)[:-1] + b', "format": "evportal-manifest/1"}', "format: expected one field of that name, got two"),
    ([], "manifest: expected an object, got list"),
    (None, "manifest: expected an object, got NoneType"),
    ({}, "format: expected to be there, got nothing"),
    ({**GOOD, "format": "evportal-manifest/2"}, "format: expected evportal-manifest/1, got evportal-manifest/2"),
    ({**GOOD, "format": None}, "format: expected evportal-manifest/1, got None"),
    ({**GOOD, "extra": 1}, "manifest: expected the fields format, version"),
    *((without(field), f"{field}: expected to be there, got nothing") for field in GOOD),
    ({**GOOD, "version": ""}, "version: expected a text"),
    ({**GOOD, "version": 1}, "version: expected a text, got 1"),
    ({**GOOD, "version": "\ud800"}, "version: expected a text that stands for bytes"),
    ({**GOOD, "created_at": "yesterday"}, "created_at: expected an ISO 8601 time in UTC, got yesterday"),
    ({**GOOD, "created_at": 0}, "created_at: expected an ISO 8601 time in UTC, got 0"),
    ({**GOOD, "roots": "/app"}, "roots: expected a list, got str"),
    ({**GOOD, "roots": []}, "roots: expected at least one path"),
    ({**GOOD, "roots": ["app"]}, "roots: expected an absolute path"),
    ({**GOOD, "roots": ["/"]}, "roots: expected an absolute path"),
    ({**GOOD, "roots": ["/app", "/app/x"]}, "roots: expected paths that do not overlap, got /app and /app/x"),
    ({**GOOD, "roots": ["/app", "/app"]}, "roots: expected paths that do not overlap"),
    ({**GOOD, "roots": [["/app"]]}, "roots: expected a text"),
    ({**GOOD, "roots": ["/srv"]}, "files: expected paths within the roots, got /app/a"),
    ({**GOOD, "roots": ["/ap"]}, "files: expected paths within the roots, got /app/a"),
    ({**GOOD, "files": {}}, "files: expected a list, got dict"),
    (files(), "files: expected at least one"),
    (files("/app/a"), "files[0].files: expected an object, got str"),
    (files(FILE, FILE), "files: expected each path once, got /app/a twice"),
    (files(LINK, FILE), "files: expected paths sorted by their bytes, got /app/a too late"),
    (files(FILE, {"path": "/app/b"}), "files[1].sha256: expected to be there"),
    (files({**FILE, "link": "b"}), "files[0].files: expected the fields path, link"),
    (files({**FILE, "uid": 0}), "files[0].files: expected the fields path, sha256, size, mode, got uid"),
    (files({**LINK, "link": ""}), "files[0].link: expected a text"),
    (files({**LINK, "link": "a\0b"}), "files[0].link: expected a text that stands for bytes without NUL"),
    (files({**FILE, "path": "app/a"}), "files[0].path: expected an absolute path without //, . and .., got app/a"),
    (files({**FILE, "path": "/app/../etc/passwd"}), "files[0].path: expected an absolute path"),
    (files({**FILE, "path": "/app//a"}), "files[0].path: expected an absolute path"),
    (files({**FILE, "path": "/app/./a"}), "files[0].path: expected an absolute path"),
    (files({**FILE, "path": "/app/a/"}), "files[0].path: expected an absolute path"),
    (files({**FILE, "path": "/app/\0"}), "files[0].path: expected a text that stands for bytes without NUL"),
    (files({**FILE, "path": "/app/\ud800"}), "files[0].path: expected a text that stands for bytes"),
    (files({**FILE, "path": "/app/\udcc3\udca9"}), "in one way only"),
    (files({**FILE, "path": 7}), "files[0].path: expected a text, got 7"),
    (files({**FILE, "sha256": "ab" * 31}), "files[0].sha256: expected 64 digits of lower-case hex"),
    (files({**FILE, "sha256": "AB" * 32}), "files[0].sha256: expected 64 digits of lower-case hex"),
    (files({**FILE, "sha256": "xy" * 32}), "files[0].sha256: expected 64 digits of lower-case hex"),
    (files({**FILE, "sha256": None}), "files[0].sha256: expected 64 digits of lower-case hex, got None"),
    (files({**FILE, "size": -1}), "files[0].size: expected a whole number of at least 0, got -1"),
    (files({**FILE, "size": 1.5}), "files[0].size: expected a whole number"),
    (files({**FILE, "size": True}), "files[0].size: expected a whole number"),
    (files({**FILE, "size": "3"}), "files[0].size: expected a whole number"),
    (files({**FILE, "mode": 420}), "files[0].mode: expected four octal digits, got 420"),
    (files({**FILE, "mode": "0888"}), "files[0].mode: expected four octal digits"),
    (files({**FILE, "mode": "644"}), "files[0].mode: expected four octal digits"),
    (files({**FILE, "mode": "0644\n"}), "files[0].mode: expected four octal digits"),
]


@pytest.mark.parametrize(("document", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_manifests_are_refused(document: object, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifest.parse(document if isinstance(document, bytes) else text(document))
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    error = caught.value
    assert str(error) == f"{error.field}: expected {error.expected}, got {error.got}"


def test_a_manifest_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tpm.service.release.manifest.MAX_MANIFEST_BYTES", 100)
    with pytest.raises(ManifestError, match="manifest: expected at most 100 bytes, got"):
        Manifest.parse(text(GOOD))


@pytest.mark.parametrize("pcrs", [(8,), (23,), (0, 2, 4, 7, 8), (0, 2, 4, 7, 23), (16,)])
def test_policies_are_those_of_the_tpm(tpm2: Tpm2Tools, pcrs: tuple[int, ...]) -> None:
    values = {pcr: bytes([pcr]) * 32 for pcr in reversed(pcrs)}
    directory = tpm2.directory
    (directory / "values").write_bytes(b"".join(values[pcr] for pcr in sorted(pcrs)))
    selection = "sha256:" + ",".join(map(str, pcrs))
    tpm2("tpm2_startauthsession", "-S", "session")  # a trial session
    tpm2("tpm2_policypcr", "-S", "session", "-l", selection, "-f", "values", "-L", "policy")
    tpm2("tpm2_flushcontext", "session")
    assert policy_digest(values) == (directory / "policy").read_bytes()


def test_the_predicted_pcr_is_that_of_the_tpm(tpm2: Tpm2Tools) -> None:
    manifest = Manifest.parse(text(GOOD))
    for one in manifest.events:
        tpm2("tpm2_pcrextend", f"8:sha256={event_digest(one).hex()}")
    tpm2("tpm2_pcrread", "-o", "pcr", "sha256:8")
    directory = tpm2.directory
    assert manifest.pcr == (directory / "pcr").read_bytes()


def test_the_tpm_accepts_an_approval_for_its_pcrs_only(tpm2: Tpm2Tools, release: Release) -> None:
    directory = tpm2.directory
    pem = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (directory / "key.pem").write_bytes(pem)
    (directory / "ref").write_bytes(POLICY_REF)
    tpm2("tpm2_pcrread", "-o", "pcr", "sha256:8")
    for pcr, authorized in (((directory / "pcr").read_bytes(), True), (b"\1" * 32, False)):
        approval = approve(release, KEY, {8: pcr}).approvals[-1]
        (directory / "policy").write_bytes(approval.policy)
        (directory / "digest").write_bytes(approval_digest(approval.policy))
        r, s = utils.decode_dss_signature(approval.signature)
        structure = bytes.fromhex("0018000b") + b"".join((32).to_bytes(2) + number.to_bytes(32) for number in (r, s))
        (directory / "signature").write_bytes(structure)  # TPMT_SIGNATURE: ECDSA, SHA-256
        tpm2("tpm2_loadexternal", "-G", "ecc", "-C", "o", "-u", "key.pem", "-c", "key", "-n", "name")
        tpm2("tpm2_verifysignature", "-c", "key", "-d", "digest", "-s", "signature", "-t", "ticket")
        tpm2("tpm2_flushcontext", "-t")
        tpm2("tpm2_startauthsession", "-S", "session", "--policy-session")
        tpm2("tpm2_policypcr", "-S", "session", "-l", "sha256:8")
        authorize = ["tpm2_policyauthorize", "-S", "session", "-i", "policy", "-q", "ref", "-n", "name", "-t", "ticket"]
        if authorized:
            tpm2(*authorize)
        else:
            with pytest.raises(AssertionError, match=r"0x1C4|value is out of range"):
                tpm2(*authorize)
        tpm2("tpm2_flushcontext", "session")


@pytest.mark.parametrize(
    ("pcrs", "message"),
    [
        ({}, "pcrs: expected at least one PCR"),
        ({24: bytes(32)}, "pcrs: expected an index of 0 to 23, got 24"),
        ({-1: bytes(32)}, "pcrs: expected an index of 0 to 23, got -1"),
        ({8: bytes(20)}, "pcrs.8: expected 32 bytes, got 20 bytes"),
    ],
)
def test_policies_of_nothing_are_refused(pcrs: dict[int, bytes], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        policy_digest(pcrs)
