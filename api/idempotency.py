"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same write again gets the same answer.

The answer is kept in the transaction of the write itself, for a day: no write without its answer, and none twice. A
second request that comes while the first is at work waits for it. A refused write is not kept: it may be tried again.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.encoders import JSONEncoder

from accounts.models.programs import IdempotentAnswer
from accounts.programs.authentication import grant_of
from common import sealed_text

KEY = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
KEPT_FOR = timedelta(days=1)
HEADERS = ("ETag", "Location")


class KeyReused(exceptions.APIException):
    status_code = 422
    default_code = "idempotency_key_reused"
    default_detail = "this Idempotency-Key came with another request before; use a new one"


def once(request: Request, act: Callable[[], Response]) -> Response:
    """The answer of `act`, or the one that was given to this key before; `act` runs in one database transaction."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        with transaction.atomic():
            return act()
    if not KEY.fullmatch(key):
        raise exceptions.ParseError("Idempotency-Key: expected 1 to 128 visible ASCII characters", "invalid_request")
    wanted, caller = _digest(request), grant_of(request).name
    with transaction.atomic():
        IdempotentAnswer.objects.filter(caller=caller, key=key, created_at__lt=_oldest()).delete()
        kept, created = IdempotentAnswer.objects.get_or_create(caller=caller, key=key, defaults={"request": wanted})
        if not created:
            return _repeated(kept, wanted)
        response = act()
        kept.status, kept.answer = response.status_code, _packed(response)
        kept.save(update_fields=["status", "answer"])
        return response


def answers_prune() -> int:
    """Forget answers older than a day; returns how many."""
    deleted, _ = IdempotentAnswer.objects.filter(created_at__lt=_oldest()).delete()
    return deleted


def _oldest() -> Any:
    return timezone.now() - KEPT_FOR


def _digest(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True)
    parts = [str(request.method), request.get_full_path(), request.headers.get("If-Match", ""), body]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _packed(response: Response) -> str:
    headers = {name: response[name] for name in HEADERS if name in response}
    return sealed_text.seal(json.dumps({"data": response.data, "headers": headers}, cls=JSONEncoder))


def _repeated(kept: IdempotentAnswer, wanted: str) -> Response:
    if kept.request != wanted:
        raise KeyReused
    answer = json.loads(sealed_text.unseal(kept.answer))
    return Response(answer["data"], status=kept.status, headers=answer["headers"] | {"Idempotency-Replayed": "true"})
