"""A release is signed, kept and loaded; one that was meddled with is refused; and the command that makes it."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils

from tests.tpm.service.release.conftest import KEY
from tpm.service.release.command import main
from tpm.service.release.manifest import Release, approve, sign
from tpm.service.release.pcr import approval_digest
from tpm.service.release.release_files import load_public_key
from tpm.service.release.release_key import load_private_key, public_path
from tpm.service.release.strict_json import (
    ManifestError,
    ReleaseMissingError,
    ReleaseSignatureError,
    ReleaseUnreadableError,
)

ROOT = Path(__file__).parents[4]


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
