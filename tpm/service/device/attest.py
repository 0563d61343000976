"""Who this TPM is, and what it states: the operations by which somebody far away learns to trust it.

EK   endorsement key: the maker's certificate is for it. RSA-2048 of template L-1 (TCG "EK Credential Profile for TPM
     Family 2.0", 2.5, B.3.3), kept where the TCG's "TPM v2.0 Provisioning Guidance" (7.8) has it.
AK   attestation key: a restricted signing key, which signs nothing but what the TPM itself states. P-256, ECDSA-SHA256.

Both come from seeds of the TPM, so that one made anew is the same again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_PT,
    TPM2_PT_FIRMWARE,
    TPM2_RC,
    TPM2_SE,
    TPM2_SU,
    TPM2B_ATTEST,
    TPM2B_ENCRYPTED_SECRET,
    TPM2B_ID_OBJECT,
    TPM2B_PUBLIC,
    TPM2B_PUBLIC_KEY_RSA,
    TPM2B_SENSITIVE_CREATE,
    TPMA_OBJECT,
    TPMT_SIG_SCHEME,
    TPMT_SIGNATURE,
    TSS2_Exception,
)

from tpm.service.device.connection import Connection
from tpm.service.device.objects import COMMON, TPM_LAYER, KeyBlob, read_pcrs, rs
from tpm.service.encoding import Signature
from tpm.service.errors import InvalidCredentialError, TpmFailureError

Credential = TypeVar("Credential", TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET)

EK_HANDLE = 0x81010001
AK_HANDLE = 0x81000002
EK_CERTIFICATE_INDEX = 0x01C00002
EK_POLICY = bytes.fromhex(
    "837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa"
)  # PolicySecret(ENDORSEMENT)
EK_TEMPLATE = TPM2B_PUBLIC.parse(
    "rsa2048:aes128cfb",
    objectAttributes=TPMA_OBJECT.FIXEDTPM
    | TPMA_OBJECT.FIXEDPARENT
    | TPMA_OBJECT.SENSITIVEDATAORIGIN
    | TPMA_OBJECT.ADMINWITHPOLICY
    | TPMA_OBJECT.RESTRICTED
    | TPMA_OBJECT.DECRYPT,
    authPolicy=EK_POLICY,  # PolicySecret(TPM_RH_ENDORSEMENT)
)
EK_TEMPLATE.publicArea.unique.rsa = TPM2B_PUBLIC_KEY_RSA(bytes(256))  # so the profile wants it: the EK hangs on it
AK_TEMPLATE = TPM2B_PUBLIC.parse(
    "ecc256:ecdsa-sha256:null", objectAttributes=COMMON | TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.SIGN_ENCRYPT
)
OWN_SCHEME = TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)  # the AK's own
NV_CHUNK = 512  # bytes that every TPM gives at once (TPM2_PT_NV_BUFFER_MAX is at least that)
SOFTWARE_MANUFACTURER = "IBM"  # libtpms


@dataclass(frozen=True)
class TpmIdentity:
    """What the TPM says of itself. Public areas are TPMT_PUBLIC, `ak_name` a TPM2 Name, the certificate X.509 DER."""

    manufacturer: str
    vendor: str
    firmware: str
    ek_public: bytes
    ek_certificate: bytes | None
    ak_public: bytes
    ak_name: bytes
    ak_public_key_pem: str


@dataclass(frozen=True)
class Statement:
    """A TPMS_ATTEST as it was signed, and the AK's signature of it (ECDSA with SHA-256)."""

    attest: bytes
    signature: Signature


@dataclass(frozen=True)
class Quote:
    """A statement about PCRs, and their values (32 bytes each) at the same moment, by number."""

    statement: Statement
    pcrs: dict[int, bytes]


@dataclass(frozen=True)
class Certification:
    """A statement about a key, and the key's public area (TPMT_PUBLIC), whose digest the statement holds."""

    public: bytes
    statement: Statement


def identity(connection: Connection) -> TpmIdentity:
    """Return who the TPM is; raises TpmFailureError when there is another key where EK or AK should be."""

    def read(esys: ESAPI) -> TpmIdentity:
        manufacturer, vendor, firmware = _properties(esys)
        with _ek(connection, esys) as ek, _ak(connection, esys) as ak:
            ek_public, ak_public = (esys.read_public(handle)[0] for handle in (ek, ak))
        _check_template("EK", EK_HANDLE, ek_public, EK_TEMPLATE)
        _check_template("AK", AK_HANDLE, ak_public, AK_TEMPLATE)
        return TpmIdentity(
            manufacturer=manufacturer,
            vendor=vendor,
            firmware=firmware,
            ek_public=ek_public.publicArea.marshal(),
            ek_certificate=_nv_certificate(esys, EK_CERTIFICATE_INDEX),
            ak_public=ak_public.publicArea.marshal(),
            ak_name=bytes(ak_public.get_name()),
            ak_public_key_pem=ak_public.to_pem().decode(),
        )

    return connection.perform(read)


def quote(connection: Connection, pcrs: Sequence[int], extra_data: bytes) -> Quote:
    """Quote these PCRs of the SHA-256 bank, with at most 64 bytes of `extra_data` (TPM2_Quote).

    Values and quote are of one turn: between the two nobody extends a PCR.
    """
    return connection.perform(lambda esys: _quote(connection, esys, pcrs, extra_data))


def quote_with_clock(connection: Connection, pcrs: Sequence[int], extra_data: Callable[[int], bytes]) -> Quote:
    """Quote, with extra data made of what the TPM's clock said when it was last switched on (milliseconds).

    A software TPM then writes its clock to its state, before anybody sees the quote: a clock that was quoted is never
    quoted again after swtpm was killed, which writes it at no other time, and a state that was put back shows. All of
    it is of one start of the TPM, or done again.
    """

    def state(esys: ESAPI) -> Quote:
        now = esys.read_clock()
        made = _quote(connection, esys, pcrs, extra_data(int(now.clockInfo.clock) - int(now.time)))
        if _properties(esys)[0] == SOFTWARE_MANUFACTURER:  # a chip keeps its clock by itself, and writing wears it out
            esys.shutdown(TPM2_SU.CLEAR)  # after which it goes on working
        connection.check_boot(esys)
        return made

    return connection.perform(state)


def certify(connection: Connection, key: KeyBlob, extra_data: bytes) -> Certification:
    """State that this key is loaded in the TPM, and what its Name is (TPM2_Certify); at most 64 bytes of extra data.

    A TPM whose longest hash is SHA-256 takes 34 bytes only.
    """

    def state(esys: ESAPI) -> Certification:
        handle = connection.load(esys, key)
        with _ak(connection, esys) as ak:
            statement = _statement(*esys.certify(handle, ak, extra_data, OWN_SCHEME))
        return Certification(key.public[2:], statement)  # without the size that makes it a TPM2B_PUBLIC

    return connection.perform(state)


def activate_credential(connection: Connection, credential_blob: bytes, secret: bytes) -> bytes:
    """Return what was encrypted for this EK and AK (TPM2_ActivateCredential), up to 32 bytes.

    Takes a TPM2B_ID_OBJECT and a TPM2B_ENCRYPTED_SECRET; raises InvalidCredentialError whatever is wrong with them.
    """
    blob, encrypted = _unmarshalled(TPM2B_ID_OBJECT, credential_blob), _unmarshalled(TPM2B_ENCRYPTED_SECRET, secret)

    def activate(esys: ESAPI) -> bytes:
        connection.make_room(esys)  # EK and AK each take a slot meanwhile
        with _ek(connection, esys) as ek, _ak(connection, esys) as ak, _endorsement_session(esys) as session:
            try:
                opened = esys.activate_credential(ak, ek, blob, encrypted, ESYS_TR.PASSWORD, session)
            except TSS2_Exception as error:
                # a wrong parameter; libtpms says FAILURE for a secret that the EK does not decrypt
                if error.rc >> 16 == TPM_LAYER and (error.parameter or error.error == TPM2_RC.FAILURE):
                    raise InvalidCredentialError() from None
                raise
            return bytes(opened)

    return connection.perform(activate)


def _quote(connection: Connection, esys: ESAPI, pcrs: Sequence[int], extra_data: bytes) -> Quote:
    numbers = sorted(pcrs)
    with _ak(connection, esys) as ak:
        values = dict(zip(numbers, read_pcrs(esys, numbers), strict=True))
        selection = "sha256:" + ",".join(map(str, numbers))
        return Quote(_statement(*esys.quote(ak, selection, extra_data, OWN_SCHEME)), values)


@contextmanager
def _ek(connection: Connection, esys: ESAPI) -> Iterator[ESYS_TR]:
    with _persistent(connection, esys, EK_HANDLE, EK_TEMPLATE, ESYS_TR.ENDORSEMENT) as handle:
        yield handle


@contextmanager
def _ak(connection: Connection, esys: ESAPI) -> Iterator[ESYS_TR]:
    with _persistent(connection, esys, AK_HANDLE, AK_TEMPLATE, ESYS_TR.OWNER) as handle:
        yield handle


@contextmanager
def _persistent(
    connection: Connection, esys: ESAPI, number: int, template: TPM2B_PUBLIC, hierarchy: ESYS_TR
) -> Iterator[ESYS_TR]:
    """Lend the handle of a key that stays in the TPM's NV memory; made when it is not there."""
    if not _exists(esys, number):
        connection.make_room(esys)
        primary, *_ = esys.create_primary(TPM2B_SENSITIVE_CREATE(), template, hierarchy)
        try:
            handle = esys.evict_control(ESYS_TR.OWNER, primary, number)
        finally:
            esys.flush_context(primary)
    else:
        handle = esys.tr_from_tpmpublic(number)
    try:
        yield handle
    finally:
        esys.tr_close(handle)  # or each use would leave a record in the library's memory


@contextmanager
def _endorsement_session(esys: ESAPI) -> Iterator[ESYS_TR]:
    """Lend a policy session that satisfies EK_POLICY; used or not, it is gone afterwards."""
    session = esys.start_auth_session(ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.POLICY, None, TPM2_ALG.SHA256)
    try:
        esys.policy_secret(ESYS_TR.ENDORSEMENT, session, expiration=0)
        yield session
    finally:
        esys.flush_context(session)


def _exists(esys: ESAPI, number: int) -> bool:
    _, capability = esys.get_capability(TPM2_CAP.HANDLES, number, 1)
    handles = capability.data.handles  # a view into `capability`, which has to live as long
    return handles.count == 1 and int(handles.handle[0]) == number


def _properties(esys: ESAPI) -> tuple[str, str, str]:
    """Return manufacturer, vendor string and firmware version (TPM 2.0 Library, Part 2, 6.13)."""
    first, last = TPM2_PT.MANUFACTURER, TPM2_PT_FIRMWARE.VERSION_2
    _, capability = esys.get_capability(TPM2_CAP.TPM_PROPERTIES, first, last - first + 1)
    listed = capability.data.tpmProperties
    words = [int(listed.tpmProperty[i].value) for i in range(listed.count)]
    manufacturer, *vendor, _type, version_1, version_2 = words
    firmware = ".".join(str(half) for version in (version_1, version_2) for half in divmod(version, 1 << 16))
    return _text([manufacturer]), _text(vendor), firmware


def _text(words: Sequence[int]) -> str:
    """Return the text that a TPM spells in words of four characters, filled up with zeros."""
    return b"".join(word.to_bytes(4) for word in words).replace(b"\0", b"").decode("ascii", "replace").strip()


def _check_template(what: str, number: int, public: TPM2B_PUBLIC, template: TPM2B_PUBLIC) -> None:
    """Raise TpmFailureError unless the key was made from the template: else somebody put another one there."""
    expected, _ = TPM2B_PUBLIC.unmarshal(template.marshal())
    expected.publicArea.unique = public.publicArea.unique
    if expected.marshal() != public.marshal():
        raise TpmFailureError(f"expected the {what} at 0x{number:08x}, got a key of another kind")


def _nv_certificate(esys: ESAPI, index: int) -> bytes | None:
    if not _exists(esys, index):
        return None
    handle = esys.tr_from_tpmpublic(index)
    try:
        public, _ = esys.nv_read_public(handle)
        size = public.nvPublic.dataSize
        parts = [esys.nv_read(handle, min(NV_CHUNK, size - at), at) for at in range(0, size, NV_CHUNK)]
    finally:
        esys.tr_close(handle)
    return certificate_in(b"".join(map(bytes, parts)))


def certificate_in(data: bytes) -> bytes | None:
    """The certificate at the beginning of data: chips fill the rest of the index. None where there is only filling.

    Some put it into an OCTET STRING. What is neither is returned as it is, so that whoever reads it says what is wrong
    with it, and nobody looks for one that is missing.
    """
    if not data.strip(b"\xff") or not data.strip(b"\x00"):
        return None
    found = _der_element(data, b"\x30\x82")
    if found is None and (wrapping := _der_element(data, b"\x04\x82")):
        found = _der_element(wrapping[4:], b"\x30\x82")
    return found or data


def _der_element(data: bytes, beginning: bytes) -> bytes | None:
    """The element of this tag, with a length of two bytes (X.690, 8.1.3.5), as that of every EK certificate has."""
    size = 4 + int.from_bytes(data[2:4])
    return data[:size] if data[:2] == beginning and size <= len(data) else None


def _statement(attest: TPM2B_ATTEST, signature: TPMT_SIGNATURE) -> Statement:
    return Statement(bytes(attest), rs(signature))


def _unmarshalled(kind: type[Credential], data: bytes) -> Credential:
    try:
        made, used = kind.unmarshal(data)
    except TSS2_Exception:
        raise InvalidCredentialError() from None
    if used != len(data):
        raise InvalidCredentialError()
    return made
