"""My data: the archive is complete, only its owner's, made in pieces, resumed after a kill, and gone after a day."""

import csv
import io
import json
import os
import signal
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import Archive, ArchivePart, User
from accounts.privacy import archive, tasks
from accounts.privacy.access_log import Look, access_note
from accounts.privacy.archive import archive_ask, archive_build, archive_bytes, archive_ready
from accounts.privacy.own_data import SECRET_PARTS
from stations.models import ChargingSession, IdToken, MeterValue, Site
from tests.conftest import CloseSessions
from tests.ledger.recording.killing import ended_well, forked
from tests.people import log_in
from tests.portal.history.test_history import text

pytestmark = [pytest.mark.django_db]


@pytest.fixture
def charged(close_sessions: CloseSessions, site: Site, owner: User, other_customer: User) -> list[ChargingSession]:
    """Three charges of Anna at a place with a name of its own, and one of Ben."""
    Site.objects.filter(pk=site.pk).update(name="Büro am Hafen 🔌")
    site.refresh_from_db()
    ben = IdToken.objects.create(uid="BEEF00", customer=other_customer)
    close_sessions(1, token=ben)
    sessions = close_sessions(3)
    MeterValue.objects.create(
        session=sessions[0], sampled_at=sessions[0].started_at, value="1000.5", measurand="=cmd|' /C calc'!A0"
    )
    access_note(viewer="partner ABC", customer=owner, what=Look.API, reason="@SUM(1)")
    return sessions


def made(user: User) -> zipfile.ZipFile:
    found = archive_ask(customer=user)
    assert archive_build(archive_id=found.pk)
    found.refresh_from_db()
    content = b"".join(archive_bytes(found))
    assert len(content) == found.size
    zipped = zipfile.ZipFile(io.BytesIO(content))
    assert zipped.testzip() is None
    return zipped


def read_json(zipped: zipfile.ZipFile, name: str) -> Any:
    return json.loads(zipped.read(name).decode())


# --- what is in it


def test_all_that_is_held_is_in_it(charged: list[ChargingSession], owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="anna@example.com", first_name="Änne", password="pbkdf2$secret")
    log_in(Client(), owner)
    zipped = made(owner)
    profile = read_json(zipped, "profile.json")
    assert (profile["username"], profile["email"], profile["first_name"]) == ("anna", "anna@example.com", "Änne")
    assert read_json(zipped, "cards.json") == [
        {"uid": "04A2B3C4D5E680", "type": "ISO14443", "contract_id": "", "linked": True}
    ]
    charges = read_json(zipped, "charges.json")
    assert [charge["id"] for charge in charges] == [str(session.pk) for session in charged]
    assert charges[0]["location"]["name"] == "Büro am Hafen 🔌" and charges[0]["energy_wh"] == 7780
    assert charges[0]["id_token"] == {"uid": "04A2B3C4D5E680", "type": "ISO14443"}
    rows = list(csv.DictReader(io.StringIO(zipped.read("charges.csv").decode("utf-8-sig"))))
    assert [row["session_id"] for row in rows] == [str(session.pk) for session in charged]
    (look,) = read_json(zipped, "access-log.json")
    assert (look["viewer_name"], look["what"]) == ("partner ABC", "api")
    assert b"--chain-id" in zipped.read("verify_receipt.py")
    assert any(name.startswith("account/") for name in zipped.namelist()), "the authenticator is theirs, too"


def test_every_file_is_explained(charged: list[ChargingSession], owner: User) -> None:
    zipped = made(owner)
    readme = zipped.read("README.txt").decode()
    for name in set(zipped.namelist()) - {"README.txt"}:
        assert name.partition("/")[0] in readme, name


def test_it_holds_no_secret_and_nothing_of_others(charged: list[ChargingSession], owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(password="pbkdf2$secret")
    log_in(Client(), owner)
    zipped = made(owner)
    everything = b"".join(zipped.read(name) for name in zipped.namelist())
    assert b"pbkdf2" not in everything and b"BEEF00" not in everything and b"ben" not in everything
    for name in zipped.namelist():
        if name.startswith("account/"):
            assert not [f for row in read_json(zipped, name) for f in row if SECRET_PARTS & set(f.split("_"))]


def test_no_cell_is_a_formula(charged: list[ChargingSession], owner: User) -> None:
    for name in ("meter-values.csv", "charges.csv"):
        for row in csv.reader(io.StringIO(made(owner).read(name).decode("utf-8-sig"))):
            assert not [cell for cell in row if cell[:1] in set("=+@\t\r\n")]


def test_someone_without_anything_gets_an_archive_too(other_customer: User) -> None:
    zipped = made(other_customer)
    assert read_json(zipped, "charges.json") == [] and read_json(zipped, "cards.json") == []


def test_a_card_handed_on_is_in_both_archives_with_the_charges_of_each(
    charged: list[ChargingSession], owner: User, id_token: IdToken
) -> None:
    from stations.cards.services import id_token_unlink

    id_token_unlink(id_token=id_token)
    zipped = made(owner)
    assert [card["linked"] for card in read_json(zipped, "cards.json")] == [False]
    assert len(read_json(zipped, "charges.json")) == 3


# --- making it


def test_it_comes_in_parts_of_a_megabyte(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = archive.Section("noise", "noise.bin", lambda u: "", lambda u: iter([("noise.bin", blocks())]))

    def blocks() -> Iterator[bytes]:
        for _ in range(40):
            yield os.urandom(65536)

    monkeypatch.setitem(archive.SECTIONS, "noise", noise)
    zipped = made(owner)
    assert len(zipped.read("noise.bin")) == 40 * 65536
    sizes = [len(part.content) for part in ArchivePart.objects.order_by("number")]
    assert sizes[:-1] == [archive.PART_BYTES] * (len(sizes) - 1) and len(sizes) == 3


def test_asking_twice_makes_one(owner: User) -> None:
    assert archive_ask(customer=owner) == archive_ask(customer=owner)
    archive_build(archive_id=Archive.objects.get().pk)
    assert not archive_build(archive_id=Archive.objects.get().pk), "it is there already"


def test_a_newer_one_takes_the_place_of_the_older(owner: User) -> None:
    made(owner)
    first = Archive.objects.get()
    second = archive_ask(customer=owner)
    assert archive_ready(customer=owner) == first, "until the newer one is ready"
    archive_build(archive_id=second.pk)
    assert list(Archive.objects.all()) == [second]
    assert not ArchivePart.objects.exclude(archive=second).exists()


def test_a_worker_that_was_overtaken_stops(owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one was stopped for so long that another began anew: its parts count no more."""
    monkeypatch.setattr(archive, "PROGRESS_EVERY_S", 0.0)
    found = archive_ask(customer=owner)

    def files(user: User) -> Iterator[tuple[str, list[str]]]:
        if Archive.objects.get().attempt == 1:
            Archive.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
            assert archive_build(archive_id=found.pk)
        yield "slow.txt", ["one"]

    monkeypatch.setitem(archive.SECTIONS, "slow", archive.Section("slow", "slow.txt", lambda u: "", files))
    assert not archive_build(archive_id=found.pk)
    found.refresh_from_db()
    assert (found.status, found.attempt) == ("READY", 2)
    assert zipfile.ZipFile(io.BytesIO(b"".join(archive_bytes(found)))).testzip() is None


@pytest.mark.django_db(transaction=True)
def test_killed_anywhere_it_is_made_anew(charged: list[ChargingSession], owner: User) -> None:
    found = archive_ask(customer=owner)
    for step in (1, 3, 6):

        def work(step: int = step) -> None:
            count = 0
            real = archive._file

            def file(*args: Any) -> None:
                nonlocal count
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                real(*args)

            archive._file = file  # type: ignore[assignment]
            archive_build(archive_id=found.pk)

        assert not ended_well(forked(work))
        assert archive.archives_due() == [], "its claim still stands"
        Archive.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    ready = archive_ready(customer=owner)
    assert ready is not None and ready.attempt == 4
    assert zipfile.ZipFile(io.BytesIO(b"".join(archive_bytes(ready)))).testzip() is None


def test_one_that_never_succeeds_is_given_up_and_said_so(
    owner: User, monkeypatch: pytest.MonkeyPatch, browser: Client
) -> None:
    def files(user: User) -> Iterator[tuple[str, list[str]]]:
        raise ZeroDivisionError
        yield

    monkeypatch.setitem(archive.SECTIONS, "broken", archive.Section("broken", "", lambda u: "", files))
    found = archive_ask(customer=owner)
    for _ in range(archive.ATTEMPTS_MAX):
        with pytest.raises(ZeroDivisionError):
            archive_build(archive_id=found.pk)
        Archive.objects.update(claimed_until=None)
    assert archive.archives_due() == []
    found.refresh_from_db()
    assert found.status == "FAILED"
    assert "The archive could not be made." in text(browser, reverse("my_data"))
    monkeypatch.delitem(archive.SECTIONS, "broken")
    made(owner)
    assert "could not be made" not in text(browser, reverse("my_data"))


def test_it_is_gone_after_a_day(owner: User, browser: Client) -> None:
    made(owner)
    address = reverse("archive", args=[Archive.objects.get().pk])
    assert browser.get(address).status_code == 200
    Archive.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert browser.get(address).status_code == 404
    tasks.sweep()
    assert not ArchivePart.objects.exists()


def test_an_e_mail_tells_that_it_is_ready(owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(email="anna@example.com")
    made(owner)
    (letter,) = mail.outbox
    assert letter.to == ["anna@example.com"] and "within 24 hours" in letter.body and not letter.attachments


def test_without_a_mail_server_it_is_ready_all_the_same(owner: User, settings: Any) -> None:
    settings.EMAIL_BACKEND, settings.EMAIL_HOST, settings.EMAIL_PORT = (
        "django.core.mail.backends.smtp.EmailBackend",
        "127.0.0.1",
        9,
    )
    User.objects.filter(pk=owner.pk).update(email="anna@example.com")
    made(owner)


# --- the page


def test_the_page_says_what_is_held_and_how_far_the_archive_is(
    browser: Client, charged: list[ChargingSession], owner: User
) -> None:
    page = text(browser, reverse("my_data"))
    assert "3 charges with their meter values" in page and "1 card or contract" in page
    assert "partner ABC" in page and "a program, through the interface for programs" in page
    assert "@SUM(1)" in page
    browser.post(reverse("archive_ask"))
    page = text(browser, reverse("my_data"))
    assert "The archive is being made." in page and "data-moving" in page
    Archive.objects.update(files_done=2, files_total=11)
    assert "2 of 11 files" in text(browser, reverse("my_data"))
    archive_build(archive_id=Archive.objects.get().pk)
    page = text(browser, reverse("my_data"))
    assert "Download the archive" in page and "data-moving" not in page


def test_the_owner_fetches_it_and_nobody_else(browser: Client, other_browser: Client, owner: User) -> None:
    made(owner)
    found = Archive.objects.get()
    address = reverse("archive", args=[found.pk])
    answer = browser.get(address)
    assert (answer.status_code, answer["Content-Length"]) == (200, str(found.size))
    assert answer["Content-Disposition"].startswith('attachment; filename="evportal-my-data-2')
    assert zipfile.ZipFile(io.BytesIO(b"".join(answer))).testzip() is None
    assert other_browser.get(address).status_code == 404
    assert Client().get(address).status_code in {302, 404}
    staff = Client()
    log_in(staff, User.objects.create_superuser("olga"))
    assert staff.get(address).status_code == 404, "staff have no business in it"


def test_looks_are_paged(browser: Client, owner: User) -> None:
    for number in range(30):
        access_note(viewer=f"partner {number:02}", customer=owner, what=Look.API)
    first, second = (text(browser, f"{reverse('my_data')}?page={number}") for number in (1, 2))
    assert "partner 29" in first and "partner 04" not in first and "Page 1 of 2" in first
    assert "partner 04" in second and "partner 29" not in second
    assert text(browser, f"{reverse('my_data')}?page=x") and text(browser, f"{reverse('my_data')}?page=999")
