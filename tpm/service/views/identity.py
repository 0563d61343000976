"""Who the TPM is, and the proof that it holds what it shows."""

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import base64_of, fields, nullable, text
from tpm.service.device import attest
from tpm.service.device.attest import TpmIdentity
from tpm.service.door.parsing import base64_bytes, text_fields
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text
from tpm.service.views.parts import audit_log, device

EK = "EK"  # in the log of key uses; no key of the service has a name in capitals
PUBLIC = base64_of("TPMT_PUBLIC", "ACMACwAFBHIAAAAQABgACwADABAAIA==")
IDENTITY = fields(
    manufacturer=text("as the TPM names it", "IBM"),
    vendor=text("the vendor string", "SW   TPM"),
    firmware=text("its version", "8217.4131.22.13878"),
    ek=fields(public=PUBLIC, certificate=nullable(base64_of("X.509, DER; null when the TPM has none"))),
    ak=fields(
        public=PUBLIC,
        name=base64_of("TPM2 Name", least=34, most=34),
        public_key_pem=text("SubjectPublicKeyInfo", "-----BEGIN PUBLIC KEY-----…"),
    ),
)


class IdentityView(APIView):
    """`GET /v1/identity`: endorsement key (EK) with its maker's certificate, and attestation key (AK).

    It proves nothing by itself: see `/v1/identity/activate`.
    """

    scope = "tpm/attest"
    answers_unverified = True

    @described("identity", answers={200: IDENTITY})
    def get(self, request: Request) -> Response:
        return Response(rendered(attest.identity(device())))


class ActivateView(APIView):
    """`POST /v1/identity/activate` `{credential_blob, secret}`: opens a credential made for this EK and AK.

    Both are what TPM2_MakeCredential returns, with their sizes in front: TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET. Only
    the TPM with this EK can open it, and only when it holds this AK.
    """

    scope = "tpm/attest"
    answers_unverified = True

    @described(
        "identity_activate",
        body=fields(
            credential_blob=base64_of("TPM2B_ID_OBJECT"),
            secret=base64_of("TPM2B_ENCRYPTED_SECRET"),
        ),
        answers={200: fields(credential=base64_of("what is in it, up to 32 bytes"))},
    )
    def post(self, request: Request) -> Response:
        names = ("credential_blob", "secret")
        given = text_fields(request.data, required=names)
        blob, secret = (base64_bytes(name, given[name]) for name in names)
        with audit_log().use("activate", EK, [sha256(blob).hexdigest()]):
            credential = attest.activate_credential(device(), blob, secret)
        return Response({"credential": base64_text(credential)})


def rendered(identity: TpmIdentity) -> dict[str, object]:
    """Return the answer; without a certificate of its maker the EK has null there."""
    certificate = identity.ek_certificate
    return {
        "manufacturer": identity.manufacturer,
        "vendor": identity.vendor,
        "firmware": identity.firmware,
        "ek": {
            "public": base64_text(identity.ek_public),
            "certificate": None if certificate is None else base64_text(certificate),
        },
        "ak": {
            "public": base64_text(identity.ak_public),
            "name": base64_text(identity.ak_name),
            "public_key_pem": identity.ak_public_key_pem,
        },
    }
