"""An address that gets a vehicle's statements: asked first, sent to once it said yes, never after a no."""

import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from common import clock
from portal.employer import recipients, sending
from portal.employer.recipients import token_of
from stations.models import StatementDelivery, StatementRecipient, Vehicle
from tests.portal.employer.test_vehicle_statements import RecordThem, record_them, van
from tests.portal.statements.statement_sessions import Charge, charge

__all__ = ["charge", "record_them", "van"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)
IN_APRIL = datetime(2026, 4, 3, 8, 0, tzinfo=UTC)
BOSS = "boss@example.org"


@pytest.fixture(autouse=True)
def public(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PUBLIC_URL = "https://portal.example"
    monkeypatch.setattr(recipients, "announce", lambda *arguments: None)


@pytest.fixture
def recipient(van: Vehicle) -> StatementRecipient:
    """Who said yes in March."""
    asked = recipients.recipient_ask(vehicle=van, address=BOSS, home_only=False)
    StatementDelivery.objects.update(sent_at=MARCH)
    StatementRecipient.objects.update(confirmed_at=MARCH)
    asked.refresh_from_db()
    return asked


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)
    monkeypatch.setattr(timezone, "now", lambda: moment)


def send_all() -> list[mail.EmailMessage]:
    StatementDelivery.objects.update(retry_at=clock.now() - timedelta(seconds=1))
    before = len(mail.outbox)
    for pk in sending.deliveries_due().values_list("pk", flat=True):
        sending.delivery_send(delivery_id=pk)
    return mail.outbox[before:]


def test_an_address_is_asked_and_says_yes_behind_its_link(browser: Client, van: Vehicle, charge: Charge) -> None:
    charge(MARCH)
    path = f"/vehicles/{van.pk}/statements/all"
    assert browser.post(f"{path}/recipient", {"address": "no address"}).status_code == 400
    assert browser.post(f"{path}/recipient", {"address": BOSS}).status_code == 302
    assert "has not said yes yet" in browser.get(path).content.decode()
    (question,) = send_all()
    assert question.to == [BOSS] and not question.attachments
    found = re.search(r"https://portal\.example(/statements/for/\S+)", str(question.body))
    assert found
    stranger = Client()
    assert "Yes, send them" in stranger.get(found[1]).content.decode()
    assert StatementRecipient.objects.get().confirmed_at is None, "a look is no answer"
    assert stranger.post(found[1], {"answer": "yes"}).status_code == 302
    assert StatementRecipient.objects.get().confirmed_at
    assert "is sent to" in browser.get(path).content.decode()
    assert stranger.post(found[1], {"answer": "no"}).status_code == 302
    assert StatementRecipient.objects.get().stopped_at
    assert Client().get("/statements/for/x").status_code == 404
    assert Client().post(found[1][:-1] + "x", {"answer": "yes"}).status_code == 404


def test_a_month_is_sent_once_when_it_is_over(
    recipient: StatementRecipient, charge: Charge, record_them: RecordThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    record_them()
    at(monkeypatch, datetime(2026, 3, 31, 12, 0, tzinfo=UTC))
    assert recipients.deliveries_open() == 0
    at(monkeypatch, IN_APRIL)
    assert recipients.deliveries_open() == 1
    assert recipients.deliveries_open() == 0
    (message,) = send_all()
    assert message.to == [BOSS] and "March 2026" in message.subject
    names = [attachment[0] for attachment in message.attachments]
    assert [name.rpartition(".")[2] for name in names] == ["pdf", "zip"]
    zipped = zipfile.ZipFile(io.BytesIO(message.attachments[1][1]))
    index = json.loads(zipped.read("statement.json"))
    assert index["document_number"] == StatementDelivery.objects.exclude(number="").get().number
    assert index["document_number"] in str(message.body)
    assert send_all() == []


def test_a_month_waits_for_its_receipts(
    recipient: StatementRecipient, charge: Charge, record_them: RecordThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    at(monkeypatch, IN_APRIL)
    recipients.deliveries_open()
    assert send_all() == []
    assert "no receipt yet" in StatementDelivery.objects.exclude(first_day=None).get().error
    record_them()
    assert len(send_all()) == 1


def test_nothing_goes_to_who_said_no_or_never_answered(
    recipient: StatementRecipient, charge: Charge, record_them: RecordThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    record_them()
    at(monkeypatch, IN_APRIL)
    recipients.deliveries_open()
    recipients.recipient_stop(recipient=recipient)
    assert send_all() == []
    recipients.recipient_ask(vehicle=recipient.vehicle, address="other@example.org", home_only=False)
    assert recipients.deliveries_open() == 0
    assert recipients.recipient_of(token_of(recipient)) is None, "the link of another address"
    assert [message.to for message in send_all()] == [["other@example.org"]]


def test_an_account_asks_few_addresses_a_day(van: Vehicle) -> None:
    for number in range(recipients.QUESTIONS_A_DAY):
        recipients.recipient_ask(vehicle=van, address=f"a{number}@example.org", home_only=True)
    with pytest.raises(recipients.RecipientRefusedError):
        recipients.recipient_ask(vehicle=van, address=BOSS, home_only=True)


def test_a_mail_server_that_refuses_is_tried_again(
    recipient: StatementRecipient, charge: Charge, record_them: RecordThem, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    record_them()
    at(monkeypatch, IN_APRIL)
    recipients.deliveries_open()

    def refuse(message: mail.EmailMessage) -> int:
        raise ConnectionRefusedError("no server")

    with monkeypatch.context() as patched:
        patched.setattr(mail.EmailMessage, "send", refuse)
        assert send_all() == []
    assert StatementDelivery.objects.exclude(first_day=None).get().error == "no server"
    assert len(send_all()) == 1
