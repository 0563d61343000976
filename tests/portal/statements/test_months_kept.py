"""Each charge is in one monthly statement for good: page, paper, file, API and mails agree, whatever happens later."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from ledger.models import StatementMail, StatementSubscription
from portal.statements import mail, monthly, sending, statements, tasks
from stations.cards.services import id_token_link
from stations.charging.corrections import Figures, session_correct
from stations.models import ChargingSession, Connector, IdToken
from tests.api.conftest import caller_for
from tests.ledger.smtp_server import SmtpServer, smtp_server
from tests.portal.statements.statement_sessions import Charge, charge
from tests.portal.statements.test_statements import page, read, rows

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

A = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)  # 1 November, 00:30, in Berlin
B = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
NEW_YORK = {"id": "NY", "name": "Hudson yard", "time_zone": "America/New_York"}


@pytest.fixture(autouse=True)
def server(settings: Settings, owner: User) -> Iterator[SmtpServer]:
    owner.email = "anna@example.org"
    owner.save()
    StatementSubscription.objects.create(user=owner, language="en", since=datetime(2026, 9, 1, tzinfo=UTC))
    with smtp_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        yield server


def on(monkeypatch: pytest.MonkeyPatch, day: datetime) -> None:
    """It is that day, and what is due by mail has come."""
    monkeypatch.setattr(timezone, "now", lambda: day)
    for _ in range(3):
        tasks.statement_mails_open()
        for mail_id in sending.statement_mails_due().values_list("pk", flat=True):
            tasks.statement_mail(mail_id)


def months(browser: Client, owner: User) -> dict[str, list[str]]:
    """The sessions of each month, as the files have them; what is listed elsewhere is the same."""
    listed = [str(month.period) for year in statements.years_of(owner) for month in year.months]
    told = caller_for(owner, ["statements.read"]).get("statements").json()["months"]
    assert [month["month"] for month in told] == listed
    shown = page(browser)
    assert all(f'id="m{month}"' in shown for month in listed)
    return {month: [row["session_id"] for row in rows(browser, f"/statements/{month}.csv")] for month in listed}


def test_a_later_charge_elsewhere_and_another_zone_move_nothing(
    browser: Client, owner: User, charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = charge(A)
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    assert server.messages == [], "no charge of October"
    second = charge(B, location=NEW_YORK)
    as_charged = {"2026-11": [str(first.pk), str(second.pk)]}
    assert months(browser, owner) == as_charged
    paper = browser.get("/statements/2026-11.pdf").content
    owner.time_zone = "Pacific/Honolulu"
    owner.save()
    assert months(browser, owner) == as_charged
    assert browser.get("/statements/2026-11.pdf").content == paper
    on(monkeypatch, datetime(2026, 12, 3, tzinfo=UTC))
    (message,) = server.messages
    assert message["Subject"] == "Your charging statement for November 2026"
    (attached,) = message.iter_attachments()
    assert "6.24 EUR" in read(attached.get_content())


def test_the_month_is_decided_when_it_ends_in_the_zone_of_then(owner: User, connector: Connector) -> None:
    place = {"connector": connector, "station": connector.station, "location": {"time_zone": "Europe/Berlin"}}
    running = ChargingSession.objects.create(customer=owner, started_at=A, source="STATION", **place)
    assert running.statement_month is None
    owner.time_zone = "America/New_York"
    owner.save()
    running.status, running.stopped_at, running.energy_wh = "COMPLETED", A + timedelta(hours=2), 1_000
    running.save(update_fields=["status", "stopped_at", "energy_wh"])
    assert ChargingSession.objects.get().statement_month == date(2026, 10, 1)


def test_a_closed_charge_without_a_month_is_refused(charge: Charge) -> None:
    session = charge(A)
    with pytest.raises(IntegrityError), transaction.atomic():
        ChargingSession.objects.filter(pk=session.pk).update(statement_month=None)


def test_a_charge_that_comes_late_comes_with_a_corrected_statement(
    browser: Client, owner: User, charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(A - timedelta(days=20))
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    (first,) = StatementMail.objects.all()
    late = charge(A - timedelta(days=10), cost_minor=100)
    assert "It has changed since" in page(browser)
    on(monkeypatch, datetime(2026, 11, 9, tzinfo=UTC))
    _sent, corrected = server.messages
    assert corrected["Subject"] == "Corrected charging statement for October 2026"
    body = corrected.get_body(("plain",))
    assert body is not None
    text = body.get_content()
    (second,) = StatementMail.objects.filter(corrected=True)
    assert f"Number: {second.number}" in text and f"Replaces number: {first.number}" in text
    assert first.number != second.number and first.number.startswith("2026-10-")
    assert str(late.pk) in months(browser, owner)["2026-10"] and "changed since" not in page(browser)
    on(monkeypatch, datetime(2026, 12, 9, tzinfo=UTC))
    assert len(server.messages) == 2, "it came once, and not in November"


def test_a_month_whose_first_charge_comes_late_comes_after_all(
    charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(B)
    on(monkeypatch, datetime(2026, 12, 3, tzinfo=UTC))
    charge(A - timedelta(days=10))  # a file that is imported in December
    charge(datetime(2026, 7, 1, tzinfo=UTC))  # from before statements were wanted
    on(monkeypatch, datetime(2026, 12, 9, tzinfo=UTC))
    subjects = [message["Subject"].removeprefix("Your charging statement for ") for message in server.messages]
    assert subjects == ["November 2026", "October 2026"]


def test_a_credit_stays_with_its_charge_and_is_told(
    browser: Client, owner: User, charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = charge(A - timedelta(hours=2))  # 31 October, 22:30 in Berlin
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    figures = Figures(energy_wh=1_000, cost_minor=40, started_at=A, stopped_at=A + timedelta(hours=1))
    session_correct(session=session, reason="the meter was wrong", figures=figures, by=owner)
    assert len(months(browser, owner)["2026-10"]) == 3, "the paper that corrects October holds all of it"
    on(monkeypatch, datetime(2026, 11, 9, tzinfo=UTC))
    assert server.messages[-1]["Subject"] == "Corrected charging statement for October 2026"


def test_charges_of_a_card_that_is_linked_later_are_told(
    other_customer: User, charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch, owner: User
) -> None:
    charge(A - timedelta(days=20))
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    card = IdToken.objects.create(uid="04FFEE")
    strays = charge(A - timedelta(days=9), id_token=card)
    ChargingSession.objects.filter(pk=strays.pk).update(customer=None)
    id_token_link(id_token=card, customer=owner)
    on(monkeypatch, datetime(2026, 11, 9, tzinfo=UTC))
    assert server.messages[-1]["Subject"] == "Corrected charging statement for October 2026"


def test_a_correction_that_the_server_refuses_for_good_is_not_opened_for_ever(
    charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(A - timedelta(days=20))
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    charge(A - timedelta(days=10))
    server.refusal = "550 no such mailbox"
    for day in (9, 10, 11):
        on(monkeypatch, datetime(2026, 11, day, tzinfo=UTC))
    assert StatementMail.objects.filter(corrected=True).count() == 1


def test_what_was_sent_before_numbers_were_kept_is_not_corrected_by_guess(
    owner: User, charge: Charge, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(A - timedelta(days=20))
    on(monkeypatch, datetime(2026, 11, 3, tzinfo=UTC))
    StatementMail.objects.update(sessions=None, number="")
    charge(A - timedelta(days=10))
    on(monkeypatch, datetime(2026, 11, 9, tzinfo=UTC))
    assert len(server.messages) == 1


def test_the_sweep_asks_the_same_few_questions_however_many_read(
    charge: Charge, owner: User, connector: Connector, django_assert_max_num_queries: object
) -> None:
    charge(A)
    for number in range(30):
        user = User.objects.create(username=f"u{number}", email=f"u{number}@example.org", time_zone="Europe/Berlin")
        StatementSubscription.objects.create(user=user, language="en", since=datetime(2026, 1, 1, tzinfo=UTC))
    with django_assert_max_num_queries(8):  # type: ignore[operator]
        assert monthly.statement_mails_open() == 0
    assert mail.waiting().count() == 0
