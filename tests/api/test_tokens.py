"""Personal tokens: made on a page, shown once, hashed, scoped, ending, revoked; and never more than their person."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.login.second_factor import second_factor_reset
from accounts.models import User
from accounts.models.programs import ApiToken
from accounts.programs.scopes import SCOPES
from accounts.programs.tokens import LIVING_MAX, token_make
from tests.api.conftest import Caller, caller_for, problem
from tests.people import log_in

pytestmark = pytest.mark.django_db

FORM = {"name": "spreadsheet", "days": 30, "scopes": ["sessions.read", "profile.read"]}


@pytest.fixture
def browser(owner: User) -> Client:
    client = Client()
    log_in(client, owner)
    return client


def test_a_token_is_made_shown_once_used_and_revoked(browser: Client, owner: User) -> None:
    made = browser.post("/security/tokens", FORM)
    (token,) = re.findall(r"evp_[\w-]{43}", made.content.decode())
    assert made["Cache-Control"].count("no-store") == 1
    assert token not in browser.get("/security/tokens").content.decode()
    row = ApiToken.objects.get()
    assert token not in str(vars(row)) and row.scopes == FORM["scopes"]
    api = Caller(token)
    me = api.get("me").json()
    assert (me["name"], me["scopes"]) == ("anna", FORM["scopes"])
    row.refresh_from_db()
    used = row.last_used_at
    api.get("me")
    row.refresh_from_db()
    assert used == row.last_used_at  # noted at most once a minute
    browser.post(f"/security/tokens/{row.pk}/revoke")
    answer = api.get("me")
    problem(answer, 401, "token_revoked")
    assert answer["WWW-Authenticate"] == 'Bearer realm="EVPortal", error="invalid_token"'
    assert "revoked" in browser.get("/security/tokens").content.decode()


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"days": 366}, {"scopes": ["everything"]}, {"scopes": []}, {"name": ""}, {"name": "a\0b"}]
)
def test_a_form_that_cannot_be_meant_makes_nothing(browser: Client, wrong: dict[str, Any]) -> None:
    answer = browser.post("/security/tokens", FORM | wrong)
    assert answer.status_code == 400 and not ApiToken.objects.exists()
    assert "field-error" in answer.content.decode()


def test_one_may_have_so_many(browser: Client, owner: User) -> None:
    for _ in range(LIVING_MAX):
        token_make(user=owner, name="x", scopes=[])
    assert browser.post("/security/tokens", FORM).status_code == 400
    assert ApiToken.objects.count() == LIVING_MAX


def test_nobody_revokes_the_token_of_another(owner: User, other_customer: User) -> None:
    row, _ = token_make(user=owner, name="x", scopes=[])
    client = Client()
    log_in(client, other_customer)
    assert client.post(f"/security/tokens/{row.pk}/revoke").status_code == 404
    assert client.get(f"/security/tokens/{row.pk}/revoke").status_code == 405
    row.refresh_from_db()
    assert row.is_living


FULL = "evp_" + "A" * 43


@pytest.mark.parametrize("token", ["evp_", FULL, FULL[:-1], FULL * 99, "evp_ä", "x", "a.b.c", "", f"{FULL}\n"])
def test_a_token_that_is_none(db: None, token: str) -> None:
    problem(Client().get("/api/v1/me", headers={"Authorization": f"Bearer {token}"}), 401, "token_invalid")


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Token evp_x", "evp_x"])
def test_without_bearer(db: None, header: str) -> None:
    problem(Client().get("/api/v1/me", headers={"Authorization": header}), 401, "not_authenticated")


def test_a_session_of_the_browser_is_no_token(browser: Client) -> None:
    problem(browser.get("/api/v1/me"), 401, "not_authenticated")


def test_an_expired_token(owner: User) -> None:
    api = caller_for(owner)
    ApiToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    problem(api.get("me"), 401, "token_expired")


def test_the_stolen_token_of_a_disabled_person(owner: User) -> None:
    api = caller_for(owner)
    assert api.get("me").status_code == 200
    User.objects.filter(pk=owner.pk).update(is_active=False)
    problem(api.get("me"), 401, "token_invalid")


@pytest.mark.parametrize(
    ("scope", "path"),
    [("sessions.read", "sessions"), ("stations.read", "sites"), ("webhooks.read", "webhooks"), ("profile.read", "me")],
)
def test_a_scope_opens_its_own_and_nothing_else(owner: User, scope: str, path: str) -> None:
    assert caller_for(owner, [scope]).get(path).status_code == 200
    others = [name for name in SCOPES if name != scope]
    answer = caller_for(owner, others).get(path)
    problem(answer, 403, "insufficient_scope")
    assert f'error="insufficient_scope", scope="{scope}"' in answer["WWW-Authenticate"]


def test_rates_are_told_and_held(owner: User, settings: Settings) -> None:
    settings.API_RATE_PER_MINUTE = 3
    api, second = caller_for(owner), caller_for(owner)  # two tokens, one person
    told = [(api if turn % 2 else second).get("me") for turn in range(3)]
    assert [answer["RateLimit-Remaining"] for answer in told] == ["2", "1", "0"]
    assert told[0]["RateLimit-Limit"] == "3" and 1 <= int(told[0]["RateLimit-Reset"]) <= 60
    answer = api.get("me")
    problem(answer, 429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60 and answer["RateLimit-Remaining"] == "0"


def test_without_redis_nobody_is_refused(owner: User, settings: Settings) -> None:
    location = "redis://127.0.0.1:9/0"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location}}
    assert caller_for(owner).get("me").status_code == 200


def test_who_did_not_log_in_for_long_is_asked_to(owner: User) -> None:
    """Roles are taken away at the identity provider, which says so at a login."""
    api, path, now = caller_for(owner), "me", timezone.now()
    for last_login, status in ((None, 401), (now - timedelta(days=91), 401), (now - timedelta(days=89), 200)):
        User.objects.filter(pk=owner.pk).update(sub="known-there", last_login=last_login)
        assert api.get(path).status_code == status
    User.objects.filter(pk=owner.pk).update(is_staff=True, last_login=now - timedelta(days=8))
    problem(api.get(path), 401, "token_unconfirmed")


def test_a_reset_of_the_second_factor_ends_the_tokens(owner: User) -> None:
    api = caller_for(owner)
    second_factor_reset(user=owner)
    problem(api.get("me"), 401, "token_revoked")
