"""Mappings of columns in the admin: an example of the file, its first rows, what each column means, a name for it."""

import io
import json
from itertools import islice
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.core.validators import RegexValidator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from common.admin_log import Logged
from common.lists.forms import NOTHING
from stations.errors import ImportFileError
from stations.imports.formats.door import NAMES
from stations.imports.formats.mapped import FIELDS, NEEDED
from stations.imports.reading.opening import opened
from stations.imports.runs import SIZE_MAX
from stations.imports.words import DATE_FORMS, ZoneField
from stations.models.imports import ImportMapping
from stations.tariffs.words import currency_choices

ROWS_SHOWN = 5
CELL_MAX, COLUMNS_MAX = 60, 100
PREVIEW_MAX = 100_000
LABELS = {
    "number": _("Number of the session"),
    "started": _("Start, date and time"),
    "stopped": _("End, date and time"),
    "lasted": _("Duration, to check the times by"),
    "energy": _("Energy"),
    "station": _("Station"),
    "site": _("Site"),
    "token": _("Card or contract"),
    "cost": _("Cost"),
}
CURRENCY_ASKED = _("Which currency is the cost in? Expected a code of ISO 4217 such as EUR.")


class ExampleForm(forms.Form):
    file = forms.FileField(
        label=_("A file of this kind"),
        help_text=_("Its columns and first rows are shown; nothing of it is stored."),
        error_messages={"required": _("Choose a file."), "empty": _("Expected a header line, the file is empty.")},
    )

    def preview(self) -> list[list[str]]:
        """The columns, and the first rows. Raises ImportFileError where it is no table."""
        file = self.cleaned_data["file"]
        if file.size > SIZE_MAX:
            raise ImportFileError(gettext("expected a smaller file: the first rows are enough"))
        source = opened(io.BytesIO(file.read()), lambda columns: False)
        if source.marks_of_its_own and source.kind.startswith("JSON"):
            raise ImportFileError(gettext("expected a table, got JSON"))
        rows = (record.values for record in source.records() if record.error is None)
        found = [source.columns, *islice(rows, ROWS_SHOWN)]
        return [[cell[:CELL_MAX] for cell in row[:COLUMNS_MAX]] for row in found]


class MappingForm(forms.Form):
    """`columns` are those of the example; what is not chosen is not there."""

    name = forms.CharField(
        label=_("Name"),
        max_length=16,
        validators=[RegexValidator(r"\A[a-z0-9][a-z0-9-]*\Z", _("Expected letters a to z, digits and -."))],
        help_text=_("Also the source of the sessions' numbers, so choose one for each system that writes such files."),
    )
    preview = forms.CharField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, columns: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", "–"), *((column, column) for column in dict.fromkeys(filter(None, columns)))]
        for name in FIELDS:
            self.fields[name] = forms.ChoiceField(
                label=LABELS[name], choices=choices, required=name in NEEDED, initial=""
            )
        self.fields["energy_unit"] = forms.ChoiceField(label=_("Energy is in"), choices=[("kWh", "kWh"), ("Wh", "Wh")])
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency of the cost"),
            choices=[NOTHING, *currency_choices()],
            required=False,
            error_messages={"invalid_choice": CURRENCY_ASKED},
        )
        self.fields["dates"] = forms.ChoiceField(label=_("Form of dates"), choices=DATE_FORMS, required=False)
        self.fields["time_zone"] = ZoneField(
            label=_("Time zone"),
            required=False,
            help_text=_("Of all files of this kind; else it is asked for at each import."),
        )

    def clean_name(self) -> str:
        """One that nothing else has."""
        name: str = self.cleaned_data["name"]
        if name in NAMES or ImportMapping.objects.filter(name=name).exists():
            raise forms.ValidationError(gettext("There is one of this name already."))
        return name

    def clean(self) -> dict[str, Any]:
        """A cost without currency means nothing; one column has one meaning."""
        found: dict[str, Any] = super().clean() or {}
        if found.get("cost") and not found.get("currency", "another error"):
            self.add_error("currency", CURRENCY_ASKED)
        chosen = [found[name] for name in FIELDS if found.get(name)]
        if len(chosen) != len(set(chosen)):
            raise forms.ValidationError(gettext("One column was chosen twice."))
        return found


@admin.register(ImportMapping)
class ImportMappingAdmin(Logged):
    """Made from an example, used again by name, deleted and made anew rather than changed."""

    list_display = ("name", "energy_unit", "currency", "dates", "time_zone", "made_by")
    search_fields = ("name",)
    fields = ("name", "meanings", "energy_unit", "currency", "dates", "time_zone", "made_by")
    readonly_fields = ("meanings",)

    @admin.display(description=_("columns"))
    def meanings(self, mapping: ImportMapping) -> SafeString:
        """What each column means, a line each."""
        named = ((LABELS.get(field, field), column) for field, column in mapping.columns.items())
        return format_html_join(mark_safe("<br>"), "{}: {}", named)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Who may add sessions."""
        return request.user.has_perm("stations.add_chargingsession")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody: imports were made by it as it is."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may make one: another of the same name can be made then."""
        return self.has_add_permission(request)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """First the example, then what its columns mean."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        example = ExampleForm()
        form, preview = None, preview_of(request.POST.get("preview", ""))
        if preview:
            form = MappingForm(request.POST, columns=preview[0])
            if form.is_valid():
                return self._made(request, form)
        elif request.method == "POST":
            example = ExampleForm(request.POST, request.FILES)
            preview = self._example(example)
            if preview:
                form = MappingForm(initial={"preview": json.dumps(preview)}, columns=preview[0])
        context = {**self.admin_site.each_context(request), "opts": self.opts, "form": form or example}
        context |= {"title": gettext("Map the columns of a table"), "preview": preview if form else None}
        return render(request, "admin/stations/importmapping/add.html", context)

    def _example(self, form: ExampleForm) -> list[list[str]] | None:
        if not form.is_valid():
            return None
        try:
            return form.preview()
        except ImportFileError as error:
            form.add_error("file", gettext("This file cannot be read: %(error)s.") % {"error": error})
            return None

    def _made(self, request: HttpRequest, form: MappingForm) -> HttpResponse:
        found = form.cleaned_data
        mapping = ImportMapping.objects.create(
            name=found["name"],
            columns={name: found[name] for name in FIELDS if found[name]},
            dates=found["dates"],
            time_zone=found["time_zone"],
            currency=found["currency"],
            energy_unit=found["energy_unit"],
            made_by_id=request.user.pk,
        )
        self.log_addition(request, mapping, [{"added": {"words": f"Made {mapping.name}: {mapping.columns}."}}])
        self.message_user(request, gettext("The mapping is kept. Choose it where you import such a file."))
        return HttpResponseRedirect(reverse("admin:stations_importrun_add"))


def preview_of(text: str) -> list[list[str]] | None:
    """What the page was given to carry on: columns and first rows; None where it is none."""
    if not text or len(text) > PREVIEW_MAX:
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    rows = found if isinstance(found, list) and found and all(isinstance(row, list) for row in found) else None
    return rows if rows and all(isinstance(cell, str) for row in rows for cell in row) else None
