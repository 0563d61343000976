"""A PostgreSQL server of the tests' own, on a Unix socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


def installed() -> bool:
    return bool(BINARIES)


class Postgres:
    """Started by pg_ctl as the user postgres where we are root, because the server refuses to run as root."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="evportal-pg-"))  # short: a socket's path has 107 characters
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.directory, "postgres", "postgres")

    def settings(self) -> dict[str, Any]:
        return {"NAME": "postgres", "USER": self.user, "HOST": str(self.directory), "PORT": "", "PASSWORD": ""}

    def start(self) -> None:
        data, log = self.directory / "data", self.directory / "log"
        self._run("initdb", "--pgdata", str(data), "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.directory} -c fsync=off"
        self._run("pg_ctl", "--pgdata", str(data), "--log", str(log), "--wait", "--options", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self.directory / "data"), "--mode", "immediate", "stop")
        shutil.rmtree(self.directory)

    def _run(self, name: str, *arguments: str) -> None:
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        command = [*(as_user if os.geteuid() == 0 else []), str(BINARIES[-1] / name), *arguments]
        # Output to nowhere: the server keeps pg_ctl's pipes open, and reading them to their end would never end.
        subprocess.run(command, check=True, timeout=60, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")
