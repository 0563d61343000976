"""Statements by e-mail, through a real mail server: asked for, by themselves, once, and again when it fails."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from ledger.models import Alert, StatementMail, StatementSubscription
from portal.statements import mail as mailing
from portal.statements import sending, tasks
from tests.ledger.smtp_server import SmtpServer, smtp_server
from tests.portal.statements.statement_sessions import Charge, charge
from tests.portal.statements.test_statements import page, read

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def server(settings: Settings) -> Iterator[SmtpServer]:
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        yield server


@pytest.fixture(autouse=True)
def address(owner: User) -> str:
    owner.email = "anna@example.org"
    owner.save()
    return owner.email


@pytest.fixture
def march_is_over(monkeypatch: pytest.MonkeyPatch, owner: User) -> None:
    """It is 2 April 2026, 00:30 in Berlin; Anna wants her statements since March."""
    now = datetime(2026, 4, 1, 22, 30, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    StatementSubscription.objects.create(user=owner, language="de", since=MARCH)


def ask(browser: Client, month: str = "2026-03", status: int = 302) -> None:
    assert browser.post(f"/statements/{month}/mail").status_code == status


def sweep() -> None:
    """What the beat's task finds is sent here and now."""
    for mail_id in sending.statement_mails_due().values_list("pk", flat=True):
        tasks.statement_mail(mail_id)


def make_due() -> None:
    StatementMail.objects.update(retry_at=timezone.now() - timedelta(seconds=1))


@pytest.fixture
def plain_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of the way, not of what goes it: making a real paper many times takes its time."""
    monkeypatch.setattr(sending, "statement_pdf", lambda *, statement: b"%PDF-1.7")


# --- asked for


def test_a_statement_that_is_asked_for_arrives_as_pdf(browser: Client, server: SmtpServer, charge: Charge) -> None:
    charge(MARCH)
    ask(browser)
    assert "Being sent" in page(browser)
    sweep()
    (message,) = server.messages
    assert message["To"] == "anna@example.org"
    assert message["Subject"] == "Your charging statement for March 2026"
    body = message.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    assert "Energy: 7.78 kWh\nCost: 3.12 EUR\nSessions: 1" in text.replace("\r\n", "\n")
    assert "://" not in text
    (attached,) = message.iter_attachments()
    assert attached.get_filename() == "evportal-statement-2026-03.pdf"
    assert "Statement March 2026" in read(attached.get_content())
    assert "Sent to anna@example.org on" in page(browser)


def test_a_button_pressed_twice_sends_once_and_later_again(
    browser: Client, plain_paper: None, server: SmtpServer, charge: Charge
) -> None:
    charge(MARCH)
    ask(browser)
    ask(browser)
    sweep()
    sweep()
    assert len(server.messages) == 1
    ask(browser)  # it was lost
    sweep()
    assert len(server.messages) == 2


def test_without_a_verified_address_nothing_is_sent(
    browser: Client, owner: User, server: SmtpServer, charge: Charge
) -> None:
    charge(MARCH)
    ask(browser)
    owner.email = ""  # what the login writes when the provider has not verified it
    owner.save()
    text = page(browser)
    assert "Send by e-mail" not in text
    assert "confirmed e-mail address" in text
    sweep()
    assert server.recipients == []
    assert StatementMail.objects.get().given_up_at
    ask(browser, status=409)


def test_somebody_who_asks_again_and_again_is_told_to_stop(
    browser: Client, plain_paper: None, charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailing, "REQUESTS_A_DAY", 2)
    charge(MARCH)
    for _ in range(2):
        ask(browser)
        sweep()
    ask(browser, status=409)


@pytest.mark.parametrize("month", ["2026-02", "2026", "2026-13"])
def test_only_months_with_sessions_can_be_asked_for(browser: Client, charge: Charge, month: str) -> None:
    charge(MARCH)
    ask(browser, month, status=404)
    assert browser.get("/statements/2026-03/mail").status_code == 405
    assert not StatementMail.objects.exists()


# --- a mail server that fails


def test_a_server_that_fails_is_tried_again_and_everybody_is_told(
    browser: Client, plain_paper: None, server: SmtpServer, charge: Charge
) -> None:
    charge(MARCH)
    ask(browser)
    server.refusal = "451 try later"
    sweep()
    mail = StatementMail.objects.get()
    assert (mail.attempts, mail.sent_at) == (1, None)
    assert mail.retry_at > timezone.now() + timedelta(minutes=4)
    assert "451" in mail.error
    assert "Not sent yet" in page(browser)
    assert Alert.objects.filter(code="statement_mail", closed_at__isnull=True).exists()
    sweep()
    assert len(server.recipients) == 1, "not before its time"
    server.refusal = ""
    make_due()
    sweep()
    assert len(server.messages) == 1
    assert "Sent to anna@example.org" in page(browser)
    assert not Alert.objects.filter(code="statement_mail", closed_at__isnull=True).exists()


def test_no_server_at_all_is_tried_ten_times_then_given_up(
    browser: Client, plain_paper: None, settings: Settings, charge: Charge
) -> None:
    charge(MARCH)
    settings.EMAIL_PORT = 9
    ask(browser)
    pauses = []
    for _ in range(sending.ATTEMPTS):
        make_due()
        sweep()
        pauses.append(round((StatementMail.objects.get().retry_at - timezone.now()).total_seconds() / 60))
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 360, 360, 360]  # minutes
    assert StatementMail.objects.get().given_up_at
    make_due()
    sweep()
    assert StatementMail.objects.get().attempts == sending.ATTEMPTS
    assert "Not sent" in page(browser)


def test_an_address_that_the_server_refuses_for_good_is_not_tried_again(
    browser: Client, plain_paper: None, server: SmtpServer, charge: Charge
) -> None:
    charge(MARCH)
    server.refusal = "550 no such mailbox"
    ask(browser)
    sweep()
    assert StatementMail.objects.get().given_up_at
    assert not Alert.objects.exists(), "it is the address, not the server"


def test_a_worker_that_was_killed_leaves_it_to_the_next(
    browser: Client, server: SmtpServer, charge: Charge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it made the paper: the attempt counts, nothing is lost, and the next has the same Message-ID."""
    charge(MARCH)
    ask(browser)

    def killed(**_: object) -> bytes:
        raise SystemExit

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(sending, "statement_pdf", killed)
        sweep()
    sweep()
    assert server.messages == []
    make_due()
    sweep()
    (message,) = server.messages
    mail = StatementMail.objects.get()
    assert mail.attempts == 2
    assert message["Message-ID"].startswith(f"<statement.{mail.pk}.2026-03@")


@pytest.mark.django_db(transaction=True)
def test_ten_workers_at_once_send_it_once(
    browser: Client, plain_paper: None, owner: User, server: SmtpServer, charge: Charge
) -> None:
    charge(MARCH)
    ask(browser)
    mail_id = StatementMail.objects.get().pk

    def work() -> None:
        try:
            sending.statement_mail_send(mail_id=mail_id)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(10)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(server.messages) == 1
    assert StatementMail.objects.get().attempts == 1


# --- by themselves


def test_the_setting_is_one_button_and_can_be_taken_back(browser: Client, owner: User, charge: Charge) -> None:
    charge(MARCH)
    assert "E-mail me each month" in page(browser)
    for wanted, exists in (("yes", True), ("yes", True), ("no", False), ("no", False)):
        assert browser.post("/statements/by-mail", {"wanted": wanted}).status_code == 302
        assert StatementSubscription.objects.filter(user=owner).exists() == exists
    browser.post("/statements/by-mail", {"wanted": "yes"})
    assert "Stop sending statements" in page(browser)


def test_each_month_comes_by_itself_once_in_the_language_that_was_chosen(
    charge: Charge, server: SmtpServer, march_is_over: None
) -> None:
    charge(MARCH)
    for _ in range(3):
        tasks.statement_mails_open()
        make_due()
        sweep()
    (message,) = server.messages
    assert "März 2026" in message["Subject"]
    assert StatementMail.objects.get().monthly


def test_it_waits_a_day_and_for_months_that_have_sessions_and_were_chosen(
    charge: Charge, server: SmtpServer, march_is_over: None, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks.statement_mails_open()
    assert not StatementMail.objects.exists(), "no session in March"
    charge(MARCH)
    with monkeypatch.context() as patch:
        patch.setattr(timezone, "now", lambda: datetime(2026, 4, 1, 21, 30, tzinfo=UTC))
        tasks.statement_mails_open()
    assert not StatementMail.objects.exists(), "1 April in Berlin: a charge over midnight may still run"
    StatementSubscription.objects.update(since=datetime(2026, 4, 1, tzinfo=UTC))
    tasks.statement_mails_open()
    assert not StatementMail.objects.exists(), "chosen after March was over"
    StatementSubscription.objects.update(since=MARCH)
    User.objects.update(is_active=False)
    tasks.statement_mails_open()
    assert not StatementMail.objects.exists(), "a disabled account gets nothing"
    User.objects.update(is_active=True)
    tasks.statement_mails_open()
    assert StatementMail.objects.count() == 1


def test_the_monthly_one_does_not_get_lost_behind_one_that_was_asked_for(
    browser: Client, charge: Charge, server: SmtpServer, march_is_over: None
) -> None:
    charge(MARCH)
    ask(browser)
    tasks.statement_mails_open()
    make_due()
    sweep()
    tasks.statement_mails_open()
    make_due()
    sweep()
    assert sorted(StatementMail.objects.values_list("monthly", flat=True)) == [False, True]
    assert len(server.messages) == 2


def test_without_a_mail_server_they_lie_in_files(
    browser: Client, settings: Settings, charge: Charge, tmp_path: Path
) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = tmp_path / "mail"
    charge(MARCH)
    ask(browser)
    sweep()
    (file,) = (tmp_path / "mail").iterdir()
    assert "Subject: Your charging statement for March 2026" in file.read_text()
