"""A Redis of our own on 127.0.0.1, for the development stack, the tests and the bench.

`python -m dev.parts.redis run --dir DIR --port N` runs it in the foreground; `Redis` runs it as a child process.

Debian's package redis-server starts a service with the machine. The same program lies in redis-tools, which starts
none: redis-check-rdb is redis-server, it looks at the name by which it was called.
"""

import argparse
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from dev.common.processes import ProcessError, Server
from dev.common.steps import run


def command(directory: Path, port: int, *, appendonly: bool) -> list[str]:
    """Return the command line of a Redis that keeps its data in `directory`; raises ProcessError when there is none."""
    return [
        str(_program(directory)),
        *("--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory.resolve())),
        *("--appendonly", "yes" if appendonly else "no", "--save", ""),
    ]


def _program(directory: Path) -> Path:
    """Return redis-server, or a link of that name to redis-check-rdb."""
    server = shutil.which("redis-server")
    if server:
        return Path(server)
    check = shutil.which("redis-check-rdb")
    if check is None:
        raise ProcessError("redis: expected redis-server or redis-check-rdb on PATH (Debian package redis-tools)")
    link = directory.resolve() / "redis-server"
    link.unlink(missing_ok=True)
    link.symlink_to(check)
    return link


class Redis(Server):
    """Its log is redis.log in `directory`. With `appendonly` its data survive kill(), but for a power cut's second."""

    ready_timeout_s = 30.0  # a large append-only file is read before it answers

    def __init__(self, directory: Path, port: int, *, appendonly: bool = True) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        super().__init__("redis", command(directory, port, appendonly=appendonly), log=directory / "redis.log")
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"

    def ready(self) -> bool:
        """It accepts connections before it has read its data, and answers `LOADING` until then."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7).startswith(b"+PONG")
        return False


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.parts.redis", description="A Redis of our own.")
    serve = parser.add_subparsers(required=True).add_parser("run", help="serve in the foreground until SIGTERM")
    serve.add_argument("--dir", type=Path, required=True, help="directory of its data; made when it is missing")
    serve.add_argument("--port", type=int, required=True, help="port of 127.0.0.1")
    options = parser.parse_args(arguments)
    options.dir.mkdir(parents=True, exist_ok=True)
    argv = command(options.dir, options.port, appendonly=True)
    os.execv(argv[0], argv)  # noqa: S606 - fixed arguments, and no shell is wanted between the Procfile and Redis


if __name__ == "__main__":
    run(main, ProcessError)
