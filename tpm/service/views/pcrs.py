"""The PCRs: read, and extended with events of clients.

Clients may extend 16 (for debugging) and 23 (for applications), unless the service is measured into it. All others hold
what the service and its host are measured into: an event of a client there would break their seals.
"""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service import settings
from tpm.service.components import base64_of, fields, listed, ref, text
from tpm.service.door.parsing import base64_bytes, text_fields
from tpm.service.door.schema import described
from tpm.service.encoding import base64_text
from tpm.service.errors import ForbiddenError, InvalidRequestError, NotFoundError, TooLargeError
from tpm.service.views.parts import device

PCRS = 24
CLIENT_PCRS = tuple(sorted({16, 23} - {settings.TPM_MEASURED_PCR, *settings.TPM_HOST_PCRS}))
MAX_EVENT_BYTES = 1024


class PcrsView(APIView):
    """`GET /v1/pcrs`: the SHA-256 bank."""

    scope = "tpm/attest"
    answers_unverified = True

    @described(
        "pcrs_list",
        answers={200: fields(algorithm=text("of the bank", "sha256"), pcrs=listed(ref("Pcr")))},
    )
    def get(self, request: Request) -> Response:
        return Response(
            {"algorithm": "sha256", "pcrs": [rendered(n, value) for n, value in enumerate(device().pcrs())]}
        )


class EventsView(APIView):
    """`POST /v1/pcrs/{n}/events` `{data}`: extends PCR 16 or 23 with the hash of 1 to 1,024 bytes, in all banks.

    In the SHA-256 bank the new value is SHA-256(old value || SHA-256(data)). One that the service is measured into
    is refused.
    """

    scope = "tpm/attest"

    @described(
        "pcrs_extend",
        body=fields(data=base64_of("1 to 1,024 bytes", least=1, most=1024)),
        answers={200: ref("Pcr")},
        problems=(404, 413),
    )
    def post(self, request: Request, pcr: int) -> Response:
        if pcr >= PCRS:
            raise NotFoundError(f"there are PCRs 0 to {PCRS - 1}")
        if pcr not in CLIENT_PCRS:
            raise ForbiddenError("PCRs for clients: " + ", ".join(map(str, CLIENT_PCRS)), code="pcr_not_allowed")
        data = base64_bytes("data", text_fields(request.data, required=("data",))["data"])
        if not data:
            raise InvalidRequestError("data: expected at least 1 byte, got 0")
        if len(data) > MAX_EVENT_BYTES:
            message = f"data: expected at most {MAX_EVENT_BYTES} bytes, got {len(data)}"
            raise TooLargeError(message, code="data_too_large")
        return Response(rendered(pcr, device().extend(pcr, data)))


def rendered(pcr: int, value: bytes) -> dict[str, object]:
    """Return a PCR of the SHA-256 bank as JSON, its 32 bytes in base64."""
    return {"pcr": pcr, "value": base64_text(value)}
