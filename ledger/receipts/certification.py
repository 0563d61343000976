"""PURE: the member `attestation` of a receipt: the signing key was made in a TPM and cannot leave it.

`evportal-key-certification/1` is a JSON object with `format` and, in base64:

`key`             TPMT_PUBLIC of the signing key (TPM 2.0 Library, Part 2, 12.2.4)
`attest`          TPMS_ATTEST of TPM2_Certify (10.12.12)
`signature`       over it, by the attestation key (AK): ECDSA with SHA-256, DER
`ak`              TPMT_PUBLIC of the AK
`ek_certificate`  X.509 certificate of the TPM's endorsement key in DER, null where it has none

Such a statement stays true, so there is no freshness in it: its extraData ties the EK certificate to it. That EK and AK
live in one TPM it does not show; the portal saw that when it enrolled the TPM. So it is worth as much as the AK, whose
fingerprint (SHA-256 of its TPMT_PUBLIC, hex) is published beside the key.
"""

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from tpm.verifier import steps
from tpm.verifier.certification import FORMAT, Certification, certification_nonce, verify_certification
from tpm.verifier.errors import AttestationError, MalformedError, UnsupportedError
from tpm.verifier.structures import ALG_SHA256, Attributes, attribute_words, parse_certify, parse_public

PARTS = ("key", "attest", "signature", "ak", "ek_certificate")
PART_LENGTH_MAX = 8000  # characters of base64
HIERARCHIES = (0x40000001, 0x4000000B)  # owner, endorsement (Part 2, 7.4): an AK is a primary key of one of them
_AK = (
    Attributes.FIXED_TPM
    | Attributes.FIXED_PARENT
    | Attributes.SENSITIVE_DATA_ORIGIN
    | Attributes.RESTRICTED
    | Attributes.SIGN
)


class CertificationError(AttestationError):
    """It does not show that the key was made in the TPM of its AK; the message says why."""


def content(certification: Certification, *, ak_public: bytes, ek_certificate: bytes | None) -> dict[str, str | None]:
    """Return the JSON object for receipts."""
    parts = (certification.public, certification.attest, certification.signature, ak_public)
    texts = {part: base64.b64encode(data).decode() for part, data in zip(PARTS, parts, strict=False)}
    certificate = None if ek_certificate is None else base64.b64encode(ek_certificate).decode()
    return {"format": FORMAT, **texts, "ek_certificate": certificate}


def has_form(found: Any) -> bool:
    """Tell whether these are the members of a certification, each text neither empty nor too long."""
    if not isinstance(found, Mapping) or set(found) != {"format", *PARTS} or found["format"] != FORMAT:
        return False
    texts = [found[part] for part in PARTS if (part, found[part]) != ("ek_certificate", None)]
    return all(isinstance(text, str) and 0 < len(text) <= PART_LENGTH_MAX for text in texts)


def verify(found: Mapping[str, Any], public_key: str) -> str:
    """Return the fingerprint of the AK that certifies this key (PUB_R1_…); raises AttestationError where none does.

    `found` has the form. The AK has to be a restricted signing key and the very one that the statement names as its
    signer; all else is checked as when the portal had the key certified (tpm/verifier/certification.py).
    """
    key, attest, signature, ak = (_bytes(found, part) for part in PARTS[:4])
    ek_certificate = None if found["ek_certificate"] is None else _bytes(found, "ek_certificate")
    _check_ak(ak, attest)
    if (algorithm := parse_public(key).name_algorithm) != ALG_SHA256:
        raise UnsupportedError(f"key: expected the name algorithm SHA-256, got 0x{algorithm:04x}")
    taken = verify_certification(
        Certification(key, attest, signature),
        ak_public=ak,
        nonce=certification_nonce(ek_certificate),
        public_key_eosio=public_key,
    )
    if not steps.accepted(taken):
        raise CertificationError(steps.reason(taken))
    return fingerprint(ak)


def fingerprint(ak_public: bytes) -> str:
    """Return what is published of an AK, SHA-256 of its TPMT_PUBLIC (hex)."""
    return hashlib.sha256(ak_public).hexdigest()


def _check_ak(ak_public: bytes, attest: bytes) -> None:
    ak = parse_public(ak_public)
    if ak.name_algorithm != ALG_SHA256:
        raise UnsupportedError(f"AK: expected the name algorithm SHA-256, got 0x{ak.name_algorithm:04x}")
    if not ak.has(_AK) or ak.has(Attributes.DECRYPT):
        expected = f"{attribute_words(_AK)}; not {attribute_words(Attributes.DECRYPT)}"
        raise CertificationError(f"AK: expected {expected}, got {attribute_words(ak.attributes)}")
    # Part 1, 16: the Qualified Name of a primary key, from its hierarchy and its Name
    primary = [_name(handle.to_bytes(4, "big") + ak.name) for handle in HIERARCHIES]
    if parse_certify(attest).qualified_signer not in primary:
        raise CertificationError("attest: expected this AK as its signer, it names another one")


def _name(data: bytes) -> bytes:
    return ALG_SHA256.to_bytes(2, "big") + hashlib.sha256(data).digest()


def _bytes(found: Mapping[str, Any], part: str) -> bytes:
    """Read base64 in its one canonical spelling: any other text is another receipt."""
    try:
        data = base64.b64decode(found[part], validate=True)
    except ValueError:
        data = b""
    if base64.b64encode(data).decode() != found[part]:
        raise MalformedError(f"{part}: expected base64")
    return data
