"""What the TPM states about a key of the service."""

from hashlib import sha256

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import base64_of, fields
from tpm.service.device import attest
from tpm.service.door.parsing import base64_bytes, text_fields
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text, signature_der
from tpm.service.errors import InvalidRequestError
from tpm.service.views.identity import PUBLIC
from tpm.service.views.parts import audit_log, device, key_store

NONCE_BYTES = range(8, 65)


class CertifyView(APIView):
    """`POST /v1/keys/{name}/certify` `{nonce}`: the AK's signature that this key is in this TPM (TPM2_Certify).

    `public` says what the key is: with fixedTPM and sensitiveDataOrigin it was made there and cannot leave. `attest`
    holds the key's Name, which is the digest of `public`, and in extraData the nonce, 8 to 64 bytes.
    """

    scope = "tpm/attest"

    @described(
        "keys_certify",
        body=fields(nonce=base64_of("8 to 64 bytes", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", least=8, most=64)),
        answers={
            200: fields(
                public=PUBLIC,
                attest=base64_of("TPMS_ATTEST"),
                signature=base64_of("of the AK, ECDSA with SHA-256 in ASN.1 DER,"),
            )
        },
        problems=(404,),
    )
    def post(self, request: Request, name: str) -> Response:
        nonce = base64_bytes("nonce", text_fields(request.data, required=("nonce",))["nonce"])
        if len(nonce) not in NONCE_BYTES:
            raise InvalidRequestError(f"nonce: expected 8 to 64 bytes, got {len(nonce)}")
        key = key_store().get(name)
        with audit_log().use("certify", name, [sha256(nonce).hexdigest()]):
            certification = attest.certify(device(), key.blob, nonce)
        return Response(
            {
                "public": base64_text(certification.public),
                "attest": base64_text(certification.statement.attest),
                "signature": signature_der(certification.statement.signature),
            }
        )
