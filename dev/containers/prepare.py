"""What compose.yaml mounts: secrets, the chain's genesis, the identity provider's pool, and the signed release.

Everything lies below one directory (var/compose, or EVPORTAL_COMPOSE_DIR) and is made once; what is there is never
replaced. Each secret is a file of its own that only the user of its container may read. `offline` is mounted nowhere:
in production it is another place.
"""

import hashlib
import os
import secrets
from pathlib import Path

from dev.chain.keys import KeyPair
from dev.chain.setup import write_genesis
from dev.cognito import Client, Pool
from dev.common.files import ensure_secret, replace
from dev.common.steps import StackError
from dev.containers.engine import Engine
from dev.parts.tpm_service import SCOPES
from dev.stack.chain import DEMO_PEOPLE
from dev.stack.layout import VAR, read_settings, write_settings
from dev.stack.master_key import ensure_recovery_key
from tpm.service.release import command as release_command
from tpm.service.release import release_key
from tpm.service.release.manifest import MANIFEST_FILE
from tpm.service.release.strict_json import ReleaseError

DIRECTORY = VAR / "compose"

# The users of the images (Dockerfile, tpm/Dockerfile, dev/containers/Dockerfile).
PORTAL, TOOLS, COGNITO, POSTGRES, REDIS = 10001, 10003, 10004, 10005, 10006
CHAIN_KEYS = ("producer", "owner", "active", "prune")
SHOW_MANIFEST = ("run", "--rm", "--network", "none", "--entrypoint", "cat", "evportal/tpm", "/release/manifest.json")


class Files:
    """The files of one deployment, below `directory`."""

    def __init__(self, directory: Path = DIRECTORY, *, project: str = "evportal", web_port: int | None = None) -> None:
        self.directory = directory.resolve()
        self.project = project
        self.web_port = web_port or int(os.environ.get("EVPORTAL_WEB_PORT", "8000"))
        self.secrets = self.directory / "secrets"
        self.passwords = self.directory / "passwords"  # of people; mounted nowhere
        self.pool = self.directory / "pool"
        self.release = self.directory / "release"
        self.ocpp_tls = self.directory / "ocpp_tls"  # empty: whoever has a certificate for the gateway puts it there
        self.genesis = self.directory / "genesis.json"
        self.environment = self.directory / "env"
        self.release_key = self.directory / "offline" / "release_key.pem"
        self.recovery_key = self.directory / "offline" / "ledger_recovery_key.pem"

    def prepare(self) -> None:
        """Make what is missing; raises StackError when we are not root, who alone can give files to other users."""
        if os.geteuid() != 0:
            raise StackError("Giving each secret to the user of its container needs root.")
        own = (self.secrets, self.passwords, self.pool, self.release, self.ocpp_tls, self.release_key.parent)
        for directory in own:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.chown(self.ocpp_tls, PORTAL, PORTAL)
        self.release.chmod(0o755)  # mounted as a whole, and nothing in it is secret
        self._passwords()
        keys = {name: self._chain_key(name) for name in CHAIN_KEYS}
        if not self.genesis.exists():
            write_genesis(self.genesis, keys["producer"].public)
        client = self._portal_client()
        for user, name in ((PORTAL, "tpm_client_secret"), (TOOLS, "setup_tpm_client_secret")):
            self._secret(name, client.client_secret, user)
        login = self._login_client()
        self._secret("oidc_client_secret", login.client_secret, PORTAL)
        self._secret("ledger_recovery_public_key", ensure_recovery_key(self.recovery_key).read_text(), PORTAL)
        for name, group in DEMO_PEOPLE.items():
            self.person(name, group)
        self._settings(
            COMPOSE_PROJECT_NAME=self.project,
            EVPORTAL_COMPOSE_DIR=str(self.directory),
            EVPORTAL_TPM_CLIENT_ID=client.client_id,
            EVPORTAL_OIDC_CLIENT_ID=login.client_id,
            EVPORTAL_LEDGER_OWNER_KEY=keys["owner"].public,
            EVPORTAL_LEDGER_ACTIVE_KEY=keys["active"].public,
            EVPORTAL_LEDGER_PRUNE_KEY=keys["prune"].public,
        )

    def sign_release(self, engine: Engine) -> None:
        """Sign the manifest in the TPM service's image and approve it for PCR 8, as the owner of the release key would.

        Nothing happens when that very manifest is signed already; raises StackError.
        """
        text = engine.docker(*SHOW_MANIFEST)
        self._settings(EVPORTAL_TPM_RELEASE=hashlib.sha256(text.encode()).hexdigest()[:12])
        manifest = self.release / MANIFEST_FILE
        if manifest.exists() and manifest.read_text() == text:
            return
        manifest.write_text(text)
        try:
            if not self.release_key.exists():
                release_key.make_key(self.release_key)
        except ReleaseError as error:
            raise StackError(f"no release key: {error}") from error
        for command in ("sign", "approve"):
            if release_command.main([command, str(self.release), "--key", str(self.release_key)]) != 0:
                raise StackError(f"the release of the TPM service could not be made: {command}")
        public = release_key.public_path(self.release_key)
        (self.release / public.name).write_bytes(public.read_bytes())

    def _settings(self, **settings: str) -> None:
        head = "made by dev/containers/prepare.py, for docker-compose --env-file"
        write_settings(self.environment, head, {**read_settings(self.environment), **settings})

    def _passwords(self) -> None:
        """The passwords of database and cache, once in the form of the server and once in that of the portal."""
        database, redis = self._once("postgres_password", POSTGRES), self._once("redis_password", REDIS)
        self._secret("database_url", f"postgresql://evportal:{database}@postgres:5432/evportal", PORTAL)
        self._secret("redis.conf", f"requirepass {redis}\n", REDIS)
        self._secret("redis_url", f"redis://:{redis}@redis:6379/0", PORTAL)
        self._once("django_secret_key", PORTAL)
        self._once("django_secret_key_fallbacks", PORTAL, text="")  # the old one, while the key is changed
        self._once("email_password", PORTAL, text="")  # the mail server's: whoever has one writes it there

    def _once(self, name: str, user: int, *, text: str | None = None) -> str:
        """What is there, or else `text`, or else something random."""
        path = self.secrets / name
        if not path.exists():
            self._secret(name, secrets.token_hex(32) if text is None else text, user)
        return path.read_text()

    def _secret(self, name: str, text: str, user: int) -> None:
        path = self.secrets / name
        if not path.exists() or path.read_text() != text:
            replace(path, text)
        os.chown(path, user, user)

    def _chain_key(self, name: str) -> KeyPair:
        """One of the chain's keys; only the setup needs owner and active, and in production they are offline."""
        path = self.secrets / f"chain_{name}.json"
        pair = KeyPair.ensure(path)
        os.chown(path, TOOLS, TOOLS)
        return pair

    def _portal_client(self) -> Client:
        """The portal's app client in the pool, whose files belong to the identity provider."""
        client = Pool(self.pool).ensure_client("portal", SCOPES)
        self._give_pool()
        return client

    def _login_client(self) -> Client:
        """The app client through which people log in, at the host's address of web; made anew for each choice of it."""
        client = Pool(self.pool).ensure_login_client(f"http://127.0.0.1:{self.web_port}")
        self._give_pool()
        return client

    def person(self, name: str, group: str) -> str:
        """Somebody of the pool who can log in; returns the password, random at first, kept in `passwords`."""
        password = ensure_secret(self.passwords / name)
        Pool(self.pool).ensure_person(name, password, groups=[group])
        self._give_pool()
        return password

    def _give_pool(self) -> None:
        for path in (self.pool, *self.pool.iterdir()):
            os.chown(path, COGNITO, COGNITO)
