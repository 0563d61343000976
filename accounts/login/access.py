"""Who may see a page: marks on views, which accounts/login/middleware.py reads, and what a session has shown.

A view without a mark is for people who are logged in and have shown their second factor: whoever adds a page need not
think of it.

    @public                  anybody
    @first_factor            logged in, second factor not (yet) shown: to set it up, to show it, to log out
    @recent_second_factor    shown within the last quarter of an hour: for changes that matter
    @for_strangers(page)     as without a mark, but who is not logged in sees that page in its place
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast
from urllib.parse import urlsplit

import django_otp
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django_otp.models import Device

from accounts.models import RememberedDevice, User

MARK, INSTEAD = "access", "instead"
PUBLIC, FIRST_FACTOR = "public", "first factor"
SHOWN_AT = "second_factor_at"
RECENT_S = 15 * 60

View = TypeVar("View", bound=Callable[..., Any])
P = ParamSpec("P")


def public(view: View) -> View:
    """Mark a view (for a class: what `as_view()` returns) as open to anybody."""
    setattr(view, MARK, PUBLIC)
    return view


def first_factor(view: View) -> View:
    """Mark a view as open to people who are logged in, without second factor."""
    setattr(view, MARK, FIRST_FACTOR)
    return view


def for_strangers(page: Callable[[HttpRequest], HttpResponse]) -> Callable[[View], View]:
    """At this address whoever is not logged in sees `page`, which is open to anybody; the view itself stays closed."""

    def mark(view: View) -> View:
        setattr(view, INSTEAD, page)
        return view

    return mark


def recent_second_factor(
    view: Callable[Concatenate[HttpRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Ask for the second factor again, unless it was shown within RECENT_S; then back to the page.

    What is posted when the time is over is not kept: let the page with the form have this, too.
    """

    def guarded(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if second_factor_is_recent(request):
            return view(request, *args, **kwargs)
        return second_factor_asked(request, again=True)

    return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", wraps(view)(guarded))


def second_factor_shown(request: HttpRequest, device: Device, *, by_hand: bool = True) -> None:
    """The session has shown the second factor; the key of the session changes with it. `by_hand`: a code was typed."""
    request.session.cycle_key()
    django_otp.login(request, device)
    if by_hand:
        request.session[SHOWN_AT] = time.time()


def second_factor_is_recent(request: HttpRequest) -> bool:
    """Shown within RECENT_S seconds."""
    return float(request.session.get(SHOWN_AT, 0)) > time.time() - RECENT_S


def second_factor_holds(user: User) -> bool:
    """Whether the second factor of this session counts: by a device that is still there, and, remembered, still may."""
    device = getattr(user, "otp_device", None)
    if isinstance(device, RememberedDevice):
        return remembering_allowed(user) and not device.is_over()
    return device is not None


def remembering_allowed(user: User) -> bool:
    """Whether this person may have devices remembered: by the setting, and by what staff decided for them."""
    by_setting = {"all": True, "drivers": not user.is_staff, "off": False}[settings.REMEMBER_DEVICE]
    return by_setting and user.remember_allowed


def login_asked(request: HttpRequest) -> HttpResponse:
    """To the login, and back here afterwards."""
    return _led(request, reverse("login"), {})


def second_factor_asked(request: HttpRequest, *, again: bool = False) -> HttpResponse:
    """To the second factor, and back here; `again` where it was shown too long ago."""
    return _led(request, reverse("second_factor"), {"again": "1"} if again else {})


def _led(request: HttpRequest, address: str, query: dict[str, str]) -> HttpResponse:
    """To a page that leads back here afterwards."""
    came_from = request.get_full_path() if request.method in ("GET", "HEAD") else referring_page(request)
    asked = QueryDict(mutable=True)
    asked.update({**query, **({"next": came_from} if came_from else {})})
    address += f"?{asked.urlencode(safe='/')}" if asked else ""
    return HttpResponseRedirect(address)


def referring_page(request: HttpRequest) -> str:
    """The page of ours that a form was sent from, else nothing."""
    page = urlsplit(safe_target(request, request.headers.get("Referer", ""), default=""))
    return page._replace(scheme="", netloc="").geturl()


def safe_target(request: HttpRequest, target: str, *, default: str | None = None) -> str:
    """An address of ours to lead to, never a foreign one."""
    if url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure()):
        return target
    return reverse(settings.LOGIN_REDIRECT_URL) if default is None else default
