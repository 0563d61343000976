"""Imports in the admin: upload a file, read what would come of it, decide, watch it, keep the report."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, path, reverse
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from accounts.models import User
from common.admin_log import Logged
from common.admin_read_only import ReadOnly
from common.change_log import values_of
from common.csv_files import csv_lines, csv_response
from stations.charging.words import FLAGS, number
from stations.errors import ImportFileError, ImportStateError, ZoneMissingError
from stations.imports.formats import own
from stations.imports.formats.door import FORMATS
from stations.imports.plan import SOURCE
from stations.imports.runs import SIZE_MAX, Told, import_cancel, import_confirm, import_upload
from stations.imports.taking_back import OVER, import_take_back
from stations.imports.words import DATE_FORMS, ZoneField
from stations.models.imports import ImportMapping, ImportRun

FINDINGS_SHOWN = 50
REPORT_COLUMNS = ("line", "session_id", "outcome", "field", "expected", "got")
EXAMPLE_COLUMNS = tuple(names[0] for names in own.FORMAT.columns.values())
EXAMPLE = (
    *("0190a1b2-0000-4000-8000-000000000001", "2026-03-13T07:00:00Z", "2026-03-13T08:30:00Z", "Europe/Berlin"),
    *("Harbour", "CP-HARBOUR-1", 1, 1, "4711", 12500, 613, "EUR", "COMPLETED", ""),
)


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=format_lazy(
            _("CSV with any separator, XLSX or JSON, at most {size} MB. What it is, is told by its columns."),
            size=SIZE_MAX // 1024 // 1024,
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tab,.tsv,.txt,.json,.xlsx,text/csv"}),
        error_messages={"required": _("Choose a file."), "empty": _("Expected a header line, the file is empty.")},
    )
    time_zone = ZoneField(
        label=_("Time zone of new sites"),
        required=False,
        help_text=_(
            "Such as Europe/Berlin. Needed where the file's times name no zone: it is never guessed. Sites that are"
            " there keep their own."
        ),
    )
    source = forms.CharField(
        label=_("Source"),
        required=False,
        max_length=16,
        validators=[RegexValidator(SOURCE, _("Expected at most 16 of the letters a to z, digits and -."))],
        help_text=_(
            "Only where two of one kind, such as two SteVes, use the same session numbers: a name for this one, always"
            " the same."
        ),
    )
    dates = forms.ChoiceField(
        label=_("Form of dates"),
        required=False,
        choices=DATE_FORMS,
        help_text=_("Only where the file leaves it open, which the check says."),
    )
    mapping = forms.ModelChoiceField(
        label=_("Mapping of columns"),
        required=False,
        queryset=ImportMapping.objects.all(),
        empty_label=_("none: the file has a format that is known"),
        help_text=_("What the columns of any other table mean, as somebody chose it before."),
    )

    def clean_file(self) -> "UploadedFile[Any]":
        """Not larger than one import may be."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        if (file.size or 0) > SIZE_MAX:
            words = gettext("Expected at most %(most)s bytes, got %(got)s. Split the file.")
            raise forms.ValidationError(words % {"most": number(SIZE_MAX), "got": number(file.size or 0)})
        return file

    def told(self) -> Told:
        """What was chosen; a mapping has its zone and its dates, unless told otherwise here."""
        chosen, mapping = self.cleaned_data, self.cleaned_data["mapping"]
        zone = chosen["time_zone"] or (mapping.time_zone if mapping else "")
        dates = chosen["dates"] or (mapping.dates if mapping else "")
        return Told(zone, chosen["source"], dates, mapping)


@admin.register(ImportRun)
class ImportRunAdmin(ReadOnly, Logged):
    """Nothing is stored before the file was checked and somebody said yes to what the check found."""

    change_form_template = "admin/stations/importrun/change_form.html"
    list_display = ("file_name", "form", "state", "uploaded_at", "uploaded_by", "imported", "already_there", "left_out")
    list_filter = ("state",)
    list_select_related = ("uploaded_by",)
    search_fields = ("file_name", "=sha256", "uploaded_by__username")
    search_help_text = _("The file's name, its SHA-256 in full, or who uploaded it")
    date_hierarchy = "uploaded_at"
    fields = (
        *("file_name", "form", "kind", "sha256", "size", "time_zone", "source", "dates", "mapping"),
        *("uploaded_by", "uploaded_at", "confirmed_by", "confirmed_at", "finished_at"),
        *("taken_back_by", "taken_back_at"),
    )

    @admin.display(description=_("left out"))
    def left_out(self, run: ImportRun) -> int:
        """Rows that are not imported, whatever the reason."""
        return run.left_out

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may add sessions."""
        return request.user.has_perm("stations.add_chargingsession")

    def get_urls(self) -> list[URLPattern]:
        """With confirming, cancelling and the report."""
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/confirm/", wrap(require_POST(self.confirm_view)), name="stations_importrun_confirm"),
            path("<int:pk>/cancel/", wrap(require_POST(self.cancel_view)), name="stations_importrun_cancel"),
            path("<int:pk>/take-back/", wrap(require_POST(self.take_back_view)), name="stations_importrun_take_back"),
            path("example.csv", wrap(require_safe(self.example_view)), name="stations_importrun_example"),
            path("<int:pk>/report.csv", wrap(require_safe(self.report_view)), name="stations_importrun_report"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The upload. What cannot be read at all is said at once, beside the field, and nothing is kept."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            run = self._upload(request, form)
            if run:
                return HttpResponseRedirect(self._address(run))
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form}
        context |= {"title": gettext("Import sessions"), "formats": [one.title for one in FORMATS]}
        return render(request, "admin/stations/importrun/upload.html", context)

    def _upload(self, request: HttpRequest, form: UploadForm) -> ImportRun | None:
        file = form.cleaned_data["file"]
        assert isinstance(request.user, User)  # behind admin_view
        try:
            run = import_upload(name=file.name, content=file.read(), by=request.user, told=form.told())
        except ImportFileError as error:
            form.add_error("file", gettext("This file cannot be imported: %(error)s.") % {"error": error})
            if isinstance(error, ZoneMissingError):
                form.add_error("time_zone", gettext("Choose the zone of the place where it was charged."))
            return None
        self.log_addition(request, run, [{"added": {"words": f"Uploaded {file.name}, SHA-256 {run.sha256}."}}])
        return run

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """With what would come of the file, or came of it."""
        run = self.get_object(request, object_id)
        context = self._report(request, run) if run and self.has_view_permission(request, run) else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **context})

    def _report(self, request: HttpRequest, run: ImportRun) -> dict[str, Any]:
        findings = list(run.findings.all()[: FINDINGS_SHOWN + 1])
        return {
            "run": run,
            "came": run.sessions.count() if run.state in OVER else 0,
            "may_import": self.has_add_permission(request),
            "before": ImportRun.objects.filter(sha256=run.sha256, state=ImportRun.State.DONE)
            .exclude(pk=run.pk)
            .first(),
            "remarks": [(FLAGS.get(flag, flag), count) for flag, count in sorted(run.flags.items())],
            "findings": findings[:FINDINGS_SHOWN],
            "more_findings": run.left_out - FINDINGS_SHOWN if len(findings) > FINDINGS_SHOWN else 0,
        }

    def confirm_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Begins the import of what was read."""
        return self._decide(request, pk, "Confirmed.", lambda run, by: import_confirm(run=run, by=by))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The file is forgotten, the run stays."""
        return self._decide(request, pk, "Cancelled.", lambda run, by: import_cancel(run=run))

    def take_back_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Deletes again what it brought; asks first."""
        run = get_object_or_404(ImportRun, pk=pk)
        if not self.has_add_permission(request):
            raise PermissionDenied
        if request.POST.get("confirmed") != "yes":
            context = {**self.admin_site.each_context(request), "opts": self.opts, "run": run}
            context |= {"title": gettext("Take an import back"), "count": run.sessions.count()}
            return render(request, "admin/stations/importrun/take_back.html", context)
        return self._decide(request, pk, "Taken back.", lambda run, by: import_take_back(run=run, by=by))

    def example_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """A small file as the portal itself writes it, to fill in."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        return csv_response("evportal-example.csv", csv_lines(EXAMPLE_COLUMNS, [EXAMPLE]))

    def _decide(self, request: HttpRequest, pk: int, words: str, decide: Any) -> HttpResponse:
        """Two who press at once: the second hears what the first did."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        run = get_object_or_404(ImportRun, pk=pk)
        before = values_of(run)
        try:
            decide(run, request.user)
        except ImportStateError as error:
            self.message_user(request, f"{error}.", messages.WARNING)
        else:
            self.log_values(request, run, before, words)
        return HttpResponseRedirect(self._address(run))

    def report_view(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """Every row that stays out, and why."""
        run = get_object_or_404(ImportRun, pk=pk)
        if not self.has_view_permission(request, run):
            raise PermissionDenied
        rows = run.findings.values_list(*REPORT_COLUMNS).iterator(chunk_size=2000)
        return csv_response(f"import-{run.pk}-report.csv", csv_lines(REPORT_COLUMNS, rows))

    def _address(self, run: ImportRun) -> str:
        return reverse("admin:stations_importrun_change", args=[run.pk])
