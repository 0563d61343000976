"""Every refusal leaves as RFC 9457 `application/problem+json`, those of Django and of DRF too."""

import logging

from django.http import HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from tpm.service.errors import (
    InternalError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    ServiceError,
    UnsupportedMediaError,
)

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"

TRANSLATED: list[tuple[type[exceptions.APIException], type[ServiceError]]] = [
    (exceptions.MethodNotAllowed, MethodNotAllowedError),
    (exceptions.UnsupportedMediaType, UnsupportedMediaError),
    (exceptions.ParseError, InvalidRequestError),
    (exceptions.NotFound, NotFoundError),
]


def handle(error: Exception, context: object) -> Response:
    """DRF's exception handler."""
    problem = _logged(error)
    response = Response(problem.problem(), status=problem.status, headers=dict(problem.headers))
    response.content_type = CONTENT_TYPE
    return response


def problem_response(error: Exception) -> JsonResponse:
    """Return the same answer to an error, without DRF."""
    problem = _logged(error)
    response = _plain(problem)
    for name, value in problem.headers.items():
        response[name] = value
    return response


def _logged(error: Exception) -> ServiceError:
    problem = translated(error)
    if isinstance(problem, InternalError):
        log.error("unexpected error", exc_info=error)
    return problem


def translated(error: Exception) -> ServiceError:
    """Return the error of ours that stands for this one; an InternalError for what nobody expected."""
    if isinstance(error, ServiceError):
        return error
    for theirs, ours in TRANSLATED:
        if isinstance(error, theirs):
            return ours()
    return InternalError()


def not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler404."""
    return _plain(NotFoundError(f"there is nothing at {request.path}"))


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Django's handler400: a host name that is not ours, mostly."""
    return _plain(InvalidRequestError())


def server_error(request: HttpRequest) -> JsonResponse:
    """Django's handler500."""
    return _plain(InternalError())


def _plain(problem: ServiceError) -> JsonResponse:
    return JsonResponse(problem.problem(), status=problem.status, content_type=CONTENT_TYPE)
