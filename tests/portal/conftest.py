"""Sessions of each ledger state, and the three readers: the owner, another customer, a stranger."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import ApiClient, ApiToken, Erasure, SignIn, User
from accounts.privacy.access_log import Look, access_note
from ledger.alerts import alert_raise
from ledger.models import (
    ChainTransaction,
    KeyRotation,
    LedgerEntry,
    SigningKey,
    StatementMail,
    Webhook,
    WebhookDelivery,
)
from ledger.models.audits import AuditRun
from stations.cards.linking import link_code_make
from stations.models import (
    ChargingSession,
    CustomerGroup,
    FlatRate,
    IdToken,
    MeterValue,
    OcpiPartner,
    OcppMessage,
    PriceAgreement,
    SetAside,
    StatementDelivery,
    StatementRecipient,
    StationEvent,
    StationRefusal,
    StationVariable,
    Tariff,
    Vehicle,
    YearChoice,
)
from stations.models.imports import ImportMapping, ImportRun
from stations.models.load import LimitedOutlet, SiteLimit
from stations.models.metering import MeterPublicKey
from tests.conftest import CloseSessions
from tests.people import log_in
from tests.stations.certificates.asking import certified
from tests.stations.commands.rows import asked

PUBLIC_KEY = "PUB_R1_5hqxvq61zQUuuQPGCfPsbhArQZjgs6wgZtST4b1WY46BoiZHnS"
CHAIN_ID = "c" * 64

MakeTransaction = Callable[..., ChainTransaction]
MakeSession = Callable[..., ChargingSession]


@pytest.fixture(autouse=True)
def no_chain(settings: Settings) -> None:
    """These pages must stand with every node away; the tests that ask the chain set their own nodes."""
    settings.LEDGER_NODES = ["http://127.0.0.1:9", "http://127.0.0.1:10"]
    settings.LEDGER_CHAIN_ID = CHAIN_ID


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    log_in(client, owner)
    return client


@pytest.fixture
def other_browser(other_customer: User) -> Client:
    client = Client()
    log_in(client, other_customer)
    return client


@pytest.fixture
def staff_browser(db: None) -> Client:
    client = Client()
    log_in(client, User.objects.create_user("olga", is_staff=True, is_superuser=True))
    return client


@pytest.fixture
def make_transaction(db: None) -> MakeTransaction:
    def make(status: str, **fields: object) -> ChainTransaction:
        number = ChainTransaction.objects.count() + 1
        stored = {"packed": b"\x00", "transaction_id": f"{number:064x}", "expires_at": timezone.now()}
        keys = {"signature": "SIG_R1_" + "K" * 94, "public_key": PUBLIC_KEY}
        return ChainTransaction.objects.create(status=status, **{**stored, **keys, **fields})

    return make


@pytest.fixture
def make_session(close_sessions: CloseSessions, make_transaction: MakeTransaction) -> MakeSession:
    """One closed session; `status` of its transaction (None: no transaction yet), other names are the transaction's."""

    def make(status: str | None = "IRREVERSIBLE", *, energy_wh: int = 7_780, **fields: object) -> ChargingSession:
        (session,) = close_sessions(energy_wh=energy_wh)
        if status:
            if status == "IRREVERSIBLE":
                moment = datetime(2026, 3, 1, 8, 45, 7, tzinfo=UTC)
                fields = {
                    "block_num": 1_234_567,
                    "block_id": "0012d687" + "ab" * 28,
                    "irreversible_at": moment,
                } | fields
            LedgerEntry.objects.filter(session=session).update(transaction=make_transaction(status, **fields))
        return session

    return make


@pytest.fixture
def opened_ago() -> Callable[[ChargingSession, timedelta], None]:
    def set_opened(session: ChargingSession, age: timedelta) -> None:
        LedgerEntry.objects.filter(session=session).update(opened_at=timezone.now() - age)

    return set_opened


def vehicle_rows(owner: User) -> None:
    vehicle = Vehicle.objects.create(owner=owner, name="Van", plate="B-EV 1")
    FlatRate.objects.create(year=2027, price_per_kwh="0.35", source="a test")
    tariff = Tariff.objects.create(code="FLEET", name="Fleet")
    PriceAgreement.objects.create(tariff=tariff, group=CustomerGroup.objects.create(name="Harbour Ltd."))
    YearChoice.objects.create(user=owner, year=2026, basis="CONTRACT")
    recipient = StatementRecipient.objects.create(
        user=owner, vehicle=vehicle, address="boss@example.org", language="en"
    )
    StatementDelivery.objects.create(recipient=recipient, first_day=date(2026, 3, 1))


@pytest.fixture
def everything(make_session: MakeSession) -> ChargingSession:
    session = make_session()
    assert session.customer is not None
    SignIn.objects.create(user=session.customer, outcome=SignIn.Outcome.LOGGED_IN)
    MeterValue.objects.create(session=session, sampled_at=session.started_at, value=1000)
    alert_raise("ram", "evledger", "account evledger has insufficient ram")
    access_note(viewer="partner ABC", customer=session.customer, what=Look.API)
    SetAside.objects.create(
        station=session.station, kind=SetAside.Kind.VALUE, subject="unit 'Furlong'", reason="no unit"
    )
    OcppMessage.objects.create(
        **{"station": session.station, "session": session, "at": session.started_at, "action": "StartTransaction"},
        **{
            "direction": "IN",
            "kind": "CALL",
            "message_id": "1",
            "text": '[2,"1","StartTransaction",{"connectorId":1}]',
        },
    )
    certified(session.station)
    asked(session)
    StationRefusal.objects.create(identity="CP-STRANGE", reason="UNKNOWN", count=2, address="192.0.2.7")
    StationEvent.objects.create(station=session.station, kind="STATUS", severity="WARNING", words="GroundFailure")
    StationVariable.objects.create(station=session.station, variable="HeartbeatInterval", value="300")
    ImportRun.objects.create(file_name="january.csv", sha256="0" * 64, size=1, time_zone="UTC")
    ImportMapping.objects.create(name="wallbox", columns={"started": "From", "stopped": "Until", "energy": "kWh"})
    vehicle_rows(session.customer)
    Tariff.objects.create(code="T1", name="Day")
    SiteLimit.objects.create(site=session.station.site, amperes=32)
    LimitedOutlet.objects.create(station=session.station, evse_id=1)
    MeterPublicKey.objects.create(station=session.station, public_key="3059", curve="secp256r1", source="SEEN")
    OcpiPartner.objects.create(name="Eight volts", country_code="DE", party_id="8AC")
    ApiClient.objects.create(client_id="abc", name="fleet")
    ApiToken.objects.create(
        user=session.customer, name="mine", digest="d" * 64, hint="evp_1", expires_at=timezone.now()
    )
    webhook = Webhook.objects.create(user=session.customer, url="https://example.org/hook", secret="sealed")
    WebhookDelivery.objects.create(webhook=webhook, event=WebhookDelivery.Event.values[0], body="{}")
    StatementMail.objects.create(user=session.customer, first_day=date(2026, 3, 1), monthly=True, language="en")
    link_code_make(id_token=IdToken.objects.create(uid="04NEW"), made_by=None)
    Erasure.objects.create(customer=User.objects.create_user("erased-0"), pseudonym="erased-0")
    AuditRun.objects.create(kind=AuditRun.Kind.COMMAND, finished_at=timezone.now())
    old = SigningKey.objects.create(name="ledger")
    KeyRotation.objects.create(old=old, new=SigningKey.objects.create(name="ledger-2", status="COMING"))
    return session
