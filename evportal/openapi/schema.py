"""The REST API as OpenAPI 3.1: what each operation takes and answers, for people and for generated clients.

Views say what they are (`operations`, `scopes`, `body_class`, `serializer_class`); this turns it into the document.
tests/api/test_openapi.py holds the two together: it judges real answers by the document.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework.serializers import ListSerializer

import evportal.openapi.schema_fields  # noqa: F401  its extensions register themselves
from accounts.programs.authentication import BearerAuthentication
from accounts.programs.scopes import RESOURCE_SERVER, SCOPES
from api.lists import ChangeView, ListView
from evportal.openapi import commands
from evportal.openapi.operations import OPERATIONS
from evportal.openapi.words import DESCRIPTION, EXAMPLES, PATH, PROBLEM_SCHEMA, PROBLEMS, RECEIPT, TEXT, TITLES
from gateway.rest.views import StationView as StationCallerView

Schema = dict[str, Any]
JSON, PROBLEM_JSON = "application/json", "application/problem+json"
WRITES = ("POST", "PUT", "PATCH")
PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
RATE_HEADERS = {
    "RateLimit-Limit": "Requests in this minute, for this caller",
    "RateLimit-Remaining": "How many of them are left",
    "RateLimit-Reset": "Seconds until the next minute begins",
}
IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    type={"type": "string", "pattern": "^[\\x21-\\x7e]{1,128}$"},
    description="The same request again with the same key gets the same answer, for a day; another one with it is 422.",
)
IF_NONE_MATCH = OpenApiParameter(
    name="If-None-Match",
    location=OpenApiParameter.HEADER,
    type={"type": "string"},
    description="The ETag that you have: 304 without a body while nothing changed.",
)
IF_MATCH = OpenApiParameter(
    name="If-Match",
    location=OpenApiParameter.HEADER,
    type={"type": "string"},
    required=True,
    description="The ETag of what you read: 412 where somebody changed it since, 428 without.",
)


class ApiSchema(AutoSchema):
    """Reads off a view what the document says of it."""

    view: Any  # as the views of the API are; the stubs know APIView alone

    @property
    def operation(self) -> str:
        """The view's name for this method: `sessions_list`."""
        name: str = self.view.operations[self.method]
        return name

    @property
    def scope(self) -> str | None:
        """What the token must hold; None where any will do."""
        scopes: dict[str, str] = getattr(self.view, "scopes", {})
        return scopes.get(self.method)

    def get_operation_id(self) -> str:
        """Stable: generated clients name their functions so."""
        return self.operation

    def get_tags(self) -> list[str]:
        """The resource: what stands before the first underscore."""
        return [self.operation.partition("_")[0]]

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own has no arguments
        """The scope, and a sentence of operations.py."""
        words = OPERATIONS[self.operation]
        return f"Scope `{self.scope}`. {words}" if self.scope else words

    def get_request_serializer(self) -> Any:
        """The view's body; GET and DELETE have none."""
        return getattr(self.view, "body_class", None) if self.method in WRITES else None

    def get_response_serializers(self) -> Any:
        """Every answer by status: success, 304, and each refusal that can come."""
        answers: dict[Any, Any] = {(str(self.success), JSON): self.answer()}
        if self.success == 204:
            answers = {"204": OpenApiResponse(description="Done")}
        if self.method == "GET" and self.scope:
            answers["304"] = OpenApiResponse(description="You have this version already")
        if 200 in getattr(self.view, "also", ()):
            answers["200", JSON] = self.answer()
        for status in self.refusals():
            answers[str(status), PROBLEM_JSON] = OpenApiResponse(PROBLEM_REF, TITLES[status])
        return answers

    @property
    def success(self) -> int:
        """201 for what is made, 204 for what is gone, else 200, unless the view says otherwise."""
        statuses: dict[str, int] = getattr(self.view, "statuses", {})
        return statuses.get(self.method, {"POST": 201, "DELETE": 204}.get(self.method, 200))

    def answer(self) -> Any:
        """The body of the success."""
        if self.operation == "sessions_receipt":
            return OpenApiResponse(RECEIPT, "The receipt")
        wanted = (self.method == "POST" and getattr(self.view, "created_class", None)) or self.view.serializer_class
        many = self.method == "GET" and isinstance(self.view, ListView)
        return OpenApiResponse(wanted(many=True) if many else wanted(), "The answer")

    def refusals(self) -> Iterator[int]:
        """Which problems this operation may answer with."""
        yield from (400, 401, 403, 406, 429, 503)
        if "{" in self.path:
            yield 404
        if self.method == "GET":
            if self.operation in {"sessions_receipt", "sessions_proof"}:
                yield 409
            return
        yield from (413, 415, 422)
        if self.method == "POST" or self.operation == "commands_cancel":
            yield 409
        if isinstance(self.view, ChangeView) and self.method == "PATCH":
            yield from (409, 412, 428)
        elif self.operation == "me_update" or self.method == "PUT":
            yield from (412, 428)

    def get_override_parameters(self) -> list[Any]:
        """Path, headers, filters and pages, as the view takes them."""
        named = [
            OpenApiParameter(name, schema, OpenApiParameter.PATH, required=True, description=words)
            for name, (schema, words, _) in PATH.items()
            if f"{{{name}}}" in self.path
        ]
        if isinstance(self.view, StationCallerView):
            return named
        if self.method == "GET":
            filters = self.filters() if isinstance(self.view, ListView) else []
            return [*named, *filters, IF_NONE_MATCH]
        return [*named, IDEMPOTENCY_KEY, *([IF_MATCH] if self.method in {"PATCH", "PUT"} else [])]

    def _is_list_view(self, serializer: Any = None) -> bool:
        if serializer is None:  # asked for the parameters
            return self.method == "GET" and isinstance(self.view, ListView)
        return isinstance(serializer, ListSerializer)

    def filters(self) -> list[OpenApiParameter]:
        """The filters of the view's list, with their words."""
        found = self.view.filterset_class.base_filters.items() if self.view.filterset_class else ()
        return [
            OpenApiParameter(name, dict(filter.schema), description=str(filter.extra["help_text"]))
            for name, filter in found
        ]


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = BearerAuthentication
    name = ["personal_token", "cognito"]

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        """A personal token, or one of Cognito's for a program."""
        personal = {"type": "http", "scheme": "bearer", "bearerFormat": "evp_…", "description": "Made under Security."}
        scopes = {f"{RESOURCE_SERVER}/{name}": str(words) for name, words in SCOPES.items()}
        flow = {"tokenUrl": "https://YOUR-DOMAIN.auth.REGION.amazoncognito.com/oauth2/token", "scopes": scopes}
        return [personal, {"type": "oauth2", "flows": {"clientCredentials": flow}}]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        """Either of them; of Cognito's with the scope."""
        scope = getattr(auto_schema, "scope", None)
        return [{"personal_token": []}, {"cognito": [f"{RESOURCE_SERVER}/{scope}"] if scope else []}]


class StationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "gateway.rest.authentication.StationAuthentication"
    name = "station"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """HTTP Basic, as stations call."""
        return {"type": "http", "scheme": "basic", "description": "A station's identity and credential."}


class StrictBody(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Bodies take no member that is not named."""

    target_class = "api.strict_fields.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: Any) -> Schema:
        """As drf-spectacular has it, and nothing besides."""
        schema: Schema = auto_schema._map_serializer(  # type: ignore[no-untyped-call]
            self.target, direction, bypass_extensions=True
        )
        return {**schema, "additionalProperties": False}


def api_only(endpoints: list[tuple[str, str, str, Any]]) -> list[tuple[str, str, str, Any]]:
    """Preprocessing: what stands under /api/v1/ and names its operations."""
    return [
        endpoint
        for endpoint in endpoints
        if endpoint[0].startswith("/api/v1/") and getattr(endpoint[3].cls, "operations", None)
    ]


def _exemplify(operation: Schema) -> None:
    """Put the examples of this operation where readers and tools look for them."""
    example = {**EXAMPLES, **commands.EXAMPLES}.get(operation["operationId"], {})
    if "body" in example:
        operation["requestBody"]["required"] = True
        operation["requestBody"]["content"][JSON]["example"] = example["body"]
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            parameter["example"] = PATH[parameter["name"]][2]
    for status, answer in operation["responses"].items():
        if JSON in answer.get("content", {}):
            answer["content"][JSON]["example"] = example["answer"]
        elif PROBLEM_JSON in answer.get("content", {}):
            answer["content"][PROBLEM_JSON]["example"] = _problem(int(status))


def _problem(status: int) -> Schema:
    code, detail = PROBLEMS[status]
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}


def _headers(operation: Schema, status: str) -> Schema:
    """The rate in all but what comes before it is counted; versions of what can be asked for again."""
    named = {} if "station" in operation["tags"] or status in {"401", "403"} else dict(RATE_HEADERS)
    whole = {name: {"description": words, "schema": {"type": "integer"}} for name, words in named.items()}
    texts = {"401": {"WWW-Authenticate": "How to authenticate"}, "429": {"Retry-After": "Seconds to wait"}}
    texts |= {"503": {"Retry-After": "Seconds to wait"}, "200": {"ETag": "The version of this answer"}}
    texts |= {"201": {"Location": "The address of the new row", "ETag": "Its version"}}
    if "station" in operation["tags"] and status < "400":
        return {}
    named = texts.get(status, {})
    return whole | {name: {"description": words, "schema": TEXT} for name, words in named.items()}


def finish(result: Schema, **kwargs: Any) -> Schema:
    """Postprocessing: the examples, and the headers that all answers have."""
    for methods in result["paths"].values():
        for operation in methods.values():
            _exemplify(operation)
            for status, answer in operation["responses"].items():
                if headers := _headers(operation, status):
                    answer["headers"] = headers
    for schema in result["components"]["schemas"].values():
        for member in schema.get("properties", {}).values():
            # Left out, a phase is "": no value that one may send, which strict generators refuse as a default.
            if "enum" in member and member.get("default") not in member["enum"]:
                member.pop("default", None)
    result["info"]["description"] = DESCRIPTION
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    return result
