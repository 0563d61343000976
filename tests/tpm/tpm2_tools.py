"""Other implementations to judge by: tpm2-tools, which work here without a TPM, and the openssl command."""

import base64
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

CREDENTIAL_HEADER = bytes.fromhex("badcc0de00000001")  # what tpm2_makecredential writes before the two structures


def _run(directory: Path, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=directory, capture_output=True, text=True, timeout=60)


def checkquote(
    directory: Path, *, ak_pem: str, quote: bytes, signature: bytes, pcrs: Mapping[int, bytes], extra_data: bytes
) -> str:
    """Have tpm2_checkquote judge it; returns what it complains of, empty when nothing."""
    r, s = decode_dss_signature(signature)
    structure = bytes.fromhex("0018000b")  # TPMT_SIGNATURE: ECDSA, SHA-256
    for number in (r, s):
        structure += (32).to_bytes(2) + number.to_bytes(32)
    (directory / "ak.pem").write_text(ak_pem)
    (directory / "message").write_bytes(quote)
    (directory / "signature").write_bytes(structure)
    (directory / "pcrs").write_bytes(b"".join(pcrs[number] for number in sorted(pcrs)))
    selection = "sha256:" + ",".join(str(number) for number in sorted(pcrs))
    argv = ["tpm2_checkquote", "-u", "ak.pem", "-m", "message", "-s", "signature", "-g", "sha256"]
    done = _run(directory, [*argv, "-F", "values", "-f", "pcrs", "-l", selection, "-q", extra_data.hex()])
    return "" if done.returncode == 0 else done.stderr or "refused"


def make_credential(directory: Path, *, ek_pem: str, ak_name: bytes, secret: bytes) -> dict[str, str]:
    """Return the body for `/v1/identity/activate`, made by tpm2_makecredential."""
    (directory / "ek.pem").write_text(ek_pem)
    (directory / "secret").write_bytes(secret)
    argv = ["tpm2_makecredential", "-T", "none", "-G", "rsa", "-e", "ek.pem", "-n", ak_name.hex(), "-s", "secret"]
    done = _run(directory, [*argv, "-o", "credential"])
    assert done.returncode == 0, done.stderr
    made = (directory / "credential").read_bytes()
    assert made.startswith(CREDENTIAL_HEADER)
    made = made.removeprefix(CREDENTIAL_HEADER)
    size = 2 + int.from_bytes(made[:2])
    blob, encrypted = made[:size], made[size:]
    return {"credential_blob": base64.b64encode(blob).decode(), "secret": base64.b64encode(encrypted).decode()}


def openssl_verifies(directory: Path, *, public_pem: str, message: bytes, signature: bytes) -> bool:
    (directory / "public.pem").write_text(public_pem)
    (directory / "message").write_bytes(message)
    (directory / "signature").write_bytes(signature)
    argv = ["openssl", "dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "message"]
    return _run(directory, argv).stdout.strip() == "Verified OK"


def certificate_public_pem(directory: Path, certificate: bytes) -> str:
    (directory / "ek.der").write_bytes(certificate)
    done = _run(directory, ["openssl", "x509", "-inform", "der", "-in", "ek.der", "-noout", "-pubkey"])
    assert done.returncode == 0, done.stderr
    return done.stdout
