"""Who looked at whose data: each look is one row, for ever, and a customer's own looks are none."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db.models import Model
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.login.roles import roles_set
from accounts.models import AccessLogEntry, User
from accounts.privacy.access_log import Look, access_log_prune, access_note, access_note_all
from ledger.models import LedgerEntry
from stations.models import ChargingSession, MeterValue
from tests.conftest import CloseSessions
from tests.people import log_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(db: None) -> User:
    user = User.objects.create_user("olga")
    roles_set(user=user, roles=["auditor"])
    return user


@pytest.fixture
def auditors_browser(auditor: User) -> Client:
    client = Client()
    log_in(client, auditor)
    return client


@pytest.fixture
def session(close_sessions: CloseSessions) -> ChargingSession:
    (session,) = close_sessions()
    MeterValue.objects.create(session=session, sampled_at=session.started_at, value=1000)
    return session


# --- noting


def test_a_look_is_noted_once(owner: User, auditor: User) -> None:
    for _ in range(3):
        access_note(viewer=auditor, customer=owner, what=Look.SESSION, subject="one")
    row = AccessLogEntry.objects.get()
    assert (row.viewer, row.viewer_name, row.customer, row.what, row.subject) == (
        auditor,
        "olga",
        owner,
        "session",
        "one",
    )


def test_other_looks_are_other_rows(owner: User, other_customer: User, auditor: User) -> None:
    access_note(viewer=auditor, customer=owner, what=Look.SESSION)
    access_note(viewer=auditor, customer=owner, what=Look.RECEIPT)
    access_note(viewer=auditor, customer=owner, what=Look.SUPPORT, reason="they called")
    access_note(viewer=auditor, customer=owner, what=Look.SUPPORT, reason="they called again")
    access_note(viewer="partner ABC", customer=owner, what=Look.API)
    access_note_all(viewer=auditor, customers=[owner, other_customer.pk, None], what=Look.EXPORT)
    assert AccessLogEntry.objects.filter(customer=owner).count() == 6
    assert AccessLogEntry.objects.filter(customer=other_customer).count() == 1


def test_a_look_after_ten_minutes_is_another_one(owner: User, auditor: User) -> None:
    access_note(viewer=auditor, customer=owner, what=Look.SESSION)
    earlier = timezone.now() - timedelta(minutes=10)
    AccessLogEntry.objects.update(at=earlier, window=earlier)
    access_note(viewer=auditor, customer=owner, what=Look.SESSION)
    assert AccessLogEntry.objects.count() == 2


def test_nobody_is_noted_for_his_own_data_or_nobodys(owner: User) -> None:
    access_note(viewer=owner, customer=owner, what=Look.SESSION)
    access_note(viewer=owner, customer=owner.pk, what=Look.EXPORT)
    access_note(viewer=owner, customer=None, what=Look.EXPORT)
    assert not AccessLogEntry.objects.exists()


def test_long_reasons_and_names_are_cut_not_lost(owner: User) -> None:
    access_note(viewer="x" * 999, customer=owner, what=Look.API, reason="y" * 999, subject="z" * 999)
    row = AccessLogEntry.objects.get()
    assert (len(row.viewer_name), len(row.reason), len(row.subject)) == (150, 255, 64)


def test_a_row_is_neither_changed_nor_deleted(owner: User, auditor: User) -> None:
    access_note(viewer=auditor, customer=owner, what=Look.SESSION)
    row = AccessLogEntry.objects.get()
    with pytest.raises(ValueError, match="only added to"):
        row.save()
    with pytest.raises(ValueError, match="retention"):
        row.delete()


def test_the_retention_ends_rows_and_nothing_else_does(owner: User, auditor: User, settings: Settings) -> None:
    settings.ACCESS_LOG_KEEP_DAYS = 30
    access_note(viewer=auditor, customer=owner, what=Look.SESSION)
    assert access_log_prune() == 0
    AccessLogEntry.objects.update(at=timezone.now() - timedelta(days=31))
    assert access_log_prune() == 1


# --- pages that show a customer's data to somebody else


def admin_row(row: Model, page: str = "change") -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_{page}", args=[row.pk])


def looks(session: ChargingSession) -> Iterator[tuple[str, str]]:
    """(address, what is noted) of each page of staff that shows data of the session's customer."""
    assert session.id_token is not None and session.customer is not None
    entry, value = LedgerEntry.objects.get(session=session), MeterValue.objects.get(session=session)
    yield reverse("history"), Look.HISTORY
    yield reverse("history_csv"), Look.EXPORT
    yield reverse("session", args=[session.pk]), Look.SESSION
    yield reverse("receipt", args=[session.pk]), Look.RECEIPT
    yield reverse("verify", args=[session.pk]), Look.SESSION
    for row in (session, session.id_token, session.customer, value, entry, entry.data_key):
        yield admin_row(row), Look.ADMIN
        yield admin_row(row, "history"), Look.ADMIN
        yield reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist"), Look.LIST


def test_each_look_of_an_auditor_leaves_a_row(
    auditors_browser: Client, auditor: User, owner: User, session: ChargingSession
) -> None:
    for address, what in looks(session):
        AccessLogEntry.objects.all().delete()
        assert auditors_browser.get(address).status_code in {200, 409}, address
        row = AccessLogEntry.objects.filter(customer=owner).first()
        assert row is not None and (row.what, row.viewer) == (what, auditor), address


def session_addresses() -> Iterator[tuple[str, str]]:
    """(name, argument) of every address of one session that the URLconf has: a new page is covered by itself."""
    for pattern in get_resolver().url_patterns:
        for found in getattr(pattern, "url_patterns", [pattern]):
            arguments = list(found.pattern.converters)
            if isinstance(found, URLPattern) and found.name and arguments == ["session_id"]:
                yield found.name, arguments[0]


OWN_ALONE = {"charge_stop", "charge_vehicle"}  # what only the customer can do; for everybody else it is not there
SIGNED_ALONE = {"meter_values_xml"}  # who asks has looked at the charge; it is not there where no meter signed


@pytest.mark.parametrize("name", sorted(name for name, _ in session_addresses()))
def test_each_page_of_a_session_leaves_a_row(
    auditors_browser: Client, owner: User, session: ChargingSession, name: str
) -> None:
    status = auditors_browser.get(reverse(name, args=[session.pk])).status_code
    assert status in ({404} if name in OWN_ALONE | SIGNED_ALONE else {200, 204, 302, 304, 409})
    assert AccessLogEntry.objects.filter(customer=owner).exists() is (name not in OWN_ALONE), name


def test_the_customers_own_looks_leave_none(owner: User, session: ChargingSession) -> None:
    browser = Client()
    log_in(browser, owner)
    for name, arguments in (("history", []), ("history_csv", []), ("session", [session.pk]), ("receipt", [session.pk])):
        assert browser.get(reverse(name, args=arguments)).status_code in {200, 409}
    assert not AccessLogEntry.objects.exists()


def test_a_stranger_leaves_no_row_and_sees_nothing(other_customer: User, session: ChargingSession) -> None:
    browser = Client()
    log_in(browser, other_customer)
    assert browser.get(reverse("session", args=[session.pk])).status_code == 404
    assert browser.get(admin_row(session)).status_code in {302, 404}
    assert not AccessLogEntry.objects.exists()


def test_auditors_read_the_log_and_nobody_writes_it(auditors_browser: Client, owner: User, auditor: User) -> None:
    access_note(viewer="partner ABC", customer=owner, what=Look.API)
    row = AccessLogEntry.objects.get()
    page = auditors_browser.get(reverse("admin:accounts_accesslogentry_changelist")).content.decode()
    assert "partner ABC" in page and "delete_selected" not in page
    for name in ("change", "delete"):
        address = reverse(f"admin:accounts_accesslogentry_{name}", args=[row.pk])
        assert auditors_browser.post(address, {"post": "yes"}).status_code == 403
    superuser = User.objects.create_superuser("root")
    log_in(auditors_browser, superuser)
    assert auditors_browser.post(reverse("admin:accounts_accesslogentry_delete", args=[row.pk])).status_code == 403
    assert auditors_browser.get(reverse("admin:accounts_accesslogentry_add")).status_code == 403
