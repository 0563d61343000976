"""Headers, cookies, addresses and words: what goes with every page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from accounts.models import User
from common.client_address import browser_name, client_address
from dev import totp
from tests.environment import COGNITO
from tests.people import log_in

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]
CHECK_COOKIES = """
from django.conf import settings as s
assert s.SESSION_COOKIE_NAME == "__Host-sessionid" and s.CSRF_COOKIE_NAME == "__Host-csrftoken"
for name in ("SESSION", "CSRF", "LANGUAGE"):
    assert getattr(s, f"{name}_COOKIE_SECURE") and getattr(s, f"{name}_COOKIE_HTTPONLY")
    assert getattr(s, f"{name}_COOKIE_SAMESITE") == "Lax"
from django.test import Client
page = Client().get("/login", secure=True)
assert page["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
cookies = Client().post("/theme", {"theme": "dark", "language": "de"}, secure=True, headers={"Referer": "https://testserver/"}).cookies
assert len(cookies) == 2 and all(c["secure"] and c["httponly"] and c["samesite"] == "Lax" for c in cookies.values())
assert Client().get("/login").status_code == 301
print("fine")
"""


def in_production(*arguments: str) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "EVPORTAL_HTTPS": "true",
        "EVPORTAL_ALLOWED_HOSTS": "testserver",
        "EVPORTAL_SECRET_KEY": "k" * 20 + "0123456789abcdefghijklmnopqrstuvw",
    }
    argv = [sys.executable, "manage.py", *arguments]
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_check_deploy_has_nothing_to_say() -> None:
    done = in_production("check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_cookies_and_transport_in_production() -> None:
    done = in_production("shell", "--no-imports", "--command", CHECK_COOKIES)
    assert done.stdout.strip().endswith("fine"), done.stdout + done.stderr


def test_headers_of_every_page(client: Client, owner: User) -> None:
    log_in(client, owner)
    for address in ("/login", "/security", "/nothing"):
        headers = client.get(address).headers
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "microphone=()" in headers["Permissions-Policy"]
        policy = headers["Content-Security-Policy"]
        assert f"form-action 'self' {COGNITO.url};" in f"{policy};"
        assert "unsafe" not in policy
    assert "no-store" in client.get("/security")["Cache-Control"]


def test_the_language_is_kept_in_a_cookie_and_with_the_person(client: Client, owner: User) -> None:
    client.post("/theme", {"language": "de", "next": "/login"})
    assert '<html lang="de"' in client.get("/login").content.decode()
    client.post("/theme", {"language": "xx", "next": "/login"})
    assert '<html lang="de"' in client.get("/login").content.decode()
    log_in(client, owner)
    client.post("/theme", {"language": "en"})
    owner.refresh_from_db()
    assert owner.language == "en"


def test_language_and_time_zone_of_a_person(client: Client, owner: User) -> None:
    log_in(client, owner)
    response = client.post("/security/reading", {"language": "de", "time_zone": "Europe/Berlin"})
    assert response["Location"] == "/security"
    owner.refresh_from_db()
    assert (owner.language, owner.time_zone) == ("de", "Europe/Berlin")
    for wrong in ({"time_zone": "Mars/Olympus"}, {"language": "xx"}, {"time_zone": "../../etc/passwd"}):
        assert client.post("/security/reading", wrong).status_code == 400
    owner.refresh_from_db()
    assert (owner.language, owner.time_zone) == ("de", "Europe/Berlin")


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "6.6.6.6", "127.0.0.1"),
        (1, "6.6.6.6, 203.0.113.7", "203.0.113.7"),
        (2, "6.6.6.6, 203.0.113.7, 10.0.0.1", "203.0.113.7"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "nonsense", None),
        (1, "", None),
        (5, "203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_address_is_what_trusted_proxies_say(
    rf: RequestFactory, settings: Settings, proxies: int, forwarded: str, address: str | None
) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert client_address(rf.get("/", headers={"X-Forwarded-For": forwarded})) == address


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("curl/8.5.0", "curl/8.5.0"),
        ("<script>\n" + "x" * 500, "<script>" + "x" * 192),
        ("", ""),
    ],
)
def test_a_browser_in_words(rf: RequestFactory, agent: str, name: str) -> None:
    assert browser_name(rf.get("/", headers={"User-Agent": agent})) == name


def test_an_account_of_before_gets_its_login(owner: User, other_customer: User) -> None:
    call_command("login_link", "anna", "sub-1")
    owner.refresh_from_db()
    assert owner.sub == "sub-1" and not owner.has_usable_password()
    for arguments in (("nobody", "sub-2"), ("anna", "sub-2"), ("ben", "sub-1")):
        with pytest.raises(CommandError):
            call_command("login_link", *arguments)


def test_codes_as_the_standard_has_them() -> None:
    """RFC 6238, appendix B (SHA-1), of which an authenticator shows the last six digits."""
    key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    for moment, code in ((59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")):
        assert totp.code(key, moment) == code
