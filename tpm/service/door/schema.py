"""The API as OpenAPI 3.0: what each operation takes and answers, for people and for generated clients.

Views read their input with parsing.py, which is stricter than any schema. tests/tpm/service/door/test_openapi.py holds
the two together: it sends the examples, and judges the answers by the schema.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from tpm.service.components import Schema, ref

View = TypeVar("View", bound=Callable[..., Any])
ALWAYS = (401, 403, 423, 429, 500, 503, 504)  # token, scope, and the ways in which a TPM may not be had
TITLES = {
    400: "The request is not valid",
    401: "The token is missing or refused",
    403: "The token does not allow it",
    404: "There is no such object",
    409: "It contradicts what is there",
    413: "Too large",
    415: "The body is not application/json",
    422: "The key is not for this use",
    423: "The TPM is locked out",
    429: "Too many requests; try again after Retry-After",
    500: "The service failed",
    503: "Something that is needed cannot be had, or the service is not what was approved; `code` says which",
    504: "Waited too long for the TPM",
}


IDEMPOTENCY_KEY = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    type={"type": "string", "pattern": "^[\\x21-\\x7e]{1,128}$"},
    description="The same request with the same key gets the same answer; another request with it is 409, and so is "
    "the same one for a key that was deleted and made anew under its name.",
)


def described(
    operation: str,
    *,
    body: Schema | None = None,
    answers: dict[int, Schema | None],
    problems: Sequence[int] = (),
    public: bool = False,
    parameters: Sequence[OpenApiParameter] = (),
) -> Callable[[View], View]:
    """Describe one method of a view: its name for clients, its body, its answers, and the problems besides ALWAYS."""
    statuses = sorted({*problems, *(() if public else ALWAYS), *((400, 413, 415) if body else ())})
    refusals = {
        (status, "application/problem+json"): OpenApiResponse(ref("Problem"), TITLES[status]) for status in statuses
    }
    decorator: Callable[[View], View] = extend_schema(
        operation_id=operation,
        request={"application/json": body} if body else None,
        responses={**{(status, "application/json"): schema for status, schema in answers.items()}, **refusals},
        parameters=list(parameters),
        auth=[] if public else None,
        tags=[operation.partition("_")[0]],
    )
    return decorator


class ServiceSchema(AutoSchema):
    """Descriptions say which scope opens an operation."""

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own has no arguments
        """Return the docstring of the method or else of its view, and before it the scope."""
        words = super().get_description()
        scope = getattr(self.view, "scope", None)
        return f"Scope `{scope}`. {words}" if scope else str(words)


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "tpm.service.door.authentication.BearerAuthentication"
    name = "cognito"

    def get_security_definition(self, auto_schema: AutoSchema) -> Schema:
        """Return the security scheme (RFC 6750): a JWT in the header Authorization."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
