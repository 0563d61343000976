"""A witness looks at the TPM for itself, with a token of the operator that opens nothing but that."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from dev.parts.swtpm import EK_ISSUER_FILE, EK_ROOT_FILE
from dev.parts.tpm_service import TpmStack
from ledger.log import note
from ledger.log.witnesses import certificates
from ledger.receipts.certification import fingerprint
from tests.witness.a_log import ALog
from tests.witness.conftest import Program
from tpm.client import TpmClient
from witness.asking import Server
from witness.errors import FormError, NotYet
from witness.keys import SigningKey
from witness.notes import VerifierKey
from witness.tpm.enrolment import enrol
from witness.tpm.public import read_ak, read_ek


@pytest.fixture(scope="module")
def token(tpm_stack: TpmStack) -> str:
    """As the operator hands it over: for identity and attestation alone."""
    return tpm_stack.credentials(tpm_stack.neighbour, ("tpm/attest",))()


@pytest.fixture(scope="module")
def roots(tpm_stack: TpmStack) -> bytes:
    return b"".join((tpm_stack.swtpm.state_dir / name).read_bytes() for name in (EK_ROOT_FILE, EK_ISSUER_FILE))


def test_it_certifies_the_attestation_key_and_serves_that(
    tpm_stack: TpmStack, tpm_client: TpmClient, token: str, roots: bytes, program: Callable[[], Program], tmp_path: Path
) -> None:
    witness = program()
    witness.configure(f'[[log]]\nvkey = "{ALog(1).vkey.text}"\n')
    (tmp_path / "roots.pem").write_bytes(roots)
    (tmp_path / "token").write_text(f"{token}\n")
    files = ("--roots", str(tmp_path / "roots.pem"), "--token-file", str(tmp_path / "token"))
    where = ("--config", str(witness.directory / "witness.toml"), "--tpm-service", tpm_stack.service_url)
    witness.start()
    made = json.loads(witness.run("enrol", *where, *files))  # while it runs
    identity = tpm_client.identity()
    assert made["ak"] == fingerprint(base64.b64decode(identity["ak"]["public"]))
    lines = ("evportal-ak-certificate/1", "witness.example/w", made["ak"], made["ek_certificate"], made["root"])
    signed = "".join(f"{line}\n" for line in (*lines, made["time"])).encode()
    key = VerifierKey.parse(witness.vkey)
    Ed25519PublicKey.from_public_bytes(key.public).verify(base64.b64decode(made["signature"]), signed)
    status = json.loads(Server(witness.url).get("/status"))
    assert status["ak_certificates"] == [made]
    # and the portal takes it: of this TPM, signed by this witness
    parts = (identity["ak"]["public"], identity["ek"]["certificate"])
    ak, ek_certificate = (fingerprint(base64.b64decode(part)) for part in parts)
    theirs = note.VerifierKey.parse(witness.vkey)
    now = int(time.time())
    assert certificates.certificates_in(status, theirs, {(ak, ek_certificate)}, latest=now) == [made]
    assert certificates.certificates_in(status, theirs, {(ak, ak)}, latest=now) == []


def test_a_root_that_is_not_trusted(tpm_stack: TpmStack, token: str, roots: bytes) -> None:
    key, service = SigningKey.new("w.example/w"), Server(tpm_stack.service_url)
    issuer = (tpm_stack.swtpm.state_dir / EK_ISSUER_FILE).read_bytes()
    for wrong, said in ((issuer, "no trusted certificate signed"), (b"", "expected certificates")):
        with pytest.raises(FormError, match=said):
            enrol(service, token, wrong, key, time.time())
    with pytest.raises(FormError, match="not now"):
        enrol(service, token, roots, key, time.time() - 100 * 365 * 86400)


def test_without_the_operators_token(tpm_stack: TpmStack, roots: bytes) -> None:
    for token in ("", "abc"):
        with pytest.raises(NotYet, match="401"):
            enrol(Server(tpm_stack.service_url), token, roots, SigningKey.new("w.example/w"), time.time())


class Another(Server):
    """A service between us and the TPM, which shows something else than the TPM has."""

    def __init__(self, url: str, change: Callable[[dict[str, dict[str, str]]], None]) -> None:
        super().__init__(url)
        self._change = change

    def get_json(self, path: str, *, token: str = "") -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = super().get_json(path, token=token)
        self._change(found)
        return found


def with_another_ak(identity: dict[str, dict[str, str]]) -> None:
    """A key of the same form, which is not in the TPM."""
    public = bytearray(base64.b64decode(identity["ak"]["public"]))
    public[-1] ^= 1
    identity["ak"] = {
        "public": base64.b64encode(public).decode(),
        "name": base64.b64encode(read_ak(bytes(public)).name).decode(),
    }


def with_another_name(identity: dict[str, dict[str, str]]) -> None:
    identity["ak"]["name"] = identity["ak"]["name"][::-1].replace("=", "A")


def with_another_ek(identity: dict[str, dict[str, str]]) -> None:
    public = bytearray(base64.b64decode(identity["ek"]["public"]))
    public[-2] ^= 1
    identity["ek"]["public"] = base64.b64encode(public).decode()


def without_a_certificate(identity: dict[str, dict[str, str]]) -> None:
    del identity["ek"]["certificate"]


@pytest.mark.parametrize("change", [with_another_ak, with_another_name, with_another_ek, without_a_certificate])
def test_what_is_not_in_the_tpm(
    tpm_stack: TpmStack, token: str, roots: bytes, change: Callable[[dict[str, dict[str, str]]], None]
) -> None:
    with pytest.raises((FormError, NotYet)):
        enrol(Another(tpm_stack.service_url, change), token, roots, SigningKey.new("w.example/w"), time.time())


def test_damaged_public_areas(tpm_client: TpmClient) -> None:
    identity = tpm_client.identity()
    ek, ak = (base64.b64decode(identity[name]["public"]) for name in ("ek", "ak"))
    assert (read_ek(ek).raw, read_ak(ak).raw) == (ek, ak)
    for read, data in ((read_ek, ek), (read_ak, ak)):
        for size in range(len(data)):
            with pytest.raises(FormError):
                read(data[:size])
        for place in (0, 1, 2, 3, 5, 7):  # type, name algorithm, the attributes that count
            with pytest.raises(FormError):
                read(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        with pytest.raises(FormError):
            read(data + b"\0")
    with pytest.raises(FormError):
        read_ek(ak)
    with pytest.raises(FormError):
        read_ak(ek)
