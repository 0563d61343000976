"""Logging in at the provider, and every way in that must stay closed."""

import base64
import hmac
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.contrib.auth import authenticate
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone
from joserfc.jwk import RSAKey
from pytest_django.fixtures import Settings

from accounts.login import identity
from accounts.login.errors import IdentityUnavailableError, LoginRefusedError
from accounts.login.oidc import REFRESH_TOKEN
from accounts.login.people import sign_in_record
from accounts.login.renewal import RENEW_AT
from accounts.models import SignIn, User
from accounts.privacy import tasks
from dev.cognito import Failure, Person, Provider
from dev.common.processes import free_port
from tests.accounts.login.conftest import CONTEXT, PASSWORD, Login
from tests.environment import COGNITO_CLIENT
from tests.people import log_in

pytestmark = pytest.mark.django_db
Forge = Callable[..., str]


def verify(token: str) -> dict[str, Any]:
    return identity.id_token_verify(token, nonce="the nonce")


def logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


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


# --- the id token


def test_a_good_token_is_taken(forge: Forge, anna: Person) -> None:
    assert verify(forge())["sub"] == anna.sub


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "http://127.0.0.1:1/local_Other"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [COGNITO_CLIENT.client_id, "another-client"]},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"iat": int(time.time()) + 3600},
        {"iat": None},
        {"nbf": int(time.time()) + 3600},
        {"token_use": "access"},
        {"token_use": None},
        {"nonce": "another nonce"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 65},
    ],
    ids=lambda changed: "-".join(f"{name}_{'none' if value is None else 'wrong'}" for name, value in changed.items()),
)
def test_a_wrong_claim_is_refused(forge: Forge, changed: dict[str, Any]) -> None:
    with pytest.raises(LoginRefusedError):
        verify(forge(**changed))


def test_no_signature_is_refused(forge: Forge) -> None:
    claims = jwt.decode(forge(), options={"verify_signature": False})
    kid = jwt.get_unverified_header(forge())["kid"]
    for alg in ("none", "None", "nOnE"):
        head = base64.urlsafe_b64encode(f'{{"alg":"{alg}","kid":"{kid}"}}'.encode()).rstrip(b"=").decode()
        body = forge().split(".")[1]
        for token in (f"{head}.{body}.", f"{head}.{body}.{forge().split('.')[2]}"):
            with pytest.raises(LoginRefusedError, match="alg"):
                verify(token)
    with pytest.raises(LoginRefusedError, match="alg"):
        verify(jwt.encode(claims, "", algorithm="none", headers={"kid": kid}))


def test_the_public_key_is_no_secret(forge: Forge, cognito: Provider) -> None:
    """HS256 with the public key, as PEM and as the library of the attacker would have it (algorithm confusion)."""
    key = cognito.pool.signing_key()
    public = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = base64.urlsafe_b64encode(f'{{"alg":"HS256","kid":"{key.kid}"}}'.encode()).rstrip(b"=").decode()
    body = forge().split(".")[1]
    for secret in (public, public.strip(), COGNITO_CLIENT.client_secret.encode()):
        signature = base64.urlsafe_b64encode(hmac.digest(secret, f"{head}.{body}".encode(), "sha256")).rstrip(b"=")
        with pytest.raises(LoginRefusedError, match="expected alg RS256, got 'HS256'"):
            verify(f"{head}.{body}.{signature.decode()}")


def test_a_foreign_key_is_refused(forge: Forge, cognito: Provider) -> None:
    """Unknown `kid`, and the right `kid` with another key's signature."""
    stranger = RSAKey.generate_key(2048, {"kid": "stranger"})
    with pytest.raises(LoginRefusedError):
        verify(forge(stranger))
    impostor = RSAKey.generate_key(2048, {"kid": str(cognito.pool.signing_key().kid)})
    with pytest.raises(LoginRefusedError, match="InvalidSignature"):
        verify(forge(impostor))


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é.é.é", "." * 2, "e30.e30."])
def test_nonsense_is_refused(cognito: Provider, token: str) -> None:
    with pytest.raises(LoginRefusedError):
        verify(token)


def test_a_token_without_a_nonce_to_expect_is_refused(forge: Forge) -> None:
    with pytest.raises(LoginRefusedError):
        identity.id_token_verify(forge(), nonce="")
    with pytest.raises(LoginRefusedError):
        identity.id_token_verify(forge(nonce=None), nonce=None)


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
