"""The release's check page, scripts and sums, as anybody's copy of the release has them: an operator's own can lie."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from witness.errors import SetupError

SUMS, PAGE = "SHA256SUMS", "evportal-verify.html"
_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._-]*)")
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@dataclass(frozen=True)
class Served:
    """A file's bytes, what they are, and the policy that a browser is held to."""

    data: bytes
    content_type: str
    policy: str = CLOSED


def release_files(directory: Path | None) -> dict[str, Served]:
    """What is served, by its path; raises SetupError unless each file is what the release's sums say."""
    if directory is None:
        return {}
    try:
        sums = (directory / SUMS).read_text()
        found = {"/" + SUMS: Served(sums.encode(), "text/plain; charset=utf-8")}
        for line in sums.splitlines():
            match = _LINE.fullmatch(line)
            if match is None:
                raise SetupError(f"{directory / SUMS}: expected lines of a sum and a name")
            data = (directory / match[2]).read_bytes()
            if hashlib.sha256(data).hexdigest() != match[1]:
                raise SetupError(f"{directory / match[2]}: not the file of the release: its sum is not that of {SUMS}")
            found["/" + match[2]] = _served(match[2], data)
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"{directory}: page and scripts cannot be read: {error}") from error
    if "/" + PAGE in found:
        found["/"] = found["/" + PAGE]
    return found


def _served(name: str, data: bytes) -> Served:
    if name.endswith(".html"):
        own = _POLICY.search(data.decode())
        if own is None:
            raise SetupError(f"{name}: expected a page with a policy of its own")
        return Served(data, "text/html; charset=utf-8", f"{own[1]}; frame-ancestors 'none'")
    return Served(data, "text/x-python; charset=utf-8" if name.endswith(".py") else "text/plain; charset=utf-8")
