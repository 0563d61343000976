"""The one door to other servers over HTTP: whoever answers may be anybody, or may have been taken over.

Nothing is unpacked (244 bytes of gzip held 739 MB), nothing is read beyond a size, and everything ends after a time,
from the name's address to the last byte: the time-out of httpx2 is one for each read, and who sends a byte a second,
also of headers, would keep us for ever. Redirects are not followed.
"""

import json
import ssl
import time
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import httpcore2
import httpx2

if TYPE_CHECKING:
    from common.outgoing.addresses import Target

UNPACKED = {"Accept-Encoding": "identity"}
_until: ContextVar[float] = ContextVar("_until", default=float("inf"))


class NoAnswer(Exception):
    """Nothing that can be used; `code` is `connection`, `timeout` or `answer` (too large, packed)."""

    def __init__(self, why: str, code: str) -> None:
        super().__init__(why)
        self.code = code


@dataclass(frozen=True)
class Patience:
    """How many seconds to connect, for each further bit, and for everything."""

    connect_s: float
    read_s: float
    whole_s: float


@dataclass(frozen=True)
class Answer:
    """What came; `certificate` is that of whoever answered, in DER."""

    status: int
    content: bytes
    certificate: bytes | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """What it says; raises ValueError."""
        try:
            return json.loads(self.content)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


@cache
def authorities() -> ssl.SSLContext:
    """The certificates that count, for all of a process's connections: reading them takes longer than most requests.

    Those of SSL_CERT_FILE or SSL_CERT_DIR, else of the system.
    """
    return httpx2.create_ssl_context()


class Asker:
    """Asks other servers; keeps connections, and threads may share it.

    `strangers`: no proxy of the environment comes between, so that it is the checked address that is called.
    """

    def __init__(self, *, strangers: bool = False) -> None:
        self._http = httpx2.Client(
            verify=authorities(), trust_env=not strangers, follow_redirects=False, headers=UNPACKED
        )
        for transport in (self._http._transport, *self._http._mounts.values()):
            pool: Any = getattr(transport, "_pool", None)
            if pool is not None:
                pool._network_backend = _BoundedBackend(pool._network_backend)

    def __enter__(self) -> "Asker":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the kept connections."""
        self._http.close()

    def ask(
        self, method: str, url: str, *, patience: Patience, most: int, target: "Target | None" = None, **request: Any
    ) -> Answer:
        """What is there, at most so many bytes; raises NoAnswer. With `most=0` only the status is of interest.

        `request` are `json`, `data`, `content`, `headers`, `auth` (name and password) as httpx2 takes them; `target`
        says which address was checked for the URL, and is called instead of it.
        """
        if target is not None:
            url = target.url
            request["headers"] = request.get("headers", {}) | {"Host": target.netloc}
            request["extensions"] = {"sni_hostname": target.host}
        timeout = httpx2.Timeout(patience.read_s, connect=patience.connect_s)
        started = _until.set(time.monotonic() + patience.whole_s)
        try:
            with self._http.stream(method, url, timeout=timeout, **request) as response:
                return _read(response, most, patience)
        except httpx2.TimeoutException as error:
            raise NoAnswer(str(error) or type(error).__name__, "timeout") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__, "connection") from error
        finally:
            _until.reset(started)


def _read(response: httpx2.Response, most: int, patience: Patience) -> Answer:
    content = bytearray()
    stream = response.extensions.get("network_stream")
    secured = stream and stream.get_extra_info("ssl_object")  # asked while it is connected
    certificate = secured and secured.getpeercert(True)
    packed = response.headers.get("Content-Encoding", "identity")
    if most and packed.lower() != "identity":
        raise NoAnswer(f"expected an answer that is not packed, got {packed[:40]}", "answer")
    for part in response.iter_raw() if most else ():
        content += part
        if len(content) > most:
            raise NoAnswer(f"expected at most {most} bytes", "answer")
        if time.monotonic() > _until.get():
            raise NoAnswer(f"not whole after {patience.whole_s:g} s", "timeout")
    return Answer(response.status_code, bytes(content), certificate)


# --- the time for everything, held by each step on the network


def _within(timeout: float | None) -> float:
    left = _until.get() - time.monotonic()
    if left <= 0:
        raise httpcore2.ReadTimeout("not whole in time")
    return left if timeout is None else min(timeout, left)


class _BoundedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _BoundedBackend(httpcore2.NetworkBackend):
    def __init__(self, backend: httpcore2.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore2.NetworkStream:
        return _BoundedStream(self._backend.connect_tcp(host, port, _within(timeout), local_address, socket_options))
