"""What all addresses of the REST API have in common: token, scope, rate, versions (ETag), repeated writes."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.utils.cache import get_conditional_response, patch_vary_headers
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.programs.authentication import BearerAuthentication, HasRight, HasScope
from api.idempotency import once
from api.throttling import CallerThrottle


class VersionMissing(exceptions.APIException):
    status_code = 428
    default_code = "precondition_required"
    default_detail = "expected If-Match with the ETag of what you read: somebody else may have changed it since"


class VersionOld(exceptions.APIException):
    status_code = 412
    default_code = "precondition_failed"
    default_detail = "it was changed since you read it: read it again, then decide"


class ApiView(APIView):
    """`scopes` names for each method the scope it needs, `rights` the right that a person needs."""

    authentication_classes = [BearerAuthentication]
    permission_classes = [HasScope, HasRight]
    throttle_classes = [CallerThrottle]
    metadata_class = None
    scopes: dict[str, str] = {}
    rights: dict[str, str] = {}

    def check_permissions(self, request: Request) -> None:
        """401 comes first: who is not known hears nothing of what they may not do."""
        if not request.user:
            raise exceptions.NotAuthenticated("expected the header Authorization: Bearer …")
        super().check_permissions(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Version and rate into the headers; 304 without a body where the reader has this version already."""
        rate = getattr(request, "api_rate", None)
        if isinstance(response, Response):
            response["Cache-Control"] = "private, no-cache"
            patch_vary_headers(response, ["Authorization"])
            if request.method in {"GET", "HEAD"} and response.status_code == 200:
                response["ETag"] = etag(response.data)
                answer = get_conditional_response(request, etag=response["ETag"], response=response)
                if answer is not None and answer is not response:
                    response = Response(status=answer.status_code, headers=dict(answer.items()))
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in (rate.headers if rate else {}).items():
            response[name] = value
        return response

    def body_require(self, request: Request) -> Any:
        """What was sent, which may not be nothing at all: that is a program's mistake, and no empty change."""
        if request.stream is None:
            raise exceptions.ParseError("expected a JSON object, got no body", "invalid_request")
        return request.data

    def once(self, request: Request, act: Callable[[], Response]) -> Response:
        """Do it, unless this Idempotency-Key was used before: then the same answer again."""
        return once(request, act)

    def version_require(self, request: Request, current: Any) -> None:
        """Raise unless If-Match names the version of `current`, the representation as a GET would give it now."""
        wanted = request.headers.get("If-Match")
        if wanted is None:
            raise VersionMissing
        if wanted.strip() != "*" and etag(current) not in {part.strip() for part in wanted.split(",")}:
            raise VersionOld


def etag(data: Any) -> str:
    """A strong entity tag of a representation."""
    return f'"{hashlib.sha256(JSONRenderer().render(data)).hexdigest()[:32]}"'
