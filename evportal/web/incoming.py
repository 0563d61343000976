"""PURE: one HTTP/1.1 request as it arrives, and where it ends (RFC 9112, sections 6 and 7).

What it means, and whether it is well formed, is gunicorn's business: it reads what was collected, and then finds the
end of the connection. So a disagreement about where a request ends closes the connection, and is no smuggled request.
"""

import re
from tempfile import SpooledTemporaryFile

HEAD_MAX_BYTES = 64 * 1024
BODY_MAX_BYTES = 64 * 1024 * 1024  # an import's file may have 20 MB; larger ones are for the command line
IN_MEMORY_BYTES = 64 * 1024  # of a body; the rest is in a temporary file
_CHUNK_LINE_MAX = 4096
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[^\r\n]*chunked[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_CONTINUE = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r$", re.IGNORECASE | re.MULTILINE)


class Refused(Exception):
    """The request is not collected to its end; `status` is the answer's, such as `413 Content Too Large`."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Chunks:
    """Where a body in chunks ends; its bytes are passed on as they are."""

    def __init__(self) -> None:
        self._line = bytearray()
        self._left = 0  # of the chunk at hand, with the line end behind it
        self._last = self.ended = False

    def take(self, data: bytes) -> int:
        """How many of these bytes belong to the body; raises Refused."""
        at = 0
        while at < len(data) and not self.ended:
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
            else:
                end = data.find(b"\n", at)
                step = (len(data) if end < 0 else end + 1) - at
                self._line += data[at : at + step]
                if len(self._line) > _CHUNK_LINE_MAX:
                    raise Refused("400 Bad Request")
                if end >= 0:
                    self._line_ended()
            at += step
        return at

    def _line_ended(self) -> None:
        line, self._line = bytes(self._line).strip(), bytearray()
        if self._last:  # of the trailer, which an empty line ends
            self.ended = not line
            return
        size = line.partition(b";")[0].strip()
        if not re.fullmatch(rb"[0-9a-fA-F]{1,15}", size):
            raise Refused("400 Bad Request")
        self._left = int(size, 16)
        self._last = self._left == 0
        self._left += 0 if self._last else 2


class Incoming:
    """Collects one request: head, then body."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.size = 0  # bytes of the body so far
        self.surplus = b""  # what came behind the request
        self.wants_continue = False
        self._body: SpooledTemporaryFile[bytes] | None = None
        self._begun = False  # the body: the head is whole
        self._left = 0
        self._chunks: Chunks | None = None
        self._read = 0

    @property
    def begun(self) -> bool:
        """Whether anything came."""
        return bool(self.head)

    @property
    def path(self) -> bytes:
        """The target of the request line, as it came."""
        return bytes(self.head[:HEAD_MAX_BYTES]).split(b" ", 2)[1] if self.head.count(b" ", 0, HEAD_MAX_BYTES) else b""

    def feed(self, data: bytes) -> bool:
        """Take the next bytes; whether the request is whole. Raises Refused."""
        if not self._begun:
            searched = max(0, len(self.head) - 3)
            self.head += data
            end = self.head.find(b"\r\n\r\n", searched)
            if (len(self.head) if end < 0 else end) > HEAD_MAX_BYTES:
                raise Refused("431 Request Header Fields Too Large")
            if end < 0:
                return False
            data = bytes(self.head[end + 4 :])
            del self.head[end + 4 :]
            self._head_ended()
        used = self._chunks.take(data) if self._chunks else min(self._left, len(data))
        self._keep(data[:used])
        self.surplus = data[used:]
        self._left -= 0 if self._chunks else used
        return self._chunks.ended if self._chunks else self._left == 0

    def recv(self, most: int) -> bytes:
        """The next bytes of a request that is whole; none at its end."""
        if self._read < len(self.head):
            data = bytes(self.head[self._read : self._read + most])
            self._read += len(data)
            return data
        return self._body.read(most) if self._body else b""

    def rewind(self) -> None:
        """To be called once when the request is whole."""
        if self._body:
            self._body.seek(0)

    def close(self) -> None:
        """Forget the body."""
        if self._body:
            self._body.close()

    def _head_ended(self) -> None:
        self._begun = True
        if _CHUNKED.search(self.head):
            self._chunks = Chunks()
        elif found := _LENGTH.search(self.head):
            self._left = int(found[1])
        if self._left > BODY_MAX_BYTES:
            raise Refused("413 Content Too Large")
        self.wants_continue = bool(_CONTINUE.search(self.head))

    def _keep(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > BODY_MAX_BYTES:
            raise Refused("413 Content Too Large")
        if data:
            self._body = self._body or SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by close()
            self._body.write(data)
