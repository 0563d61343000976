"""The whole way in a real browser: provider, second factor, recovery codes, security page, and out of both again."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import User
from dev import totp
from dev.cognito import Person, Provider
from tests.accounts.conftest import PASSWORD
from tests.conftest import allow_addresses
from tests.pages.test_walk import Reader, chromium, reader_at

pytestmark = pytest.mark.django_db(transaction=True)
assert chromium  # the fixture


@pytest.fixture(params=[("wide", "light"), ("narrow", "dark")], ids=["wide-light", "narrow-dark"])
def reader(
    request: pytest.FixtureRequest, chromium: Browser, live_server: LiveServer, cognito: Provider, anna: Person
) -> Iterator[Reader]:
    allow_addresses(live_server.url)
    reader = reader_at(chromium, live_server.url, *request.param)
    yield reader
    reader.context.close()


def fine(reader: Reader, name: str = "") -> None:
    """No complaint, nothing sideways, and nothing that a screen reader or a keyboard would stumble over."""
    reader.look()
    found = Axe().run(reader.page)
    serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == []
    if name and SCREENSHOTS.is_dir():
        reader.page.screenshot(path=SCREENSHOTS / f"{name}-{reader.width}.png", full_page=True)


SCREENSHOTS = Path("/tmp/login-screenshots")


def give_password(reader: Reader) -> None:
    page = reader.page
    page.get_by_role("link", name="Log in").click()
    fine(reader, "provider")
    page.get_by_label("Name").fill("anna")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


def test_from_the_provider_to_the_history_and_out(reader: Reader) -> None:
    page = reader.page
    page.goto(f"{reader.base}/security")
    fine(reader, "login")
    give_password(reader)
    expect(page.get_by_role("heading", name="Set up your authenticator")).to_be_visible()
    fine(reader, "enrol")
    key = page.locator(".key").inner_text()
    page.get_by_label("Six-digit code").fill(totp.code(key))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".codes code")).to_have_count(10)
    fine(reader, "codes")
    codes = page.locator(".codes code").all_inner_texts()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as a file").click()
    assert Path(download.value.path()).read_text().split() == codes
    page.get_by_role("link", name="I have kept them, go on").click()
    expect(page.get_by_role("heading", name="Security")).to_be_visible()
    expect(page.get_by_text("10 of 10")).to_be_visible()
    fine(reader, "security")
    page.get_by_role("button", name="Log out anna").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    reader.look()
    give_password(reader)  # the provider asks again: its session has ended, too
    expect(page.get_by_role("heading", name="Second factor", exact=True)).to_be_visible()
    fine(reader, "second-factor")
    page.get_by_label("Six-digit code").fill("12345")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("The code has six digits.")).to_be_visible()
    fine(reader, "wrong")
    page.get_by_role("link", name="Use a recovery code").click()
    fine(reader, "recovery")
    page.get_by_label("Recovery code").fill(codes[3])
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("9 recovery codes are left.")).to_be_visible()
    assert User.objects.get().username == "anna"
