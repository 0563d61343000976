"""Witnesses of the log in the admin: added with what is checked, switched off and on by who may, logged."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.models import Role
from ledger.alerts import alert_raise
from ledger.models import Alert, LogWitness
from tests.evportal.admin.test_admin import act, address
from tests.ledger.log.operator import ORIGIN, LogKey, WitnessKey
from tests.people import browser_of, person

pytestmark = pytest.mark.django_db
MODEL = "ledger.logwitness"


@pytest.fixture(autouse=True)
def origin(settings: Settings) -> None:
    settings.LOG_ORIGIN = ORIGIN


@pytest.fixture
def browser() -> Client:
    return browser_of(person("anna", Role.ADMIN))


def add(browser: Client, url: str, vkey: str) -> str:
    response = browser.post(address(MODEL, "add"), {"url": url, "vkey": vkey}, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def test_a_witness_is_added_and_logged(browser: Client) -> None:
    key = WitnessKey("club.example/w1")
    page = add(browser, "https://club.example/w1/", key.vkey)
    assert "was added successfully" in page
    row = LogWitness.objects.get()
    assert (row.name, row.url, row.vkey, row.enabled) == ("club.example/w1", "https://club.example/w1", key.vkey, True)
    assert LogEntry.objects.get().object_repr == "club.example/w1"
    page = add(browser, "https://club.example/w1", key.vkey)
    assert "This witness is asked already." in page
    page = add(browser, "https://club.example/w1", WitnessKey("club.example/w1").vkey)
    assert "A new key needs a new name." in page
    page = browser.get(address(MODEL, "change", row.pk)).content.decode()
    assert key.vkey in page and "nothing signed yet" in page and 'name="vkey"' not in page


def test_what_was_typed_stays_beside_what_is_wrong(browser: Client) -> None:
    for url, vkey, why in (
        ("http://club.example/", WitnessKey("w").vkey, "expected an https address"),
        ("https://10.1.2.3/", WitnessKey("w").vkey, "inside a network"),
        ("https://club.example/", LogKey().vkey, "expected type 0x04"),
        ("https://club.example/", "club+12345678+AAAA", "key of the witness"),
    ):
        page = add(browser, url, vkey)
        assert why in page and url in page
    assert not LogWitness.objects.exists()


def test_switched_off_and_on(browser: Client) -> None:
    add(browser, "https://club.example/w1", WitnessKey("club.example/w1").vkey)
    row = LogWitness.objects.get()
    alert_raise("witness_missing", row.name, "away")
    assert "1 witness is asked no more." in act(browser, MODEL, "disable", row)
    row.refresh_from_db()
    assert not row.enabled and not Alert.objects.filter(closed_at__isnull=True).exists()
    assert "1 witness is asked from now on." in act(browser, MODEL, "enable", row)
    row.refresh_from_db()
    assert row.enabled and LogEntry.objects.count() == 3


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR])
def test_who_only_reads(browser: Client, role: Role) -> None:
    add(browser, "https://club.example/w1", WitnessKey("club.example/w1").vkey)
    reader, row = browser_of(person("rita", role)), LogWitness.objects.get()
    assert reader.get(address(MODEL, "change", row.pk)).status_code == 200
    assert reader.get(address(MODEL, "add")).status_code == 403
    reader.post(address(MODEL, "changelist"), {"action": "disable", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.enabled
