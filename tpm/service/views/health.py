"""Whether the service works."""

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tpm.service.components import fields, text
from tpm.service.door.schema import described
from tpm.service.views.parts import device, integrity

HEALTH = fields(
    live={"type": "boolean"},
    tpm=text("whether it answers", "ok", choices=("ok", "unavailable")),
    integrity=text("whether an approved release runs", "verified", choices=("verified", "failed", "unmeasured")),
)


class HealthView(APIView):
    """`GET /v1/health`, without a token: the service lives; and apart from that, whether the TPM answers, and whether
    the service is what was approved. 503 when the TPM is not to be had or integrity failed.
    """

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @described("health", answers={200: HEALTH, 503: HEALTH}, public=True)
    def get(self, request: Request) -> Response:
        answers = device().answers()
        state = integrity().state
        body = {"live": True, "tpm": "ok" if answers else "unavailable", "integrity": state}
        return Response(body, status=200 if answers and state != "failed" else 503)
