"""Delete my account: asked once with a fresh code, done step by step, resumed after a kill, and nobody else loses."""

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db.models import Sum
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP

from accounts.login.roles import roles_set
from accounts.models import AccessLogEntry, Archive, Authenticator, Erasure, User
from accounts.privacy import erasure, tasks
from accounts.privacy.access_log import Look, access_note
from accounts.privacy.archive import archive_ask, archive_build
from accounts.privacy.erasure import ErasureRefusedError, erasure_ask, erasure_run
from ledger.models import DataKey, LedgerEntry
from stations.cards.linking import link_code_make, link_code_redeem
from stations.cards.services import TokenRef, id_token_unlink
from stations.charging.sessions import session_close, session_start
from stations.models import ChargingSession, Connector, IdToken
from tests.conftest import CloseSessions
from tests.ledger.recording.killing import ended_well, forked
from tests.people import log_in
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db
E_MAIL = "anna.anders@example.com"


@pytest.fixture
def anna(owner: User, id_token: IdToken, close_sessions: CloseSessions, other_customer: User) -> User:
    """Anna with all that the portal can know of her."""
    User.objects.filter(pk=owner.pk).update(
        username="anna-4711", email=E_MAIL, first_name="Anna", last_name="Anders", time_zone="Europe/Berlin"
    )
    owner.refresh_from_db()
    close_sessions(3)
    ben = IdToken.objects.create(uid="BEEF00", customer=other_customer)
    close_sessions(2, token=ben)
    second = IdToken.objects.create(uid="04SECOND")
    link_code_redeem(typed=link_code_make(id_token=second, made_by=None), customer=owner, address="203.0.113.9")
    log_in(Client(), owner)
    archive_build(archive_id=archive_ask(customer=owner).pk)
    access_note(viewer="partner ABC", customer=owner, what=Look.API, reason="Anna Anders called, anna-4711")
    access_note(viewer="partner ABC", customer=owner, what=Look.API, reason=f"{E_MAIL} wrote")
    access_note(viewer=owner, customer=other_customer, what=Look.SESSION)
    logged(id_token, {"field": "customer", "before": "–", "after": "anna-4711 (1)"})
    logged(owner, {"field": "email", "before": "–", "after": E_MAIL})
    return owner


def logged(row: Any, change: dict[str, str]) -> None:
    """As the change log of the admin keeps it."""
    LogEntry.objects.create(
        user=User.objects.get_or_create(username="olga")[0],
        content_type=ContentType.objects.get_for_model(row),
        object_id=str(row.pk),
        object_repr=str(row),
        action_flag=CHANGE,
        change_message=json.dumps([{"changed": {"fields": [change["field"]], "values": [change]}}]),
    )


def everything() -> str:
    """All rows of all tables as text, but for sessions' own data, which is base64."""
    rows = [row for model in apps.get_models() for row in model._default_manager.all()]
    sessions = [session.get_decoded() for session in Session.objects.all()]
    return f"{serializers.serialize('json', rows)} {sessions}"


def sums(**which: Any) -> dict[str, Any]:
    return ChargingSession.objects.filter(**which).aggregate(energy=Sum("energy_wh"), cost=Sum("cost_minor"))


WORDS = ("anna-4711", E_MAIL, "Anders", "04A2B3C4D5E680", "04SECOND")


def test_nothing_of_her_is_left_in_any_table(anna: User, other_customer: User) -> None:
    before = everything()
    assert all(word in before for word in WORDS), "the search sees what is there"
    totals = sums(), sums(customer=other_customer)
    found = erasure_ask(customer=anna)
    assert erasure_run(erasure_id=found.pk)
    after = everything()
    assert [word for word in WORDS if word in after] == []
    assert (sums(), sums(customer=other_customer)) == totals
    assert LogEntry.objects.count() == 2 and found.pseudonym in after


def test_the_account_is_an_empty_shell(anna: User) -> None:
    found = erasure_ask(customer=anna)
    erasure_run(erasure_id=found.pk)
    anna.refresh_from_db()
    assert (anna.username, anna.email, anna.is_active, anna.roles) == (found.pseudonym, "", False, [])
    assert not anna.has_usable_password() and anna.last_login is None
    assert not Authenticator.objects.filter(user=anna).exists() and not Archive.objects.filter(customer=anna).exists()
    assert not ChargingSession.objects.filter(customer=anna).exists()
    assert not DataKey.objects.filter(customer=anna).exists()
    looks = AccessLogEntry.objects.filter(customer=anna)
    assert looks.count() == 2 and all(look.reason.startswith("erased ") for look in looks)
    assert AccessLogEntry.objects.get(viewer=anna).viewer_name == found.pseudonym
    found.refresh_from_db()
    assert found.done_at is not None and found.steps_done == sorted(erasure.STEPS)


def test_others_keep_all_of_theirs(anna: User, other_customer: User, other_browser: Client) -> None:
    kept = list(LedgerEntry.objects.filter(session__customer=other_customer).values())
    erasure_run(erasure_id=erasure_ask(customer=anna).pk)
    assert list(LedgerEntry.objects.filter(session__customer=other_customer).values()) == kept
    assert "2 sessions" in text(other_browser, "/")
    assert IdToken.objects.get(uid="BEEF00").customer == other_customer


def test_asked_again_it_is_the_same_one_and_run_again_it_does_nothing(anna: User) -> None:
    found = erasure_ask(customer=anna)
    assert erasure_ask(customer=anna) == found
    assert erasure_run(erasure_id=found.pk)
    before = everything()
    assert erasure_run(erasure_id=found.pk) and everything() == before
    assert erasure_ask(customer=anna) == found
    assert not erasure_run(erasure_id=0)


def test_the_log_of_the_admin_can_be_read_as_before(anna: User) -> None:
    found = erasure_ask(customer=anna)
    erasure_run(erasure_id=found.pk)
    messages = {entry.object_repr: json.loads(entry.change_message) for entry in LogEntry.objects.all()}
    assert messages[f"ISO14443 {found.pseudonym}"][0]["changed"]["values"] == [
        {"field": "customer", "before": "–", "after": f"{found.pseudonym} (1)"}
    ]


def test_a_name_that_is_part_of_another_word_is_not_touched(owner: User, id_token: IdToken) -> None:
    logged(id_token, {"field": "anna", "before": "anna", "after": "annalise anna@home anna.b"})
    erasure_run(erasure_id=erasure_ask(customer=owner).pk)
    pseudonym = Erasure.objects.get().pseudonym
    (change,) = json.loads(LogEntry.objects.get().change_message)[0]["changed"]["values"]
    assert change == {"field": "anna", "before": pseudonym, "after": "annalise anna@home anna.b"}


# --- killed, and waiting


@pytest.mark.django_db(transaction=True)
def test_killed_after_each_step_the_sweep_finishes_it(anna: User, other_customer: User) -> None:
    totals = sums(), sums(customer=other_customer)
    found = erasure_ask(customer=anna)
    for step in erasure.steps():

        def work(name: str = step.name) -> None:
            real = erasure._note

            def note(row: Erasure, done: str) -> None:
                if done == name:
                    os.kill(os.getpid(), signal.SIGKILL)  # done, and not noted: it is done twice
                real(row, done)

            erasure._note = note  # type: ignore[assignment]
            erasure_run(erasure_id=found.pk)

        assert not ended_well(forked(work))
        assert not User.objects.get(pk=anna.pk).is_active, "locked from the first moment"
    tasks.sweep()
    found.refresh_from_db()
    assert found.done_at is not None
    assert [word for word in WORDS if word in everything()] == []
    assert (sums(), sums(customer=other_customer)) == totals


@pytest.fixture
def charging(connector: Connector, id_token: IdToken) -> Callable[[], ChargingSession]:
    def start() -> ChargingSession:
        return session_start(
            station=connector.station,
            transaction_id="RUNNING",
            token=TokenRef(id_token.uid),
            started_at=timezone.now(),
            meter_start_wh=1000,
        )[0]

    return start


def test_while_she_charges_it_is_refused_and_nothing_changes(anna: User, charging: Callable[[], object]) -> None:
    charging()
    with pytest.raises(ErasureRefusedError, match="A charge is running: Harbour office"):
        erasure_ask(customer=anna)
    anna.refresh_from_db()
    assert anna.is_active and not Erasure.objects.exists()


def test_a_charge_that_began_just_then_is_waited_for(anna: User, charging: Callable[[], ChargingSession]) -> None:
    found = erasure_ask(customer=anna)
    session = charging()
    assert not erasure_run(erasure_id=found.pk)
    found.refresh_from_db()
    assert "running" in found.waits_for and found.done_at is None
    assert DataKey.objects.filter(customer=anna, destroyed_at__isnull=True).exists()
    session_close(session=session, stopped_at=timezone.now(), meter_stop_wh=1000)
    tasks.sweep()
    found.refresh_from_db()
    assert found.done_at is not None and found.waits_for == ""
    assert not ChargingSession.objects.filter(customer=anna).exists()


def test_an_archive_in_the_making_ends_with_the_account(anna: User) -> None:
    archive = archive_ask(customer=anna)
    found = erasure_ask(customer=anna)
    assert not archive_build(archive_id=archive.pk)
    erasure_run(erasure_id=found.pk)
    assert not Archive.objects.exists()


# --- the page


def code_of(user: User) -> str:
    device = Authenticator.objects.get(user=user)
    return f"{TOTP(device.bin_key, device.step, device.t0, device.digits).token():06}"


def post(client: Client, **form: str) -> Any:
    return client.post(reverse("delete_account"), form)


def test_the_page_says_what_goes_and_what_stays(browser: Client) -> None:
    page = text(browser, reverse("delete_account"))
    for words in ("Delete the account anna?", "What goes, for ever", "What stays, and why", "Make the archive"):
        assert words in page
    assert not Erasure.objects.exists()


def test_name_and_code_delete_it_and_log_out(browser: Client, owner: User) -> None:
    answer = browser.post(reverse("delete_account"), {"name": "anna", "code": code_of(owner)}, follow=True)
    page = answer.content.decode()
    assert "Your account is being deleted" in page and "anna" not in page
    assert not User.objects.get(pk=owner.pk).is_active
    assert browser.get(reverse("statements")).status_code == 302, "logged out"
    tasks.sweep()
    assert Erasure.objects.get().done_at is not None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({}, "Type the name of the account."),
        ({"name": "ben", "code": "000000"}, "This is not the name of the account."),
        ({"name": "ANNA", "code": "000000"}, "This is not the name of the account."),
        ({"name": "anna"}, "Type the code that your authenticator shows now."),
        ({"name": "anna", "code": "000000"}, "This code is wrong, or it was used already."),
        ({"name": "anna", "code": "x" * 999}, "at most 32 characters"),
        ({"name": "anna", "code": "\x00"}, "ull characters"),
    ],
)
def test_without_name_and_code_nothing_happens(browser: Client, form: dict[str, str], said: str) -> None:
    answer = post(browser, **form)
    assert answer.status_code == 200 and said in answer.content.decode()
    assert not Erasure.objects.exists()


def test_a_code_is_taken_once(browser: Client, other_browser: Client, owner: User) -> None:
    code = code_of(owner)
    device = Authenticator.objects.get(user=owner)
    assert device.verify_token(code)
    assert "it was used already" in post(browser, name="anna", code=code).content.decode()
    assert not Erasure.objects.exists()


def test_while_she_charges_the_page_says_so(browser: Client, owner: User, charging: Callable[[], object]) -> None:
    charging()
    assert "A charge is running: Harbour office" in text(browser, reverse("delete_account"))
    assert post(browser, name="anna", code=code_of(owner)).status_code == 409
    assert not Erasure.objects.exists()


def test_staff_are_told_to_give_up_their_rights_first(staff_browser: Client) -> None:
    user = User.objects.get(username="olga")
    assert post(staff_browser, name="olga", code=code_of(user)).status_code == 409
    assert "rights of staff" in text(staff_browser, reverse("delete_account"))


def test_strangers_delete_nothing(owner: User) -> None:
    assert post(Client(), name="anna", code="000000").status_code in {302, 404}
    assert not Erasure.objects.exists()


# --- staff


def erase(client: Client, user: User, **form: str) -> Any:
    return client.post(reverse("admin:accounts_user_erase", args=[user.pk]), form)


def test_staff_erase_a_customer_with_a_reason(staff_browser: Client, anna: User) -> None:
    address = reverse("admin:accounts_user_erase", args=[anna.pk])
    assert address in text(staff_browser, reverse("admin:accounts_user_change", args=[anna.pk]))
    assert "Erase anna-4711 for ever?" in text(staff_browser, address)
    assert erase(staff_browser, anna, name="anna-4711").status_code == 200, "the reason is missing"
    assert erase(staff_browser, anna, name="ben", reason="letter of 3 May").status_code == 200
    assert not Erasure.objects.exists()
    assert erase(staff_browser, anna, name="anna-4711", reason="letter of 3 May").status_code == 302
    tasks.sweep()
    found = Erasure.objects.get()
    assert (found.asked_by, found.reason) == ("olga", "letter of 3 May") and found.done_at is not None
    assert [word for word in WORDS if word in everything()] == []
    assert found.pseudonym in text(staff_browser, reverse("admin:accounts_erasure_changelist"))


def test_staff_cut_a_charge_loose_that_never_ended(
    staff_browser: Client, owner: User, charging: Callable[[], object]
) -> None:
    charging()
    answer = erase(staff_browser, owner, name="anna", reason="gone")
    assert "A charge is running" in answer.content.decode() and not Erasure.objects.exists()
    assert erase(staff_browser, owner, name="anna", reason="gone", although_charging="on").status_code == 302
    tasks.sweep()
    assert Erasure.objects.get().done_at is not None


@pytest.mark.parametrize("role", ["operator", "auditor", "customer"])
def test_only_admins_erase(owner: User, role: str) -> None:
    person = User.objects.create_user("paula")
    roles_set(user=person, roles=[role])
    client = Client()
    log_in(client, person)
    assert erase(client, owner, name="anna", reason="because").status_code in {302, 403, 404}
    assert not Erasure.objects.exists()


def test_a_card_she_gave_away_before_is_not_her_successors_loss(
    anna: User, id_token: IdToken, other_customer: User
) -> None:
    from stations.cards.services import id_token_link

    id_token_unlink(id_token=id_token)
    id_token_link(id_token=id_token, customer=other_customer)
    erasure_run(erasure_id=erasure_ask(customer=anna).pk)
    assert IdToken.objects.get(pk=id_token.pk).customer == other_customer
