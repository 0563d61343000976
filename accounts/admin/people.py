"""People in the admin: who they are comes from the identity provider, here they are disabled and helped."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.login import access
from accounts.login.forms import ResetForm
from accounts.login.second_factor import authenticator_of, recovery_codes_left, second_factor_reset
from accounts.models import SignIn, User
from accounts.privacy.admin import Erasable
from common.admin_log import Logged
from common.admin_read_only import ReadOnly

admin.site.unregister(TOTPDevice)  # whoever saw a key there could be that person
admin.site.unregister(Group)  # roles are the identity provider's groups (accounts/login/roles.py)


@admin.register(User)
class PersonAdmin(Erasable, Logged):
    """Nobody is added here, for people come by logging in; nobody is deleted: their copies would stay readable."""

    change_form_template = "admin/accounts/user/change_form.html"
    list_display = ("username", "email", "role_names", "is_active", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("username", "email", "sub")
    ordering = ("username",)
    fieldsets = (
        (None, {"fields": ("username", "sub", "email", "role_names", "last_login", "date_joined")}),
        (_("Access"), {"fields": ("is_active", "remember_allowed", "second_factor", "recovery_codes_left")}),
        (_("Reading"), {"fields": ("language", "time_zone")}),
    )
    readonly_fields = (
        *("username", "sub", "email", "role_names", "last_login", "date_joined"),
        *("second_factor", "recovery_codes_left"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: people come by logging in."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: who leaves is erased, with the keys of their records."""
        return False

    @admin.display(description=_("roles"))
    def role_names(self, person: User) -> str:
        """The roles of the last login."""
        return ", ".join(person.roles) or gettext("none")

    @admin.display(description=_("second factor"))
    def second_factor(self, person: User) -> str:
        """Whether there is an authenticator, and since when."""
        device = authenticator_of(person)
        if not device or not device.created_at:
            return gettext("not set up")
        return gettext("authenticator, set up %(day)s") % {"day": f"{device.created_at:%Y-%m-%d}"}

    @admin.display(description=_("recovery codes left"))
    def recovery_codes_left(self, person: User) -> int:
        """How many are unused."""
        return recovery_codes_left(person)

    def get_urls(self) -> list[URLPattern]:
        """With the page that resets a second factor, for who has just shown their own."""
        view = self.admin_site.admin_view(never_cache(access.recent_second_factor(self.reset_view)))
        return [path("<int:pk>/second-factor/", view, name="accounts_user_second_factor"), *super().get_urls()]

    def reset_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """For somebody who has lost their authenticator: ask why, forget it, write it down and tell them."""
        person = get_object_or_404(User, pk=pk)
        if not self.has_change_permission(request, person) or person == request.user:
            raise PermissionDenied  # nobody for themselves: a second person has to look
        form = ResetForm(request.POST or None)
        if form.is_valid():
            second_factor_reset(user=person)
            self.log_change(request, person, f"Reset the second factor: {form.cleaned_data['reason']}")
            said = gettext("The second factor of %(name)s is reset. No verified e-mail address: tell the person.")
            if person.email:
                said = gettext("The second factor of %(name)s is reset. %(email)s is told.")
            messages.success(request, said % {"name": person, "email": person.email})
            return HttpResponseRedirect(reverse("admin:accounts_user_change", args=[pk]))
        context = {**self.admin_site.each_context(request), "person": person, "opts": self.opts, "form": form}
        return render(request, "admin/accounts/user/second_factor.html", context)


@admin.register(SignIn)
class SignInAdmin(ReadOnly):
    """Read only: an audit trail."""

    list_display = ("at", "user", "outcome", "address", "browser")
    list_filter = ("outcome", "at")
    list_select_related = ("user",)
    search_fields = ("user__username", "address")
    list_per_page = 100
