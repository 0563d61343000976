"""The release manifest: its form, its events and policies against tpm2-tools, and releases that were meddled with."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.parts.swtpm import Swtpm
from tpm.service.release.command import main
from tpm.service.release.entries import Entry, drift_event
from tpm.service.release.manifest import Manifest, Release, approve, manifest_of, policy_digest, sign
from tpm.service.release.pcr import PCR_START, POLICY_REF, approval_digest, event_digest, extended, path_bytes
from tpm.service.release.release_files import load_public_key
from tpm.service.release.release_key import load_private_key, public_path
from tpm.service.release.strict_json import (
    ManifestError,
    ReleaseMissingError,
    ReleaseSignatureError,
    ReleaseUnreadableError,
)

ROOT = Path(__file__).parents[4]
KEY = ec.generate_private_key(ec.SECP256R1())
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


def release_of(*entries: Entry) -> Release:
    manifest = manifest_of(version="1", created_at="2026-11-23T09:00:00Z", roots=["/app"], entries=entries)
    release = sign(manifest.dumps(), KEY)
    return approve(release, KEY, {8: manifest.pcr})


@pytest.fixture
def release() -> Release:
    return release_of(Entry("/app/b", link="a"), Entry("/app/a", sha256=b"\xab" * 32, size=3, mode=0o644))


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


def test_a_release_is_saved_and_loaded(release: Release, tmp_path: Path) -> None:
    release.save(tmp_path)
    assert Release.load(tmp_path, KEY.public_key()) == release
    assert sorted(path.name for path in tmp_path.iterdir()) == ["manifest.json", "release.json"]
    (approval,) = release.approvals
    assert release.approval(approval.policy) == approval
    assert release.approval(bytes(32)) is None
    KEY.public_key().verify(
        approval.signature, approval_digest(approval.policy), ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    )


def test_an_approval_replaces_the_older_one_of_its_policy(release: Release) -> None:
    again = approve(release, KEY, {8: release.manifest.pcr})
    assert len(again.approvals) == 1
    host = approve(again, KEY, {8: release.manifest.pcr, 0: b"\1" * 32})
    assert [sorted(approval.pcrs) for approval in host.approvals] == [[8], [0, 8]]


Meddle = Callable[[dict[str, Any]], None]


def meddled(directory: Path, meddle: Meddle) -> None:
    path = directory / "release.json"
    document = json.loads(path.read_bytes())
    meddle(document)
    path.write_text(json.dumps(document))


def flipped(encoded: str) -> str:
    raw = bytearray(base64.b64decode(encoded))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()


def first(document: dict[str, Any]) -> dict[str, Any]:
    approval: dict[str, Any] = document["approvals"][0]
    return approval


MALFORMED: list[tuple[Meddle, str]] = [
    (lambda d: d.pop("signature"), "signature: expected to be there, got nothing"),
    (lambda d: d.update(extra=1), "release.json: expected the fields"),
    (lambda d: d.update(signature="!"), "signature: expected standard base64, got !"),
    (lambda d: d.update(signature=""), "signature: expected standard base64"),
    (lambda d: d.update(signature=None), "signature: expected standard base64"),
    (lambda d: d.update(manifest_sha256="00"), "manifest_sha256: expected 64 digits of lower-case hex"),
    (lambda d: d.update(manifest_sha256="00" * 32), "manifest_sha256: expected "),
    (lambda d: d.update(approvals={}), "approvals: expected a list, got dict"),
    (lambda d: d.update(approvals=[1]), "approvals[0]: expected an object, got int"),
    (lambda d: first(d).update(pcrs={}), "approvals[0].pcrs: expected an object that is not empty"),
    (lambda d: first(d)["pcrs"].update({"24": "00" * 32}), "approvals[0].pcrs: expected an index of 0 to 23, got 24"),
    (lambda d: first(d)["pcrs"].update({"08": "00" * 32}), "approvals[0].pcrs: expected an index of 0 to 23, got 08"),
    (lambda d: first(d)["pcrs"].update({"٣": "00" * 32}), "approvals[0].pcrs: expected an index of 0 to 23"),
    (lambda d: first(d)["pcrs"].update({"8": "00"}), "approvals[0].pcrs.8: expected 64 digits"),
    (lambda d: first(d)["pcrs"].update({"8": "00" * 32}), "approvals[0].policy: expected"),
    (lambda d: first(d).update(policy="00" * 32), "approvals[0].policy: expected"),
    (lambda d: first(d).pop("signature"), "approvals[0].signature: expected to be there"),
]


@pytest.mark.parametrize(("meddle", "message"), MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_release_is_refused(release: Release, tmp_path: Path, meddle: Meddle, message: str) -> None:
    release.save(tmp_path)
    meddled(tmp_path, meddle)
    with pytest.raises(ManifestError) as caught:
        Release.load(tmp_path, KEY.public_key())
    assert message in str(caught.value)


def test_one_byte_of_the_manifest_breaks_the_signature(release: Release, tmp_path: Path) -> None:
    release.save(tmp_path)
    path = tmp_path / "manifest.json"
    good = path.read_bytes()
    for altered in (good.replace(b"0644", b"0755"), good + b" ", good.replace(b"\n", b"\r\n"), b"", b"not JSON"):
        path.write_bytes(altered)
        with pytest.raises(ReleaseSignatureError, match=r"manifest.json: its signature is not one of the release key"):
            Release.load(tmp_path, KEY.public_key())


def test_signatures_of_others_are_refused(release: Release, tmp_path: Path) -> None:
    stranger = ec.generate_private_key(ec.SECP256R1())
    release.save(tmp_path)
    with pytest.raises(ReleaseSignatureError, match=r"manifest.json"):
        Release.load(tmp_path, stranger.public_key())
    replace(release, approvals=approve(release, stranger, {8: bytes(32)}).approvals).save(tmp_path)
    with pytest.raises(ReleaseSignatureError, match=r"approvals\[1\]"):
        Release.load(tmp_path, KEY.public_key())
    for meddle in (lambda d: d.update(signature=flipped(d["signature"])), lambda d: d.update(signature="AAAA")):
        release.save(tmp_path)
        meddled(tmp_path, meddle)
        with pytest.raises(ReleaseSignatureError, match=r"manifest.json"):
            Release.load(tmp_path, KEY.public_key())


def test_an_approval_of_another_release_is_no_signature_of_this_manifest(release: Release, tmp_path: Path) -> None:
    """What the release key signed for one purpose serves no other."""
    (approval,) = release.approvals
    replace(release, signature=approval.signature).save(tmp_path)
    with pytest.raises(ReleaseSignatureError, match=r"manifest.json"):
        Release.load(tmp_path, KEY.public_key())
    replace(release, approvals=(replace(approval, signature=release.signature),)).save(tmp_path)
    with pytest.raises(ReleaseSignatureError, match=r"approvals\[0\]"):
        Release.load(tmp_path, KEY.public_key())


def test_missing_and_unreadable_files_are_named(release: Release, tmp_path: Path) -> None:
    with pytest.raises(ReleaseMissingError, match=r"manifest.json is not there"):
        Release.load(tmp_path, KEY.public_key())
    release.save(tmp_path)
    (tmp_path / "release.json").unlink()
    with pytest.raises(ReleaseMissingError, match=r"release.json is not there"):
        Release.load(tmp_path, KEY.public_key())
    (tmp_path / "release.json").mkdir()
    with pytest.raises(ReleaseUnreadableError, match=r"release.json cannot be read: Is a directory"):
        Release.load(tmp_path, KEY.public_key())
    with pytest.raises(ReleaseUnreadableError, match=r"cannot be written"):
        release.save(tmp_path / "missing")


def test_a_signed_manifest_that_is_none_is_refused(release: Release, tmp_path: Path) -> None:
    """The release key signs only manifests, but what it signed is read strictly all the same."""
    with pytest.raises(ManifestError):
        sign(b"{}", KEY)
    replace(release, text=b"{}", signature=KEY.sign(b"{}", ec.ECDSA(hashes.SHA256()))).save(tmp_path)
    with pytest.raises(ManifestError, match="format: expected to be there"):
        Release.load(tmp_path, KEY.public_key())


def test_keys_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    for key in (ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP384R1())):
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        path.write_bytes(public)
        with pytest.raises(ManifestError, match="expected an ECC key on P-256"):
            load_public_key(path)
        path.write_bytes(private)
        with pytest.raises(ManifestError, match="expected an ECC key on P-256"):
            load_private_key(path)
        with pytest.raises(ManifestError, match="expected a public key in PEM"):
            load_public_key(path)
    path.write_bytes(
        KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(ManifestError, match="expected a private key in PEM, not encrypted"):
        load_private_key(path)
    with pytest.raises(ReleaseMissingError):
        load_public_key(tmp_path / "missing")


@pytest.fixture
def signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A directory `app` with a release of it, made by the command as its --help says."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a").write_text("content")
    (tmp_path / "app" / "link").symlink_to("a")
    key, out = str(tmp_path / "key.pem"), str(tmp_path / "release")
    assert main(["keygen", key]) == 0
    assert main(["build", "--root", str(tmp_path / "app"), "--version", "7", "--out", out]) == 0
    assert main(["sign", out, "--key", key]) == 0
    assert main(["approve", out, "--key", key]) == 0
    assert main(["approve", out, "--key", key, "--pcr", "23", "--host-pcr", "0=" + "11" * 32]) == 0
    capsys.readouterr()
    return tmp_path


def checked(directory: Path) -> int:
    return main(["check", str(directory / "release"), "--public-key", str(directory / "key.pub.pem")])


def test_the_command_makes_a_release(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(signed) == 0
    assert capsys.readouterr().out == "all 2 files are those of version 7\n"
    release = Release.load(signed / "release", load_public_key(public_path(signed / "key.pem")))
    assert [dict(approval.pcrs) for approval in release.approvals] == [
        {8: release.manifest.pcr},
        {0: b"\x11" * 32, 23: release.manifest.pcr},
    ]
    assert (signed / "key.pem").stat().st_mode & 0o777 == 0o600


def test_the_command_names_what_differs(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (signed / "app" / "a").write_text("other")
    (signed / "app" / "b\n").write_text("new")
    (signed / "app" / "link").unlink()
    assert checked(signed) == 1
    out = capsys.readouterr().out
    assert out.splitlines() == [
        f"changed  {signed}/app/a",
        f"added    '{signed}/app/b\\n'",
        f"removed  {signed}/app/link",
        "3 of 2 files are not those of version 7",
    ]
    (signed / "app").rename(signed / "elsewhere")
    assert checked(signed) == 1
    assert capsys.readouterr().out.count("removed") == 2


def test_the_command_refuses_clearly(signed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, app = str(signed / "key.pem"), str(signed / "app")
    assert main(["keygen", key]) == 2
    assert "a release key is never replaced" in capsys.readouterr().err
    assert main(["build", "--root", app, "--version", "7", "--out", f"{app}/release"]) == 2
    assert "expected a directory outside the root" in capsys.readouterr().err
    assert main(["build", "--root", f"{app}/missing", "--version", "7", "--out", str(signed / "x")]) == 2
    assert "missing: is not there" in capsys.readouterr().err
    assert main(["build", "--root", app, "--root", f"{app}/.", "--version", "7", "--out", str(signed / "x")]) == 2
    assert "do not overlap" in capsys.readouterr().err
    assert main(["sign", app, "--key", key]) == 2
    assert "manifest.json is not there" in capsys.readouterr().err
    release = str(signed / "release")
    assert main(["approve", release, "--key", key, "--host-pcr", "8=" + "00" * 32]) == 2
    assert "--host-pcr: expected each PCR once" in capsys.readouterr().err
    for bad in ("0", "0=00", "24=" + "00" * 32, "x=" + "00" * 32):
        with pytest.raises(SystemExit):
            main(["approve", release, "--key", key, "--host-pcr", bad])
        assert "expected INDEX=64 digits of hex" in capsys.readouterr().err
    (signed / "release" / "manifest.json").write_bytes(b"{}")
    assert checked(signed) == 2
    assert "its signature is not one of the release key" in capsys.readouterr().err


def test_the_command_runs_as_the_documentation_says(signed: Path) -> None:
    argv = ["-m", "tpm.service.manifest", "check", str(signed / "release"), "--public-key", str(signed / "key.pub.pem")]
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "all 2 files are those of version 7\n")
