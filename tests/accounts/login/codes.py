"""Codes of the second factor, right and wrong, and what becomes of them."""

import time
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Authenticator, RecoverySheet, SignIn, User
from tests.accounts.login.conftest import code_of

NOWHERE = "/second-factor?next=/"


@pytest.fixture(autouse=True)
def at_a_quiet_moment() -> None:
    """Not in the last second of a half minute, when a code that was just computed is the one before."""
    if time.time() % 30 > 29:
        time.sleep(1.1)


def wrong_code_of(device: Authenticator) -> str:
    right = {code_of(device, steps) for steps in (-2, -1, 0, 1, 2)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)


def show(client: Client, code: str, **more: str) -> str:
    """Type a code; returns where it leads, or the page that says why not."""
    response = client.post("/second-factor", {"code": code, "next": "/security", **more})
    return str(response.headers.get("Location", response.content.decode()))


def unlock(device: Authenticator | RecoverySheet) -> None:
    """The wait after wrong codes is over."""
    type(device).objects.filter(pk=device.pk).update(throttling_failure_timestamp=timezone.now() - timedelta(days=1))


def outcomes(user: User) -> list[str]:
    return [sign_in.outcome for sign_in in SignIn.objects.filter(user=user).order_by("pk")]


def recover(client: Client, code: str) -> str:
    response = client.post("/second-factor/recovery", {"code": code, "next": "/security"})
    return str(response.headers.get("Location", response.content.decode()))
