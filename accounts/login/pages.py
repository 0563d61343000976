"""Logging in at the identity provider and out again: the pages of it, and what to say when it does not go."""

import logging
import time
from collections.abc import Callable
from functools import wraps

from django.conf import settings
from django.contrib import auth
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from accounts.login import access, identity
from accounts.login.errors import IdentityUnavailableError, LoginRefusedError
from accounts.login.oidc import REFRESH_TOKEN, CallbackView, RequestView
from accounts.login.people import sign_in_record
from accounts.login.preferences import language_keep
from accounts.login.renewal import session_confirmed
from accounts.login.second_factor import COOKIE, device_recall
from accounts.models import SignIn, User
from common.client_address import client_address
from common.throttling import seconds_to_wait

log = logging.getLogger(__name__)

STATE_LIFETIME_S = 15 * 60
ATTEMPTS, WINDOW_S = 30, 5 * 60
Page = Callable[[HttpRequest], HttpResponse]


def guarded(page: Page) -> Page:
    """Not too often from one address; and whatever the provider does, a page that says what to do."""

    @wraps(page)
    def view(request: HttpRequest) -> HttpResponse:
        key = client_address(request) or "unknown"
        wait = seconds_to_wait(name=page.__name__, key=key, limit=ATTEMPTS, window_s=WINDOW_S)
        if wait:
            return too_often(request, wait)
        try:
            return page(request)
        except IdentityUnavailableError as error:
            log.error("identity provider: %s", error)
            return unavailable(request)
        except (LoginRefusedError, SuspiciousOperation) as error:
            log.warning("login refused, from %s: %s", key, error)
            return refused(request)

    return view


@access.public
@require_safe
@never_cache
def login_page(request: HttpRequest) -> HttpResponse:
    """One button; whoever is logged in goes on."""
    target = access.safe_target(request, request.GET.get("next", ""))
    if request.user.is_authenticated:
        return HttpResponseRedirect(target)
    return render(request, "accounts/login.html", {"next": target, "asked": target != reverse("history")})


@access.public
@require_safe
@never_cache
@guarded
def login_start(request: HttpRequest) -> HttpResponse:
    """To the provider, with state, nonce and PKCE challenge of this login."""
    response: HttpResponse = RequestView.as_view()(request)
    return response


@access.public
@require_safe
@never_cache
@guarded
def login_callback(request: HttpRequest) -> HttpResponse:
    """Back from the provider, with a code."""
    if "error" in request.GET:
        # Whoever leads a browser here with an error must not log anybody out by it (mozilla-django-oidc would).
        raise LoginRefusedError(f"the provider says {request.GET['error']!r}")
    forget_old_states(request)
    response: HttpResponse = Callback.as_view()(request)
    return response


def forget_old_states(request: HttpRequest) -> None:
    """Logins that were begun in this browser and not finished in time."""
    states = request.session.get("oidc_states", {})
    young = time.time() - STATE_LIFETIME_S
    request.session["oidc_states"] = {key: state for key, state in states.items() if state["added_on"] > young}


class Callback(CallbackView):
    """Checks state, nonce and verifier, exchanges the code, and begins a session of the person's own."""

    user: User | None = None

    def login_success(self) -> HttpResponse:
        """A new session; nothing of whoever had this browser before."""
        request, user = self.request, self.user
        assert user is not None, "called with the person"
        target = access.safe_target(request, request.session.get("oidc_login_next") or "")
        refresh_token = request.session.get(REFRESH_TOKEN, "")
        request.session.flush()  # nothing of whoever had this browser before, and a new key
        auth.login(request, user)
        request.session[REFRESH_TOKEN] = refresh_token
        session_confirmed(request)
        device = device_recall(user=user, cookie=request.COOKIES.get(COOKIE, ""))
        if device:
            access.second_factor_shown(request, device, by_hand=False)
        outcome = SignIn.Outcome.REMEMBERED if device else SignIn.Outcome.LOGGED_IN
        sign_in_record(user=user, outcome=outcome, request=request)
        response = HttpResponseRedirect(target)
        if user.language:
            language_keep(request, response, user.language)
        return response

    def login_failure(self) -> HttpResponse:
        """Always raises LoginRefusedError; of somebody known, the refusal is kept."""
        if self.user is not None:
            sign_in_record(user=self.user, outcome=SignIn.Outcome.REFUSED, request=self.request)
            raise LoginRefusedError(f"user {self.user.pk} is disabled")
        raise LoginRefusedError("expected code and state of a login that began in this browser")


@access.first_factor
@require_POST
def logout(request: HttpRequest) -> HttpResponse:
    """End our session, then the provider's, which leads back to the login page; a copy of ours renews nothing."""
    assert isinstance(request.user, User), "behind the login"
    sign_in_record(user=request.user, outcome=SignIn.Outcome.LOGGED_OUT, request=request)
    refresh_token = request.session.get(REFRESH_TOKEN, "")
    auth.logout(request)
    identity.token_revoke(refresh_token)
    back = reverse("login")
    if settings.OIDC_DOMAIN:
        back = identity.logout_url(back=request.build_absolute_uri(back))
    return HttpResponseRedirect(back)


# --- what to say


def refused(request: HttpRequest) -> HttpResponse:
    """400: what came back is of no use, and what to do."""
    context = {
        "title": _("This login did not work"),
        "what": _("What came back from the login could not be used: too late, used already, or not from this browser."),
        "todo": _("Begin again. If it happens again, ask the operator whether your account is enabled."),
    }
    return render(request, "accounts/trouble.html", context, status=400)


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 with Retry-After: the identity provider does not answer."""
    context = {
        "title": _("Nobody can log in at the moment"),
        "what": _("The service that checks names and passwords does not answer."),
        "todo": _("Try again in a few minutes. Charging goes on, and your sessions are recorded meanwhile."),
    }
    response = render(request, "accounts/trouble.html", context, status=503)
    response["Retry-After"] = "60"
    return response


def too_often(request: HttpRequest, wait_s: int) -> HttpResponse:
    """429, with how long to wait."""
    minutes = max(1, round(wait_s / 60))
    again = ngettext("Wait %(count)d minute, then begin again.", "Wait %(count)d minutes, then begin again.", minutes)
    context = {
        "title": _("Too many logins"),
        "what": _("Many logins were begun from your address in a short time."),
        "todo": again % {"count": minutes},
    }
    response = render(request, "accounts/trouble.html", context, status=429)
    response["Retry-After"] = str(wait_s)
    return response
