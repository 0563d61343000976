"""OCPI partners in the admin: who they are, what they see, and the token for their registration, shown once."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from common.admin_log import Logged
from common.change_log import values_of
from common.lists.forms import ListedForm, country_choices_short
from stations.models import OcpiPartner
from stations.ocpi.offer import off_words, offer_words
from stations.ocpi.partners import partner_end, partner_invite


class PartnerForm(ListedForm):
    lists = {"country_code": country_choices_short}


@admin.register(OcpiPartner)
class OcpiPartnerAdmin(Logged):
    change_form_template = "admin/stations/ocpipartner/change_form.html"
    list_display = ("name", "country_code", "party_id", "status", "sessions", "last_seen_at")
    list_filter = ("status", "sessions")
    search_fields = ("name", "party_id")
    filter_horizontal = ("sites",)
    form = PartnerForm
    readonly_fields = ("gets", "status", "url", "told_roles", "told_modules", "last_seen_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """The party was agreed on and says whose sessions are its own: another party is another partner."""
        return [*super().get_readonly_fields(request, obj), *(("country_code", "party_id") if obj else ())]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Ended, not deleted: who could see what stays known."""
        return False

    @admin.display(description=_("what it gets"))
    def gets(self, partner: OcpiPartner) -> SafeString:
        """How much of what it can pull, and why it is nothing where it is."""
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in offer_words(partner)))

    @admin.display(description=_("its roles"))
    def told_roles(self, partner: OcpiPartner) -> str:
        return ", ".join(f"{role['role']} {role['country_code']}*{role['party_id']}" for role in partner.roles)

    @admin.display(description=_("its modules"))
    def told_modules(self, partner: OcpiPartner) -> str:
        return ", ".join(f"{one['identifier']} ({one['role'].lower()})" for one in partner.endpoints)

    def get_urls(self) -> list[URLPattern]:
        steps = {"token": self.token_view, "end": self.end_view}
        ours = [
            path(
                f"<int:pk>/{name}/", self.admin_site.admin_view(never_cache(view)), name=f"stations_ocpipartner_{name}"
            )
            for name, view in steps.items()
        ]
        return [*ours, *super().get_urls()]

    def token_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask once, then make token A and show it this once; none as long as there is nothing that it could open."""
        partner = self._partner(request, pk)
        if why := off_words():
            heading = gettext("No token for %(name)s yet") % {"name": partner.name}
            return self._step(request, partner, {"heading": heading, "why_not": why})
        context: dict[str, Any] = {
            "heading": gettext("A token for %(name)s to register with") % {"name": partner.name},
            "question": gettext("Tokens that it has now end at once, and with them its connection."),
            "action": gettext("Make a token"),
        }
        if request.method == "POST":
            before = values_of(partner)
            context["token"] = partner_invite(partner=partner)
            context["gets"] = offer_words(partner)
            context["versions"] = request.build_absolute_uri(reverse("ocpi-versions"))
            self.log_values(request, partner, before, "Made a token for registration.")
        return self._step(request, partner, context)

    def end_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        partner = self._partner(request, pk)
        context: dict[str, Any] = {
            "heading": gettext("End the connection with %(name)s") % {"name": partner.name},
            "question": gettext("Its tokens open nothing from then on. It can register again with a new token."),
            "action": gettext("End the connection"),
        }
        if request.method == "POST":
            before = values_of(partner)
            partner_end(partner=partner)
            context["done"] = True
            self.log_values(request, partner, before, "Ended the connection.")
        return self._step(request, partner, context)

    def _partner(self, request: HttpRequest, pk: int) -> OcpiPartner:
        partner = get_object_or_404(OcpiPartner, pk=pk)
        if not self.has_change_permission(request, partner):
            raise PermissionDenied
        return partner

    def _step(self, request: HttpRequest, partner: OcpiPartner, context: dict[str, Any]) -> HttpResponse:
        common = {**self.admin_site.each_context(request), "partner": partner, "opts": self.opts}
        return render(request, "admin/stations/ocpipartner/step.html", common | context)
