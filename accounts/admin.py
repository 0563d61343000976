"""People in the admin, and who looked at whose data."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from accounts.admin_access import NotesLooks
from accounts.models import AccessLogEntry, User


@admin.register(User)
class PersonAdmin(NotesLooks, UserAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Django's own, with the time zone. Nobody is deleted here: that would leave his copies on the chain readable."""

    customer_path = "pk"
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Reading", {"fields": ("time_zone",)}))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AccessLogEntry)
class AccessLogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """Read by auditors; the rows that a customer reads about himself, with all of them."""

    list_display = ("at", "viewer_name", "what", "customer", "subject", "reason")
    list_filter = ("what",)
    list_select_related = ("customer",)
    search_fields = ("^viewer_name", "^customer__username")
    search_help_text = "Who looked, or the customer"
    date_hierarchy = "at"
    fields = ("at", "viewer_name", "viewer", "customer", "what", "subject", "reason")
    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
