"""A small program for the worker to run; what it is asked for is in the address."""

import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """/digest: of the body; /large/N: so many bytes; /slow/S: after so many seconds; /unread: leaves the body."""
    _, name, *arguments = environ["PATH_INFO"].split("/")
    headers = [("Content-Type", "text/plain")]
    body = environ["PATH_INFO"].encode()
    if name == "digest":
        body = hashlib.sha256(environ["wsgi.input"].read()).hexdigest().encode()
    if name == "slow":
        time.sleep(float(arguments[0]))
    if name == "large":
        start("200 OK", headers)
        return (b"x" * 65_536 for _ in range(int(arguments[0]) // 65_536))
    start("200 OK", [*headers, ("Content-Length", str(len(body)))])
    return [body]
