"""A private PostgreSQL cluster on a free port of 127.0.0.1, for tests and bench; never the machine's own.

PostgreSQL refuses to run as root. Where we are root it runs in a user namespace in which we are somebody else; where
namespaces are forbidden (a chroot, many containers), as the user `nobody`, who may reach our directory all the same.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from dev.common.processes import ProcessError, Server, free_port

INSTALLED = Path("/usr/lib/postgresql")  # Debian: /usr/lib/postgresql/15/bin
USER = "evportal"
DATABASE = "postgres"
SETUP_TIMEOUT_S = 60
NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
REACH = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]  # directories of root on the way are 0700
NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *REACH, "--"]
# nothing of a test has to survive a power cut
WITHOUT_DURABILITY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(name: str) -> str:
    """Return the path of a PostgreSQL server program, of the newest version installed; raises ProcessError."""
    found = sorted(INSTALLED.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise ProcessError(f"postgres: expected {name} below {INSTALLED} or on PATH (Debian package postgresql)")
    return path


def unprivileged() -> list[str]:
    """How to be somebody other than root here; nothing to do for anybody else."""
    if os.geteuid() != 0:
        return []
    possible = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0
    return NAMESPACE if possible else NOBODY


class Postgres(Server):
    """A cluster kept in `directory`, with one user and a random password. `durable` (for the bench): fsync stays on.

    It begins as a copy of `template`, a cluster that has stopped by then, with that one's password.
    """

    ready_timeout_s = 30.0

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        durable: bool = False,
        template: "Postgres | None" = None,
    ) -> None:
        self.directory = directory.resolve()
        self.port = port or free_port()
        self._data = self.directory / "data"
        self._password: Path = template._password if template else self.directory / "password"
        self._template = template
        self._settings = {} if durable else WITHOUT_DURABILITY
        # the setpriv in front would lose its effect when the user changes, so it stands behind that change
        super().__init__("postgres", [], log=self.directory / "postgres.log", die_with_parent=False)

    @property
    def url(self) -> str:
        """The address for EVPORTAL_DATABASE_URL; there is no password before the first start."""
        return f"postgresql://{USER}:{self._password.read_text()}@127.0.0.1:{self.port}/{DATABASE}"

    def choose_password(self) -> None:
        """Choose it, if that was not done: before the first start, for those who need the `url` earlier."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._password.exists():
            return
        with tempfile.NamedTemporaryFile("w", dir=self.directory) as chosen:  # mode 0600
            chosen.write(secrets.token_hex(24))
            chosen.flush()
            with suppress(FileExistsError):  # somebody else's, a moment earlier
                os.link(chosen.name, self._password)

    def discard(self) -> None:
        """Forget what was made, but for the password: the next start makes the cluster anew."""
        (self.directory / "complete").unlink(missing_ok=True)

    def start(self) -> None:
        """Make the cluster at first (1.5 s), start it, and return when it accepts connections; raises ProcessError."""
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        prefix = unprivileged()
        self._initialise(prefix)
        argv = [*prefix, "setpriv", "--pdeathsig", "KILL", "--", program("postgres"), "-D", str(self._data)]
        for name, value in (self._listen() | self._settings).items():
            argv += ["-c", f"{name}={value}"]
        self.argv = argv
        super().start()

    def stop(self, *, timeout_s: float = 10) -> None:
        """End it without waiting for its clients ("fast" shutdown); safe to call twice."""
        if self.alive:
            os.kill(self.pid, signal.SIGINT)
            super().stop(timeout_s=timeout_s)  # its SIGTERM ("smart": wait for clients) no longer counts then

    def _listen(self) -> dict[str, str]:
        return {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}

    def ready(self) -> bool:
        check = [program("pg_isready"), "--quiet", "--host", "127.0.0.1", "--port", str(self.port)]
        return subprocess.run(check, check=False).returncode == 0

    def _initialise(self, prefix: list[str]) -> None:
        if (self.directory / "complete").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        if self._template:
            self._give_away(prefix)
            # not shutil: owners stay
            subprocess.run(["cp", "--archive", str(self._template._data), str(self._data)], check=True)
            (self.directory / "complete").touch()
            return
        self.choose_password()
        self._give_away(prefix)
        argv = [*prefix, program("initdb"), "--pgdata", str(self._data), "--username", USER, "--encoding", "UTF8"]
        argv += ["--locale", "C.UTF-8", "--auth", "scram-sha-256", "--pwfile", str(self._password), "--no-sync"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SETUP_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise ProcessError(f"initdb: status {done.returncode}\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        (self.directory / "complete").touch()

    def _give_away(self, prefix: list[str]) -> None:
        if prefix == NOBODY:
            for path in (self.directory, self._password):
                shutil.chown(path, "nobody", "nogroup")
