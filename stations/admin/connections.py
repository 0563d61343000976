"""In the admin: who is not let in and what to do about it, what stations told of themselves, and how they are set."""

from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Upper
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin_english import in_english
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from stations.admin.actions import asked_first
from stations.models import Station, StationEvent, StationRefusal, StationVariable
from stations.park.refusals import refusals_waiting
from stations.park.words import ADVICE, refusal_actions


class WaitingFilter(admin.SimpleListFilter):
    title, parameter_name = _("waiting"), "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Those that somebody should see to, or strangers."""
        return [("yes", gettext("Not let in since")), ("strangers", gettext("No station of ours"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[StationRefusal]) -> QuerySet[StationRefusal]:
        """The rows that the choice means."""
        if self.value() == "yes":
            return queryset.filter(pk__in=refusals_waiting().order_by().values("pk"))
        return queryset.filter(station=None) if self.value() == "strangers" else queryset


@admin.register(StationRefusal)
class StationRefusalAdmin(ReadOnly, Logged):
    """Each row says what to do."""

    list_display = ("identity", "reason", "count", "last_at", "address", "what_to_do", "ways")
    list_filter = (WaitingFilter, "reason")
    list_select_related = ("station",)
    search_fields = ("identity", "address")
    fields = (
        *("identity", "station", "reason", "english_words", "what_to_do", "ways"),
        *("address", "count", "first_at", "last_at"),
    )
    readonly_fields = ("english_words", "what_to_do", "ways")
    english_words = in_english("words", _("in words"))
    actions = ("forget",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[StationRefusal]:
        """With the station that was added since, of strangers."""
        known = Station.objects.filter(canonical=Upper(OuterRef("identity"))).values("pk")
        rows: QuerySet[StationRefusal] = super().get_queryset(request)
        return rows.annotate(added=Subquery(known[:1]))

    @admin.display(description=_("what to do"))
    def what_to_do(self, refusal: StationRefusal) -> str:
        """What the reason means, and what helps."""
        return str(ADVICE[refusal.reason])

    @admin.display(description=_("ways"))
    def ways(self, refusal: StationRefusal) -> SafeString:
        """Links to where it is done."""
        links = ((address, words) for words, address in refusal_actions(refusal, getattr(refusal, "added", None)))
        return format_html_join(mark_safe("<br>"), '<a href="{}">{}</a>', links)

    def has_forget_permission(self, request: HttpRequest) -> bool:
        """Who runs the stations."""
        return request.user.has_perm("stations.change_stationrefusal")

    @admin.action(description=_("Forget: somebody has seen to it"), permissions=["forget"])
    def forget(self, request: HttpRequest, queryset: QuerySet[StationRefusal]) -> HttpResponse | None:
        """The rows go; they come back when it is refused again."""
        chosen = list(queryset)
        if "confirmed" not in request.POST:
            return asked_first(
                self,
                request,
                queryset,
                question=gettext("Forget these refused connections?"),
                effect=gettext("The rows go. They come back, counted from one, when it is refused again."),
                words=_("Forgotten."),
                act=lambda row: None,
            )
        for refusal in chosen:
            self.log_deletions(request, StationRefusal.objects.filter(pk=refusal.pk))
            refusal.delete()
        forgotten = gettext("Forgotten.")
        self.message_user(request, f"{forgotten} ({len(chosen)})")
        return None


class SeverityFilter(admin.SimpleListFilter):
    """Without a choice what matters: of all stations the rest is much, and no index finds it by time."""

    title, parameter_name = _("severity"), "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """One of them, or all."""
        return [*((value, str(label)) for value, label in StationEvent.Severity.choices), ("all", gettext("All"))]

    def choices(self, changelist: Any) -> Any:
        """Django's first choice, which means all of them elsewhere, has another word here."""
        first, *others = super().choices(changelist)
        yield {**first, "display": gettext("Warnings and critical")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[StationEvent]) -> QuerySet[StationEvent]:
        """The rows that the choice means; of one station all."""
        if self.value() in StationEvent.Severity.values:
            return queryset.filter(severity=self.value())
        if self.value() == "all" or "station__id__exact" in request.GET:
            return queryset
        return queryset.exclude(severity=StationEvent.Severity.INFO)


@admin.register(StationEvent)
class StationEventAdmin(ReadOnly):
    """What stations told of themselves, the newest first."""

    list_display = ("when", "station", "kind", "severity", "what")
    list_filter = (SeverityFilter, "kind", "station__site")
    list_select_related = ("station",)
    search_fields = ("station__identity", "words")
    fields = ("when", "station", "kind", "severity", "what", "data")
    readonly_fields = ("when", "what")
    what = in_english("words", _("what"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """By time where an index is for it, else as they came, which is nearly the same."""
        return ("-id",) if request.GET.get("severity") == "all" else ("-at", "-id")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Also by station, where the station's page links to."""
        return lookup == "station__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description=_("when, UTC"), ordering="at")
    def when(self, event: StationEvent) -> str:
        """To the second, UTC."""
        return f"{event.at:%Y-%m-%d %H:%M:%S}"


@admin.register(StationVariable)
class StationVariableAdmin(ReadOnly):
    """The configuration of all stations, to find which have a value; of one it is a page (stations/park/admin.py)."""

    list_display = ("variable", "component", "station", "value", "mutability", "reported_at")
    list_filter = ("mutability", "station__site")
    list_select_related = ("station",)
    search_fields = ("^variable", "^component", "^station__identity")
    ordering = ("-id",)
