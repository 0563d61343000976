"""Configuration from the environment: NAME, or NAME_FILE for secrets kept in files.

`var/env`, which `make demo` writes, fills in what the environment leaves open, so that
`python manage.py …` finds the running demo without any export.
"""

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key


def load(path: Path) -> None:
    """Read KEY=value lines as defaults; what the environment already says wins."""
    if not path.exists():
        return
    for line in path.read_text().splitlines():
        name, separator, value = line.partition("=")
        if separator and not name.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def text(name: str, default: str | None = None) -> str:
    """The value of NAME, else the contents of the file that NAME_FILE names, else the default; fails loudly."""
    if name in os.environ:
        return os.environ[name]
    path = os.environ.get(f"{name}_FILE")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE names {path}, which cannot be read: {error.strerror}") from error
    if default is None:
        raise ImproperlyConfigured(f"set {name} in the environment, or {name}_FILE to the file that holds it")
    return default


def integer(name: str, default: int) -> int:
    """A whole number; raises ImproperlyConfigured, naming the variable."""
    value = text(name, str(default))
    try:
        return int(value)
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: expected a whole number, got {value!r}") from error


def boolean(name: str, default: bool) -> bool:
    """1, true, yes or 0, false, no; raises ImproperlyConfigured for anything else."""
    value = text(name, "1" if default else "0").lower()
    if value not in {"0", "1", "true", "false", "yes", "no"}:
        raise ImproperlyConfigured(f"{name}: expected 1 or 0, got {value!r}")
    return value in {"1", "true", "yes"}


def choice(name: str, default: str, choices: Sequence[str]) -> str:
    """One of `choices`; raises ImproperlyConfigured for anything else."""
    value = text(name, default)
    if value not in choices:
        raise ImproperlyConfigured(f"{name}: expected one of {', '.join(choices)}, got {value!r}")
    return value


def listing(name: str, default: str = "") -> list[str]:
    """A comma-separated list, empty items dropped."""
    return [item.strip() for item in text(name, default).split(",") if item.strip()]


def secret_kept_in(path: Path, name: str) -> str:
    """NAME or NAME_FILE; a fresh checkout has neither, so one is made once and kept in `path` (0600)."""
    given = text(name, "")
    if given:
        return given
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # 0600
            file.write(get_random_secret_key())
            file.flush()
            # A whole file or none: of two processes starting at once the first one's secret stays.
            with contextlib.suppress(FileExistsError):
                os.link(file.name, path)
    return path.read_text().strip()
