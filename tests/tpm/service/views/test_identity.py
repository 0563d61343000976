"""Who the TPM is: EK with its maker's certificate, AK, and the proof that one TPM holds both."""

import base64
import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import WithScopes
from tests.tpm.tpm2_tools import certificate_public_pem, make_credential
from tpm.service.device import attest
from tpm.service.device.attest import AK_HANDLE, EK_CERTIFICATE_INDEX, EK_HANDLE, certificate_in
from tpm.service.device.device import Device
from tpm.service.errors import InvalidCredentialError, KeyUnusableError, TpmFailureError
from tpm.service.turn import Turn

AK_ATTRIBUTES = 0x00050472  # fixedTPM fixedParent sensitiveDataOrigin userWithAuth noDA restricted sign


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


@pytest.fixture(scope="module")
def identity(http: httpx2.Client) -> dict[str, Any]:
    answer = http.get("/identity")
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


def device_of(swtpm: Swtpm) -> Device:
    return Device(swtpm.tcti, Turn(places=1, deadline_s=5))


def tpm2(swtpm: Swtpm, tool: str, *arguments: str) -> str:
    done = subprocess.run([tool, "-T", swtpm.tcti, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def credential(directory: Path, identity: dict[str, Any], secret: bytes, ak_name: bytes | None = None) -> Any:
    ek_pem = certificate_public_pem(directory, raw(identity["ek"]["certificate"]))
    name = raw(identity["ak"]["name"]) if ak_name is None else ak_name
    return make_credential(directory, ek_pem=ek_pem, ak_name=name, secret=secret)


def test_words_and_keys(identity: dict[str, Any]) -> None:
    assert (identity["manufacturer"], identity["vendor"]) == ("IBM", "SW   TPM")
    assert all(part.isdigit() for part in identity["firmware"].split("."))
    ek, ak = raw(identity["ek"]["public"]), raw(identity["ak"]["public"])
    assert ek[:4] == bytes.fromhex("0001000b")  # RSA, SHA-256
    assert ak[:8] == bytes.fromhex("0023000b") + AK_ATTRIBUTES.to_bytes(4)
    assert raw(identity["ak"]["name"]) == bytes.fromhex("000b") + hashlib.sha256(ak).digest()
    assert identity["ak"]["public_key_pem"].startswith("-----BEGIN PUBLIC KEY-----\n")


def test_the_certificate_is_of_this_ek_and_its_maker_signed_it(
    identity: dict[str, Any], tpm_stack: TpmStack, tmp_path: Path
) -> None:
    public = certificate_public_pem(tmp_path, raw(identity["ek"]["certificate"]))
    modulus = base64.b64decode("".join(public.splitlines()[1:-1]))[-261:-5]  # ends in 02 03 01 00 01
    assert raw(identity["ek"]["public"])[-256:] == modulus
    convert = ["openssl", "x509", "-inform", "der", "-in", "ek.der", "-out", "ek.crt"]
    subprocess.run(convert, cwd=tmp_path, check=True, timeout=60)
    chain = ["-CAfile", str(tpm_stack.swtpm.ek_root), "-untrusted", str(tpm_stack.swtpm.ek_issuer), "ek.crt"]
    argv = ["openssl", "verify", "-ignore_critical", *chain]
    assert subprocess.run(argv, cwd=tmp_path, capture_output=True, timeout=60).returncode == 0


@pytest.mark.parametrize("size", [1, 16, 32])
def test_a_credential_for_this_ek_and_ak_opens(
    http: httpx2.Client, identity: dict[str, Any], tmp_path: Path, size: int
) -> None:
    secret = secrets.token_bytes(size)
    answer = http.post("/identity/activate", json=credential(tmp_path, identity, secret))
    assert (answer.status_code, answer.json()) == (200, {"credential": b64(secret)})


def test_one_for_another_ak_or_ek_does_not(
    http: httpx2.Client, identity: dict[str, Any], tmp_path: Path, swtpm: Swtpm
) -> None:
    other_ak = bytes.fromhex("000b") + secrets.token_bytes(32)
    device = device_of(swtpm)
    other = attest.identity(device)
    device.close()
    assert other.ek_certificate is not None
    other_ek = {"ek": {"certificate": b64(other.ek_certificate)}, "ak": identity["ak"]}
    for body in (credential(tmp_path, identity, b"secret", other_ak), credential(tmp_path, other_ek, b"secret")):
        answer = http.post("/identity/activate", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_credential")
        assert answer.json()["detail"] == ""


def test_hostile_credentials(http: httpx2.Client, identity: dict[str, Any], tmp_path: Path) -> None:
    good = credential(tmp_path, identity, b"secret")
    blob, secret = raw(good["credential_blob"]), raw(good["secret"])
    flipped = bytearray(blob)
    flipped[len(blob) // 2] ^= 1
    for bad in (
        *(blob[:size] for size in (0, 1, 2, 3, len(blob) - 1)),
        blob + b"\0",
        bytes(flipped),
        bytes(len(blob)),
        b"\xff\xff" + blob[2:],
        bytes(20_000),
    ):
        answer = http.post("/identity/activate", json={**good, "credential_blob": b64(bad)})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_credential"), bad[:40]
    for bad in (
        *(secret[:size] for size in (0, 1, 2, 3, len(secret) - 1)),
        secret + b"\0",
        secret[:2] + bytes(256),
        secret[:2] + b"\xff" * 256,
        secret[:-1] + bytes([secret[-1] ^ 1]),
        (1).to_bytes(2) + b"a",
    ):
        answer = http.post("/identity/activate", json={**good, "secret": b64(bad)})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_credential"), bad[:40]
    assert http.post("/identity/activate", json=good).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ([], "invalid_request"),
        ({"credential_blob": "AA=="}, "invalid_request"),
        ({"credential_blob": 1, "secret": "AA=="}, "invalid_request"),
        ({"credential_blob": "AA==", "secret": None}, "invalid_request"),
        ({"credential_blob": "AA==", "secret": "AA==", "more": 1}, "invalid_request"),
        ({"credential_blob": "%", "secret": "AA=="}, "invalid_encoding"),
        ({"credential_blob": "AA==", "secret": "AA"}, "invalid_encoding"),
        ({"credential_blob": "AB==", "secret": "AA=="}, "invalid_encoding"),
        ({"credential_blob": "", "secret": ""}, "invalid_credential"),
    ],
)
def test_bad_activation(http: httpx2.Client, body: object, code: str) -> None:
    answer = http.post("/identity/activate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_scope(with_scopes: WithScopes) -> None:
    wrong = with_scopes("tpm/keys", "tpm/sign", "tpm/crypto", "tpm/seal")
    for answer in (wrong.get("/identity"), wrong.post("/identity/activate", json={})):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def test_it_stays_the_same_when_its_keys_are_lost(swtpm: Swtpm) -> None:
    """EK and AK are made anew from the TPM's seeds: a certificate and an enrolment go on being true."""
    device = device_of(swtpm)
    before = attest.identity(device)
    device.close()
    for handle in (EK_HANDLE, AK_HANDLE):
        tpm2(swtpm, "tpm2_evictcontrol", "-C", "o", "-c", hex(handle))
    swtpm.kill()
    swtpm.start()
    assert attest.identity(device) == before
    device.close()


def test_another_key_in_their_place_is_refused(swtpm: Swtpm, tmp_path: Path) -> None:
    """One that is not restricted, and so would sign a quote that somebody made up."""
    context, attributes = str(tmp_path / "key.ctx"), "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
    kind = ["-G", "ecc256:ecdsa-sha256", "-a", attributes]
    tpm2(swtpm, "tpm2_createprimary", "-C", "o", "-g", "sha256", *kind, "-c", context)
    tpm2(swtpm, "tpm2_evictcontrol", "-C", "o", "-c", context, hex(AK_HANDLE))
    device = device_of(swtpm)
    with pytest.raises(TpmFailureError, match="expected the AK at 0x81000002, got a key of another kind"):
        attest.identity(device)
    device.close()


def test_a_tpm_without_a_certificate_says_so(swtpm: Swtpm) -> None:
    tpm2(swtpm, "tpm2_nvundefine", "-C", "p", hex(EK_CERTIFICATE_INDEX))
    device = device_of(swtpm)
    assert attest.identity(device).ek_certificate is None
    device.close()


def test_failed_activations_leave_no_session(swtpm: Swtpm, tmp_path: Path) -> None:
    device = device_of(swtpm)
    for _ in range(70):  # 64 sessions fit into a TPM
        with pytest.raises(InvalidCredentialError):
            attest.activate_credential(device, b"\0\1a", b"\0\1a")
    device._disconnect()  # close() would flush what is left
    for kind in ("handles-transient", "handles-loaded-session", "handles-saved-session"):
        assert tpm2(swtpm, "tpm2_getcap", kind) == ""


def test_hierarchies_with_auth_values(tmp_path: Path) -> None:
    """As they are on a machine whose owner has taken the TPM: the service is told the values, and does the same."""
    settings = {"TPM_OWNER_AUTH": "the owner's", "TPM_ENDORSEMENT_AUTH": "the other"}
    stack = TpmStack(tmp_path / "own", settings, measured=False)
    portal = stack.provider.pool.ensure_client("portal", ["tpm/attest"])
    stack.swtpm.start()
    tpm2(stack.swtpm, "tpm2_changeauth", "-c", "owner", settings["TPM_OWNER_AUTH"])
    tpm2(stack.swtpm, "tpm2_changeauth", "-c", "endorsement", settings["TPM_ENDORSEMENT_AUTH"])
    stack.swtpm.stop()
    try:
        stack.start()
        authorization = {"Authorization": f"Bearer {stack.credentials(portal, ['tpm/attest'])()}"}
        with httpx2.Client(base_url=f"{stack.service_url}/v1", headers=authorization, timeout=60) as http:
            body = credential(tmp_path, http.get("/identity").json(), b"secret")
            assert http.post("/identity/activate", json=body).json() == {"credential": b64(b"secret")}
        stack.service.stop()
        ignorant = device_of(stack.swtpm)
        with pytest.raises(KeyUnusableError):
            attest.activate_credential(ignorant, raw(body["credential_blob"]), raw(body["secret"]))
        ignorant.close()
    finally:
        stack.stop()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x30\x82\x00\x02ab", b"\x30\x82\x00\x02ab"),
        (b"\x30\x82\x00\x02ab" + b"\xff" * 9, b"\x30\x82\x00\x02ab"),
        (b"\x30\x82\x00\x02ab" + b"\x00" * 9, b"\x30\x82\x00\x02ab"),
        # in an OCTET STRING, as some chips have it
        (b"\x04\x82\x00\x06\x30\x82\x00\x02ab", b"\x30\x82\x00\x02ab"),
        (b"\x04\x82\x00\x06\x30\x82\x00\x02ab" + b"\xff" * 9, b"\x30\x82\x00\x02ab"),
        # nothing but filling
        (b"\xff" * 100, None),
        (b"\x00" * 100, None),
        (b"", None),
        # what is not understood is there all the same
        (b"\x30\x82\x00\x02a", b"\x30\x82\x00\x02a"),
        (b"\x30\x82", b"\x30\x82"),
        (b"\x04\x82\x00\x06\x30\x82\x00\x09ab", b"\x04\x82\x00\x06\x30\x82\x00\x09ab"),
        (b"\x10\x01\x00\x00\x02ab", b"\x10\x01\x00\x00\x02ab"),
    ],
)
def test_what_fills_the_index_is_cut_off(data: bytes, expected: bytes | None) -> None:
    assert certificate_in(data) == expected
