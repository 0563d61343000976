"""A driver who leaves, in a real browser: the statement of a month, an archive of it all, and then no account."""

import csv
import io
import zipfile

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Archive, Authenticator, Erasure, User
from accounts.privacy.access_log import Look, access_note
from accounts.privacy.archive import archive_build
from accounts.privacy.erasure import erasure_run
from stations.models import ChargingSession
from tests.portal.conftest import MakeSession
from tests.portal.privacy.test_delete_account import code_of
from tests.readers import Reader, reader_at

pytestmark = pytest.mark.django_db(transaction=True)


def takes_a_statement(reader: Reader, session: ChargingSession) -> None:
    reader.press("Statements")
    reader.sees("Statements")
    month = reader.page.locator("#m2026-03")
    expect(month).to_contain_text("7,78" if reader.language == "de" else "7.78")
    assert reader.downloads(month.get_by_text("PDF")).startswith(b"%PDF-")
    separator = ";" if reader.language == "de" else ","
    content = reader.downloads(month.get_by_text("CSV")).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content), delimiter=separator))
    assert [row["session_id"] for row in rows] == [str(session.pk)]
    reader.look()


def takes_everything(reader: Reader) -> None:
    """The page says by itself when the archive is there: nobody has to press anything."""
    reader.press("My data")
    reader.sees("My data")
    reader.press("Make the archive")
    expect(reader.page.get_by_role("status")).to_contain_text(reader.says("The archive is being made."))
    reader.fine("my-data-making")
    archive_build(archive_id=Archive.objects.get().pk)
    fetch = reader.page.get_by_role("link", name=reader.says("Download the archive"))
    expect(fetch).to_be_visible()
    reader.fine("my-data-ready")
    with zipfile.ZipFile(io.BytesIO(reader.downloads(fetch))) as archive:
        assert archive.testzip() is None and "verify_receipt.py" in " ".join(archive.namelist())


def goes(reader: Reader, owner: User) -> None:
    """Asked for the name and a code; what is wrong is said beside the field, and then it is done."""
    page = reader.page
    reader.press("Delete my account…")
    reader.sees("Delete the account %(name)s?", name="anna")
    name, code = page.locator("#id_name"), page.locator("#id_code")
    name.fill("ben")
    code.fill("123")
    reader.press("Delete %(name)s for ever", name="anna")
    expect(page.get_by_role("alert")).to_have_text([reader.says("This is not the name of the account.")])
    reader.fine("delete-wrong")
    name.fill("anna")
    code.fill(code_of(owner))
    reader.press("Delete %(name)s for ever", name="anna")
    reader.sees("Your account is being deleted")
    reader.fine("deleted")
    reader.go("/statements")  # "/" is there for strangers, too
    reader.sees("Log in")
    assert erasure_run(erasure_id=Erasure.objects.get().pk)
    owner.refresh_from_db()
    assert not owner.is_active and not ChargingSession.objects.filter(customer=owner).exists()


@pytest.mark.parametrize(
    ("size", "scheme", "language"), [("wide", "light", "en"), ("narrow", "dark", "de")], ids=["wide", "narrow"]
)
def test_a_statement_the_archive_and_no_account_any_more(
    chromium: Browser,
    live_server: LiveServer,
    make_session: MakeSession,
    owner: User,
    size: str,
    scheme: str,
    language: str,
) -> None:
    session = make_session()
    Authenticator.make(user=owner, confirmed=True)
    access_note(viewer="partner ABC", customer=owner, what=Look.API)
    reader = reader_at(chromium, live_server.url, size, scheme, language)
    reader.login(owner)
    takes_a_statement(reader, session)
    takes_everything(reader)
    goes(reader, owner)
    reader.context.close()
