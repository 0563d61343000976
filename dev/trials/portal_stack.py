"""The whole portal on free ports below one directory, real processes all: for chaos and bench, and to be thrown away.

Chain producer (and a follower), swtpm, identity provider, TPM service, Redis, database, Celery workers and beat. Every
part is a `Child`, so it can be stopped, killed and started again; ports and data stay the same.
"""

import io
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from dev.chain.keys import new_keypair
from dev.chain.setup import bootstrap, write_genesis
from dev.chain.transactions import ChainError, call
from dev.common.processes import Child, free_port
from dev.parts.postgres import Postgres
from dev.parts.redis import Redis
from dev.parts.tpm_service import ROOT, TpmStack
from dev.stack.master_key import ensure_recovery_key
from tpm.service.release.release_key import public_path

NODE_TIMEOUT_S = 120.0
KEY = "ledger"

Database = Literal["sqlite", "postgres"]


class Node(Child):
    """A nodeos with its supervisor (`python -m dev.chain.nodeos run`), which replays after an unclean end."""

    def __init__(self, directory: Path, *, genesis: Path, producer_key: Path | None, peers: Sequence[str] = ()) -> None:
        http, p2p = free_port(), free_port()
        self.url = f"http://127.0.0.1:{http}"
        self.p2p_address = f"127.0.0.1:{p2p}"
        argv = [
            sys.executable,
            "-m",
            "dev.chain.nodeos",
            "run",
            "--data-dir",
            str(directory),
            "--genesis",
            str(genesis),
        ]
        argv += ["--http-port", str(http), "--p2p-port", str(p2p)]
        argv += ["--producer-key", str(producer_key)] if producer_key else []
        argv += [word for peer in peers for word in ("--peer", peer)]
        super().__init__(directory.name, argv, log=directory.with_suffix(".log"), cwd=ROOT)

    def wait_answering(self) -> None:
        self.wait_ready(self.answers, timeout_s=NODE_TIMEOUT_S)

    def answers(self) -> bool:
        try:
            return bool(call(self.url, "chain/get_info")["head_block_num"] > 1)
        except ChainError:
            return False


class PortalStack:
    """`start()` brings up everything but the workers and beat: `worker.start()`, `webhooks.start()`, `beat.start()`.

    The directory's path must be short: it holds a Unix socket. `settings` are further EVPORTAL_ variables. `durable`
    keeps PostgreSQL's fsync on.
    """

    def __init__(
        self,
        directory: Path,
        *,
        database: Database = "postgres",
        durable: bool = False,
        follower: bool = False,
        concurrency: int = 2,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.settings = dict(settings or {})
        self.tpm = TpmStack(directory / "tpm")
        self.redis = Redis(directory / "redis", free_port())
        self.postgres = Postgres(directory / "postgres", durable=durable) if database == "postgres" else None
        self.keys = {name: new_keypair() for name in ("producer", "owner", "active")}
        self.keys["producer"].save(directory / "producer.json")
        genesis = directory / "genesis.json"
        write_genesis(genesis, self.keys["producer"].public)
        self.node = Node(directory / "node", genesis=genesis, producer_key=directory / "producer.json")
        peers = [self.node.p2p_address]
        second = directory / "follower"
        self.follower = Node(second, genesis=genesis, producer_key=None, peers=peers) if follower else None
        celery = [sys.executable, "-m", "celery", "-A", "evportal"]
        pool = ["--concurrency", str(concurrency), "--loglevel", "INFO"]
        signing = [*celery, "worker", "--exclude-queues", "webhooks", *pool]
        telling = [*celery, "worker", "--queues", "webhooks", "--hostname", "webhooks@%h", *pool]
        self.worker = Child("worker", signing, log=directory / "worker.log", cwd=ROOT)
        self.webhooks = Child("webhooks", telling, log=directory / "webhooks.log", cwd=ROOT)
        self.beat = Child("beat", [*celery, "beat", "--pidfile="], log=directory / "beat.log", cwd=ROOT)

    def start(self) -> None:
        """Start what workers and beat stand on, with key, contract and permissions; then `environment` is complete."""
        self.node.start()
        self.redis.start()
        if self.postgres:
            self.postgres.start()
        self.tpm.start()
        self.node.wait_answering()
        self.public_key = self.tpm.client().key_create(KEY, policy="release").public_key_eosio
        bootstrap(
            self.node.url,
            producer_key=self.keys["producer"],
            owner_key=self.keys["owner"],
            active_key=self.keys["active"],
            record_public_key=self.public_key,
        )
        if self.follower:
            self.follower.start()
            self.follower.wait_answering()
        self.worker.env = self.webhooks.env = self.beat.env = outer_environment() | self.environment()

    def stop(self) -> None:
        for child in (self.beat, self.webhooks, self.worker, self.follower, self.node):
            if child:
                child.stop()
        self.tpm.stop()
        self.redis.stop()
        if self.postgres:
            self.postgres.stop()

    def environment(self) -> dict[str, str]:
        """The portal's settings for this stack (evportal/settings.py)."""
        sqlite = f"sqlite:///{self.directory / 'portal.sqlite3'}"
        nodes = [node.url for node in (self.node, self.follower) if node]
        return {
            "EVPORTAL_ENV_FILE": os.devnull,
            "EVPORTAL_SECRET_KEY": secrets.token_hex(32),
            "EVPORTAL_DATABASE_URL": self.postgres.url if self.postgres else sqlite,
            "EVPORTAL_REDIS_URL": self.redis.url,
            "EVPORTAL_BEAT_SCHEDULE": str(self.directory / "beat-schedule"),
            "EVPORTAL_LEDGER_MASTER_KEY_FILE": str(self.directory / "master_keys"),
            "EVPORTAL_LEDGER_MASTER_KEY_POLICY": "release" if self.tpm.measured else "none",
            "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE": str(ensure_recovery_key(self.directory / "recovery_key.pem")),
            "EVPORTAL_LEDGER_NODES": ",".join(nodes),
            "EVPORTAL_LEDGER_CHAIN_ID": str(call(self.node.url, "chain/get_info")["chain_id"]),
            "EVPORTAL_LEDGER_KEY": KEY,
            "EVPORTAL_LEDGER_OWNER_KEY": self.keys["owner"].public,
            "EVPORTAL_LEDGER_ACTIVE_KEY": self.keys["active"].public,
            "EVPORTAL_TPM_SERVICE_URL": self.tpm.service_url,
            "EVPORTAL_TPM_TOKEN_URL": self.tpm.provider.token_url,
            "EVPORTAL_TPM_CLIENT_ID": self.tpm.portal.client_id,
            "EVPORTAL_TPM_CLIENT_SECRET": self.tpm.portal.client_secret,
            **self.settings,
        }

    def enter(self) -> None:
        """Make this process a part of the portal: settings, Django, tables. Models can be imported after it."""
        import django
        from django.core.management import call_command

        for name in set(os.environ) - set(outer_environment()):
            del os.environ[name]
        os.environ |= self.worker.env or {}
        os.environ["DJANGO_SETTINGS_MODULE"] = "evportal.settings"
        django.setup()
        call_command("migrate", verbosity=0)
        self._enrol_tpm()
        # Now: chaos may kill the TPM before the first session closes.
        call_command("ledger_keys", "seal", stdout=io.StringIO())

    def _enrol_tpm(self) -> None:
        from dev.stack.enrolment import ensure_attested, pins_of

        release_key = public_path(self.tpm.release_key) if self.tpm.measured else None
        ensure_attested(self.tpm.service_url, pins_of(self.tpm.swtpm.state_dir, release_key), keys=[KEY])

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start and enter; whatever happens, nothing runs afterwards."""
        try:
            self.start()
            self.enter()
            yield
        finally:
            self.stop()


def outer_environment() -> dict[str, str]:
    """Our environment without a developer's own settings of the portal."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EVPORTAL_")}
