"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): the same request again gets the same answer.

Kept in memory and bounded for each client: a restart forgets, and then a repeated request is signed anew, which harms
nobody (ECDSA signatures differ, each is valid). What it prevents is two different signatures out of one request and
its retry.
"""

import hashlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from tpm.service.errors import ConflictError, InProgressError, InvalidRequestError

MAX_ANSWERS = 1024
KEY = re.compile(r"[\x21-\x7e]{1,128}")

Answer = dict[str, object]


@dataclass
class _Entry:
    request: bytes
    running: threading.Lock = field(default_factory=threading.Lock)
    answer: Answer | None = None


class IdempotentAnswers:
    """The answers given last, by caller, resource and key."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._clients: dict[str, OrderedDict[tuple[str, str], _Entry]] = {}

    def once(self, scope: tuple[str, str], key: str, request: object, act: Callable[[], Answer]) -> Answer:
        """Return act()'s answer, or the one kept for this key. An act that raises is not kept: it may be tried again.

        `scope` is client and resource, `request` all that has to be the same again: the body, and what signs it.
        Raises InvalidRequestError for a malformed key, ConflictError when the key came with another request,
        InProgressError when the first request is still at work.
        """
        if not KEY.fullmatch(key):
            raise InvalidRequestError("Idempotency-Key: expected 1 to 128 visible ASCII characters")
        client, resource = scope
        entry = self._entry(client, (resource, key), request)
        if not entry.running.acquire(blocking=False):  # to wait would hold a thread for each retry, past the queue
            raise InProgressError("the first request with this Idempotency-Key is still at work")
        try:
            if entry.answer is None:
                entry.answer = act()
            return entry.answer
        finally:
            entry.running.release()

    def _entry(self, client: str, key: tuple[str, str], request: object) -> _Entry:
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
        with self._guard:
            entries = self._clients.setdefault(client, OrderedDict())
            entry = entries.setdefault(key, _Entry(digest))
            entries.move_to_end(key)
            if len(entries) > MAX_ANSWERS:
                entries.popitem(last=False)
        if entry.request != digest:
            raise ConflictError(
                "this Idempotency-Key came before with another body, or for a key of this name that is deleted",
                code="idempotency_conflict",
            )
        return entry
