"""Files that are replaced as a whole, and locks between processes. Standard library only (dev/bootstrap.py)."""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def replace(path: Path, content: str | bytes, *, mode: int = 0o600) -> None:
    """Write a file so that whoever reads it, or is killed, finds the old content or the new one."""
    building = path.with_name(f".{path.name}.new")
    building.unlink(missing_ok=True)  # left by one that was killed, perhaps with another mode
    building.touch(mode=mode)
    building.write_bytes(content.encode() if isinstance(content, str) else content)
    building.rename(path)


def ensure_secret(path: Path, size: int = 8) -> str:
    """What a file holds, which is something random at first."""
    if not path.exists():
        replace(path, secrets.token_hex(size))
    return path.read_text().strip()


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Keep out other processes that lock the same file; without `wait` raises BlockingIOError where one has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
