"""Asking other servers by HTTP: one kept connection a server, limits on time and bytes, no redirects."""

import http.client
import json
import ssl
import threading
import time
import zlib
from typing import Any
from urllib.parse import urlsplit

from witness.errors import NotYet, SetupError

SILENCE_S = 10.0  # from one part of an answer to the next
WHOLE_S = 30.0
ANSWER_BYTES_MAX = 8 * 1024 * 1024


class Absent(NotYet):
    """The server says 404."""


class Server:
    """One server, by the URL that addresses begin with. Threads may share it: they ask one after the other."""

    def __init__(self, url: str, *, silence_s: float = SILENCE_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise SetupError(f"{url}: expected the http or https address of a server")
        self.url = url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._silence_s = silence_s
        self._lock = threading.Lock()
        self._connection = _connection(parts.scheme, parts.hostname, parts.port, silence_s)

    def get(self, path: str, *, token: str = "") -> bytes:
        """GET; raises NotYet, and Absent for 404."""
        return self._ask("GET", path, None, token)

    def post(self, path: str, body: object, *, token: str = "") -> Any:
        """POST JSON, read JSON; raises NotYet."""
        return _json(self._ask("POST", path, json.dumps(body).encode(), token), self.url + path)

    def get_json(self, path: str, *, token: str = "") -> Any:
        """GET, read JSON; raises NotYet."""
        return _json(self._ask("GET", path, None, token), self.url + path)

    def _ask(self, method: str, path: str, body: bytes | None, token: str) -> bytes:
        headers = {"Accept-Encoding": "gzip, identity", "User-Agent": "witness"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Content-Type": "application/json"} if body is not None else {}
        with self._lock:
            try:
                return self._once(method, path, body, headers)
            except (http.client.RemoteDisconnected, ConnectionError):  # it had closed the kept connection
                self._connection.close()
            except (OSError, UnicodeError, http.client.HTTPException) as error:
                raise self._failed(method, path, error) from error
            try:
                return self._once(method, path, body, headers)
            except (OSError, UnicodeError, http.client.HTTPException) as error:
                raise self._failed(method, path, error) from error

    def _failed(self, method: str, path: str, error: Exception) -> NotYet:
        self._connection.close()
        return NotYet(f"{method} {self.url}{path}: {error or type(error).__name__}")

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        deadline = time.monotonic() + WHOLE_S
        self._connection.request(method, self._path + path, body, headers)
        answer = self._connection.getresponse()
        data, size = [], 0
        while part := answer.read1(65536):
            data.append(part)
            size += len(part)
            if size > ANSWER_BYTES_MAX or time.monotonic() > deadline:
                raise http.client.HTTPException("the answer is too long")
        if answer.length:
            raise http.client.HTTPException("the answer was cut short")
        answer.close()  # it does so by itself only where the end is not known
        if answer.will_close:
            self._connection.close()
        if answer.status == 404:
            raise Absent(f"{method} {self.url}{path}: 404")
        whole = b"".join(data)
        if answer.status // 100 != 2:
            said = " ".join(whole[:200].decode(errors="replace").split())
            raise NotYet(f"{method} {self.url}{path}: {answer.status} {said}")
        return _opened(whole) if answer.headers.get("Content-Encoding") == "gzip" else whole


def _connection(scheme: str, host: str, port: int | None, silence_s: float) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=silence_s, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=silence_s)


def _opened(data: bytes) -> bytes:
    """What gzip made small; raises HTTPException."""
    opener = zlib.decompressobj(wbits=31)
    try:
        found = opener.decompress(data, ANSWER_BYTES_MAX)
    except zlib.error as error:
        raise http.client.HTTPException(str(error)) from error
    if not opener.eof:
        raise http.client.HTTPException("the answer is too long")
    return found


def _json(data: bytes, address: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise NotYet(f"{address}: expected JSON") from error
