"""What the TPM computes without a key: random bytes and hashes."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import base64_of, fields, text, whole
from tpm.service.door.parsing import base64_bytes, choice, text_fields, whole_number
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text
from tpm.service.views.parts import device

MAX_RANDOM_BYTES = 1024
HASHES = ("sha256", "sha384", "sha512")


class RandomView(APIView):
    """`POST /v1/random` `{bytes}`: 1 to 1024 bytes of the TPM's random number generator."""

    scope = "tpm/crypto"

    @described(
        "random",
        body=fields(bytes=whole("how many", 1, MAX_RANDOM_BYTES, 32)),
        answers={200: fields(random=base64_of("the bytes"))},
    )
    def post(self, request: Request) -> Response:
        count = whole_number(request.data, "bytes", least=1, most=MAX_RANDOM_BYTES)
        return Response({"random": base64_text(device().random(count))})


class HashView(APIView):
    """`POST /v1/hash` `{algorithm, data}`: the TPM's hash of data as long as a request can bring."""

    scope = "tpm/crypto"

    @described(
        "hash",
        body=fields(algorithm=text("of the hash", "sha256", choices=HASHES), data=base64_of("what to hash")),
        answers={200: fields(digest=base64_of("the hash"))},
        problems=(413,),
    )
    def post(self, request: Request) -> Response:
        given = text_fields(request.data, required=("algorithm", "data"))
        algorithm = choice("algorithm", given["algorithm"], HASHES)
        return Response({"digest": base64_text(device().hash(algorithm, base64_bytes("data", given["data"])))})
