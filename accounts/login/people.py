"""What is done with people: found by their login, kept up to date, linked to it; and what of their sign-ins is kept."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts.login.roles import roles_set
from accounts.models import SignIn, User
from common.client_address import browser_name, client_address

NAME_MAX = 150
NOT_IN_NAMES = re.compile(r"[^\w.@+-]")


def person_from_claims(*, claims: Mapping[str, Any]) -> User:
    """Return the person of these verified claims, made at the first login; e-mail address and roles follow the claims.

    Who somebody is says `sub` alone. A name that another person has is made different; an e-mail address is kept only
    when the provider has verified it, and matches nobody.
    """
    user = User.objects.filter(sub=claims["sub"]).first() or _person_new(claims)
    person_update(user=user, claims=claims)
    return user


def _person_new(claims: Mapping[str, Any]) -> User:
    sub = str(claims["sub"])
    wished = str(claims.get("preferred_username") or claims.get("cognito:username") or sub)
    name = NOT_IN_NAMES.sub("-", wished)[:NAME_MAX] or sub
    for username in (name, f"{name[: NAME_MAX - 9]}-{sub[:8]}", sub):
        user = User(sub=sub, username=username)
        user.set_unusable_password()
        try:
            with transaction.atomic():
                user.save(force_insert=True)
        except IntegrityError:  # the name is somebody else's, or the same person logs in twice at this moment
            if found := User.objects.filter(sub=sub).first():
                return found
        else:
            return user
    raise AssertionError("a sub is nobody's name")


def person_update(*, user: User, claims: Mapping[str, Any]) -> None:
    """Make e-mail address and roles those of the claims (at each login and renewal)."""
    verified = str(claims.get("email_verified")).lower() == "true"  # Cognito: boolean or string, by endpoint
    email = str(claims.get("email", "")) if verified else ""
    if user.email != email:
        user.email = email
        user.save(update_fields=["email"])
    groups = claims.get("cognito:groups")
    roles_set(user=user, roles=[str(group) for group in groups] if isinstance(groups, list) else [])


def sign_in_record(*, user: User, outcome: SignIn.Outcome, request: HttpRequest | None = None) -> SignIn:
    """Keep a step of a login for the person to look up; without a request it came from elsewhere (staff)."""
    where = {"address": client_address(request), "browser": browser_name(request)} if request else {}
    return SignIn.objects.create(user=user, outcome=outcome, **where)


def sign_ins_prune() -> int:
    """Delete the steps that are older than the retention says (as in the access log); returns how many."""
    oldest = timezone.now() - timedelta(days=settings.ACCESS_LOG_KEEP_DAYS)
    return SignIn.objects.filter(at__lt=oldest).delete()[0]
