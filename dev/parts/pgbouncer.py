"""A PgBouncer of our own on 127.0.0.1, in front of a PostgreSQL, for tests."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from dev.common.processes import ProcessError, Server, free_port, port_open
from dev.parts.postgres import NOBODY, unprivileged

INSTALLED = "/usr/sbin/pgbouncer"  # not on everybody's PATH


class PgBouncer(Server):
    """`pooling` is `session` or `transaction`; two server connections for however many clients there are."""

    ready_timeout_s = 30.0

    def __init__(self, directory: Path, server_url: str, *, pooling: str) -> None:
        program = shutil.which("pgbouncer") or INSTALLED
        if not Path(program).exists():
            raise ProcessError("pgbouncer: expected it on PATH or in /usr/sbin (Debian package pgbouncer)")
        server, self.port = urlsplit(server_url), free_port()
        self.url = server_url.replace(f":{server.port}/", f":{self.port}/")
        directory.mkdir(parents=True, exist_ok=True)
        users, settings = directory / "users", directory / "pgbouncer.ini"
        users.write_text(f'"{server.username}" "{server.password}"\n')
        settings.write_text(
            f"""[databases]
* = host={server.hostname} port={server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {pooling}
default_pool_size = {20 if pooling == "session" else 2}
"""
        )
        prefix = unprivileged()  # it refuses to run as root, too
        if prefix == NOBODY:
            for path in (directory, users, settings):
                shutil.chown(path, "nobody", "nogroup")
        super().__init__("pgbouncer", [*prefix, program, str(settings)], log=directory / "pgbouncer.log")

    def ready(self) -> bool:
        return port_open(self.port)
