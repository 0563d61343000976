"""People in the admin."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from accounts.models import User


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
    """Django's own, with the time zone. Nobody is deleted here: that would leave his copies on the chain readable."""

    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    fieldsets = (*(UserAdmin.fieldsets or ()), ("Reading", {"fields": ("time_zone",)}))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
