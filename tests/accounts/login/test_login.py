"""Logging in at the provider, and every way in that must stay closed."""

import httpx2
import pytest
from django.contrib.auth import authenticate
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.login import identity
from accounts.login.errors import IdentityUnavailableError
from accounts.models import SignIn, User
from dev.cognito import Failure, Person, Provider
from dev.common.processes import free_port
from tests.accounts.login.conftest import PASSWORD, Login, logged_in
from tests.environment import COGNITO_CLIENT

pytestmark = pytest.mark.django_db


# --- the way in


def test_a_first_login_makes_the_account_and_leads_on(login: Login, anna: Person) -> None:
    response = login.back(login.at_provider())
    assert response["Location"] == "/"
    user = User.objects.get()
    assert (user.sub, user.username, user.email) == (anna.sub, "anna", "anna@example.com")
    assert user.roles == ["customer"] and not user.is_staff and not user.has_usable_password()
    assert SignIn.objects.get().outcome == SignIn.Outcome.LOGGED_IN
    assert login.client.get("/")["Location"] == "/second-factor?next=/"


def test_it_leads_to_the_page_that_was_asked_for(client: Client, cognito: Provider, anna: Person) -> None:
    login = Login.begin(client, cognito, "/sessions/x?state=recorded")
    assert login.back(login.at_provider())["Location"] == "/sessions/x?state=recorded"


def test_the_request_has_state_nonce_and_challenge(login: Login) -> None:
    assert login.query["response_type"] == "code"
    assert login.query["code_challenge_method"] == "S256"
    assert len(login.query["code_challenge"]) == 43
    assert len(login.query["state"]) == len(login.query["nonce"]) == 32
    other = Login.begin(login.client, login.provider)
    assert all(other.query[name] != login.query[name] for name in ("state", "nonce", "code_challenge"))


def test_groups_become_roles_at_every_login(client: Client, cognito: Provider) -> None:
    def groups_after_login(*groups: str) -> User:
        cognito.pool.ensure_person("gina", PASSWORD, groups=groups)
        login = Login.begin(client, cognito)
        login.back(login.at_provider("gina"))
        return User.objects.get()

    user = groups_after_login("operator", "customer", "no-role-of-ours")
    assert (user.roles, user.is_staff, user.is_superuser) == (["customer", "operator"], True, False)
    assert user.has_perm("stations.view_station")
    user = groups_after_login("admin")
    assert (user.roles, user.is_superuser) == (["admin"], True)
    user = groups_after_login()
    assert (user.roles, user.is_staff, user.is_superuser) == ([], False, False)


def test_a_new_name_at_the_provider_is_the_same_person(client: Client, cognito: Provider, anna: Person) -> None:
    User.objects.create(sub=anna.sub, username="anna-as-she-was")
    login = Login.begin(client, cognito)
    login.back(login.at_provider())
    assert User.objects.get().username == "anna-as-she-was"


# --- whose account


def test_a_name_that_somebody_has_here_is_not_taken_over(login: Login, anna: Person) -> None:
    old = User.objects.create_user("anna", email="anna@example.com")
    login.back(login.at_provider())
    assert User.objects.get(sub=anna.sub).username == f"anna-{anna.sub[:8]}"
    old.refresh_from_db()
    assert old.sub is None


@pytest.mark.parametrize("verified", [False, True])
def test_an_address_takes_over_no_account(client: Client, cognito: Provider, anna: Person, verified: bool) -> None:
    """Mallory gives Anna's address at the provider, unverified or (two accounts of one mailbox) verified."""
    victim = User.objects.create_user("victim", email="victim@example.com", is_staff=True)
    cognito.pool.ensure_person("mallory", PASSWORD, email="victim@example.com", email_verified=verified)
    login = Login.begin(client, cognito)
    login.back(login.at_provider("mallory"))
    mallory = User.objects.get(username="mallory")
    assert client.session["_auth_user_id"] == str(mallory.pk) != str(victim.pk)
    assert mallory.email == ("victim@example.com" if verified else "")
    assert not mallory.is_staff


def test_an_address_that_is_no_longer_verified_is_forgotten(login: Login, cognito: Provider, anna: Person) -> None:
    user = User.objects.create(sub=anna.sub, username="anna", email="old@example.com")
    cognito.pool.ensure_person("anna", PASSWORD, groups=["customer"], email_verified=False)
    try:
        login.back(login.at_provider())
    finally:
        cognito.pool.ensure_person("anna", PASSWORD, groups=["customer"])
    user.refresh_from_db()
    assert user.email == ""


def test_a_disabled_account_does_not_get_in(login: Login, anna: Person) -> None:
    user = User.objects.create(sub=anna.sub, username="anna", is_active=False)
    assert login.back(login.at_provider()).status_code == 400
    assert not logged_in(login.client)
    assert SignIn.objects.get(user=user).outcome == SignIn.Outcome.REFUSED


def test_a_disabled_account_is_out_at_the_next_request(login: Login, anna: Person) -> None:
    login.back(login.at_provider())
    assert login.client.get("/second-factor").status_code == 302  # to the set-up
    User.objects.update(is_active=False)
    assert login.client.get("/second-factor")["Location"] == "/login?next=/second-factor"


def test_there_are_no_passwords(client: Client) -> None:
    User.objects.create_user("olga", password="an operator's password", is_superuser=True)
    assert authenticate(None, username="olga", password="an operator's password") is None
    form = {"username": "olga", "password": "an operator's password"}
    assert client.post("/login", form).status_code == 405
    assert client.post("/admin/login/", form)["Location"] == "/login"
    assert not logged_in(client)


# --- attacks on the flow


def test_a_foreign_state_is_refused(login: Login) -> None:
    answer = login.at_provider()
    assert login.back(answer | {"state": "x" * 32}).status_code == 400
    assert not logged_in(login.client)


def test_a_login_that_began_in_another_browser_is_refused(login: Login, db: None) -> None:
    """Login CSRF: Mallory sends Anna the end of his own login."""
    assert Client().get("/login/callback", login.at_provider()).status_code == 400
    assert not User.objects.exists()


def test_a_state_is_good_once_and_for_a_quarter_of_an_hour(login: Login) -> None:
    answer = login.at_provider()
    login.back(answer)
    assert login.back(answer).status_code == 400
    late = Login.begin(login.client, login.provider)
    session = login.client.session
    session["oidc_states"][late.query["state"]]["added_on"] -= 901
    session.save()
    assert late.back(late.at_provider()).status_code == 400


def test_a_code_is_good_once(login: Login, client: Client) -> None:
    """Replayed with a fresh state of the thief's own, it was exchanged already, and his verifier is another."""
    answer = login.at_provider()
    login.back(answer)
    thief = Login.begin(Client(), login.provider)
    response = thief.back({"code": answer["code"], "state": thief.query["state"]})
    assert response.status_code == 400
    assert not logged_in(thief.client)


def test_a_stolen_code_is_worth_nothing_without_the_verifier(login: Login) -> None:
    """Stolen before it was used, put into a login of the thief's own (PKCE, RFC 7636)."""
    answer = login.at_provider()
    thief = Login.begin(Client(), login.provider)
    assert thief.back({"code": answer["code"], "state": thief.query["state"]}).status_code == 400
    assert not logged_in(thief.client)


def test_the_provider_lets_nobody_leave_pkce_out(login: Login) -> None:
    answer = login.at_provider(code_challenge=None, code_challenge_method=None)
    assert answer["error"] == "invalid_request"
    assert login.at_provider(code_challenge_method="plain")["error"] == "invalid_request"
    answer = login.at_provider()
    form = {"grant_type": "authorization_code", "code": answer["code"], "redirect_uri": login.query["redirect_uri"]}
    credentials = (COGNITO_CLIENT.client_id, COGNITO_CLIENT.client_secret)
    refused = httpx2.post(login.provider.token_url, data=form, auth=credentials)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_request")


def test_the_nonce_of_another_login_is_refused(login: Login) -> None:
    """An id token that was made for another login, brought in by a code of this one."""
    assert login.back(login.at_provider(nonce="n" * 32)).status_code == 400
    assert login.back(login.at_provider(nonce=None)).status_code == 400
    assert not logged_in(login.client)


def test_the_session_of_before_is_not_the_session_afterwards(login: Login) -> None:
    """Fixation: whoever planted a session in this browser does not have the one that is logged in."""
    login.client.session.update({"planted": True})
    before = login.client.cookies["sessionid"].value
    login.back(login.at_provider())
    assert logged_in(login.client)
    assert login.client.cookies["sessionid"].value != before
    planted = Client()
    planted.cookies["sessionid"] = before
    assert not logged_in(planted)
    assert "planted" not in login.client.session


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "http:evil.example"]
)
def test_it_leads_nowhere_else(client: Client, cognito: Provider, anna: Person, target: str) -> None:
    assert 'href="/login/start?next=%2F"' in client.get("/login", {"next": target}).content.decode()
    login = Login.begin(client, cognito, target)
    assert login.back(login.at_provider())["Location"] == "/"


def test_the_provider_leads_back_to_known_addresses_only(login: Login) -> None:
    query = login.query | {"redirect_uri": "https://evil.example/login/callback"}
    answer = httpx2.get(f"{login.provider.url}/oauth2/authorize", params=query)
    assert answer.status_code == 400 and "Location" not in answer.headers


def test_an_error_led_here_logs_nobody_out(login: Login) -> None:
    login.back(login.at_provider())
    assert login.client.get("/login/callback", {"error": "access_denied"}).status_code == 400
    assert logged_in(login.client)


@pytest.mark.parametrize("query", [{}, {"code": "x"}, {"state": "x"}, {"code": "x", "state": "x\0"}, {"code": ["a"]}])
def test_nonsense_at_the_callback_is_explained(client: Client, query: dict[str, str]) -> None:
    response = client.get("/login/callback", query)
    assert response.status_code == 400
    assert "This login did not work" in response.content.decode()


def test_too_many_logins_are_told_to_wait(client: Client, cognito: Provider) -> None:
    answers = [client.get("/login/start") for _ in range(31)]
    assert [answer.status_code for answer in answers] == [302] * 30 + [429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 300
    assert "Wait" in answers[-1].content.decode()


# --- the provider is away


@pytest.mark.parametrize("failure", [Failure(503), Failure(500, "<html>"), Failure(200, "<html>"), Failure(200, "[]")])
@pytest.mark.parametrize("endpoint", ["openid-configuration", "token"])
def test_a_broken_provider_is_explained(
    client: Client, cognito: Provider, anna: Person, endpoint: str, failure: Failure
) -> None:
    identity._provider.cache_clear()
    login = None if endpoint == "openid-configuration" else Login.begin(client, cognito)
    answer = login.at_provider() if login else {}
    cognito.pool.fail(endpoint, failure)
    response = login.back(answer) if login else client.get("/login/start")
    assert response.status_code == 503
    assert "does not answer" in response.content.decode()
    cognito.pool.heal()
    again = Login.begin(client, cognito)
    assert again.back(again.at_provider()).status_code == 302


def test_an_absent_or_unset_provider_is_explained(client: Client, settings: Settings) -> None:
    for issuer in (f"http://127.0.0.1:{free_port()}/local", ""):
        settings.OIDC_ISSUER = issuer
        assert client.get("/login/start").status_code == 503
        assert client.get("/login").status_code == 200


def test_a_pool_that_calls_itself_otherwise_is_refused(cognito: Provider, settings: Settings) -> None:
    settings.OIDC_ISSUER = cognito.issuer.replace("127.0.0.1", "localhost")
    with pytest.raises(IdentityUnavailableError, match="expected issuer"):
        identity.provider()
