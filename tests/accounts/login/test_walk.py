"""The whole way in a real browser: provider, second factor, recovery codes, security page, and out of both again."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev import totp
from dev.cognito import Person, Provider
from tests.accounts.login.conftest import PASSWORD
from tests.conftest import allow_addresses
from tests.readers import Reader, reader_at

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=[("wide", "light", "en"), ("narrow", "dark", "de")], ids=["wide-light", "narrow-dark"])
def reader(
    request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer, cognito: Provider, anna: Person
) -> Iterator[Reader]:
    allow_addresses(live_server.url)
    reader = reader_at(chromium, live_server.url, *request.param)
    yield reader
    reader.context.close()


def give_password(reader: Reader) -> None:
    page = reader.page
    reader.press("Log in")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    reader.fine("provider")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_from_the_provider_to_the_history_and_out(reader: Reader) -> None:
    page = reader.page
    page.goto(f"{reader.base}/security")
    reader.fine("login")
    give_password(reader)
    reader.sees("Set up your authenticator")
    reader.fine("enrol")
    key = page.locator(".key").inner_text()
    page.get_by_label(reader.says("Six-digit code")).fill(totp.code(key))
    reader.press("Confirm")
    expect(page.locator(".codes code")).to_have_count(10)
    reader.fine("codes")
    codes = page.locator(".codes code").all_inner_texts()
    file = page.get_by_role("link", name=reader.says("Download as a file"))
    assert reader.downloads(file).decode().split() == codes
    reader.press("I have kept them, go on")
    reader.sees("Security")
    left = reader.says("%(codes_left)s of %(codes_all)s", codes_left=10, codes_all=10)
    expect(page.get_by_text(left)).to_be_visible()
    reader.fine("security")
    reader.press("Log out")
    reader.sees("Log in")
    reader.look()
    give_password(reader)  # the provider asks again: its session has ended, too
    reader.sees("Second factor")
    reader.fine("second-factor")
    page.get_by_label(reader.says("Six-digit code")).fill("12345")
    reader.press("Go on")
    expect(page.get_by_text(reader.says("The code has six digits."))).to_be_visible()
    reader.fine("wrong")
    reader.press("Use a recovery code")
    expect(page.get_by_label(reader.says("Recovery code"))).to_be_visible()
    reader.fine("recovery")
    page.get_by_label(reader.says("Recovery code")).fill(codes[3])
    reader.press("Go on")
    expect(page.get_by_text("9 Wieder" if reader.language == "de" else "9 recovery codes are left.")).to_be_visible()
    assert User.objects.get().username == "anna"
