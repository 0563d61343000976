"""The policy "release": secrets that open only while the PCRs are those of a release that the release key approved.

A secret is sealed under TPM2_PolicyAuthorize(release key, POLICY_REF) (TPM 2.0 Library, Part 3, 23.16), so that a new
release needs a new approval and not a new seal. To open one, a policy session states the PCRs as they are
(TPM2_PolicyPCR) and shows that the release key signed that very state.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_RC,
    TPM2_SE,
    TPM2B_ECC_PARAMETER,
    TPM2B_PUBLIC,
    TPMA_OBJECT,
    TPMA_SESSION,
    TPMT_ASYM_SCHEME,
    TPMT_SIGNATURE,
    TPMT_TK_VERIFIED,
    TSS2_Exception,
)

from tpm.service.device.objects import TPM_LAYER
from tpm.service.errors import IntegrityFailedError, NotApprovedError
from tpm.service.release.manifest import Approval
from tpm.service.release.pcr import POLICY_REF, approval_digest

TPM_CC_POLICY_AUTHORIZE = 0x0000016A  # Part 2, 6.5.2
SESSIONS = 3  # tried: on a real chip others extend PCRs that are not ours (Linux's IMA), and each ends open sessions
NOT_FULFILLED = {TPM2_RC.VALUE, TPM2_RC.POLICY_FAIL, TPM2_RC.POLICY, TPM2_RC.PCR_CHANGED}


def release_public(key: EllipticCurvePublicKey) -> TPM2B_PUBLIC:
    """Return the release key as the TPM is told of it. Everything sealed hangs on its Name: it never changes."""
    scheme = TPMT_ASYM_SCHEME(scheme=TPM2_ALG.ECDSA)
    scheme.details.anySig.hashAlg = TPM2_ALG.SHA256
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    attributes = TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.USERWITHAUTH
    public = TPM2B_PUBLIC.from_pem(pem, objectAttributes=attributes, scheme=scheme)
    point = key.public_numbers()  # in full length: the TPM refuses a coordinate whose leading zeros are left out
    public.publicArea.unique.ecc.x = TPM2B_ECC_PARAMETER(point.x.to_bytes(32))
    public.publicArea.unique.ecc.y = TPM2B_ECC_PARAMETER(point.y.to_bytes(32))
    return public


def authorize_policy(name: bytes, policy_ref: bytes = POLICY_REF) -> bytes:
    """Return the policy of TPM2_PolicyAuthorize with the key of this Name (Part 3, 23.16.1; 23.2.3 PolicyUpdate)."""
    authorized = sha256(bytes(32) + TPM_CC_POLICY_AUTHORIZE.to_bytes(4) + name).digest()
    return sha256(authorized + policy_ref).digest()


class ReleasePolicy:
    """The approvals of one release for these PCRs, as the TPM judges them."""

    def __init__(self, key: EllipticCurvePublicKey, pcrs: Sequence[int], approvals: Sequence[Approval]) -> None:
        self._public = release_public(key)
        self.name = bytes(self._public.get_name())
        self.auth_policy = authorize_policy(self.name)
        self._selection = "sha256:" + ",".join(str(pcr) for pcr in sorted(pcrs))
        self._approvals = [approval for approval in approvals if set(approval.pcrs) == set(pcrs)]
        self._approved: tuple[Approval, TPMT_TK_VERIFIED] | None = None

    def prove(self, esys: ESAPI) -> None:
        """Find the approval that fits the PCRs; raises NotApprovedError when the TPM finds none.

        Needs a free slot. `session` works from here on, until the PCRs change or the connection is lost.
        """
        self._approved = None
        for approval, ticket in self._tickets(esys):
            self._approved = approval, ticket
            try:
                with self.session(esys):
                    return
            except NotApprovedError:
                self._approved = None
        raise NotApprovedError("the PCRs are not those of an approved release")

    def unseal(self, esys: ESAPI, handle: ESYS_TR) -> bytes:
        """Return what the loaded object holds; raises IntegrityFailedError when the policy is not fulfilled."""
        for attempt in range(SESSIONS):
            try:
                with self.session(esys) as session:
                    return bytes(esys.unseal(handle, session1=session))
            except TSS2_Exception as error:
                if error.rc >> 16 != TPM_LAYER or error.error not in NOT_FULFILLED:
                    raise
                if error.error != TPM2_RC.PCR_CHANGED or attempt == SESSIONS - 1:
                    break
        raise IntegrityFailedError("the object is not for this release key, or the PCRs have changed")

    @contextmanager
    def session(self, esys: ESAPI) -> Iterator[ESYS_TR]:
        """Lend a session that fulfils the policy; raises NotApprovedError when the PCRs are not approved."""
        if self._approved is None:
            raise NotApprovedError("no approved release was measured")
        approval, ticket = self._approved
        session = esys.start_auth_session(ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.POLICY, None, TPM2_ALG.SHA256)
        try:
            esys.trsess_set_attributes(session, TPMA_SESSION.CONTINUESESSION)  # or its use would flush it, sometimes
            try:
                esys.policy_pcr(session, None, self._selection)
                esys.policy_authorize(session, approval.policy, self.name, ticket, POLICY_REF)
            except TSS2_Exception as error:
                if error.rc >> 16 == TPM_LAYER and error.error in NOT_FULFILLED:
                    raise NotApprovedError("the PCRs are not those of an approved release") from None
                raise
            yield session
        finally:
            esys.flush_context(session)

    def _tickets(self, esys: ESAPI) -> list[tuple[Approval, TPMT_TK_VERIFIED]]:
        """Have the TPM verify the approvals; those that the release key did not sign are left out."""
        key = esys.load_external(self._public, hierarchy=ESYS_TR.OWNER)  # a ticket of the NULL hierarchy proves nothing
        try:
            verified = [(approval, _ticket(esys, key, approval)) for approval in self._approvals]
        finally:
            esys.flush_context(key)
        return [(approval, ticket) for approval, ticket in verified if ticket is not None]


def _ticket(esys: ESAPI, key: ESYS_TR, approval: Approval) -> TPMT_TK_VERIFIED | None:
    try:
        return esys.verify_signature(key, approval_digest(approval.policy), _signature(approval.signature))
    except TSS2_Exception as error:
        if error.rc >> 16 == TPM_LAYER and error.error == TPM2_RC.SIGNATURE:
            return None
        raise


def _signature(der: bytes) -> TPMT_SIGNATURE:
    made = TPMT_SIGNATURE(sigAlg=TPM2_ALG.ECDSA)
    made.signature.ecdsa.hash = TPM2_ALG.SHA256
    r, s = decode_dss_signature(der)
    made.signature.ecdsa.signatureR = TPM2B_ECC_PARAMETER(r.to_bytes(32))
    made.signature.ecdsa.signatureS = TPM2B_ECC_PARAMETER(s.to_bytes(32))
    return made
