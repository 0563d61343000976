"""The real parts that several packages' tests share, each started once, and the people in the stories."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import TransactionTestCase
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import StaticFile

from accounts.models import User
from common.redis_guard import guard
from dev.chain.keys import KeyPair, new_keypair
from dev.chain.nodeos import Nodeos
from dev.chain.setup import bootstrap, write_genesis
from dev.cognito import Provider
from dev.common.processes import free_port, wait_until
from dev.parts.tpm_service import TpmStack
from ledger.chain.node import Chain, chain
from ledger.keys import data_keys
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.signals import sessions_closed
from tests import databases
from tests.browsers import chromium_started
from tests.enrolment import enrolled, use
from tests.environment import COGNITO, COGNITO_CLIENT, DIRECTORY, PREPARED
from tests.ledger.receipts.receipt_chain import recorded
from tpm.client import TpmClient

__all__ = ["recorded"]  # a fixture: two records on the chain

# How long an example takes says what else the machine does.
hypothesis_settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("untimed")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """A copy of what was migrated for all workers; where nothing was, it is migrated here.

    SQLite in a file, as in production: in memory its threads share one cache, with locks of another kind.
    """
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(DIRECTORY / "test.sqlite3")
        options = connection.settings_dict["OPTIONS"]  # nothing of a test has to survive a power cut
        options["init_command"] = options["init_command"].replace("synchronous=FULL", "synchronous=OFF")
    elif PREPARED is not None:
        connection.settings_dict["TEST"] |= {"TEMPLATE": databases.MIGRATED, "MIGRATE": False}


@pytest.fixture(autouse=True)
def redis_is_asked() -> None:
    """Whatever a test before did with its Redis, it is left alone no longer."""
    guard.quiet_until = 0.0


@pytest.fixture(scope="session", autouse=True)
def emptied_by_row() -> Iterator[None]:
    """After a test whose transactions ended, its rows are deleted, and no tables truncated."""
    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: databases.empty())
        yield


@pytest.fixture(scope="session", autouse=True)
def static_files_read_once() -> Iterator[None]:
    """Each test client makes the middleware anew, and WhiteNoise then looks at all static files: dearer than a page."""
    read, known = WhiteNoiseMiddleware.add_files_from_finders, dict[str, StaticFile]()

    def read_once(middleware: WhiteNoiseMiddleware) -> None:
        if not known:
            read(middleware)
            known.update(middleware.files)
        middleware.files.update(known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", read_once)
        yield


@pytest.fixture(autouse=True)
def english_afterwards() -> Iterator[None]:
    """A page in another language leaves that language active in its thread, until the next one comes."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def producer_key() -> KeyPair:
    return new_keypair()


@pytest.fixture(scope="session")
def chain_node(producer_key: KeyPair) -> Iterator[Nodeos]:
    """A producing nodeos with a chain of its own, for all tests."""
    genesis = DIRECTORY / "chain" / "genesis.json"
    write_genesis(genesis, producer_key.public)
    # One key of the TPM stands in many tests' accounts: only the second node tells that.
    silent = ["--enable-account-queries", "0"]
    directory = DIRECTORY / "chain" / "node"
    node = Nodeos(directory, free_port(), free_port(), genesis=genesis, producer=producer_key, extra_args=silent)
    node.start()
    yield node
    node.stop()


@pytest.fixture(scope="session")
def second_node(chain_node: Nodeos) -> Iterator[Nodeos]:
    """A read-only nodeos that follows the producer."""
    directory = DIRECTORY / "chain" / "second"
    peers = [chain_node.p2p_address]
    node = Nodeos(directory, free_port(), free_port(), genesis=chain_node.genesis, producer=None, peers=peers)
    node.start()
    yield node
    node.stop()


@pytest.fixture(autouse=True)
def the_second_node_follows(request: pytest.FixtureRequest) -> None:
    """On a machine that is full a follower may lose its peer and stay behind; then it is started anew before a test."""
    if "second_node" not in request.fixturenames:
        return
    producer: Nodeos = request.getfixturevalue("chain_node")
    follower: Nodeos = request.getfixturevalue("second_node")
    wanted = int(producer.info()["head_block_num"])
    if not wait_until(lambda: int(follower.info()["head_block_num"]) >= wanted, timeout_s=30):
        follower.stop()
        follower.start()


@pytest.fixture(scope="session")
def tpm_stack() -> Iterator[TpmStack]:
    stack = TpmStack(DIRECTORY / "tpm")
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def tpm_client(tpm_stack: TpmStack) -> TpmClient:
    return tpm_stack.client()


@pytest.fixture(scope="session")
def cognito() -> Iterator[Provider]:
    """The identity provider of the portal's settings, with the test client's addresses allowed."""
    allow_addresses("http://testserver")
    COGNITO.start()
    yield COGNITO
    COGNITO.stop()


def allow_addresses(*bases: str) -> None:
    """Let people come back from the provider to a portal at these addresses only."""
    COGNITO.pool.ensure_client(
        COGNITO_CLIENT.name,
        COGNITO_CLIENT.scopes,
        callback_urls=[f"{base}/login/callback" for base in bases],
        logout_urls=[f"{base}/login" for base in bases],
    )


@pytest.fixture(scope="session")
def account_names() -> Iterator[str]:
    return (f"evledger.{''.join(letters)}" for letters in itertools.product("abcdefgh", repeat=3))


ACCOUNTS_AT_ONCE = 6


@dataclass
class ReadyAccounts:
    """Accounts with contract and permissions, made some at a time: one has to wait for its block as long as many."""

    node: Nodeos
    producer_key: KeyPair
    names: Iterator[str]
    record_key: str = ""
    ready: list[tuple[str, KeyPair, KeyPair]] = field(default_factory=list)

    def take(self, record_key: str) -> tuple[str, KeyPair, KeyPair]:
        """Name, owner and active key of one that nobody used, and whose permission `record` has this key."""
        if self.record_key != record_key:
            self.record_key, self.ready = record_key, []
        if not self.ready:
            made = [(next(self.names), new_keypair(), new_keypair()) for _ in range(ACCOUNTS_AT_ONCE)]
            for number, (name, owner, active) in enumerate(made, start=1):
                bootstrap(
                    self.node.url,
                    producer_key=self.producer_key,
                    owner_key=owner,
                    active_key=active,
                    record_public_key=record_key,
                    account=name,
                    wait=number == ACCOUNTS_AT_ONCE,
                )
            self.ready = made
        return self.ready.pop(0)


@pytest.fixture(scope="session")
def ready_accounts(chain_node: Nodeos, producer_key: KeyPair, account_names: Iterator[str]) -> ReadyAccounts:
    return ReadyAccounts(chain_node, producer_key, account_names)


@dataclass
class LedgerAccount:
    """One test's own account with the contract; its `record` permission is the TPM's key `key_name`."""

    name: str
    key_name: str
    owner: KeyPair
    active: KeyPair
    producer: KeyPair
    node: Nodeos
    tpm: TpmStack

    @property
    def chain(self) -> Chain:
        return chain()


@pytest.fixture
def ledger_account(
    chain_node: Nodeos,
    producer_key: KeyPair,
    tpm_stack: TpmStack,
    tpm_client: TpmClient,
    ready_accounts: ReadyAccounts,
    settings: Settings,
    tmp_path: Path,
) -> LedgerAccount:
    """A chain account of the test's own, with real contract and TPM key, and the portal's settings for it.

    The TPM service is enrolled and attested, and the key certified: else nothing would be signed.
    """
    name, owner, active = ready_accounts.take(tpm_client.key_create("ledger").public_key_eosio)
    settings.LEDGER_NODES = [chain_node.url]
    settings.LEDGER_CHAIN_ID = chain_node.info()["chain_id"]
    settings.LEDGER_ACCOUNT = name
    settings.LEDGER_KEY = "ledger"
    settings.LEDGER_OWNER_KEY, settings.LEDGER_ACTIVE_KEY = owner.public, active.public
    settings.LEDGER_MASTER_KEY_FILE = tmp_path / "master_keys"
    use(tpm_stack, settings)
    enrolled(tpm_stack, keys=["ledger"])
    data_keys.keyring()  # as after `ledger_keys seal`: the first master key is sealed
    return LedgerAccount(name, "ledger", owner, active, producer_key, chain_node, tpm_stack)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with chromium_started() as browser:
        yield browser


# --- people and their sessions


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def other_customer(db: None) -> User:
    return User.objects.create_user("ben")


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(code="S1", name="Harbour office", country="DEU", time_zone="Europe/Berlin")


@pytest.fixture
def connector(site: Site) -> Connector:
    station = Station.objects.create(site=site, identity="CP-HARBOUR-1")
    return Connector.objects.create(station=station, max_power_w=22_000)


@pytest.fixture
def id_token(owner: User) -> IdToken:
    return IdToken.objects.create(uid="04A2B3C4D5E680", customer=owner)


METER_START_WH = 41_234_567
# Under it 7,780 Wh cost 3.12 EUR.
TARIFF = {
    "id": "HARBOUR",
    "name": "Harbour tariff",
    "currency": "EUR",
    "price_per_kwh": "0.2725",
    "price_per_session": "1",
    "vat_percent": "19",
}
# What a meter may have signed of a charge, and of what its cost is made: records of the second format have it.
SIGNED: dict[str, object] = {
    "signed_meter_values": [
        {"format": "ALFEN", "encoding": "plain", "context": "Transaction.Begin", "text": "AP;0;3;ALCV3Ä;BIHAAA==;"},
        {"format": "ALFEN", "encoding": "plain", "text": "AP;1;3;ALCV3Ä;BIHAAB==;"},
    ],
    "signed_verdict": "NOT CHECKED",
    "signed_reason": "format_not_checked",
    "meter_public_key": "3059301306072a8648ce3d020106082a8648ce3d030107034200",
    "cost_lines": [
        {"kind": "ENERGY", "quantity": 7_780, "unit": "Wh", "price": "0.40", "amount_minor": 311, "element": 0},
        {"kind": "FLAT", "quantity": 1, "unit": "session", "price": "0.01", "vat_percent": "19", "amount_minor": 1},
    ],
}
CloseSessions = Callable[..., list[ChargingSession]]


@pytest.fixture
def close_sessions(connector: Connector, id_token: IdToken) -> CloseSessions:
    """Close `count` finished sessions at once, as an import does; the ledger hears of them."""
    numbers = itertools.count(1)

    def close(
        count: int = 1,
        *,
        token: IdToken | None = id_token,
        energy_wh: int = 7_780,
        cost_minor: int = 312,
        tariff: dict[str, str] | None = None,
        **columns: object,
    ) -> list[ChargingSession]:
        from django.db import transaction

        site, started_at = connector.station.site, datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
        sessions = [
            ChargingSession(
                station=connector.station,
                connector=connector,
                transaction_id=f"T{next(numbers)}",
                id_token=token,
                customer=token.customer if token else None,
                location={"id": site.code, "name": site.name, "country": site.country, "time_zone": site.time_zone},
                status=ChargingSession.Status.COMPLETED,
                started_at=started_at + timedelta(hours=number),
                stopped_at=started_at + timedelta(hours=number, minutes=45),
                meter_start_wh=METER_START_WH,
                meter_stop_wh=METER_START_WH + energy_wh,
                energy_wh=energy_wh,
                cost_minor=cost_minor,
                currency="EUR",
                tariff=tariff or {},
                stop_reason="EVDisconnected",
                source=ChargingSession.Source.STATION,
                **columns,
            )
            for number in range(count)
        ]
        with transaction.atomic():
            ChargingSession.objects.bulk_create(sessions)
            sessions_closed.send(sender=ChargingSession, sessions=sessions)
        return sessions

    return close


assert django_settings.LEDGER_FLUSH_AT  # the settings could be read: everything else would fail obscurely
