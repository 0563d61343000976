"""What keys look like in the TPM (templates, schemes), and as blobs outside it."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tpm2_pytss import (
    ESAPI,
    TPM2_ALG,
    TPM2_RH,
    TPM2_ST,
    TPM2B_AUTH,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPM2B_SENSITIVE_DATA,
    TPMA_OBJECT,
    TPMS_SENSITIVE_CREATE,
    TPMT_RSA_DECRYPT,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
    TSS2_Exception,
)

from tpm.service.encoding import PublicKey, Signature
from tpm.service.errors import KeyUnusableError

TPM_LAYER = 0  # third byte of a return code: who it comes from (TSS 2.0 Overview, 5.3)
PCRS_A_READ = 8  # what one answer of TPM2_PCR_Read holds
COMMON = (
    TPMA_OBJECT.FIXEDTPM
    | TPMA_OBJECT.FIXEDPARENT
    | TPMA_OBJECT.SENSITIVEDATAORIGIN
    | TPMA_OBJECT.USERWITHAUTH
    | TPMA_OBJECT.NODA  # or a few wrong auth values lock the whole TPM
)
STORAGE_KEY = TPM2B_PUBLIC.parse(
    "ecc256:aes128cfb", objectAttributes=COMMON | TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
)
TEMPLATES = {  # by type and usage
    ("ecc-p256", "sign"): TPM2B_PUBLIC.parse("ecc256:ecdsa-sha256", objectAttributes=COMMON | TPMA_OBJECT.SIGN_ENCRYPT),
    ("rsa-2048", "sign"): TPM2B_PUBLIC.parse("rsa2048", objectAttributes=COMMON | TPMA_OBJECT.SIGN_ENCRYPT),
    ("rsa-2048", "decrypt"): TPM2B_PUBLIC.parse("rsa2048", objectAttributes=COMMON | TPMA_OBJECT.DECRYPT),
    ("hmac", "sign"): TPM2B_PUBLIC.parse("hmac:sha256", objectAttributes=COMMON | TPMA_OBJECT.SIGN_ENCRYPT),
}
SEALED = TPM2B_PUBLIC.parse("keyedhash", objectAttributes=COMMON & ~TPMA_OBJECT.SENSITIVEDATAORIGIN)


def sealed_under(policy: bytes) -> TPM2B_PUBLIC:
    """Return the template of an object that this policy opens, and no auth value."""
    attributes = TPMA_OBJECT.FIXEDTPM | TPMA_OBJECT.FIXEDPARENT | TPMA_OBJECT.NODA | TPMA_OBJECT.ADMINWITHPOLICY
    return TPM2B_PUBLIC.parse("keyedhash", objectAttributes=attributes, authPolicy=policy)


def _scheme(algorithm: int) -> TPMT_SIG_SCHEME:
    made = TPMT_SIG_SCHEME(scheme=algorithm)
    made.details.any.hashAlg = TPM2_ALG.SHA256
    return made


ECDSA = _scheme(TPM2_ALG.ECDSA)
RSA_SCHEMES = {"pkcs1v15": _scheme(TPM2_ALG.RSASSA), "pss": _scheme(TPM2_ALG.RSAPSS)}
OAEP = TPMT_RSA_DECRYPT(scheme=TPM2_ALG.OAEP)
OAEP.details.oaep.hashAlg = TPM2_ALG.SHA256
NO_TICKET = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)  # the key is not restricted


def named_auth(secret: bytes, name: str) -> bytes:
    """Return the auth value (32 bytes) of the object of this name: a file that gets another name does not open."""
    return hmac.digest(secret, name.encode(), "sha256")


@dataclass(frozen=True)
class Guard:
    """Where the auth value of a key comes from: a secret sealed under the policy "release", and the key's name."""

    sealed: "KeyBlob"
    name: str

    def auth(self, secret: bytes) -> bytes:
        """Return the auth value (32 bytes) that this unsealed secret makes for the key."""
        return named_auth(secret, self.name)


@dataclass(frozen=True)
class KeyBlob:
    """A key as it lives outside the TPM: private part wrapped by the storage key, and its auth value, or its guard."""

    public: bytes
    private: bytes = field(repr=False)
    auth: bytes = field(repr=False)
    guard: Guard | None = None

    def texts(self) -> dict[str, str]:
        """Return the wrapped key in base64, as it is kept."""
        return {"public": base64.b64encode(self.public).decode(), "private": base64.b64encode(self.private).decode()}

    @classmethod
    def from_texts(cls, document: Mapping[str, Any], auth: bytes = b"", guard: Guard | None = None) -> "KeyBlob":
        """Read what `texts` wrote; raises KeyError, TypeError or ValueError."""
        public, private = (base64.b64decode(document[part], validate=True) for part in ("public", "private"))
        return cls(public, private, auth, guard)

    def public_key(self) -> PublicKey | None:
        """Return the public key, None for a symmetric key; raises KeyUnusableError when the blob is none."""
        try:
            public, _ = TPM2B_PUBLIC.unmarshal(self.public)
        except TSS2_Exception:
            raise KeyUnusableError("the stored key is damaged") from None
        if public.publicArea.type == TPM2_ALG.KEYEDHASH:
            return None
        key = load_pem_public_key(public.to_pem())
        assert isinstance(key, EllipticCurvePublicKey | RSAPublicKey)
        return key


def sensitive(auth: bytes, data: bytes = b"") -> TPM2B_SENSITIVE_CREATE:
    """Return the secret part of an object to be made: its auth value, and data to seal; a key the TPM draws itself."""
    return TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=TPM2B_AUTH(auth), data=TPM2B_SENSITIVE_DATA(data)))


def unmarshalled(key: KeyBlob) -> tuple[TPM2B_PRIVATE, TPM2B_PUBLIC]:
    """Return the private and public area as TPM2_Load takes them (Part 3, 12.2); raises KeyUnusableError."""
    try:
        return TPM2B_PRIVATE.unmarshal(key.private)[0], TPM2B_PUBLIC.unmarshal(key.public)[0]
    except TSS2_Exception:
        raise KeyUnusableError("the stored key is damaged") from None


def rs(signature: TPMT_SIGNATURE) -> Signature:
    """Return (r, s) of an ECDSA signature, from its bytes: tpm2_pytss takes ten times as long to each of its fields."""
    marshalled = signature.marshal()  # Part 2, 11.3.4: algorithm, hash, and R and S after two bytes of length each
    end_of_r = 6 + int.from_bytes(marshalled[4:6])
    return int.from_bytes(marshalled[6:end_of_r]), int.from_bytes(marshalled[end_of_r + 2 :])


def rsa_bytes(signature: TPMT_SIGNATURE) -> bytes:
    """Return an RSA signature, big-endian and as long as the modulus, of TPMS_SIGNATURE_RSA (Part 2, 11.3.1)."""
    return bytes(signature.signature.rsassa.sig)  # rsapss has the same form at the same place


def read_pcrs(esys: ESAPI, numbers: Sequence[int]) -> list[bytes]:
    """Return these PCRs of the SHA-256 bank (32 bytes each); the numbers have to be in order."""
    values: list[bytes] = []
    for start in range(0, len(numbers), PCRS_A_READ):
        _, _, digests = esys.pcr_read("sha256:" + ",".join(map(str, numbers[start : start + PCRS_A_READ])))
        values += map(bytes, digests)
    return values
