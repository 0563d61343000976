"""Every error of the API as problem+json (RFC 9457) with a stable `code`.

Body: `{"type": "about:blank", "title", "status", "code", "detail"}`; where fields of the request are wrong, also
`"errors": [{"field": "values.0.unit", "message"}]`.
"""

import logging
import math
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from common.errors import Refused

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
UNAVAILABLE_RETRY_AFTER_S = 5


class RequestTooLarge(exceptions.APIException):
    status_code = 413
    default_code = "request_too_large"


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER. None: not ours to explain, so Django answers 500 and logs it."""
    if isinstance(error, Refused) and error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        log.error("%s: %s", type(error).__name__, error)
        response = unavailable("the session cannot be recorded at the moment; repeat the same request later")
    elif isinstance(error, Refused) and error.status:
        response = problem(error.status, error.code, str(error))
    elif isinstance(error, OperationalError):
        log.error("database unavailable: %s", error)
        response = unavailable("the database does not answer; repeat the same request later")
    elif isinstance(error, Http404):
        response = problem(404, "not_found", "there is nothing here that you may see")
    elif isinstance(error, PermissionDenied):
        response = problem(403, "permission_denied", "expected a permission that you do not have")
    elif isinstance(error, exceptions.APIException):
        response = from_api_exception(error)
    else:
        return None
    set_rollback()
    return response


def unavailable(detail: str) -> Response:
    """503 with Retry-After: the same request may be repeated."""
    response = problem(503, "unavailable", detail)
    response["Retry-After"] = str(UNAVAILABLE_RETRY_AFTER_S)
    return response


def from_api_exception(error: exceptions.APIException) -> Response:
    """DRF's own errors; one with a form of its own (a list or dict) tells field by field."""
    if isinstance(error.detail, (list, dict)):
        fields = [{"field": field, "message": message} for field, message in flattened(error.detail)]
        detail = "; ".join(": ".join(part for part in field.values() if part) for field in fields)
        response = problem(error.status_code, "invalid_request", detail, errors=fields)
    else:
        response = problem(error.status_code, error.detail.code or error.default_code, str(error.detail))
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(math.ceil(wait))
    return response


def problem(status: int, code: str, detail: str, **members: Any) -> Response:
    """An answer in the form of RFC 9457; `members` stand beside its own."""
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return Response(body | members, status=status, content_type=CONTENT_TYPE)


def flattened(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """DRF's nested messages as (path, message); messages about a whole object have the object's path."""
    if isinstance(detail, dict):
        for name, value in detail.items():
            step = "" if name == "non_field_errors" else str(name)
            yield from flattened(value, ".".join(part for part in (path, step) if part))
    elif isinstance(detail, list):
        for position, value in enumerate(detail):
            yield from flattened(value, f"{path}.{position}" if isinstance(value, dict) else path)
    else:
        yield path, str(detail)
