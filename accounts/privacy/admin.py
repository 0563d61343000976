"""Privacy in the admin: erasing a customer, what became of it, and who looked at whose data."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from accounts.login import access
from accounts.models import AccessLogEntry, Erasure
from accounts.privacy.admin_looks import NotesLooks
from accounts.privacy.forms import EraseForm
from common.admin_english import in_english
from common.admin_read_only import ReadOnly


class Erasable(NotesLooks):
    """People, whom admins may erase."""

    customer_path = "pk"

    def get_urls(self) -> list[URLPattern]:
        """With the page that erases a person, for who has just shown a second factor."""
        view = self.admin_site.admin_view(never_cache(access.recent_second_factor(self.erase_view)))
        return [path("<int:pk>/erase/", view, name="accounts_user_erase"), *super().get_urls()]

    def erase_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Erase a customer, as they can themselves: ask for the name and a reason, and begin."""
        customer = self.get_object(request, str(pk))
        if customer is None:
            raise Http404(f"no user {pk}")
        if not self.has_change_permission(request, customer):
            raise PermissionDenied
        form = EraseForm(request.POST if request.method == "POST" else None, customer=customer)
        if request.method == "POST" and form.is_valid():
            with transaction.atomic():  # the log is complete before the erasure begins to take names out of it
                form.erase(asked_by=request.user.get_username())
                if not form.errors:
                    self.log_change(request, customer, "Asked for the erasure of the account.")
            if not form.errors:
                return HttpResponseRedirect(reverse("admin:accounts_erasure_changelist"))
        context = {**self.admin_site.each_context(request), "customer": customer, "form": form, "opts": self.opts}
        return render(request, "admin/accounts/user/erase.html", context)


@admin.register(AccessLogEntry)
class AccessLogAdmin(ReadOnly):
    """Read by auditors; the rows that customers read about themselves, with all of them."""

    list_display = ("at", "viewer_name", "what", "customer", "looked_at", "reason")
    list_filter = ("what",)
    list_select_related = ("customer",)
    search_fields = ("^viewer_name", "^customer__username")
    search_help_text = _("Who looked, or the customer")
    date_hierarchy = "at"
    fields = ("at", "viewer_name", "viewer", "customer", "what", "looked_at", "reason")
    readonly_fields = ("looked_at",)
    looked_at = in_english("subject", _("subject"))


@admin.register(Erasure)
class ErasureAdmin(ReadOnly):
    """Accounts on their way to their end, and those that are there; who waits, and for what."""

    list_display = ("pseudonym", "asked_at", "asked_by", "reason", "waiting", "done_at")
    list_filter = (("done_at", admin.EmptyFieldListFilter),)
    search_fields = ("pseudonym",)
    date_hierarchy = "asked_at"
    fields = (
        *("customer", "pseudonym", "asked_at", "asked_by", "reason", "although_charging", "steps_done", "waiting"),
        "done_at",
    )
    readonly_fields = ("waiting",)
    waiting = in_english("waits_for", _("waits for"))
