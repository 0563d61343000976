"""What runs in this process beside the files that were measured: named by the process itself, as far as it can.

Every module that is loaded and every file that is mapped (the interpreter, its libraries, libc) has to be one that was
measured, and whatever the next import may find has to lie in a measured root. What of the environment and the command
line decides what is loaded is refused, even where it loaded nothing yet.

What this cannot see: code that ran before this look and meant to hide from it. See docs/tpm.md, "What is not measured".
"""

import os
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from tpm.service.release.entries import within
from tpm.service.release.pcr import path_bytes, path_text

Found = tuple[str, str]  # what, and of which path or name: of a drift event

ENVIRON, CMDLINE, MAPS = "/proc/self/environ", "/proc/self/cmdline", "/proc/self/maps"
ANONYMOUS = {b"/dev/zero (deleted)"}  # memory shared with a child process; no file is behind it
SEARCH_PATHS = ("PYTHONPATH", "LD_LIBRARY_PATH")  # fine as long as all of it is measured
HARMLESS = {
    *("PYTHONDONTWRITEBYTECODE", "PYTHONNOUSERSITE", "PYTHONUNBUFFERED", "PYTHONSAFEPATH", "PYTHONHASHSEED"),
    *("PYTHONUTF8", "PYTHONIOENCODING", "PYTHONFAULTHANDLER", "PYTHONPROFILEIMPORTTIME", "LD_BIND_NOW"),
}
DECISIVE = {  # beside what begins with PYTHON or LD_
    *("GUNICORN_CMD_ARGS", "GCONV_PATH", "LOCPATH", "GETCONF_DIR", "GLIBC_TUNABLES"),
    *("OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES"),
}
PYTHON_FLAGS = set("BEPSbdqsuv")
OPTIONS = {  # of gunicorn: none of them names code but these two, whose values are looked at
    *("--bind", "-b", "--timeout", "-t", "--graceful-timeout", "--keep-alive", "--backlog", "--worker-tmp-dir"),
    *("--log-level", "--access-logfile", "--error-logfile", "--log-file", "--pid", "-p"),
}
PATH_OPTIONS = {"--config", "-c", "--chdir"}


def decisive(name: str) -> bool:
    """Tell whether this environment variable decides what code is loaded: nobody should hand it on to the service."""
    of_python = name.startswith("PYTHON") and not name.startswith("PYTHON_")
    return name in DECISIVE or (name not in HARMLESS and (of_python or name.startswith("LD_")))


def found(measured: Collection[bytes], roots: Sequence[str]) -> Iterator[Found]:
    """Yield all that should not be; `measured` are the paths of the files that were measured, `roots` the release's."""
    try:
        yield from surroundings(roots)
        yield from unmeasured(measured, roots)
    except OSError as error:  # a process that may not look at itself, as after a change of its user
        yield "unreadable", str(error.filename)


def unmeasured(measured: Collection[bytes], roots: Sequence[str]) -> Iterator[Found]:
    """Yield what runs, or may be found by the next import, and was not measured."""
    places = {*sys.path, *_package_directories()}
    for path in sorted({os.path.realpath(place) for place in places}):
        if not any(within(path, root) for root in roots):
            yield "unmeasured", path
    modules = {path_bytes(os.path.realpath(path)) for path in {*_module_files()}}
    for raw in sorted({*modules, *_mapped_files()}):
        if raw not in measured:
            yield "unmeasured", path_text(raw)


def surroundings(roots: Sequence[str]) -> Iterator[Found]:
    """Yield what the environment and the command line, with which this process was started, say of what is loaded."""
    started_with = dict(text.split("=", 1) for text in _null_separated(ENVIRON) if "=" in text)
    yield from _environment({**os.environ, **started_with}, roots)
    if not sys.flags.no_site:
        yield "arguments", "-S is missing: .pth files and sitecustomize ran"
    yield from _arguments(_null_separated(CMDLINE), roots)


def _environment(environ: Mapping[str, str], roots: Sequence[str]) -> Iterator[Found]:
    for name, value in sorted(environ.items()):
        if name in SEARCH_PATHS:
            if not all(_measured_path(part, roots) for part in value.split(":")):
                yield "environment", name
        elif decisive(name):
            yield "environment", name


def _arguments(argv: Sequence[str], roots: Sequence[str]) -> Iterator[Found]:
    """Yield what is not `python FLAGS -m gunicorn OPTIONS`, or a script of a measured root in the place of `-m`."""
    words = list(argv[1:])
    while words and words[0].startswith("-") and set(words[0][1:]) <= PYTHON_FLAGS:
        words.pop(0)
    if words[:2] == ["-m", "gunicorn"]:
        words = words[2:]
    elif words and _measured_path(words[0], roots):
        words = words[1:]
    while words:
        name, equals, value = words.pop(0).partition("=")
        if not equals and words:
            value = words.pop(0)
        if name not in OPTIONS and not (name in PATH_OPTIONS and _measured_path(value, roots)):
            yield "arguments", name


def _measured_path(path: str, roots: Sequence[str]) -> bool:
    return Path(path).is_absolute() and any(within(os.path.realpath(path), root) for root in roots)


def _module_files() -> Iterator[str]:
    """Yield the files that modules say they are of: source or library, and the compiled file where there is one."""
    for module in list(sys.modules.values()):
        about = getattr(module, "__dict__", {})  # whose own attributes some modules make when they are asked
        spec = about.get("__spec__")
        origin = getattr(spec, "origin", None) if getattr(spec, "has_location", False) else None
        yield from (path for path in (about.get("__file__"), origin) if isinstance(path, str))
        compiled = getattr(spec, "cached", None)
        if isinstance(compiled, str) and Path(compiled).exists():
            yield compiled


def _package_directories() -> Iterator[str]:
    for module in list(sys.modules.values()):
        for path in list(getattr(module, "__dict__", {}).get("__path__") or ()):
            if isinstance(path, str):
                yield path


def _mapped_files() -> Iterator[bytes]:
    for line in Path(MAPS).read_bytes().splitlines():
        path = line.split(maxsplit=5)[5:]
        if path and path[0].startswith(b"/") and path[0] not in ANONYMOUS:
            yield path[0].replace(b"\\012", b"\n")


def _null_separated(path: str) -> list[str]:
    return [os.fsdecode(part) for part in Path(path).read_bytes().split(b"\0")[:-1]]
