"""The description of this API: for programs as OpenAPI, for people as one page."""

from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.template import Context, Engine
from drf_spectacular.generators import SchemaGenerator
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

TEMPLATES = Path(__file__).parents[1] / "templates"


class OpenApiView(APIView):
    """`GET /v1/openapi.json`, without a token."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def get(self, request: Request) -> Response:
        return Response(document())


class PageView(APIView):
    """`GET /v1/docs`: the same as one page, without a token, and without assets from anywhere."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None

    def get(self, request: Request) -> HttpResponse:
        policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HttpResponse(page(), headers=policy)


@cache
def page() -> str:
    """Return the page for people, made once: later it would be made of files that may have changed."""
    described = document()
    operations = [
        {"method": method.upper(), "path": path, **operation}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    context = {"info": described["info"], "operations": operations, "schemas": described["components"]["schemas"]}
    return Engine(dirs=[str(TEMPLATES)]).get_template("openapi.html").render(Context(context))


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document; it does not change while the service runs."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    for methods in made["paths"].values():
        for operation in methods.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True  # drf-spectacular has no way to say so of a plain schema
    return made
