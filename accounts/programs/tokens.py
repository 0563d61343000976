"""Personal API tokens: made, shown once, used, taken back. `evp_` and 43 characters, 256 random bits."""

import hashlib
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from accounts.models import User
from accounts.models.programs import ApiToken
from accounts.programs import scopes as all_scopes

PREFIX = "evp_"  # recognisable: by people, and by scanners that look for leaked tokens
SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}", re.ASCII)
DAYS_DEFAULT = 90
DAYS_MAX = 365
LIVING_MAX = 20
LAST_USED_EVERY = timedelta(minutes=1)
CONFIRMED_WITHIN = {True: timedelta(days=7), False: timedelta(days=90)}  # staff, drivers: by a login


class TokenRefused(Exception):
    """Why a token is not taken. `code` is stable, the text is for the caller."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooManyTokens(Exception):
    """The person has as many living tokens as one may have."""


@transaction.atomic
def token_make(*, user: User, name: str, scopes: Iterable[str], days: int = DAYS_DEFAULT) -> tuple[ApiToken, str]:
    """Make a token; returns its row and the token itself, which nobody can read again.

    Raises TooManyTokens, and ValueError for an unknown scope or a lifetime out of 1 to 365 days.
    """
    if not 1 <= days <= DAYS_MAX:
        raise ValueError(f"expected 1 to {DAYS_MAX} days, got {days}")
    User.objects.select_for_update().get(pk=user.pk)  # two at once are counted one after the other
    if living(user).count() >= LIVING_MAX:
        raise TooManyTokens(f"expected at most {LIVING_MAX} tokens at once")
    token = PREFIX + secrets.token_urlsafe(32)
    row = ApiToken.objects.create(
        user=user,
        name=name,
        digest=token_digest(token),
        hint=token[: len(PREFIX) + 4],
        scopes=all_scopes.known(scopes),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return row, token


def token_revoke(*, token: ApiToken) -> bool:
    """Take the token back, for good; False where it was revoked already."""
    return bool(ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=timezone.now()))


def token_authenticate(token: str) -> ApiToken:
    """The row of this token, with its person; raises TokenRefused. What it may do is what the person may do now."""
    if not SHAPE.fullmatch(token):
        raise TokenRefused("token_invalid", f"expected {PREFIX} and 43 characters")
    row = ApiToken.objects.select_related("user").filter(digest=token_digest(token)).first()
    if row is None:
        raise TokenRefused("token_invalid", "this token is not known here")
    if row.revoked_at is not None:
        raise TokenRefused("token_revoked", f"this token was revoked at {row.revoked_at:%Y-%m-%dT%H:%M:%SZ}")
    if not row.is_living:
        raise TokenRefused("token_expired", f"this token expired at {row.expires_at:%Y-%m-%dT%H:%M:%SZ}")
    if not row.user.is_active:
        raise TokenRefused("token_invalid", "this token is not known here")
    if not is_confirmed(row.user):
        raise TokenRefused("token_unconfirmed", "log in to the portal again: who you are was not confirmed lately")
    token_used(token=row)
    return row


def is_confirmed(user: User) -> bool:
    """The identity provider said lately that this person is one of its own: roles are taken away there."""
    if not user.sub:
        return True
    return user.last_login is not None and timezone.now() - user.last_login <= CONFIRMED_WITHIN[user.is_staff]


def token_used(*, token: ApiToken) -> None:
    """Note that it was used, at most once a minute: not every request needs a write."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at >= LAST_USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
        token.last_used_at = now


def living(user: User) -> models.QuerySet[ApiToken]:
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True, expires_at__gt=timezone.now())


def token_digest(token: str) -> str:
    """SHA-256 (hex), without salt and stretching: nobody can search 2^256 random values (see
    stations/charging/sessions.py)."""
    return hashlib.sha256(token.encode()).hexdigest()
