"""A login is renewed with what the provider says now, and ends for good."""

import time
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.login import identity
from accounts.login.errors import LoginRefusedError
from accounts.login.oidc import REFRESH_TOKEN
from accounts.login.people import sign_in_record
from accounts.login.renewal import RENEW_AT
from accounts.models import SignIn, User
from accounts.privacy import tasks
from dev.cognito import Failure, Person, Provider
from tests.accounts.login.conftest import CONTEXT, PASSWORD, Login, logged_in
from tests.environment import COGNITO_CLIENT
from tests.people import log_in

pytestmark = pytest.mark.django_db
Forge = Callable[..., str]


# --- renewal


def due(client: Client) -> None:
    session = client.session
    session[RENEW_AT] = 0
    session.save()


def test_a_session_is_renewed_with_the_groups_of_now(client: Client, cognito: Provider) -> None:
    cognito.pool.ensure_person("rita", PASSWORD, groups=["auditor"])
    login = Login.begin(client, cognito)
    login.back(login.at_provider("rita"))
    assert User.objects.get().roles == ["auditor"]
    cognito.pool.ensure_person("rita", PASSWORD, groups=["customer"])
    asked = cognito.asked("token")
    client.get("/second-factor")
    assert (User.objects.get().roles, cognito.asked("token")) == (["auditor"], asked)  # not yet
    due(client)
    assert client.post("/second-factor/set-up", {"code": "1"}).status_code == 200  # a form goes on
    assert (User.objects.get().roles, cognito.asked("token")) == (["customer"], asked + 1)
    client.get("/second-factor")
    assert cognito.asked("token") == asked + 1


def test_whoever_is_disabled_at_the_provider_is_out(client: Client, cognito: Provider) -> None:
    cognito.pool.ensure_person("dora", PASSWORD)
    login = Login.begin(client, cognito)
    login.back(login.at_provider("dora"))
    cognito.pool.ensure_person("dora", PASSWORD, enabled=False)
    due(client)
    assert client.get("/second-factor")["Location"] == "/login?next=/second-factor"
    assert not logged_in(client)


def test_sessions_outlive_a_provider_that_is_away_for_an_hour(login: Login, cognito: Provider) -> None:
    login.back(login.at_provider())
    cognito.pool.fail("token", Failure(503))
    due(login.client)
    assert login.client.get("/second-factor/set-up").status_code == 200
    session = login.client.session
    session[RENEW_AT], session["oidc_confirmed_at"] = 0, time.time() - 3601
    session.save()
    assert login.client.get("/second-factor/set-up")["Location"].startswith("/login")


def test_a_renewal_for_somebody_else_is_refused(forge: Forge, anna: Person) -> None:
    assert identity.id_token_verify(forge(nonce=None), sub=anna.sub)["sub"] == anna.sub
    with pytest.raises(LoginRefusedError, match="somebody else"):
        identity.id_token_verify(forge(nonce=None), sub="somebody-else")


def test_a_session_that_the_provider_never_confirmed_is_none(client: Client, owner: User) -> None:
    client.force_login(owner)
    assert client.get("/")["Location"] == "/login?next=/"


# --- out


def test_logging_out_ends_both_sessions(login: Login, cognito: Provider) -> None:
    login.back(login.at_provider())
    assert login.client.get("/logout").status_code == 405
    response = login.client.post("/logout")
    assert not logged_in(login.client)
    client_id = COGNITO_CLIENT.client_id
    back = "http%3A%2F%2Ftestserver%2Flogin"
    assert response["Location"] == f"{cognito.url}/logout?client_id={client_id}&logout_uri={back}"
    answer = httpx2.get(response["Location"], verify=CONTEXT)
    assert answer.headers["Location"] == "http://testserver/login"
    foreign = httpx2.get(
        f"{cognito.url}/logout", params={"client_id": client_id, "logout_uri": "https://evil.example/"}
    )
    assert foreign.status_code == 400


def test_a_copy_of_the_session_renews_nothing_after_logging_out(login: Login) -> None:
    login.back(login.at_provider())
    token = login.client.session[REFRESH_TOKEN]
    assert identity.tokens_renew(token).id_token
    login.client.post("/logout")
    with pytest.raises(LoginRefusedError, match="invalid_grant"):
        identity.tokens_renew(token)


def test_logging_out_works_while_the_provider_is_away(login: Login, cognito: Provider) -> None:
    login.back(login.at_provider())
    cognito.pool.fail("revoke", Failure(503))
    assert login.client.post("/logout").status_code == 302
    assert not logged_in(login.client)


def test_what_is_over_is_deleted(owner: User, client: Client, settings: Settings) -> None:
    settings.ACCESS_LOG_KEEP_DAYS = 30
    old, new = (sign_in_record(user=owner, outcome=SignIn.Outcome.LOGGED_IN) for _ in range(2))
    SignIn.objects.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=31))
    log_in(client, owner)
    Session.objects.create(session_key="over", session_data="", expire_date=timezone.now() - timedelta(seconds=1))
    tasks.prune()
    assert [row.pk for row in SignIn.objects.all()] == [new.pk]
    assert Session.objects.count() == 1


def test_logging_in_and_out_needs_the_form_token(login: Login) -> None:
    """CSRF: nobody else's page logs a person out."""
    login.back(login.at_provider())
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = login.client.cookies
    assert strict.post("/logout").status_code == 403
    assert logged_in(login.client)
