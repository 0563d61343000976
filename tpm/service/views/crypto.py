"""What the TPM computes without a key: random bytes and hashes."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.encoding import base64_text
from tpm.service.parsing import base64_bytes, choice, text_fields, whole_number
from tpm.service.wiring import device

MAX_RANDOM_BYTES = 1024
HASHES = ("sha256", "sha384", "sha512")


class RandomView(APIView):
    """`POST /v1/random` `{bytes}`: 1 to 1024 bytes of the TPM's random number generator."""

    scope = "tpm/crypto"

    def post(self, request: Request) -> Response:
        count = whole_number(request.data, "bytes", least=1, most=MAX_RANDOM_BYTES)
        return Response({"random": base64_text(device().random(count))})


class HashView(APIView):
    """`POST /v1/hash` `{algorithm, data}`: the TPM's hash of data as long as a request can bring."""

    scope = "tpm/crypto"

    def post(self, request: Request) -> Response:
        fields = text_fields(request.data, required=("algorithm", "data"))
        algorithm = choice("algorithm", fields["algorithm"], HASHES)
        return Response({"digest": base64_text(device().hash(algorithm, base64_bytes("data", fields["data"])))})
