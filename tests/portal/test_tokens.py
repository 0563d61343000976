"""The page "Cards": a driver links a card with a code and unlinks it; nobody touches what is somebody else's."""

import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from accounts.login.roles import roles_set
from accounts.models import User
from stations.cards.linking import TRIES_OF_USER, link_code_make
from stations.cards.services import id_token_unlink
from stations.models import ChargingSession, IdToken, LinkCode
from tests.conftest import CloseSessions
from tests.people import log_in
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def untried() -> None:
    cache.clear()


@pytest.fixture
def card(db: None) -> IdToken:
    return IdToken.objects.create(uid="04NEW", contract_id="DE-8AA-C12345678-X")


def enter(client: Client, code: str) -> str:
    return " ".join(client.post(reverse("tokens"), {"code": code}, follow=True).content.decode().split())


def test_a_driver_without_cards_is_told_how_to_get_one(other_browser: Client) -> None:
    assert f'href="{reverse("tokens")}"' in text(other_browser, "/")
    page = text(other_browser, reverse("tokens"))
    assert "No card is linked to your account yet." in page and "Ask the operator" in page


def test_the_code_brings_the_card_and_its_past(
    other_browser: Client, card: IdToken, close_sessions: CloseSessions
) -> None:
    close_sessions(3, token=card)
    page = enter(other_browser, link_code_make(id_token=card, made_by=None))
    assert "Linked: card 04NEW. 3 earlier charges came along." in page
    assert "DE-8AA-C12345678-X" in page and "1 Mar 2026" in page
    assert "3 sessions" in text(other_browser, "/")


@pytest.mark.parametrize("kind", ["wrong", "used", "late", "replaced", "taken"])
def test_each_code_that_links_nothing_is_answered_alike(
    other_browser: Client, owner: User, card: IdToken, kind: str
) -> None:
    code = link_code_make(id_token=card, made_by=None)
    if kind == "wrong":
        code = "ABCDE-FGHJK"
    elif kind == "used":
        LinkCode.objects.update(used_at="2026-01-01T00:00Z")
    elif kind == "late":
        LinkCode.objects.update(expires_at="2026-01-01T00:00Z")
    elif kind == "replaced":
        link_code_make(id_token=card, made_by=None)
    else:
        IdToken.objects.filter(pk=card.pk).update(customer=owner)
    page = enter(other_browser, code)
    assert "This code links nothing: it is mistyped, too old, or was used already." in page
    assert f'value="{code}"' in page, "what was typed is kept"
    card.refresh_from_db()
    assert card.customer == (owner if kind == "taken" else None)


def test_guessing_is_stopped(other_browser: Client, card: IdToken) -> None:
    code = link_code_make(id_token=card, made_by=None)
    for _ in range(TRIES_OF_USER):
        assert "links nothing" in enter(other_browser, "ABCDE-FGHJK")
    assert "try again in an hour" in enter(other_browser, code)
    card.refresh_from_db()
    assert card.customer is None


def test_nothing_typed_is_a_clear_error(other_browser: Client) -> None:
    assert "Type the code that the operator gave you." in enter(other_browser, "  ")
    assert other_browser.post(reverse("tokens"), {}).status_code == 200


def test_unlinking_asks_once_names_the_card_and_keeps_the_past(
    browser: Client, id_token: IdToken, close_sessions: CloseSessions, owner: User
) -> None:
    close_sessions(2)
    address = reverse("token_unlink", args=[id_token.pk])
    assert f'href="{address}"' in text(browser, reverse("tokens"))
    assert "Unlink card 04A2B3C4D5E680?" in text(browser, address)
    id_token.refresh_from_db()
    assert id_token.customer == owner, "looking changes nothing"
    page = " ".join(browser.post(address, follow=True).content.decode().split())
    assert "Its charges so far stay yours." in page and "card 04A2B3C4D5E680: 2 charges" in page
    id_token.refresh_from_db()
    assert id_token.customer is None
    assert ChargingSession.objects.filter(customer=owner).count() == 2
    assert browser.post(address).status_code == 404, "again: it is theirs no more"


def test_somebody_elses_card_is_not_there(other_browser: Client, id_token: IdToken, owner: User) -> None:
    address = reverse("token_unlink", args=[id_token.pk])
    assert other_browser.get(address).status_code == other_browser.post(address).status_code == 404
    assert Client().post(address).status_code in {302, 404}
    id_token.refresh_from_db()
    assert id_token.customer == owner
    assert "04A2B3C4D5E680" not in text(other_browser, reverse("tokens"))


# --- the operator's side


def test_an_operator_makes_a_code_that_is_shown_once(staff_browser: Client, card: IdToken, owner: User) -> None:
    address = reverse("admin:stations_idtoken_link_code", args=[card.pk])
    assert address in text(staff_browser, reverse("admin:stations_idtoken_change", args=[card.pk]))
    assert "Make a code for linking ISO14443 04NEW?" in text(staff_browser, address)
    assert not LinkCode.objects.exists(), "looking makes none"
    page = staff_browser.post(address).content.decode()
    (code,) = re.findall(r"<code>(\w{5}-\w{5})</code>", page)
    assert code not in text(staff_browser, address)
    driver = Client()
    log_in(driver, owner)
    assert "Linked: card 04NEW." in enter(driver, code)


def test_a_card_that_has_a_customer_gets_no_code(staff_browser: Client, id_token: IdToken) -> None:
    address = reverse("admin:stations_idtoken_link_code", args=[id_token.pk])
    assert "belongs to anna" in text(staff_browser, address)
    assert "belongs to anna" in staff_browser.post(address).content.decode()
    assert not LinkCode.objects.exists()
    id_token_unlink(id_token=id_token)
    assert "ev-secret" in staff_browser.post(address).content.decode()


def test_an_auditor_makes_no_code(card: IdToken) -> None:
    auditor = User.objects.create_user("paula")
    roles_set(user=auditor, roles=["auditor"])
    client = Client()
    log_in(client, auditor)
    address = reverse("admin:stations_idtoken_link_code", args=[card.pk])
    assert client.get(address).status_code == client.post(address).status_code == 403
    assert "Make a code" not in text(client, reverse("admin:stations_idtoken_change", args=[card.pk]))
