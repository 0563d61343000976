"""Sessions end when the provider's does: every quarter of an hour the refresh token is shown there.

Done between the servers and not by leading the browser away (as mozilla-django-oidc's SessionRefresh does), so that
forms, scripts and polling pages go on. Groups and e-mail address come along; somebody who is disabled there is out.
"""

import logging
import time

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpRequest

from accounts.login import identity
from accounts.login.errors import IdentityUnavailableError, LoginRefusedError
from accounts.login.oidc import REFRESH_TOKEN
from accounts.login.people import person_update
from accounts.models import User

log = logging.getLogger(__name__)

RENEW_AT = "oidc_renew_at"
CONFIRMED_AT = "oidc_confirmed_at"
EVERY_S = 15 * 60
TRY_AGAIN_S = 60
WITHOUT_PROVIDER_S = 60 * 60


def session_confirmed(request: HttpRequest) -> None:
    """The provider has just said that this person is logged in."""
    request.session[CONFIRMED_AT] = time.time()
    request.session[RENEW_AT] = time.time() + EVERY_S


def session_is_alive(request: HttpRequest) -> bool:
    """Whether the session may go on; asks the provider when it is time. A session that was never confirmed is not."""
    now = time.time()
    if now < float(request.session.get(RENEW_AT, 0)):
        return True
    if not _asks(request.session, now):
        return True
    user = request.user
    assert isinstance(user, User), "asked behind the login"
    try:
        tokens = identity.tokens_renew(request.session.get(REFRESH_TOKEN, ""))
        claims = identity.id_token_verify(tokens.id_token, sub=user.sub or "")
    except LoginRefusedError as error:
        log.info("the session of user %s is not renewed: %s", user.pk, error)
        return False
    except IdentityUnavailableError as error:
        log.warning("identity provider away, sessions go on for an hour at most: %s", error)
        return now < float(request.session.get(CONFIRMED_AT, 0)) + WITHOUT_PROVIDER_S
    person_update(user=user, claims=claims)
    request.session[REFRESH_TOKEN] = tokens.refresh_token
    session_confirmed(request)
    request.session.save()  # also where the page fails: a pool that rotates refresh tokens knows the old one no more
    return True


def _asks(session: SessionBase, now: float) -> bool:
    """Whether this request asks: of several at once the first, and the others go on with what it left."""
    with transaction.atomic():
        Session.objects.select_for_update().filter(pk=session.session_key).first()
        kept = session.load()
        if now < float(kept.get(RENEW_AT, 0)):
            session._session_cache = kept  # type: ignore[attr-defined]
            return False
        session[RENEW_AT] = now + TRY_AGAIN_S
        session.save()
    return True


def keep_renewed(session: SessionBase) -> None:
    """Before a session is saved: what another request renewed meanwhile is not overwritten."""
    if not session.modified or session.session_key is None or CONFIRMED_AT not in session:
        return
    kept = session.load()
    if float(kept.get(CONFIRMED_AT, 0)) > float(session[CONFIRMED_AT]):
        for name in (REFRESH_TOKEN, CONFIRMED_AT, RENEW_AT):
            session[name] = kept[name]
