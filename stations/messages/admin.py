"""The log of OCPP messages in the admin: found by station, action, charge and time, read in full, taken along."""

from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all
from accounts.privacy.admin_looks import NotesLooks
from common.admin_read_only import ReadOnly
from common.csv_files import csv_response
from stations.messages import export
from stations.messages.cards import holders
from stations.messages.form import SearchForm
from stations.messages.search import ANSWERS, Found, counterpart, page_after, page_before
from stations.messages.words import moment_exact, payload_text
from stations.models import ChargingSession, OcppMessage

BEGINNING = 200  # letters of a message that the list shows
ID_MAX = 2**63 - 1
KINDS = {"jsonl": "application/x-ndjson; charset=utf-8", "csv": ""}


@admin.register(OcppMessage)
class OcppMessageAdmin(NotesLooks, ReadOnly):
    """Its list is a page of its own (stations/messages/search.py): counting, and leafing by number, would be slow."""

    customer_path = "session__customer"
    change_form_template = "admin/stations/ocppmessage/change_form.html"
    fields: ClassVar[tuple[str, ...]] = ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """What was looked for, the newest first; the address says it all."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = SearchForm(request.GET)
        found = self._found(request, form) if form.is_valid() else Found([])
        self.look_note(request, found.rows, Look.LIST, "OCPP messages")
        query = {name: value for name, value in request.GET.items() if name in form.fields and value}
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": gettext("OCPP messages"),
            "form": form,
            "found": found,
            "rows": [(row, moment_exact(row.at), row.text[:BEGINNING]) for row in found.rows],
            "query": urlencode(query),
            "searched": bool(query),
            "most": export.EXPORT_MAX,
            **(extra_context or {}),
        }
        return render(request, "admin/stations/ocppmessage/list.html", context)

    def _found(self, request: HttpRequest, form: SearchForm) -> Found:
        before, after = _number(request.GET.get("before")), _number(request.GET.get("after"))
        return page_after(form.choice, after) if after is not None else page_before(form.choice, before)

    def look_note(self, request: HttpRequest, rows: Sequence[Any], what: str, subject: str) -> None:
        """Whose charges the messages are about, and whose cards they name where they belong to no charge."""
        if not rows:
            return
        assert isinstance(request.user, User)  # the admin lets nobody else in
        texts = (row.text[:BEGINNING] if what == Look.LIST else row.text for row in rows)
        sessions = {row.session_id for row in rows if row.session_id}
        customers = ChargingSession.objects.filter(pk__in=sessions, customer__isnull=False).order_by()
        whose = {*customers.values_list("customer", flat=True).distinct(), *holders(texts)}
        access_note_all(viewer=request.user, customers=whose, what=what, subject=subject)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The message in full, and its other half beside it."""
        message = self.get_object(request, object_id)
        if message is not None and self.has_view_permission(request, message):
            other = counterpart(message)
            self.look_note(request, [other] if other else [], Look.ADMIN, f"OCPP message {message.pk}")
            halves = [other, message] if message.kind in ANSWERS else [message, other]
            shown = [(half, moment_exact(half.at), payload_text(half.text)) for half in halves if half]
            waits = message.kind == OcppMessage.Kind.CALL and other is None
            extra_context = {**(extra_context or {}), "halves": shown, "waits": waits}
        return super().change_view(request, object_id, form_url, extra_context)

    def get_urls(self) -> list[URLPattern]:
        """With the files."""
        view = self.admin_site.admin_view(never_cache(self.file_view))
        return [path("messages.<str:kind>", view, name="stations_ocppmessage_file"), *super().get_urls()]

    def file_view(self, request: HttpRequest, kind: str) -> StreamingHttpResponse:
        """What was looked for as a file, at most EXPORT_MAX messages; `before` goes on where one ended."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = SearchForm(request.GET)
        if kind not in KINDS or not form.is_valid():
            raise Http404(f"no file of messages {kind[:20]!a}")

        def note(rows: Sequence[OcppMessage]) -> None:
            self.look_note(request, rows, Look.EXPORT, "OCPP messages")

        before = _number(request.GET.get("before"))
        if kind == "csv":
            return csv_response("ocpp-messages.csv", export.table_lines(form.choice, note, before))
        headers = {"Content-Disposition": 'attachment; filename="ocpp-messages.jsonl"'}
        lines = export.json_lines(form.choice, note, before)
        return StreamingHttpResponse(lines, content_type=KINDS[kind], headers=headers)


def _number(text: str | None) -> int | None:
    """An id from the address; what is none is left out."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    return min(int(text), ID_MAX)
