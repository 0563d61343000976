"""Programs and tokens in the admin: who may call the REST API. A token itself is never shown here."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.programs import ApiToken
from accounts.programs.tokens import token_revoke
from common.admin_log import Logged
from common.change_log import values_of


@admin.register(ApiToken)
class ApiTokenAdmin(Logged):
    """Seen and revoked; made by their person alone."""

    list_display = ("user", "name", "hint", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("user__username", "name", "hint")
    fields = readonly_fields = (
        "user",
        "name",
        "hint",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    actions = ("revoke",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: people make their own."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: a revoked one stays, to be seen."""
        return False

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        """Revokes those that live, each logged."""
        revoked = 0
        for token in queryset:
            before = values_of(token)
            if token_revoke(token=token):
                revoked += 1
                self.log_values(request, token, before, "Revoked.")
        self.message_user(request, gettext("Revoked: %(count)d.") % {"count": revoked}, messages.SUCCESS)
