"""The form of a kind of command, from its table: a field for each parameter, a line for each in a list."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils.text import capfirst, format_lazy
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from stations.commands.kind import Kind
from stations.commands.kinds import params_checked
from stations.commands.params import Param, ParamsWrong, Type, moment_text, params_of
from stations.models import ChargingSession, Station

FORMATS = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M"]
YES_NO = [("", "–"), ("true", pgettext_lazy("answer", "Yes")), ("false", pgettext_lazy("answer", "No"))]
WAITS = [
    ("120", _("2 minutes")),
    ("3600", _("1 hour")),
    ("86400", _("1 day")),
    ("604800", _("7 days")),
    ("2592000", _("30 days")),
]
NOTHING: tuple[Any, ...] = (None, "", [])
LONG = 200  # a text that may be longer gets a field of several lines


class CommandForm(forms.Form):
    """Fields are named by the path of their parameter: `profile.stack_level`. `params`: what was entered."""

    def __init__(self, kind: Kind, *args: Any, version: str = "", station: Station | None = None, **more: Any) -> None:
        super().__init__(*args, **more)
        self.kind, self.version, self.params = kind, version, dict[str, Any]()
        for param in params_of(kind.params, version):
            self._add(param, param.name, required=param.required)
        self.fields["wait"] = forms.ChoiceField(
            label=_("If the station is away, wait for it"), choices=WAITS, initial="120"
        )
        if station is not None:
            self._of_station(station)

    def _add(self, param: Param, path: str, *, required: bool, before: Any = "") -> None:
        label = format_lazy("{}: {}", before, param.words) if before else capfirst(param.words)
        if param.type is Type.OBJECT:
            for one in params_of(param.members, self.version):
                self._add(one, f"{path}.{one.name}", required=required and one.required, before=label)
        else:
            self.fields[path] = _field(param, label, self.version, required=required)

    def _of_station(self, station: Station) -> None:
        """What is there to choose from."""
        numbers = list(station.connectors.order_by("evse_id").values_list("evse_id", flat=True).distinct())
        running = ChargingSession.objects.filter(station=station, status=ChargingSession.Status.ACTIVE)
        charges = list(running.order_by("-started_at").values_list("transaction_id", flat=True)[:20])
        for name, known in (("evse_id", numbers), ("transaction_id", charges)):
            if name in self.fields and known:
                self.fields[name].help_text = gettext("There are: %(list)s") % {"list": ", ".join(map(str, known))}
                if len(known) == 1 and self.fields[name].required:
                    self.fields[name].initial = known[0]

    def clean(self) -> dict[str, Any]:
        """Put together what was entered, and judge it by the table as programs' requests are."""
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        given = self._given(params_of(self.kind.params, self.version), "", cleaned)
        try:
            self.params = params_checked(self.kind, given, self.version)
        except ParamsWrong as error:
            for path, words in error.errors.items():
                name = next((name for name in self.fields if path == name or path.startswith(f"{name}.")), None)
                line = path.removeprefix(f"{name}.") if name and path != name else ""
                self.add_error(name, f"{line}: {words}" if line else words)
        return cleaned

    def _given(self, params: tuple[Param, ...], before: str, cleaned: dict[str, Any]) -> dict[str, Any]:
        found = {}
        for param in params:
            path = f"{before}{param.name}"
            if param.type is Type.OBJECT:
                value: Any = self._given(params_of(param.members, self.version), f"{path}.", cleaned) or None
            else:
                value = _json(param, cleaned.get(path), self.version)
            if value not in NOTHING:
                found[param.name] = value
        return found

    @property
    def valid_for(self) -> timedelta:
        """How long it waits for the station."""
        return timedelta(seconds=int(self.cleaned_data["wait"]))


def _field(param: Param, label: Any, version: str, *, required: bool) -> forms.Field:
    common: dict[str, Any] = {"label": label, "required": required}
    bounds: dict[str, Any] = {"min_value": param.minimum, "max_value": param.maximum}
    words = [(word, word) for word in param.values(version)]
    match param.type:
        case Type.INTEGER:
            return forms.IntegerField(**common, **bounds)
        case Type.NUMBER:
            return forms.FloatField(**common, **bounds, widget=forms.NumberInput(attrs={"step": "any"}))
        case Type.FLAG:
            return forms.ChoiceField(**common, choices=YES_NO)
        case Type.CHOICE:
            return forms.ChoiceField(**common, choices=[("", "–"), *words])
        case Type.CHOICES:
            return forms.MultipleChoiceField(**common, choices=words, widget=forms.CheckboxSelectMultiple)
        case Type.MOMENT:
            return _moment(common)
        case Type.TEXTS | Type.INTEGERS:
            return forms.CharField(**common, max_length=5000, help_text=_("several with a comma between them"))
        case Type.OBJECTS:
            return _lines(param, common, version)
    is_long = param.lines or (param.maximum or 0) > LONG
    widget = forms.Textarea(attrs={"rows": 6 if param.lines else 2}) if is_long else forms.TextInput()
    return forms.CharField(**common, max_length=int(param.maximum or 0), widget=widget, strip=not param.lines)


def _moment(common: dict[str, Any]) -> forms.Field:
    common["label"] = format_lazy("{}, UTC", common["label"])
    return forms.DateTimeField(
        **common,
        input_formats=FORMATS,
        widget=forms.DateTimeInput(attrs={"placeholder": "2026-03-01 08:45"}),
        error_messages={"invalid": _("Expected a time such as 2026-03-01 08:45:00.")},
    )


def _lines(param: Param, common: dict[str, Any], version: str) -> forms.Field:
    columns = ", ".join(f"{one.name}{'' if one.required else '?'}" for one in params_of(param.members, version))
    words = _("One a line, with commas between: {columns}. What has a question mark may be empty.")
    area = forms.Textarea(attrs={"rows": 5})
    help_text = format_lazy(words, columns=columns)
    return forms.CharField(**common, max_length=50_000, widget=area, help_text=help_text)


def _json(param: Param, value: Any, version: str) -> Any:
    """What was entered as JSON has it; None where nothing was."""
    if value in NOTHING:
        return None
    match param.type:
        case Type.FLAG:
            return value == "true"
        case Type.MOMENT:
            return _moment_json(value)
        case Type.TEXTS:
            return [part.strip() for part in value.split(",") if part.strip()]
        case Type.INTEGERS:
            return [_number(part.strip()) for part in value.split(",") if part.strip()]
        case Type.OBJECTS:
            rows = csv.reader(io.StringIO(value), skipinitialspace=True)
            return [_row(params_of(param.members, version), row) for row in rows if any(row)]
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def _moment_json(value: datetime) -> str:
    """Entered in UTC, whatever zone the reader's pages are in."""
    return moment_text(value.replace(tzinfo=UTC))


def _row(params: tuple[Param, ...], row: list[str]) -> dict[str, Any]:
    """One line; more columns than there are become a parameter that there is not, which is refused by its name."""
    found: dict[str, Any] = {}
    for number, text in enumerate(part.strip() for part in row):
        if text:
            param = params[number] if number < len(params) else None
            name = param.name if param else f"column {number + 1}"
            found[name] = _cell(param, text) if param else text
    return found


def _cell(param: Param, text: str) -> Any:
    if param.type is Type.FLAG:
        return {"true": True, "false": False}.get(text.lower(), text)
    return _number(text) if param.type in (Type.INTEGER, Type.NUMBER) else text


def _number(text: str) -> Any:
    """The number that it says, else the text: the table refuses it in words."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
