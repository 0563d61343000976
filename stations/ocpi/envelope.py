"""The form of every OCPI answer: data, status_code, status_message, timestamp; and what errors become in it."""

import logging
import math
from collections.abc import Mapping
from typing import Any

from django.db import OperationalError
from django.http import Http404
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.renderers import BaseRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from stations.ocpi.errors import MethodRefused, OcpiError, TokenUnknown
from stations.ocpi.values import date_time, json_text

log = logging.getLogger(__name__)

SUCCESS = 1000
CLIENT_ERROR = 2000
INVALID = 2001
UNKNOWN_LOCATION = 2003
SERVER_ERROR = 3000
UNAVAILABLE_RETRY_AFTER_S = 5


class OcpiRenderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else json_text(data).encode()


def answer(data: Any = None, *, headers: Mapping[str, str] | None = None, message: str = "") -> Response:
    """Success, and what there is to say about it; without data where OCPI leaves open what it would be."""
    found = {} if data is None else {"data": data}
    return Response({**found, **_status(SUCCESS, message or "Success")}, headers=headers)


def refusal(status_code: int, message: str, *, http: int = 200) -> Response:
    return Response(_status(status_code, message), status=http)


def _status(status_code: int, message: str) -> dict[str, Any]:
    return {"status_code": status_code, "status_message": message, "timestamp": date_time(timezone.now())}


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER for OCPI. None: not ours to explain, so Django answers 500 and logs it."""
    response = _response_to(error)
    if response is not None:
        set_rollback()
    return response


def _response_to(error: Exception) -> Response | None:
    if isinstance(error, OcpiError):
        return refusal(error.status_code, str(error))
    if isinstance(error, MethodRefused):
        return refusal(CLIENT_ERROR, str(error), http=405)
    if isinstance(error, TokenUnknown):
        response = refusal(CLIENT_ERROR, str(error), http=401)
        response["WWW-Authenticate"] = "Token"
        return response
    if isinstance(error, Http404):
        return refusal(UNKNOWN_LOCATION, "there is nothing here that you may see", http=404)
    if isinstance(error, OperationalError):
        log.error("database unavailable: %s", error)
        response = refusal(SERVER_ERROR, "the database does not answer; repeat the same request later", http=503)
        response["Retry-After"] = str(UNAVAILABLE_RETRY_AFTER_S)
        return response
    return _from_api_exception(error) if isinstance(error, exceptions.APIException) else None


def _from_api_exception(error: exceptions.APIException) -> Response:
    code = INVALID if isinstance(error, exceptions.ParseError) else CLIENT_ERROR
    response = refusal(code, str(error.detail), http=error.status_code)
    if header := getattr(error, "auth_header", None):
        response["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        response["Retry-After"] = str(math.ceil(wait))
    return response
