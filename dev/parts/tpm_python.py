"""The Python of a release of the TPM service: this machine's interpreter and its library, copied and measured.

The machine's own cannot be measured where it lies: another program that imports a module for the first time writes its
.pyc there. What of the machine's shared libraries the service maps (libc, libpython, …) stays in its place and is
measured there; which those are, a run of the service's own imports tells.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tpm.service.release.strict_json import ReleaseError

NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
LIBRARY = Path(os.__file__).parent
UNUSED = {  # of the library: for developers, for screens, or from elsewhere
    *("__pycache__", "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo"),
    *("ensurepip", "venv", "lib2to3", "pydoc_data", "distutils", "msilib", "curses", "dbm"),
}
OPTIONS = ("-S", "-P", "-B")
TIMEOUT_S = 120
IMPORTS = """
import ctypes, grp, pwd, runpy, socket, sys
import gunicorn.__main__, gunicorn.app.wsgiapp, gunicorn.glogging, gunicorn.workers.gthread
import tpm.service.wsgi, tpm.service.door.worker
import cryptography.hazmat.backends.openssl.backend  # for a release that is verified
ctypes.CDLL("libgcc_s.so.1")  # which libc loads when a thread is cancelled
pwd.getpwall(), grp.getgrall()  # and what /etc/nsswitch.conf names
for host in ("localhost", "nobody.invalid"):
    try:
        socket.getaddrinfo(host, 80)
    except OSError:
        pass
for module in list(sys.modules.values()):
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path:
            print(path)
for line in open("/proc/self/maps", errors="surrogateescape"):
    path = line.rstrip("\\n").split(maxsplit=5)[5:]
    if path and path[0].startswith("/") and "(deleted)" not in path[0]:
        print(path[0])
"""
SETTINGS = {  # for the run: without a TPM, and measuring nothing
    "TPM_MEASURE": "off",
    "TPM_TCTI": "swtpm:path=/nowhere",
    "TPM_JWKS_URL": "http://127.0.0.1:1/",
    "TPM_TOKEN_ISSUER": "nobody",
    "TPM_ALLOWED_CLIENTS": "nobody",
}


def interpreter(python: Path) -> Path:
    """Return the interpreter of a copy in this directory."""
    return python / "bin" / NAME


def copy(target: Path) -> None:
    """Copy the interpreter and what the service may need of its library; it finds the library by where it lies."""
    interpreter(target).parent.mkdir(parents=True)
    shutil.copyfile(_own(), interpreter(target))
    interpreter(target).chmod(0o755)
    for source in _library_files():
        copied = target / sys.platlibdir / NAME / source.relative_to(LIBRARY)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copied)
        copied.chmod(0o755 if source.suffix == ".so" else 0o644)


def inputs() -> Iterator[str]:
    """Yield a line for each file that is copied."""
    for path in [_own(), *_library_files()]:
        state = path.stat()
        yield f"{path} {state.st_size} {state.st_mtime_ns}"


def loaded(argv: Sequence[str], environment: Mapping[str, str], scratch: Path) -> list[str]:
    """Return the files that the service loads and maps, run like this; `scratch` is for keys. Raises ReleaseError."""
    env = {"PATH": os.environ["PATH"], "TPM_KEY_DIR": str(scratch), **SETTINGS, **environment}
    done = subprocess.run(
        [*argv, "-c", IMPORTS], env=env, cwd=scratch, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    if done.returncode != 0:
        raise ReleaseError(f"the service cannot be loaded: status {done.returncode}: {done.stderr[-2000:]}")
    return sorted(set(done.stdout.splitlines()))


def _own() -> Path:
    return Path(sys.executable).resolve()  # that of a virtual environment is a link


def _library_files() -> list[Path]:
    """Return the files of the library; no links, as Debian's sitecustomize.py, which leads to /etc."""
    found = []
    for directory, below, names in os.walk(LIBRARY):
        below[:] = [name for name in below if name not in UNUSED and not name.startswith("config-")]
        files = (Path(directory) / name for name in names if not name.endswith((".pyc", ".a")))
        found += [path for path in files if not path.is_symlink()]
    return sorted(found)
