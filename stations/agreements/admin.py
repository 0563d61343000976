"""Who charges at prices of their own: groups of customers, and what was agreed with them or for one card."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from common.admin_log import Logged
from stations.models import CustomerGroup, PriceAgreement


class MemberInline(admin.StackedInline):  # type: ignore[type-arg]
    """One customer, found by name: a list of all would be of everybody who charges."""

    model = CustomerGroup.customers.through
    verbose_name, verbose_name_plural = _("customer"), _("customers")
    fields = ("user",)
    autocomplete_fields = ("user",)
    extra = 1

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Under the portal's word: the table between has only Django's."""
        return super().formfield_for_foreignkey(db_field, request, label=_("customer"), **kwargs)


class AgreementInline(admin.StackedInline):  # type: ignore[type-arg]
    """The group's tariffs, on its own page."""

    model = PriceAgreement
    fields = ("tariff", "site")
    autocomplete_fields = ("tariff", "site")
    extra = 0


@admin.register(CustomerGroup)
class CustomerGroupAdmin(Logged):
    """A company's own people, for example. A change holds for charges that begin from now on."""

    list_display = ("name",)
    search_fields = ("name",)
    exclude = ("customers",)
    inlines = (MemberInline, AgreementInline)


@admin.register(PriceAgreement)
class PriceAgreementAdmin(Logged):
    """For one card or one group. A change holds for charges that begin from now on."""

    list_display = ("tariff", "group", "id_token", "site")
    list_select_related = ("tariff", "group", "id_token", "site")
    list_filter = ("site", "group")
    search_fields = ("tariff__name", "tariff__code", "group__name", "id_token__uid")
    autocomplete_fields = ("tariff", "group", "id_token", "site")
