"""The admin is for staff who have shown their second factor; it has no login of its own."""

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import pgettext_lazy
from django_otp.admin import OTPAdminSite

from accounts.login import access
from accounts.login.pages import logout


class PortalAdminSite(OTPAdminSite):  # type: ignore[misc]  # django-otp has no types
    """django-otp's, with our pages for logging in and out, and under the admin's usual name."""

    site_header = site_title = "EVPortal"
    index_title = pgettext_lazy("of the portal", "Operations")

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)

    def login(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """Who comes here is no stranger (the middleware has seen to that), but no staff either."""
        if request.user.is_authenticated:
            raise PermissionDenied
        return access.login_asked(request)

    def logout(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """The portal's own: also at the identity provider."""
        return logout(request)

    def password_change(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """404: passwords are the identity provider's."""
        raise Http404("there are no passwords here")

    def password_change_done(self, request: HttpRequest, extra_context: object = None) -> HttpResponse:
        """404, as above."""
        raise Http404("there are no passwords here")
