"""Who may see a page: people who are logged in and have shown their second factor, unless the page is marked
(access.py)."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from accounts.login import access, renewal
from accounts.models import User

PERMISSIONS = (
    *("accelerometer", "autoplay", "display-capture", "geolocation", "gyroscope", "hid", "magnetometer", "microphone"),
    *("midi", "payment", "publickey-credentials-get", "screen-wake-lock", "serial", "usb", "xr-spatial-tracking"),
)
# camera: the page of the public check may read a QR code with it
PERMISSIONS_POLICY = ", ".join([*(f"{name}=()" for name in PERMISSIONS), "camera=(self)", "fullscreen=(self)"])

GetResponse = Callable[[HttpRequest], HttpResponse]


class AccessMiddleware:
    """Behind AuthenticationMiddleware and OTPMiddleware. API prefixes answer for themselves: they know no sessions."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        renewal.keep_renewed(request.session)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if getattr(request, "access_guarded", False) and "Cache-Control" not in response.headers:
            add_never_cache_headers(response)  # what was seen logged in is not seen again after logging out
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """None where the page may be seen; else where to log in, or to show the second factor."""
        if request.path.startswith(settings.ACCESS_OWN_PREFIXES):
            return None
        mark = getattr(view, access.MARK, None)
        if mark == access.PUBLIC:
            return None
        request.access_guarded = True  # type: ignore[attr-defined]
        user = request.user
        if not isinstance(user, User) or not user.is_authenticated:
            instead: Callable[[HttpRequest], HttpResponse] | None = getattr(view, access.INSTEAD, None)
            return instead(request) if instead else access.login_asked(request)
        if not renewal.session_is_alive(request):
            logout(request)
            return access.login_asked(request)
        if mark == access.FIRST_FACTOR or access.second_factor_holds(user):
            return None
        return access.second_factor_asked(request)
