"""The entry of the TPM service's container: resets a software TPM, looks at the volumes, then becomes gunicorn.

A measured start needs a PCR 8 of zero. A machine resets its TPM when it boots, and a container boots when it starts; so
whoever starts the service resets swtpm before it, and the service never does. A hardware TPM is left alone.

The service measures itself, and code that was changed could lie about that. So what lies in the volumes is compared
with what the image was built with before any of it runs. This file and that manifest are in the image, whose root is
read-only; Python is started with -I, or a `json.py` in a volume would run here. Where they differ nothing of the
volumes is run: this program answers `integrity_failed` itself, until the container is started again.
"""

import hashlib
import json
import os
import signal
import socket
import stat
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TCTI = "swtpm:path="
CMD_INIT = 2  # swtpm's control channel (swtpm_ioctls(3)): power off and on; the client sends TPM2_Startup
TIMEOUT_S = 20
MANIFEST = "/release/manifest.json"  # made in the build, and not signed: the image itself vouches for it
VOLUMES = ("/app", "/site-packages")  # which somebody outside of the container may write to
# -S: no .pth file and no sitecustomize.py, which in Debian leads to /etc; the service refuses to run without it
GUNICORN = ["python3", "-S", "-P", "-B", "-m", "gunicorn", "--config", "/app/tpm/service/gunicorn.conf.py"]
HEALTH = {"live": True, "tpm": "unavailable", "integrity": "failed"}
PROBLEM = {  # as tpm/service/errors.py has it, none of which may be run
    "type": "about:blank",
    "code": "integrity_failed",
    "title": "The service is not what was approved",
    "status": 503,
    "detail": "the service's log has the reason",
}


def reset(control: str) -> None:
    """Power the software TPM off and on; raises OSError when it cannot be reached or refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as channel:
        channel.settimeout(TIMEOUT_S)
        channel.connect(control)
        channel.sendall(struct.pack(">II", CMD_INIT, 0))
        (result,) = struct.unpack(">I", channel.recv(4, socket.MSG_WAITALL))
        if result != 0:
            raise OSError(f"expected result 0, got {result:#x}")


def altered(manifest: str, volumes: Sequence[str]) -> str:
    """Name a path in the volumes that is not as in the manifest, "" where there is none; raises OSError, ValueError."""
    listed = {item["path"]: item for item in json.loads(Path(manifest).read_bytes())["files"]}
    expected = {path for path in listed if path.startswith(tuple(f"{volume}/" for volume in volumes))}
    found = {path for volume in volumes for path in _paths(volume)}
    for path in sorted(expected ^ found):
        return path
    return next((path for path in sorted(found) if not _same(path, listed[path])), "")


def _paths(directory: str) -> Iterator[str]:
    """Yield the path of everything below the directory but directories."""
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _paths(entry.path)
            else:
                yield entry.path


def _same(path: str, item: Mapping[str, str]) -> bool:
    mode = os.lstat(path).st_mode
    if "link" in item:
        return stat.S_ISLNK(mode) and os.readlink(path) == item["link"]  # noqa: PTH115 - a Path would tidy it
    if not stat.S_ISREG(mode) or stat.S_IMODE(mode) != int(item["mode"], 8):
        return False
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == item["sha256"]


class Refusal(BaseHTTPRequestHandler):
    """Answers every request as the service does whose integrity failed."""

    timeout = TIMEOUT_S

    def _refuse(self) -> None:
        health = self.path == "/v1/health"
        content = json.dumps(HEALTH if health else PROBLEM).encode()
        self.send_response(503)
        self.send_header("Content-Type", "application/json" if health else "application/problem+json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _refuse


def refuse(arguments: Sequence[str]) -> None:
    """Answer at the address that gunicorn was to have (`--bind HOST:PORT`), until SIGTERM."""
    host, _, port = arguments[arguments.index("--bind") + 1].rpartition(":")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container has no default
    with ThreadingHTTPServer((host, int(port)), Refusal) as server:
        server.daemon_threads = True
        server.serve_forever()


def main() -> None:
    tcti = os.environ.get("TPM_TCTI", "")
    if tcti.startswith(TCTI):
        control = tcti.removeprefix(TCTI) + ".ctrl"
        try:
            reset(control)
        except (OSError, struct.error) as error:
            sys.exit(f"tpm-entry: the software TPM at {control} could not be reset: {error}")
    try:
        path = altered(MANIFEST, VOLUMES)
    except (OSError, ValueError, LookupError) as error:
        path = f"cannot compare: {error}"
    if path:
        print(f"tpm-entry: INTEGRITY FAILED, nothing of the volumes is run: {path!a}", file=sys.stderr, flush=True)
        refuse(sys.argv[1:])
        return
    os.execvp("python3", [*GUNICORN, "--worker-tmp-dir", "/dev/shm", *sys.argv[1:]])  # noqa: S108, S606


if __name__ == "__main__":
    main()
