"""The description of the REST API, for programs and for people; and the answer where there is nothing."""

from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from rest_framework import exceptions
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document; it does not change while the process runs, and is in English, whoever asks first."""
    with translation.override("en"):
        made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


class OpenApiView(APIView):
    """`GET /api/v1/openapi.json`, without a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    metadata_class = None
    schema = None

    def get(self, request: Request) -> Response:
        """The document; scripts of any page may read it."""
        return Response(document(), headers={"Access-Control-Allow-Origin": "*"})


@require_safe
def docs_page(request: HttpRequest) -> HttpResponse:
    """`GET /api/v1/docs`: the same as one page, without a token, without script."""
    described = document()
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    return render(request, "evportal/openapi/docs.html", {"api": described, "operations": operations})


class NothingView(APIView):
    """Any other address under /api/: a problem, as all errors of the API are."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    metadata_class = None
    schema = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """404 as problem+json, whatever was asked."""
        raise exceptions.NotFound("there is nothing at this address", code="not_found")
