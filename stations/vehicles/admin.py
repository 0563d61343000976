"""Vehicles in the admin: flat rates are the operator's to enter; what drivers said is read, and a choice taken back."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.privacy.admin_looks import NotesLooks
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from stations.models import FlatRate, StatementDelivery, StatementRecipient, Vehicle, YearChoice


@admin.register(FlatRate)
class FlatRateAdmin(Logged):
    """The official price of a year. Choices that were made before keep the rate of then."""

    list_display = ("year", "price_per_kwh", "currency", "source")


@admin.register(Vehicle)
class VehicleAdmin(NotesLooks, ReadOnly, Logged):
    """Drivers' vehicles."""

    customer_path = "owner"
    list_display = ("name", "plate", "owner", "added_at", "given_away_at")
    list_select_related = ("owner",)
    search_fields = ("owner__username__exact",)


@admin.register(YearChoice)
class YearChoiceAdmin(NotesLooks, ReadOnly, Logged):
    """What drivers chose for a year. Deleted by an administrator, it can be chosen anew; the log keeps what it was."""

    customer_path = "user"
    list_display = ("year", "user", "basis", "price_per_kwh", "currency", "chosen_at")
    list_select_related = ("user",)
    list_filter = ("year", "basis")
    search_fields = ("user__username__exact",)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Administrators: a choice is the driver's, and made once."""
        return bool(request.user.has_perm("stations.delete_yearchoice"))


@admin.register(StatementRecipient)
class StatementRecipientAdmin(NotesLooks, ReadOnly, Logged):
    """Who gets a vehicle's statements."""

    customer_path = "user"
    list_display = ("address", "user", "vehicle", "home_only", "asked_at", "confirmed_at", "stopped_at")
    list_select_related = ("user", "vehicle")
    search_fields = ("user__username__exact",)


@admin.register(StatementDelivery)
class StatementDeliveryAdmin(NotesLooks, ReadOnly, Logged):
    """Whether a statement reached its recipient, and what the mail server said."""

    customer_path = "recipient__user"
    list_display = ("first_day", "recipient", "requested_at", "attempts", "error", "sent_at", "given_up_at")
    list_select_related = ("recipient",)
    list_filter = (("given_up_at", admin.EmptyFieldListFilter), ("sent_at", admin.EmptyFieldListFilter))
