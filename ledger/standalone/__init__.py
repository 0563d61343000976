"""The check without us: one script and one page, each a single file, and their SHA-256."""

import hashlib
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "verify_receipt.py"
PAGE = HERE / "evportal-verify.html"
# What the script looks for beside itself: what meters signed, and the ZIP of a statement.
BESIDE = (HERE / "verify_meter.py", HERE / "verify_statement.py")


@lru_cache(maxsize=1)
def checksums() -> dict[str, str]:
    """SHA-256 (hex) of the files as they are served: {"script": …, "page": …}, shown beside them and on paper."""
    return {name: _digest(path) for name, path in {"script": SCRIPT, "page": PAGE}.items()}


@lru_cache(maxsize=1)
def checksums_beside() -> dict[str, str]:
    """Of what the script looks for beside itself: {"verify_meter": …, "verify_statement": …}."""
    return {path.stem: _digest(path) for path in BESIDE}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
