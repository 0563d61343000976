"""What an error says of itself to who called from outside."""

from typing import ClassVar


class Refused(Exception):
    """`code` is stable, clients may rely on it; `status` is the HTTP status, None where no API raises it."""

    code: ClassVar[str]
    status: ClassVar[int | None] = None
