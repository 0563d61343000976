"""The check without us: one script and one page, each a single file, and their SHA-256."""

import hashlib
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).parent
SCRIPT = HERE / "verify_receipt.py"
PAGE = HERE / "evportal-verify.html"


@lru_cache(maxsize=1)
def checksums() -> dict[str, str]:
    """SHA-256 (hex) of the files as they are served: {"script": …, "page": …}, shown beside them and on paper."""
    files = {"script": SCRIPT, "page": PAGE}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
