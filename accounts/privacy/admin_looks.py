"""Admin pages that show a customer's data: each look at them is in the access log."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all


class NotesLooks(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Notes who opened a row, and whose rows a list showed. `customer_path`: the lookup from a row to its customer."""

    customer_path = "customer"

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """What each page of one row begins with: its form, its history, its deletion."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            with translation.override("en"):  # as it is stored, whoever looks
                subject = f"{self.opts.verbose_name} {row.pk}"
            self.look_note(request, [row], Look.ADMIN, subject)
        return row

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Notes a look at each customer on the page."""
        response = super().changelist_view(request, extra_context)
        shown = (getattr(response, "context_data", None) or {}).get("cl")  # none after an action
        if shown:
            with translation.override("en"):
                subject = str(self.opts.verbose_name_plural)
            self.look_note(request, shown.result_list, Look.LIST, subject)
        return response

    def look_note(self, request: HttpRequest, rows: Sequence[Any], what: str, subject: str) -> None:
        """Writes into the access log whose data these rows show."""
        assert isinstance(request.user, User)  # the admin lets nobody else in
        shown = self.model._default_manager.filter(pk__in=[row.pk for row in rows]).order_by()
        customers = shown.values_list(self.customer_path, flat=True).distinct()
        access_note_all(viewer=request.user, customers=customers, what=what, subject=subject)
