"""A view for the calls that have to be fast: JSON in, JSON out, and nothing to negotiate.

DRF's request, negotiation and renderer take longer than the token, the scope and the strict parsing of a signature
together. What they would do for it is always the same, and stands here. Everything else is as in the other views:
token, rate, scope, integrity, problems, and the description for OpenAPI.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.views import APIView

from tpm.service.door.authentication import Caller, bearer
from tpm.service.door.parsing import json_body
from tpm.service.door.problems import problem_response
from tpm.service.views.permission import HasScope


class DirectView(APIView):
    """Answers POST with JSON; whatever is not POST is DRF's to refuse."""

    @abstractmethod
    def post(self, client: Caller, body: Any, meta: Mapping[str, Any], name: str) -> Mapping[str, object]:
        """Return the body of the answer. `meta` are the headers as WSGI has them; `name` is the one in the URL."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer a POST here, from the token to the problem of whatever goes wrong."""
        if request.method != "POST":
            return super().dispatch(cast(Request, request), *args, **kwargs)
        try:
            client = bearer(request.META.get("HTTP_AUTHORIZATION", ""))
            request.user = client  # type: ignore[assignment]
            HasScope().has_permission(cast(Request, request), self)
            answer = self.post(client, json_body(request), request.META, kwargs["name"])
        except Exception as error:  # noqa: BLE001 - as DRF does, whatever it is becomes a problem
            return problem_response(error)
        content = json.dumps(answer, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        return HttpResponse(content, headers=headers)
