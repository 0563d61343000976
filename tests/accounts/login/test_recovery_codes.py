"""Recovery codes: each opens once, guessing has to wait, and new ones end the old."""

import re
import threading
import time

import pytest
from django.core import mail
from django.db import connections
from django.test import Client

from accounts.login import second_factor
from accounts.login.access import SHOWN_AT
from accounts.models import Authenticator, RecoveryCode, RecoverySheet, User
from tests.accounts.login.codes import NOWHERE, at_a_quiet_moment, outcomes, recover, show, unlock
from tests.accounts.login.conftest import code_of
from tests.people import log_in

__all__ = ["at_a_quiet_moment"]  # fixture
pytestmark = pytest.mark.django_db


def test_a_recovery_code_opens_once(half_in: Client, owner: User, codes: list[str]) -> None:
    owner.email = "anna@example.com"
    owner.save()
    assert recover(half_in, codes[0].upper().replace("-", " ")) == "/security"
    assert "9 of 10" in half_in.get("/security").content.decode()
    assert "A recovery code was used" in mail.outbox[0].subject
    thief = Client()
    log_in(thief, owner, second_factor=False)
    assert "wrong, or it was used already" in recover(thief, codes[0])
    assert thief.get("/")["Location"] == NOWHERE
    assert outcomes(owner) == ["recovery_code", "wrong_code"]


def test_recovery_codes_are_hashed(codes: list[str]) -> None:
    kept = set(RecoveryCode.objects.values_list("digest", flat=True))
    assert len(kept) == 10 and all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in kept)
    assert all(re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", code) for code in codes)


def test_guessing_recovery_codes_has_to_wait(half_in: Client, owner: User, codes: list[str]) -> None:
    assert "Wait 1 second" in recover(half_in, "abcd-efgh-jkmn-pqrs")
    assert "This code was not looked at: it may be right." in recover(half_in, codes[0])
    unlock(RecoverySheet.objects.get(user=owner))
    assert recover(half_in, codes[0]) == "/security"


@pytest.mark.parametrize("nonsense", ["", "short", "x" * 59, "ａｂｃｄ-efgh-jkmn-pqrs", "' or 1=1 --", "\0" * 16])
def test_nonsense_is_no_recovery_code(half_in: Client, codes: list[str], nonsense: str) -> None:
    assert "field-error" in recover(half_in, nonsense)
    assert RecoverySheet.objects.get().throttling_failure_count == 0


@pytest.mark.django_db(transaction=True)
def test_of_two_with_one_recovery_code_one_is_let_in(owner: User) -> None:
    (code, *_) = second_factor.recovery_codes_new(user=owner)
    sheet, together, taken = RecoverySheet.objects.get(), threading.Barrier(2), []

    def use() -> None:
        together.wait()
        plain = second_factor.recovery_code_plain(code)
        taken.append(second_factor.code_check(user=owner, device=sheet, code=plain) is not None)
        connections.close_all()

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False, True]


def test_new_codes_need_the_second_factor_of_just_now(owner: User, codes: list[str]) -> None:
    client = Client()
    log_in(client, owner)
    session = client.session
    session[SHOWN_AT] = time.time() - 16 * 60
    session.save()
    referer = {"Referer": "http://testserver/security"}
    response = client.post("/security/recovery-codes", headers=referer)
    assert response["Location"] == "/second-factor?again=1&next=/security"
    assert client.get(response["Location"]).status_code == 200  # asked, though the session has shown it
    device = second_factor.authenticator_of(owner)
    assert device and show(client, code_of(device)) == "/security"
    page = client.post("/security/recovery-codes").content.decode()
    assert len(re.findall(r"<li><code>", page)) == 10
    assert "wrong" in recover(client, codes[0])
    assert outcomes(owner)[:2] == ["second_factor", "codes_made"]


def test_somebody_without_codes_is_told_what_to_do(half_in: Client, authenticator: Authenticator) -> None:
    page = half_in.get("/second-factor/recovery").content.decode()
    assert "Ask the operator to reset" in page
    assert half_in.post("/second-factor/recovery", {"code": "abcd-efgh-jkmn-pqrs"}).status_code == 200
