"""Enrolment: the witness sees for itself that an attestation key (AK) lives in a TPM of a maker that it trusts.

1. The service says who its TPM is: EK with its maker's certificate, AK.
2. The certificate is for this EK, and leads to a root that the witness trusts.
3. The TPM opens a credential that was encrypted for this EK and this AK: so both are in it.
4. The witness signs a certificate, `evportal-ak-certificate/1`, which travels in receipts.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding

from witness.asking import Server
from witness.errors import FormError
from witness.keys import SigningKey
from witness.notes import base64_bytes
from witness.tpm.credential import make_credential
from witness.tpm.endorsement import check_ek
from witness.tpm.public import read_ak, read_ek

FORMAT = "evportal-ak-certificate/1"


def enrol(service: Server, token: str, roots_pem: bytes, key: SigningKey, now: float) -> dict[str, Any]:
    """Return the certificate; raises FormError where something is not as it should be, NotYet without an answer."""
    identity = service.get_json("/v1/identity", token=token)
    ek_public, ek_certificate, ak_public, ak_name = (
        _bytes(identity, *path) for path in (("ek", "public"), ("ek", "certificate"), ("ak", "public"), ("ak", "name"))
    )
    ek, ak = read_ek(ek_public), read_ak(ak_public)
    if not hmac.compare_digest(ak.name, ak_name):
        raise FormError("AK: its name is not that of its public area")
    root = check_ek(ek, ek_certificate, roots_pem, datetime.fromtimestamp(now, UTC))
    credential = secrets.token_bytes(32)
    challenge = make_credential(ek, ak.name, credential)
    texts = {"credential_blob": challenge.blob, "secret": challenge.secret}
    body = {name: base64.b64encode(data).decode() for name, data in texts.items()}
    opened = _bytes(service.post("/v1/identity/activate", body, token=token), "credential")
    if not hmac.compare_digest(opened, credential):
        raise FormError("the TPM did not open the credential: this AK is not in the TPM of this EK")
    hashes = (ak_public, ek_certificate, root.public_bytes(Encoding.DER))
    ak_hash, certificate_hash, root_hash = (hashlib.sha256(data).hexdigest() for data in hashes)
    found = {"format": FORMAT, "ak": ak_hash, "ek_certificate": certificate_hash, "root": root_hash, "time": int(now)}
    return {**found, "signature": base64.b64encode(key.sign(message(found, key.name))).decode()}


def message(certificate: dict[str, Any], name: str) -> bytes:
    """What the witness of this name signs."""
    members = (FORMAT, name, *(certificate[each] for each in ("ak", "ek_certificate", "root", "time")))
    return "".join(f"{each}\n" for each in members).encode()


def _bytes(answer: Any, *path: str) -> bytes:
    for name in path:
        answer = answer.get(name) if isinstance(answer, dict) else None
    if not isinstance(answer, str):
        raise FormError(f"the service says no {'.'.join(path)}")
    return base64_bytes(answer)
