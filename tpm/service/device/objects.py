"""What keys look like in the TPM (templates, schemes), and as blobs outside it."""

from dataclasses import dataclass, field

from tpm2_pytss import (
    TPM2_ALG,
    TPM2_RH,
    TPM2_ST,
    TPM2B_AUTH,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPMA_OBJECT,
    TPMS_SENSITIVE_CREATE,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_HASHCHECK,
    TSS2_Exception,
)

from tpm.service.encoding import Point, Signature
from tpm.service.errors import KeyUnusableError

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
SIGNING_KEY = TPM2B_PUBLIC.parse("ecc256:ecdsa-sha256", objectAttributes=COMMON | TPMA_OBJECT.SIGN_ENCRYPT)
SCHEME = TPMT_SIG_SCHEME(scheme=TPM2_ALG.ECDSA)
SCHEME.details.any.hashAlg = TPM2_ALG.SHA256
NO_TICKET = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)  # the key is not restricted


@dataclass(frozen=True)
class KeyBlob:
    """A signing key as it lives outside the TPM: private part wrapped by the storage key, and its auth value."""

    point: Point
    public: bytes
    private: bytes = field(repr=False)
    auth: bytes = field(repr=False)


def sensitive(auth: bytes) -> TPM2B_SENSITIVE_CREATE:
    """Return the secret part of an object to be made: its auth value; the TPM draws the key itself."""
    return TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(userAuth=TPM2B_AUTH(auth)))


def unmarshalled(key: KeyBlob) -> tuple[TPM2B_PRIVATE, TPM2B_PUBLIC]:
    try:
        return TPM2B_PRIVATE.unmarshal(key.private)[0], TPM2B_PUBLIC.unmarshal(key.public)[0]
    except TSS2_Exception:
        raise KeyUnusableError("the stored key is damaged") from None


def point(public: TPM2B_PUBLIC) -> Point:
    ecc = public.publicArea.unique.ecc
    return int.from_bytes(bytes(ecc.x)), int.from_bytes(bytes(ecc.y))


def rs(signature: TPMT_SIGNATURE) -> Signature:
    ecdsa = signature.signature.ecdsa
    return int.from_bytes(bytes(ecdsa.signatureR)), int.from_bytes(bytes(ecdsa.signatureS))
