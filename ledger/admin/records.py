"""How a record stands, as a column and a filter of the admin's lists, and what differs on a session's own page."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ledger.models import ChainTransaction, LedgerEntry
from ledger.state.corrected import corrected_of
from ledger.state.differences import differences_of
from ledger.state.marking import mark_differing
from ledger.state.rows import with_record
from ledger.state.words import entry_of, state_of
from stations.admin.tables import ChargingSessionAdmin
from stations.charging.corrections import credited_by
from stations.models import ChargingSession

Status = ChainTransaction.Status
WORDS: dict[str, Promise] = {
    "recorded": _("Recorded"),
    "pending": _("Being recorded"),
    "mismatch": _("Differs from its record"),
    "conflict": _("Conflict: another record is on the chain"),
    "erased": _("Erased"),
    "none": _("Not recorded"),
}


def record_kind(entry: LedgerEntry | None) -> str:
    """One of WORDS, from the entry's own row: what the last check found comes first."""
    if entry is None:
        return "none"
    if entry.state == Status.CONFLICT:
        return "conflict"
    if entry.mismatch:
        return "mismatch"
    if entry.erased_at:
        return "erased"
    return "recorded" if entry.state == Status.IRREVERSIBLE else "pending"


def record_shown(kind: str) -> SafeString:
    """The kind in words, with its colour."""
    return format_html('<span class="ev-record ev-record-{}">{}</span>', kind, WORDS[kind])


def _is(kind: str, entry: str) -> Q:
    """The same as a condition; `entry` leads from the listed row to its ledger entry."""

    def q(**fields: Any) -> Q:
        return Q(**{f"{entry}{name}": value for name, value in fields.items()})

    conflict = q(conflict__gt="") | q(transaction__status=Status.CONFLICT)
    fine = q(conflict="", mismatch="", erased_at__isnull=True)
    waiting = [*ChainTransaction.UNFINISHED, Status.EXPIRED]
    return {  # "none" is asked of sessions alone
        "recorded": fine & q(transaction__status=Status.IRREVERSIBLE),
        "pending": fine & (q(transaction__isnull=True) | q(transaction__status__in=waiting)),
        "mismatch": q(mismatch__gt=""),
        "conflict": conflict,
        "erased": q(erased_at__isnull=False, mismatch=""),
        "none": Q(ledger_entry__isnull=True),
    }[kind]


class RecordFilter(admin.SimpleListFilter):
    """Of ledger entries; of sessions by RecordOfSessionFilter."""

    title, parameter_name = _("record"), "record"
    kinds: tuple[str, ...] = ("recorded", "pending", "mismatch", "conflict", "erased")
    entry = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The kinds that rows of this list can be of."""
        return [(kind, str(WORDS[kind])) for kind in self.kinds]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Model]) -> QuerySet[Model]:
        """Those of the kind; none where there is no such kind."""
        kind = self.value()
        if not kind:
            return queryset
        return queryset.filter(_is(kind, self.entry)) if kind in self.kinds else queryset.none()


class RecordOfSessionFilter(RecordFilter):
    kinds = (*RecordFilter.kinds, "none")
    entry = "ledger_entry__"


admin.site.unregister(ChargingSession)


@admin.register(ChargingSession)
class RecordedSessionAdmin(ChargingSessionAdmin):
    """Sessions with their records: the ledger knows of stations, and not the other way round."""

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """With the record behind the session's number."""
        first, *others = self.list_display
        return [first, "record", *others]

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        """By the record first."""
        return [RecordOfSessionFilter, *super().get_list_filter(request)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ChargingSession]:
        """With all that its record is made of: a list compares each row, as the history does."""
        found: Any = super().get_queryset(request)
        return with_record(found).select_related("customer")

    @admin.display(description=_("record"))
    def record(self, session: ChargingSession) -> SafeString:
        """How its record stands; who looks at one that differs, marks it."""
        entry = entry_of(session)
        kind = record_kind(entry)
        if kind in {"recorded", "pending"} and state_of(session).kind == "mismatch":
            mark_differing([session])
            kind = "mismatch"
        shown, role = record_shown(kind), _("credit") if session.credit else _("taken back")
        return format_html("{}, {}", shown, role) if session.credit or credited_by(session) else shown

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what differs from its record, field by field."""
        session = self.get_object(request, object_id)
        if session is not None and self.has_view_permission(request, session):
            extra_context = {**(extra_context or {}), **self._record_of(session)}
        return super().change_view(request, object_id, form_url, extra_context)

    def _record_of(self, session: ChargingSession) -> dict[str, Any]:
        entry, state = entry_of(session), state_of(session, read_meter_values=True)
        differs = state.kind == "mismatch"
        return {
            "record_state": state,
            "entry": entry,
            "differences": differences_of(session, entry) if differs else [],
            "corrected": corrected_of(session) if session.is_closed else None,
        }
