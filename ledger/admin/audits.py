"""Audits in the admin: start one, watch it, read and keep its report. Auditors may: it changes no record."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.csv_files import csv_lines, csv_response
from ledger.admin.limits import PUT_BACK, PUT_BACK_AT_ONCE_MAX
from ledger.audit.report import audit_pdf, counts_of
from ledger.audit.runs import audit_ask, audit_cancel
from ledger.models import LedgerEntry
from ledger.models.audits import AuditFinding, AuditRun
from stations.models import ChargingSession

SHOWN = 50
COLUMNS = ("kind", "ledger_id", "session", "message", "found_at")


class FoundFilter(admin.SimpleListFilter):
    """Audits that found something, and those that did not."""

    title = _("found")
    parameter_name = "found"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """With differences, or with none."""
        return [("yes", _("Differences")), ("no", _("No difference"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The audits that the choice means."""
        if self.value() not in ("yes", "no"):
            return queryset
        return queryset.filter(findings__isnull=self.value() == "no").distinct()


@admin.register(AuditRun)
class AuditRunAdmin(ReadOnly, Logged):
    """Every pass over the ledger, whoever began it, and what it found."""

    change_form_template = "admin/ledger/auditrun/change_form.html"
    list_display = ("started_at", "kind", "started_by", "how_far", "done", "differences")
    list_filter = ("kind", FoundFilter)
    list_select_related = ("started_by",)
    search_fields = ("=id", "started_by__username")
    search_help_text = _("The audit's number, or who started it")
    date_hierarchy = "started_at"
    fields = ("kind", "started_at", "started_by", "finished_at", "total", "done", "error")

    @admin.display(description=pgettext_lazy("audit", "state"))
    def how_far(self, run: AuditRun) -> str:
        """In per cent while it runs; whether it ended before its time."""
        if run.running:
            return pgettext("audit", "running, %(percent)d %%") % {"percent": run.percent}
        return pgettext("audit", "ended before its time") if run.failed else pgettext("audit", "finished")

    @admin.display(description=_("differences"))
    def differences(self, run: AuditRun) -> int:
        """How many it found."""
        return run.found

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may start one: auditors, too, for it changes no record."""
        return request.user.has_perm("ledger.add_auditrun")

    def get_urls(self) -> list[URLPattern]:
        """With stopping it, and its report as CSV and PDF."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/cancel/", wrap(require_POST(self.cancel_view)), name="ledger_auditrun_cancel"),
            path("<int:pk>/report.csv", wrap(require_safe(self.csv_view)), name="ledger_auditrun_csv"),
            path("<int:pk>/report.pdf", wrap(require_safe(self.pdf_view)), name="ledger_auditrun_pdf"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """What an audit does, and the button that starts it; who presses while one runs is shown that one."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            return self._start(request)
        context = {**self.admin_site.each_context(request), "opts": self.opts, "title": gettext("Start an audit")}
        context["entries"] = (LedgerEntry.objects.order_by("-pk").values_list("pk", flat=True).first()) or 0
        return render(request, "admin/ledger/auditrun/start.html", context)

    def _start(self, request: HttpRequest) -> HttpResponse:
        assert isinstance(request.user, User)  # behind admin_view
        before = AuditRun.objects.filter(kind=AuditRun.Kind.ASKED, finished_at__isnull=True).first()
        run = audit_ask(by=request.user)
        if run == before:
            self.message_user(request, gettext("An audit is running already: this one."), messages.INFO)
        else:
            self.log_addition(request, run, [{"added": {"words": "Started."}}])
        return HttpResponseRedirect(self._address(run))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what it found, page by page."""
        run = self.get_object(request, object_id)
        context = self._report(request, run) if run and self.has_view_permission(request, run) else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _report(self, request: HttpRequest, run: AuditRun) -> dict[str, Any]:
        findings = list(run.findings.all()[:SHOWN])
        return {
            "run": run,
            "may_cancel": self.has_add_permission(request) and run.running and run.kind == AuditRun.Kind.ASKED,
            "counts": counts_of(run),
            "findings": list(zip(findings, _links(findings), strict=True)),
            "put_back": _put_back(request, findings),
            "more_findings": max(run.findings.count() - SHOWN, 0) if len(findings) == SHOWN else 0,
        }

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ends one that was asked for."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        run = get_object_or_404(AuditRun, pk=pk, kind=AuditRun.Kind.ASKED)
        assert isinstance(request.user, User)  # behind admin_view
        if audit_cancel(run=run, by=request.user):
            self.log_words(request, run, "Cancelled.")
        return HttpResponseRedirect(self._address(run))

    def csv_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Every difference, a line each; the header alone where there is none."""
        run = self._run(request, pk)
        return csv_response(f"audit-{run.pk}.csv", csv_lines(COLUMNS, _rows(run)))

    def pdf_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The report on paper."""
        run = self._run(request, pk)
        headers = {"Content-Disposition": f'attachment; filename="audit-{run.pk}.pdf"'}
        return HttpResponse(audit_pdf(run=run), content_type="application/pdf", headers=headers)

    def _run(self, request: HttpRequest, pk: int) -> AuditRun:
        run = get_object_or_404(AuditRun.objects.select_related("started_by"), pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        return run

    def _address(self, run: AuditRun) -> str:
        return reverse("admin:ledger_auditrun_change", args=[run.pk])


def _rows(run: AuditRun) -> Iterator[tuple[Any, ...]]:
    for row in run.findings.values_list(*COLUMNS).iterator(chunk_size=2000):
        kind, ledger_id, session, message, found_at = row
        yield (
            kind,
            "" if ledger_id is None else ledger_id,
            str(session or ""),
            message,
            f"{found_at:%Y-%m-%dT%H:%M:%SZ}",
        )


def _put_back(request: HttpRequest, findings: list[AuditFinding]) -> str:
    """The address of the page that puts the shown ones back to what was recorded; "" for who may not."""
    names = [one.ledger_id if one.ledger_id is not None else one.session for one in findings if _can_come_back(one)]
    if not names or not request.user.has_perm("ledger.change_ledgerentry"):
        return ""
    return f"{reverse(PUT_BACK)}?{urlencode([('id', name) for name in dict.fromkeys(names)][:PUT_BACK_AT_ONCE_MAX])}"


def _can_come_back(found: AuditFinding) -> bool:
    return found.kind in (AuditFinding.Kind.DIFFERENT, AuditFinding.Kind.UNKNOWN)


def _links(findings: list[AuditFinding]) -> list[tuple[str, str]]:
    """(address of the entry, address of the session) of each finding; "" where it has none, or it is gone."""
    ids = {found.ledger_id for found in findings if found.ledger_id is not None and found.ledger_id < 1 << 63}
    entries = set(LedgerEntry.objects.filter(pk__in=ids).values_list("pk", flat=True))
    sessions = {found.session for found in findings if found.session}
    there = set(ChargingSession.objects.filter(pk__in=sessions).values_list("pk", flat=True))
    return [
        (
            reverse("admin:ledger_ledgerentry_change", args=[found.ledger_id])
            if found.ledger_id is not None and found.ledger_id in entries
            else "",
            reverse("admin:stations_chargingsession_change", args=[found.session]) if found.session in there else "",
        )
        for found in findings
    ]
