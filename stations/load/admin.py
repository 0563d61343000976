"""Limits of sites in the admin: the limit and its schedule, how outlets are wired, and a page of what is so now."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTimeWidget
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from common.admin_log import Logged
from stations.load.hurrying import hurry_site
from stations.load.now import limit_now
from stations.load.schedule import Period, overlapping
from stations.load.words import day_choices, reason_words
from stations.models import LimitedOutlet, SiteLimit, SiteLimitPeriod
from stations.models.load import WEEKDAYS, days_words


class PeriodForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    weekdays = forms.MultipleChoiceField(
        label=_("Weekdays"), choices=day_choices, widget=forms.CheckboxSelectMultiple, initial=list(WEEKDAYS)
    )

    class Meta:
        model = SiteLimitPeriod
        fields = ("weekdays", "starts", "ends", "amperes")
        widgets: ClassVar[dict[str, Any]] = dict.fromkeys(("starts", "ends"), AdminTimeWidget(format="%H:%M"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["weekdays"] = list(self.instance.weekdays)

    def clean_weekdays(self) -> str:
        """As the row keeps them."""
        return "".join(sorted(self.cleaned_data["weekdays"]))


class PeriodFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        """At each time one limit: two periods that hold at once are named."""
        super().clean()
        if any(self.errors):
            return
        kept = [form for form in self.forms if form.has_changed() or form.instance.pk]
        filled = [form.cleaned_data for form in kept if form.cleaned_data and not form.cleaned_data.get("DELETE")]
        periods = [
            Period(frozenset(map(int, one["weekdays"])), one["starts"], one["ends"], one["amperes"]) for one in filled
        ]
        if pair := overlapping(periods):
            words = {"first": _period_words(filled[pair[0]]), "second": _period_words(filled[pair[1]])}
            raise ValidationError(gettext("These periods overlap: %(first)s and %(second)s.") % words)


def _period_words(data: dict[str, Any]) -> str:
    return f"{days_words(data['weekdays'])} {data['starts']:%H:%M}–{data['ends']:%H:%M}"


class PeriodInline(admin.StackedInline):  # type: ignore[type-arg]
    model, form, formset = SiteLimitPeriod, PeriodForm, PeriodFormSet
    fields = ("weekdays", ("starts", "ends", "amperes"))
    extra = 0


@admin.register(SiteLimit)
class SiteLimitAdmin(Logged):
    change_form_template = "admin/stations/sitelimit/change_form.html"
    list_display = ("site", "amperes", "phases", "reserve", "enabled")
    list_select_related = ("site",)
    search_fields = ("site__name", "site__code")
    autocomplete_fields = ("site",)
    fields = ("site", "enabled", ("amperes", "phases", "reserve"), "voltage")
    inlines = (PeriodInline,)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """A limit stays at its site."""
        return ["site"] if obj else []

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """The stations are told at once."""
        super().save_related(request, form, formsets, change)
        site_id = form.instance.site_id
        transaction.on_commit(lambda: hurry_site(site_id))

    def get_urls(self) -> list[URLPattern]:
        """With the page of what is so now."""
        view = self.admin_site.admin_view(never_cache(self.now_view))
        return [path("<int:pk>/now/", view, name="stations_sitelimit_now"), *super().get_urls()]

    def now_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The limit in force, and each outlet's part of it."""
        limit = get_object_or_404(SiteLimit.objects.select_related("site"), pk=pk)
        if not self.has_view_permission(request, limit):
            raise PermissionDenied
        title = gettext("%(site)s: the limit now") % {"site": limit.site}
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": title, **limit_now(limit)}
        return render(request, "admin/stations/sitelimit/now.html", context)


@admin.register(LimitedOutlet)
class LimitedOutletAdmin(Logged):
    """How an outlet is wired is entered here; everything else follows from what its station says."""

    list_display = ("__str__", "site", "first_line", "share_a", "most_a", "drawn_a", "why")
    list_filter = ("station__site",)
    list_select_related = ("station__site",)
    search_fields = ("station__identity",)
    fields = ("station", "evse_id", "first_line", "share_a", "most_a", "drawn_a", "drawn_at", "why", "looked_at")
    readonly_fields = ("station", "evse_id", "share_a", "most_a", "drawn_a", "drawn_at", "why", "looked_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: they come with the outlets of a site."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: what its station was told would be forgotten."""
        return False

    @admin.display(description=_("site"), ordering="station__site__name")
    def site(self, row: LimitedOutlet) -> str:
        """Where it is."""
        return str(row.station.site)

    @admin.display(description=_("reason"))
    def why(self, row: LimitedOutlet) -> str:
        """Why it has what it has."""
        return reason_words(row.reason) or "–"
