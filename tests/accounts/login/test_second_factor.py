"""The second factor: set up, shown, guessed, replayed, lost; and nothing of anybody's without it."""

import math
import re
import threading
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connections
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.login import second_factor
from accounts.models import Authenticator, RecoveryCode, RememberedDevice, SignIn, User
from dev import totp
from tests.accounts.login.codes import NOWHERE, at_a_quiet_moment, outcomes, show, unlock, wrong_code_of
from tests.accounts.login.conftest import code_of
from tests.people import log_in

__all__ = ["at_a_quiet_moment"]  # fixture
pytestmark = pytest.mark.django_db


# --- setting it up


def test_setting_up_an_authenticator(half_in: Client, owner: User) -> None:
    owner.email = "anna@example.com"
    owner.save()
    assert half_in.get("/")["Location"] == NOWHERE
    assert half_in.get(NOWHERE)["Location"] == "/second-factor/set-up?next=%2F"
    page = half_in.get("/second-factor/set-up?next=/security").content.decode()
    key = re.findall(r"data-value[^>]*>([A-Z2-7 ]+)<", page)[0]
    assert 'src="data:image/svg+xml' in page
    before = half_in.cookies["sessionid"].value
    response = half_in.post("/second-factor/set-up", {"code": totp.code(key), "next": "/security"})
    codes = re.findall(r"<li><code>([\w-]+)</code>", response.content.decode())
    assert len(set(codes)) == 10
    assert "no-store" in response["Cache-Control"]
    assert half_in.cookies["sessionid"].value != before
    page = half_in.get("/security").content.decode()
    assert "10 of 10" in page and "Authenticator set up" in page and "Firefox on Linux" in page
    assert mail.outbox[0].to == ["anna@example.com"]
    assert not any(code in half_in.get("/security").content.decode() for code in codes)


def test_the_key_stays_while_it_is_being_set_up(half_in: Client) -> None:
    pages = [half_in.get("/second-factor/set-up").content.decode() for _ in range(2)]
    keys = {re.findall(r"data-value[^>]*>([A-Z2-7 ]+)<", page)[0] for page in pages}
    assert len(keys) == 1
    assert Authenticator.objects.get().confirmed is False


def test_the_qr_code_says_the_key(half_in: Client, owner: User) -> None:
    half_in.get("/second-factor/set-up")
    device = Authenticator.objects.get()
    key = second_factor.authenticator_key(device).replace(" ", "")
    assert device.config_url.startswith(f"otpauth://totp/EVPortal%3Aanna?secret={key}&")
    assert "issuer=EVPortal" in device.config_url


def test_a_wrong_code_sets_nothing_up(half_in: Client, owner: User) -> None:
    half_in.get("/second-factor/set-up")
    device = Authenticator.objects.get()
    for code in (wrong_code_of(device), "12345", "abcdef", "", "１２３４５６", "-12345", "1e5", "0x1234"):
        response = half_in.post("/second-factor/set-up", {"code": code})
        assert response.status_code == 200
        assert "field-error" in response.content.decode()
    assert not Authenticator.objects.get().confirmed
    assert half_in.get("/")["Location"] == NOWHERE


def test_a_right_code_too_early_is_not_called_wrong(half_in: Client) -> None:
    """Neither where one is set up, nor where one is asked for (test_guessing_has_to_wait_ever_longer)."""
    where = "/second-factor/set-up"
    half_in.get(where)
    device = Authenticator.objects.get()
    assert "This code is wrong" in half_in.post(where, {"code": wrong_code_of(device)}).content.decode()
    early = half_in.post(where, {"code": code_of(device)}).content.decode()
    assert "This code was not looked at: it may be right." in early and "is wrong" not in early
    unlock(device)
    assert "recovery codes" in half_in.post(where, {"code": code_of(device)}).content.decode()
    assert Authenticator.objects.get().confirmed


def test_a_stolen_password_replaces_no_authenticator(half_in: Client, authenticator: Authenticator) -> None:
    assert half_in.get("/second-factor/set-up")["Location"].startswith("/second-factor?again=1")
    assert half_in.post("/second-factor/set-up", {"code": "123456"})["Location"].startswith("/second-factor")
    assert Authenticator.objects.get() == authenticator


def test_a_key_that_another_session_has_seen_is_nobodys(half_in: Client, owner: User) -> None:
    """Somebody with the password alone looks at the key first: the owner does not set up that one."""
    thief = Client()
    log_in(thief, owner, second_factor=False)
    thief.get("/second-factor/set-up")
    seen = Authenticator.objects.get()
    half_in.get("/second-factor/set-up")
    own = Authenticator.objects.get()
    assert own.key != seen.key
    half_in.get("/second-factor/set-up")
    assert Authenticator.objects.get().key == own.key, "it stays the same where it was shown"
    half_in.post("/second-factor/set-up", {"code": code_of(own)})
    assert Authenticator.objects.get(confirmed=True).key == own.key


def test_replacing_it_ends_what_hung_on_the_old_one(owner: User, authenticator: Authenticator) -> None:
    client, elsewhere = Client(), Client()
    log_in(client, owner)
    log_in(elsewhere, owner)
    client.get("/second-factor/set-up")
    pending = Authenticator.objects.get(confirmed=False)
    client.post("/second-factor/set-up", {"code": code_of(pending)})
    assert Authenticator.objects.get() == pending
    assert client.get("/security").status_code == 200
    assert elsewhere.get("/")["Location"] == NOWHERE


# --- showing it


@pytest.mark.parametrize("spelling", ["{}", " {} ", "{0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]}"])
def test_the_right_code_opens_the_page(
    half_in: Client, owner: User, authenticator: Authenticator, spelling: str
) -> None:
    assert half_in.get("/history.csv")["Location"] == "/second-factor?next=/history.csv"
    assert show(half_in, spelling.format(code_of(authenticator))) == "/security"
    assert half_in.get("/security").status_code == 200
    assert outcomes(owner) == ["second_factor"]


def test_a_code_opens_once(half_in: Client, owner: User, authenticator: Authenticator) -> None:
    """Replay: whoever looked over the shoulder is too late, also with a code of before."""
    code = code_of(authenticator)
    assert show(half_in, code) == "/security"
    thief = Client()
    log_in(thief, owner, second_factor=False)
    for seen in (code, code_of(authenticator, -1)):
        unlock(authenticator)
        assert "wrong, or it was used already" in show(thief, seen)
    assert thief.get("/")["Location"] == NOWHERE


@pytest.mark.django_db(transaction=True)
def test_of_two_at_once_one_is_let_in(owner: User) -> None:
    authenticator = Authenticator.make(user=owner, confirmed=True)
    code, together, taken = code_of(authenticator), threading.Barrier(2), []

    def check() -> None:
        together.wait()
        device = Authenticator.objects.get(pk=authenticator.pk)
        taken.append(second_factor.code_check(user=owner, device=device, code=code) is not None)
        connections.close_all()

    threads = [threading.Thread(target=check) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, True]


def test_guessing_has_to_wait_ever_longer(half_in: Client, owner: User, authenticator: Authenticator) -> None:
    assert "Wait 1 second" in show(half_in, wrong_code_of(authenticator))
    waits = []
    for _ in range(5):
        unlock(authenticator)
        said = show(half_in, wrong_code_of(authenticator))
        waits.append(int(re.findall(r"Wait (\d+) second", said)[0]))
    assert waits == [2, 4, 8, 16, 32]
    assert "This code was not looked at: it may be right." in show(half_in, code_of(authenticator))
    assert half_in.get("/")["Location"] == NOWHERE
    unlock(authenticator)
    assert show(half_in, code_of(authenticator)) == "/security"
    assert outcomes(owner) == ["wrong_code"] * 6 + ["second_factor"]


def test_a_hundred_guesses_are_not_looked_at(half_in: Client, owner: User, authenticator: Authenticator) -> None:
    """Of a hundred requests few are a guess (after n of them one waits 2^n s), and the log does not grow."""
    began = time.monotonic()
    for number in range(100):
        show(half_in, f"{number:06}")
    authenticator.refresh_from_db()
    guesses = math.log2(time.monotonic() - began + 1) + 2
    assert 1 <= authenticator.throttling_failure_count <= guesses
    assert SignIn.objects.count() <= guesses


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_it_leads_nowhere_else(half_in: Client, authenticator: Authenticator, target: str) -> None:
    assert show(half_in, code_of(authenticator), next=target) == "/"


def test_the_second_factor_of_another_person_is_none(
    half_in: Client, other_customer: User, authenticator: Authenticator
) -> None:
    foreign = Authenticator.make(user=other_customer, confirmed=True)
    assert "wrong" in show(half_in, code_of(foreign))
    session = half_in.session
    session["otp_device_id"] = foreign.persistent_id
    session.save()
    assert half_in.get("/")["Location"] == NOWHERE


def test_who_is_half_in_is_led_to_the_second_factor_and_back(half_in: Client) -> None:
    assert half_in.post("/theme", {"theme": "dark"}).status_code == 302  # public
    response = half_in.get("/security")
    assert (response.status_code, response["Location"]) == (302, "/second-factor?next=/security")


def test_a_page_costs_three_queries_of_ours(
    owner: User, authenticator: Authenticator, django_assert_num_queries: object
) -> None:
    client = Client()
    log_in(client, owner)
    with django_assert_num_queries(3):  # type: ignore[operator]  # session, person, device
        assert client.get("/security/reading").status_code == 405


# --- remembered devices


def remembered(client: Client, device: Authenticator) -> str:
    assert show(client, code_of(device), remember="on") == "/security"
    return client.cookies[second_factor.COOKIE].value


def test_a_remembered_device_is_recalled_listed_and_forgotten(
    half_in: Client, owner: User, other_customer: User, authenticator: Authenticator
) -> None:
    cookie = remembered(half_in, authenticator)
    device = RememberedDevice.objects.get()
    assert (device.browser, device.address) == ("Firefox on Linux", "127.0.0.1")
    assert timedelta(days=29, hours=23) < device.expires_at - timezone.now() <= timedelta(days=30)
    assert device.digest not in cookie
    assert (
        half_in.cookies[second_factor.COOKIE]["httponly"] and half_in.cookies[second_factor.COOKIE]["samesite"] == "Lax"
    )
    assert second_factor.device_recall(user=owner, cookie=cookie) == device
    assert second_factor.device_recall(user=other_customer, cookie=cookie) is None
    for forged in ("", "x", f"{cookie}x", cookie[:-2], cookie.split(":")[0]):
        assert second_factor.device_recall(user=owner, cookie=forged) is None
    assert "Forget Firefox on Linux" in half_in.get("/security").content.decode()
    stranger = Client()
    log_in(stranger, other_customer)
    assert stranger.post(f"/security/devices/{device.pk}/forget").status_code == 404
    assert half_in.post(f"/security/devices/{device.pk}/forget")["Location"] == "/security"
    assert second_factor.device_recall(user=owner, cookie=cookie) is None


@pytest.mark.parametrize("end", ["over", "forgotten", "switched off", "for nobody", "for drivers only"])
def test_a_session_of_a_remembered_device_ends_with_it(
    half_in: Client, owner: User, authenticator: Authenticator, settings: Settings, end: str
) -> None:
    remembered(half_in, authenticator)
    device = RememberedDevice.objects.get()
    session = half_in.session
    session["otp_device_id"] = device.persistent_id
    session.save()
    assert half_in.get("/security").status_code == 200
    if end == "over":
        RememberedDevice.objects.update(expires_at=timezone.now())
    elif end == "forgotten":
        device.delete()
    elif end == "switched off":
        User.objects.update(remember_allowed=False)
    elif end == "for nobody":
        settings.REMEMBER_DEVICE = "off"
    else:
        User.objects.update(is_staff=True)
    assert half_in.get("/security")["Location"] == "/second-factor?next=/security"


def test_staff_is_not_remembered_unless_the_setting_says_so(
    half_in: Client, owner: User, authenticator: Authenticator, settings: Settings
) -> None:
    User.objects.update(is_staff=True)
    assert "Do not ask on this device" not in half_in.get("/second-factor").content.decode()
    assert show(half_in, code_of(authenticator), remember="on") == "/security"
    assert not RememberedDevice.objects.exists()
    settings.REMEMBER_DEVICE = "all"
    assert "Do not ask on this device" in half_in.get("/second-factor?again=1").content.decode()


# --- lost device


@pytest.fixture
def admin_browser(db: None) -> Client:
    client = Client()
    log_in(client, User.objects.create_user("olga", is_staff=True, is_superuser=True))
    return client


def test_staff_resets_a_lost_second_factor(
    admin_browser: Client, owner: User, authenticator: Authenticator, codes: list[str]
) -> None:
    owner.email = "anna@example.com"
    owner.save()
    there = Client()
    log_in(there, owner)
    address = f"/admin/accounts/user/{owner.pk}/second-factor/"
    assert address in admin_browser.get(f"/admin/accounts/user/{owner.pk}/change/").content.decode()
    assert "This field is required" in admin_browser.post(address, {"reason": " "}).content.decode()
    assert Authenticator.objects.filter(user=owner).exists()
    response = admin_browser.post(address, {"reason": "Phone lost; known by voice and contract."})
    assert response["Location"] == f"/admin/accounts/user/{owner.pk}/change/"
    assert there.get("/")["Location"] == NOWHERE
    assert there.get("/second-factor")["Location"].startswith("/second-factor/set-up")
    assert "Phone lost" in admin_browser.get(f"/admin/accounts/user/{owner.pk}/history/").content.decode()
    assert "was reset" in mail.outbox[0].subject
    assert outcomes(owner) == ["reset"]
    assert not RecoveryCode.objects.exists()


def test_nobody_else_resets_and_nobody_himself(admin_browser: Client, owner: User) -> None:
    olga = User.objects.get(username="olga")
    reason = {"reason": "because I say so, that is why"}
    assert admin_browser.post(f"/admin/accounts/user/{olga.pk}/second-factor/", reason).status_code == 403
    for roles in (["operator"], ["auditor"]):
        staff = User.objects.create_user(roles[0], is_staff=True, roles=roles)
        client = Client()
        log_in(client, staff)
        assert client.post(f"/admin/accounts/user/{owner.pk}/second-factor/", reason).status_code == 403
    assert not SignIn.objects.exists()


def test_a_mail_server_that_fails_keeps_nobody_out(owner: User, settings: Settings) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    owner.email = "anna@example.com"
    owner.save()
    second_factor.second_factor_reset(user=owner)
    assert outcomes(owner) == ["reset"]


def test_the_admin_shows_no_keys(admin_browser: Client, authenticator: Authenticator) -> None:
    assert admin_browser.get("/admin/otp_totp/totpdevice/").status_code == 404
