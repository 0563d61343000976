"""Logging in and out, colours, headers, and the pages for what went wrong."""

import re

import pytest
from django.contrib.auth.models import Permission
from django.test import Client, RequestFactory

from accounts.models import User
from evportal import problems
from tests.people import log_in
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db
FOUR_ANSWERS = ("Nothing was changed by this, and nothing is lost.", "If you ask for help, quote")


def test_logout_needs_a_post(browser: Client) -> None:
    assert browser.get("/logout").status_code == 405


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", ""])
def test_the_colours_are_kept_in_a_cookie_and_lead_nowhere_else(client: Client, target: str) -> None:
    response = client.post("/theme", {"theme": "dark", "next": target})
    assert response["Location"] == "/"
    assert 'data-bs-theme="dark"' in text(client, "/login")
    client.post("/theme", {"theme": '"><script>', "next": "/login"})
    assert "data-bs-theme" not in text(client, "/login")


def test_a_forged_cookie_is_not_written_into_the_page(client: Client) -> None:
    client.cookies["theme"] = '"><script>'
    assert "<script>" not in text(client, "/login")


def test_nothing_here_has_the_four_answers(browser: Client) -> None:
    page = text(browser, "/nothing", status=404)
    assert "There is no page at this address, or it is not yours to see." in page
    assert all(answer in page for answer in FOUR_ANSWERS)


def test_forbidden_looks_like_nothing_here_to_a_stranger(rf: RequestFactory, owner: User) -> None:
    request = rf.get("/secret")
    stranger = problems.forbidden(request, PermissionError())
    nowhere = problems.not_found(request, KeyError())
    drop = re.compile(rb"<code data-value>\w+</code>|csrfmiddlewaretoken\" value=\"\w+\"")
    assert stranger.status_code == nowhere.status_code == 404
    assert drop.sub(b"", stranger.content) == drop.sub(b"", nowhere.content)
    request.user = owner
    known = problems.forbidden(request, PermissionError())
    assert known.status_code == 403
    assert b"Not allowed" in known.content


def test_a_failure_of_ours_gives_an_id_that_is_in_the_log(
    browser: Client, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("the reader's name is in here")

    monkeypatch.setattr("portal.history.visible.used_by", broken)
    browser.raise_request_exception = False
    response = browser.get("/")
    assert response.status_code == 500
    page = response.content.decode()
    (quote,) = re.findall(r"<code data-value>(\w+)</code>", page)
    assert f"problem {quote}: GET /: 500, RuntimeError" in caplog.text
    assert "the reader" not in page
    assert "This did not work" in page


def test_a_form_without_its_token_is_explained(owner: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert "Please send that again" in strict.post("/theme", {"theme": "dark"}).content.decode()


@pytest.mark.parametrize("address", ["/", "/login", "/nothing", "/admin/"])
def test_pages_have_a_strict_policy_and_nothing_inline(staff_browser: Client, address: str) -> None:
    response = staff_browser.get(address, follow=True)
    policy = response["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    page = response.content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", page)
    assert not re.search(r"\sstyle=|\son\w+=|<style", page)


def test_staff_without_the_right_sees_only_his_own(client: Client, db: None) -> None:
    clerk = User.objects.create_user("clara", is_staff=True)
    log_in(client, clerk)
    assert "My charging history" in text(client, "/")
    clerk.user_permissions.add(Permission.objects.get(codename="view_chargingsession"))
    assert "All charging sessions" in text(client, "/")
