"""The support view: as the customer sees it, for a reason, only to read, and each page in their access log."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.login.roles import roles_set
from accounts.models import AccessLogEntry, Role, User
from accounts.support import view
from stations.models import ChargingSession
from tests.people import log_in
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db
REASON = "They called: a charge is missing."


@pytest.fixture
def operator(db: None) -> User:
    user = User.objects.create_user("olga")
    roles_set(user=user, roles=[Role.OPERATOR])
    return user


@pytest.fixture
def desk(operator: User) -> Client:
    client = Client()
    log_in(client, operator)
    return client


@pytest.fixture
def session(make_session: MakeSession) -> ChargingSession:
    return make_session()


def begin(client: Client, customer: User, reason: str = REASON, **extra: bool) -> object:
    return client.post(reverse("support_begin", args=[customer.pk]), {"reason": reason}, **extra)  # type: ignore[arg-type]


def test_a_customer_is_found_by_whatever_he_says(desk: Client, session: ChargingSession, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="anna@example.org", last_name="Berg")
    for term in ("ann", "anna@ex", "Berg", "04A2B3C4D5E680", str(session.pk)):
        assert "Read the charges of anna" in text(desk, f"{reverse('support')}?q={term}"), term
    for term in ("ab", "zzz", "%00", "04A2", "%25%25%25"):
        assert "Read the charges of anna" not in text(desk, f"{reverse('support')}?q={term}"), term
    assert AccessLogEntry.objects.filter(customer=owner, viewer_name="olga").exists()


def test_staff_reads_what_the_customer_reads_and_he_sees_it(
    desk: Client, session: ChargingSession, owner: User, other_customer: User, operator: User
) -> None:
    begin(desk, owner)
    page = text(desk, reverse("history"))
    assert "Support view:" in page and REASON in page and "All charging sessions" not in page
    assert str(session.pk) in page
    assert "Support view:" in text(desk, reverse("session", args=[session.pk]))
    ChargingSession.objects.filter(pk=session.pk).update(customer=other_customer)
    assert desk.get(reverse("session", args=[session.pk])).status_code == 404
    notes = AccessLogEntry.objects.filter(customer=owner, what="support")
    seen = {note.subject for note in notes}
    assert seen >= {"/", reverse("session", args=[session.pk])}, "each page, not only the beginning"
    assert notes and {note.viewer for note in notes} == {operator} and {note.reason for note in notes} == {REASON}
    desk.post(reverse("support_end"))
    assert "Support view:" not in text(desk, reverse("history"))


def test_the_banner_says_its_end_on_the_clock_of_who_reads_it(
    desk: Client, session: ChargingSession, owner: User, operator: User
) -> None:
    User.objects.filter(pk=owner.pk).update(time_zone="Asia/Tokyo")
    begin(desk, owner)
    kept = desk.session
    kept[view.KEY] = kept[view.KEY] | {"until": "2096-07-01T10:30:00+00:00"}
    kept.save()
    assert "until 10:30 (UTC)" in text(desk, reverse("history"))  # olga has set no zone
    User.objects.filter(pk=operator.pk).update(time_zone="Asia/Kolkata")
    assert "until 16:00 (Asia/Kolkata)" in text(desk, reverse("history"))


def test_meanwhile_nothing_is_done_and_no_file_is_taken(desk: Client, session: ChargingSession, owner: User) -> None:
    begin(desk, owner)
    for address in (reverse("history_csv"), reverse("receipt", args=[session.pk])):
        assert desk.get(address).status_code == 403
    assert desk.post(reverse("history")).status_code == 403
    assert desk.get("/admin/").status_code == 200  # the admin is the operator's own


@pytest.mark.parametrize("reason", ["", "short", "x" * 256])
def test_no_reason_no_look(desk: Client, owner: User, reason: str) -> None:
    assert begin(desk, owner, reason).status_code == 400  # type: ignore[attr-defined]
    assert view.KEY not in desk.session


def test_it_ends_by_itself_and_with_the_right(
    desk: Client, session: ChargingSession, owner: User, operator: User
) -> None:
    begin(desk, owner)
    kept = desk.session
    kept[view.KEY] = kept[view.KEY] | {"until": (timezone.now() - timedelta(seconds=1)).isoformat()}
    kept.save()
    assert "Support view:" not in text(desk, reverse("history"))
    begin(desk, owner)
    roles_set(user=operator, roles=[Role.AUDITOR])
    assert "Support view:" not in text(desk, reverse("history"))


def test_a_colleague_is_seen_as_the_driver_that_he_is(desk: Client, session: ChargingSession) -> None:
    boss = User.objects.create_superuser("otto")
    begin(desk, boss)
    page = text(desk, reverse("history"))
    assert str(session.pk) not in page and "Support view:" in page
    boss.refresh_from_db()
    assert boss.is_superuser


def test_who_may_not_cannot(owner: User, other_customer: User) -> None:
    auditor = User.objects.create_user("axel")
    roles_set(user=auditor, roles=[Role.AUDITOR])
    for person in (auditor, other_customer):
        client = Client()
        log_in(client, person)
        assert client.get(reverse("support")).status_code in {302, 403, 404}
        assert begin(client, owner).status_code in {302, 403, 404}  # type: ignore[attr-defined]
        assert view.KEY not in client.session
    assert begin(Client(), owner).status_code in {302, 404}  # type: ignore[attr-defined]
