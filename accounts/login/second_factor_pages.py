"""Showing the second factor, setting it up, and the way in with a recovery code."""

import logging
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_otp.models import Device

from accounts.login import access, second_factor
from accounts.login.errors import CodeTooEarlyError
from accounts.login.forms import CodeForm, RecoveryCodeForm
from accounts.login.notices import notice_send
from accounts.login.people import sign_in_record
from accounts.models import SignIn, User
from common.sealed_text import SealedTextError

log = logging.getLogger(__name__)
get_or_post = require_http_methods(["GET", "HEAD", "POST"])


def person(request: HttpRequest) -> User:
    """Who is logged in."""
    assert isinstance(request.user, User), "behind the login"
    return request.user


def next_of(request: HttpRequest) -> str:
    """Where to go afterwards: an address of ours, never another's."""
    return access.safe_target(request, request.POST.get("next") or request.GET.get("next", ""))


def led_to(name: str, target: str) -> HttpResponse:
    """To the page of that name, which leads on to `target`."""
    return HttpResponseRedirect(f"{reverse(name)}?{urlencode({'next': target})}")


@access.first_factor
@never_cache
@get_or_post
def second_factor_page(request: HttpRequest) -> HttpResponse:
    """Ask for the authenticator's code; a person without authenticator is led to set one up."""
    user, target = person(request), next_of(request)
    device = second_factor.authenticator_of(user)
    if device is None:
        return led_to("second_factor_enrol", target)
    if request.method != "POST" and access.second_factor_holds(user) and "again" not in request.GET:
        return HttpResponseRedirect(target)
    form = CodeForm(request.POST or None)
    if form.is_valid() and checked(request, device, form, SignIn.Outcome.SECOND_FACTOR):
        response = HttpResponseRedirect(target)
        if form.cleaned_data["remember"] and access.remembering_allowed(user):
            remember(request, response)
        return response
    context = {"form": form, "next": target, "may_remember": access.remembering_allowed(user)}
    return render(request, "accounts/second_factor.html", context | {"days": second_factor.REMEMBERED_DAYS})


@access.first_factor
@never_cache
@get_or_post
def recovery_page(request: HttpRequest) -> HttpResponse:
    """One of the recovery codes instead of the authenticator's."""
    user, target = person(request), next_of(request)
    sheet = second_factor.recovery_sheet_of(user)
    form = RecoveryCodeForm(request.POST or None)
    if sheet and form.is_valid() and checked(request, sheet, form, SignIn.Outcome.RECOVERY_CODE):
        left = second_factor.recovery_codes_left(user)
        notice_send(user=user, about="recovery_code")
        if left:
            words = ngettext("%(count)d recovery code is left.", "%(count)d recovery codes are left.", left)
            messages.info(request, words % {"count": left})
        else:
            messages.warning(request, _("That was the last recovery code. Make new ones."))
        return HttpResponseRedirect(target)
    return render(request, "accounts/recovery.html", {"form": form, "next": target, "has_codes": sheet is not None})


@access.first_factor
@never_cache
@get_or_post
def enrol_page(request: HttpRequest) -> HttpResponse:
    """Set up an authenticator: the first one, or another one in place of it by who has just shown the old one."""
    user, target = person(request), next_of(request)
    has_one = second_factor.authenticator_of(user) is not None
    if has_one and not (access.second_factor_holds(user) and access.second_factor_is_recent(request)):
        return access.second_factor_asked(request, again=True)
    device = second_factor.authenticator_pending(user=user, session=request.session)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            confirmed = second_factor.authenticator_confirm(user=user, code=form.cleaned_data["code"])
        except CodeTooEarlyError as error:
            form.add_error("code", wrong(error.wait_s, locked=True))
        else:
            if confirmed:
                return enrolled(request, confirmed, target)
            form.add_error("code", wrong(second_factor.seconds_locked(device)))
    context: dict[str, Any] = {"form": form, "next": target, "has_one": has_one}
    context["key"] = second_factor.authenticator_key(device)
    context["qr"] = second_factor.authenticator_qr(device)
    return render(request, "accounts/enrol.html", context)


def enrolled(request: HttpRequest, device: Device, target: str) -> HttpResponse:
    """The new authenticator counts for this session; its recovery codes are told this once."""
    user = person(request)
    access.second_factor_shown(request, device)
    sign_in_record(user=user, outcome=SignIn.Outcome.ENROLLED, request=request)
    notice_send(user=user, about="enrolled")
    codes = second_factor.recovery_codes_new(user=user)
    return codes_shown(request, codes, target=target)


def codes_shown(request: HttpRequest, codes: list[str], *, target: str) -> HttpResponse:
    """The only answer that ever has the codes; read again, it is gone."""
    context = {"codes": codes, "next": target, "file": urlencode({"": "\n".join([*codes, ""])})[1:].replace("+", "%20")}
    return render(request, "accounts/recovery_codes.html", context)


def checked(request: HttpRequest, device: Device, form: Any, outcome: SignIn.Outcome) -> bool:
    """Whether the form's code is right, which the session then has shown; else the form says why."""
    user = person(request)
    try:
        right = second_factor.code_check(user=user, device=device, code=form.cleaned_data["code"])
    except CodeTooEarlyError as error:
        form.add_error("code", wrong(error.wait_s, locked=True))
        return False
    except SealedTextError as error:
        log.error("authenticator %s: %s", device.pk, error)
        form.add_error("code", _("Codes of your authenticator cannot be checked at the moment. Use a recovery code."))
        return False
    if right is None:
        sign_in_record(user=user, outcome=SignIn.Outcome.WRONG_CODE, request=request)
        form.add_error("code", wrong(second_factor.seconds_locked(device)))
        return False
    access.second_factor_shown(request, device)
    sign_in_record(user=user, outcome=outcome, request=request)
    return True


def wrong(wait_s: int, *, locked: bool = False) -> str:
    """What to say of a code that is not taken."""
    said = _("This code is wrong, or it was used already.")
    if locked:
        said = _("This code was not looked at: it may be right.")
    if not wait_s:
        return said
    wait = ngettext("Wait %(count)d second, then type one.", "Wait %(count)d seconds, then type one.", wait_s)
    return f"{said} {wait % {'count': wait_s}}"


def remember(request: HttpRequest, response: HttpResponse) -> None:
    """This browser need not show the second factor for a month."""
    response.set_cookie(
        second_factor.COOKIE,
        second_factor.device_remember(user=person(request), request=request),
        max_age=second_factor.REMEMBERED_DAYS * 24 * 3600,
        samesite="Lax",
        secure=request.is_secure(),
        httponly=True,
    )
