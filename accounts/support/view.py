"""The support view: staff reads a customer's pages as they read them, for a reason, for a while; each page is logged.

Only pages that show charges are swapped, and only for reading. Everything else of the portal is closed meanwhile,
so that nothing is taken for the customer's that is not, and nothing is done in their name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.models import User
from accounts.privacy.access_log import Look, access_note

RIGHT = "accounts.support_user"
LASTS = timedelta(minutes=30)
REASON_MIN, REASON_MAX = 10, 255
KEY = "support"
# What is shown as the customer sees it; files are not among them.
SHOWN = frozenset({"history", "session", "verify", "statements"})
# What stays open: ending it, the admin, logging out, colours and language.
OPEN = frozenset({"logout", "theme", "support", "support_begin", "support_end", "standalone_script", "public_check"})
# The second factor is asked again meanwhile where it is due.
OPEN |= {"second_factor", "second_factor_recovery"}


@dataclass(frozen=True)
class Looking:
    """Who is looked at, why, and until when; `zone`: where the clock of whoever looks stands, as they have set it."""

    customer: User
    reason: str
    until: datetime
    zone: str


def support_begin(*, request: HttpRequest, customer: User, reason: str) -> None:
    """Let this browser's session read the customer's pages; the caller has checked the right and the reason."""
    request.session[KEY] = {
        "customer": customer.pk,
        "reason": reason,
        "until": (timezone.now() + LASTS).isoformat(),
    }
    access_note(viewer=_viewer(request), customer=customer, what=Look.SUPPORT, subject="begun", reason=reason)


def support_end(*, request: HttpRequest) -> None:
    request.session.pop(KEY, None)


def looking(request: HttpRequest) -> Looking | None:
    """What this session looks at now; None without the right, after its time, or where the customer is gone."""
    kept = request.session.get(KEY)
    if not kept:
        return None
    until = datetime.fromisoformat(kept["until"])
    customer = User.objects.filter(pk=kept["customer"]).first()
    if customer is None or until < timezone.now() or not may_support(request.user):
        support_end(request=request)
        return None
    return Looking(customer, kept["reason"], until, zone=_viewer(request).time_zone or "UTC")


def may_support(user: Any) -> bool:
    return bool(user.is_authenticated and user.is_active and user.is_staff and user.has_perm(RIGHT))


def _viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # behind the check of the right
    return request.user


def as_customer(customer: User, viewer: User) -> User:
    """The customer as a reader of pages: with their own sessions and no right of staff, whatever else they are."""
    customer.is_staff = customer.is_superuser = False
    customer.roles = []
    # the second factor is the viewer's, who has shown it
    customer.is_verified = lambda: True  # type: ignore[attr-defined]
    customer.otp_device = getattr(viewer, "otp_device", None)  # type: ignore[attr-defined]
    return customer


class SupportMiddleware:
    """The last one: everything that decides who may come in has looked at the real person before."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        match = request.resolver_match
        if match is None or not hasattr(request, "session") or KEY not in request.session:
            return None
        if "admin" in match.app_names or match.view_name in OPEN:
            return None
        now = looking(request)
        if now is None:
            return None
        if match.view_name not in SHOWN or request.method not in {"GET", "HEAD"}:
            return render(request, "accounts/support/closed.html", {"support": now}, status=403)
        viewer = _viewer(request)
        access_note(
            viewer=viewer, customer=now.customer, what=Look.SUPPORT, subject=request.path[:64], reason=now.reason
        )
        request.support = now  # type: ignore[attr-defined]
        request.user = as_customer(now.customer, viewer)
        return None
