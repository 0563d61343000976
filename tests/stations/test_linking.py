"""Cards change hands: who gets which sessions, and the one-time codes by which drivers link them."""

import uuid
from collections.abc import Callable
from functools import partial

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from stations.cards import linking
from stations.cards.linking import ALPHABET, link_code_make, link_code_redeem, network
from stations.cards.services import id_token_link, id_token_unlink
from stations.errors import LinkCodeRefusedError, LinkCodesThrottledError, TokenTakenError
from stations.models import ChargingSession, IdToken, LinkCode
from tests.stations.conftest import StationClient, crowd, in_thread

HERE = "203.0.113.9"


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def ben(db: None) -> User:
    return User.objects.create_user("ben")


@pytest.fixture
def card(db: None) -> IdToken:
    return IdToken.objects.create(uid="04A1")


@pytest.fixture
def charge(owner: StationClient) -> Callable[..., ChargingSession]:
    """A charge with card 04A1 at the station, which ends at once unless told otherwise."""

    def make(number: str, *, ends: bool = True) -> ChargingSession:
        assert owner.start(number).status_code == 201
        assert not ends or owner.stop(number).status_code == 200
        return ChargingSession.objects.get(transaction_id=number)

    return make


Charge = Callable[..., ChargingSession]


def of(customer: User | None) -> list[str]:
    found = ChargingSession.objects.filter(customer=customer).order_by("transaction_id")
    return list(found.values_list("transaction_id", flat=True))


# --- who gets which sessions


def test_past_sessions_of_nobody_come_along(anna: User, card: IdToken, charge: Charge) -> None:
    charge("T1")
    assert id_token_link(id_token=card, customer=anna) == 1
    charge("T2")
    assert of(anna) == ["T1", "T2"]


def test_what_he_charged_stays_his_and_the_next_one_does_not_get_it(
    anna: User, ben: User, card: IdToken, charge: Charge
) -> None:
    id_token_link(id_token=card, customer=anna)
    charge("T1")
    running = charge("T2", ends=False)
    assert id_token_unlink(id_token=card) == 0
    charge("T3")
    assert id_token_link(id_token=card, customer=ben) == 1
    charge("T4")
    running.refresh_from_db()
    assert (of(anna), of(ben), running.status) == (["T1", "T2"], ["T3", "T4"], "ACTIVE")


def test_a_link_by_mistake_gives_the_sessions_back(anna: User, ben: User, card: IdToken, charge: Charge) -> None:
    charge("T1")
    id_token_link(id_token=card, customer=anna)
    charge("T2")
    assert id_token_unlink(id_token=card, mistaken=True) == 2
    assert of(None) == ["T1", "T2"]
    assert id_token_link(id_token=card, customer=ben) == 2


def test_a_card_that_is_nobodys_is_unlinked_in_peace(card: IdToken) -> None:
    assert id_token_unlink(id_token=card) == id_token_unlink(id_token=card, mistaken=True) == 0


# --- codes


def test_a_code_links_once_and_brings_the_past(anna: User, ben: User, card: IdToken, charge: Charge) -> None:
    charge("T1")
    code = link_code_make(id_token=card, made_by=None)
    assert len(code) == 11 and set(code) <= {*ALPHABET, "-"}
    assert link_code_redeem(typed=code, customer=anna, address=HERE) == (card, 1)
    assert of(anna) == ["T1"]
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=code, customer=ben, address=HERE)
    row = LinkCode.objects.get()
    assert row.used_by == anna and row.used_at is not None
    assert code.replace("-", "") not in row.code_hash and len(row.code_hash) == 64


@pytest.mark.parametrize(
    "change", [str.lower, lambda code: f"  {code[:5]} {code[6:]}\t", lambda code: code.replace("-", "–")]
)
def test_a_code_may_be_typed_as_people_type(anna: User, card: IdToken, change: Callable[[str], str]) -> None:
    code = link_code_make(id_token=card, made_by=None)
    link_code_redeem(typed=change(code), customer=anna, address=HERE)
    card.refresh_from_db()
    assert card.customer == anna


@pytest.mark.parametrize("typed", ["", "-", "0000000000", "A" * 10_000, "\x00", "' OR 1=1 --", "😀" * 10, "ＡＢＣＤＥ"])
def test_hostile_codes_are_refused(anna: User, card: IdToken, typed: str) -> None:
    link_code_make(id_token=card, made_by=None)
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=typed, customer=anna, address=HERE)
    card.refresh_from_db()
    assert card.customer is None


def test_a_new_code_ends_the_old_one(anna: User, card: IdToken) -> None:
    old, new = (link_code_make(id_token=card, made_by=None) for _ in range(2))
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=old, customer=anna, address=HERE)
    assert link_code_redeem(typed=new, customer=anna, address=HERE)[0] == card


def test_a_code_ends_after_a_week(anna: User, card: IdToken) -> None:
    code = link_code_make(id_token=card, made_by=None)
    LinkCode.objects.update(expires_at=timezone.now())
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=code, customer=anna, address=HERE)
    assert link_code_make(id_token=card, made_by=None) != code, "a late one is in nobody's way"


@pytest.mark.parametrize("keep_old", [True, False])
def test_a_code_outlives_a_change_of_the_secret_key(
    anna: User, card: IdToken, settings: Settings, keep_old: bool
) -> None:
    code = link_code_make(id_token=card, made_by=None)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY] if keep_old else []
    settings.SECRET_KEY = "another secret key"
    if keep_old:
        assert link_code_redeem(typed=code, customer=anna, address=HERE)[0] == card
    else:
        with pytest.raises(LinkCodeRefusedError):
            link_code_redeem(typed=code, customer=anna, address=HERE)


def test_a_card_of_another_customer_is_refused(anna: User, ben: User, card: IdToken) -> None:
    code = link_code_make(id_token=card, made_by=None)
    id_token_link(id_token=card, customer=ben)
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=code, customer=anna, address=HERE)
    IdToken.objects.filter(pk=card.pk).update(customer=None)
    LinkCode.objects.update(ended_at=None)
    IdToken.objects.filter(pk=card.pk).update(customer=ben)
    with pytest.raises(LinkCodeRefusedError):
        link_code_redeem(typed=code, customer=anna, address=HERE)
    assert LinkCode.objects.get().used_at is None, "what was refused is not used"
    with pytest.raises(TokenTakenError):
        link_code_make(id_token=card, made_by=None)


# --- guessing


def test_guesses_of_a_person_are_few(anna: User, ben: User, card: IdToken) -> None:
    code = link_code_make(id_token=card, made_by=None)
    for _ in range(linking.TRIES_OF_USER):
        with pytest.raises(LinkCodeRefusedError):
            link_code_redeem(typed="ABCDE-FGHJK", customer=anna, address=HERE)
    with pytest.raises(LinkCodesThrottledError):
        link_code_redeem(typed=code, customer=anna, address="198.51.100.1")
    assert link_code_redeem(typed=code, customer=ben, address=HERE)[0] == card, "others are not slowed"


def test_guesses_from_an_address_are_few_whoever_makes_them(db: None, card: IdToken) -> None:
    code = link_code_make(id_token=card, made_by=None)
    people = [User.objects.create_user(f"u{number}") for number in range(linking.TRIES_FROM_ADDRESS + 1)]
    for number, person in enumerate(people[:-1]):
        with pytest.raises(LinkCodeRefusedError):
            link_code_redeem(typed="ABCDE-FGHJK", customer=person, address=f"2001:db8::{number:x}")
    with pytest.raises(LinkCodesThrottledError):
        link_code_redeem(typed=code, customer=people[-1], address="2001:db8::ffff")


def test_without_counting_nothing_is_tried(anna: User, card: IdToken, settings: Settings) -> None:
    code = link_code_make(id_token=card, made_by=None)
    redis = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": redis, "LOCATION": "redis://127.0.0.1:9/0"}}
    with pytest.raises(LinkCodesThrottledError):
        link_code_redeem(typed=code, customer=anna, address=HERE)


def test_who_is_behind_an_address() -> None:
    assert network("203.0.113.9") == "203.0.113.9"
    assert network("2001:db8:0:1::5") == network("2001:db8:0:1:ffff::") == "2001:db8:0:1::/64"
    assert network("") == network("no address") == "unknown"


# --- at the same moment, on both databases


@pytest.mark.usefixtures("crowd_database")
def test_a_code_entered_by_two_at_once_links_one_of_them() -> None:
    uid = uuid.uuid4().hex
    card = in_thread(lambda: IdToken.objects.create(uid=uid))
    people = [in_thread(lambda: User.objects.create_user(uuid.uuid4().hex)) for _ in range(6)]
    code = in_thread(lambda: link_code_make(id_token=card, made_by=None))

    def enter(person: User) -> User | None:
        try:
            link_code_redeem(typed=code, customer=person, address="unknown")
            return person
        except LinkCodeRefusedError:
            return None

    (winner,) = filter(None, crowd([partial(enter, person) for person in people]))
    assert in_thread(lambda: IdToken.objects.get(pk=card.pk).customer_id) == winner.pk
    row = in_thread(lambda: LinkCode.objects.get(id_token=card))
    assert row.used_by_id == winner.pk


@pytest.mark.usefixtures("crowd_database")
def test_codes_made_at_once_leave_one_open() -> None:
    card = in_thread(lambda: IdToken.objects.create(uid=uuid.uuid4().hex))
    codes = crowd([lambda: link_code_make(id_token=card, made_by=None)] * 5)
    assert len(set(codes)) == 5
    assert in_thread(lambda: LinkCode.objects.open().filter(id_token=card).count()) == 1
