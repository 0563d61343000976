"""The signed manifest of the release that should be running."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import base64_of, fields, text
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text
from tpm.service.errors import NotFoundError
from tpm.service.views.parts import integrity

MANIFEST = fields(
    manifest=text("JSON; its UTF-8 bytes are what was signed", '{"format": "evportal-manifest/1", …}'),
    digest=text("SHA-256 of these bytes, in hex", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    signature=base64_of("of the release key, ECDSA with SHA-256 in ASN.1 DER,"),
)


class ManifestView(APIView):
    """`GET /v1/manifest`: which files the service should consist of, signed by the release key.

    Whether it does so, an attestation tells. It answers although integrity failed.
    """

    scope = "tpm/attest"
    answers_unverified = True

    @described("manifest", answers={200: MANIFEST}, problems=(404,))
    def get(self, request: Request) -> Response:
        release = integrity().release
        if release is None:
            raise NotFoundError("the service has no release that its release key signed", code="manifest_not_found")
        return Response(
            {
                "manifest": release.text.decode(),
                "digest": release.digest.hex(),
                "signature": base64_text(release.signature),
            }
        )
