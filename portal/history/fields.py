"""The fields of the history's filter. What was typed and cannot be read stays in its field, and the error names it.

Their widgets are written out here: Django's own fill a template for each option and attribute, which takes longer than
the list below them.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any, NoReturn

from django import forms
from django.core.exceptions import ValidationError
from django.forms.utils import flatatt
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from stations.identifiers import same_letters

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


class _DateInput(forms.DateInput):
    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Without the template; `renderer` is not asked."""
        own = {"type": self.input_type, "name": name, "value": self.format_value(value) or None}
        return format_html("<input{}>", flatatt({**own, **self.build_attrs(self.attrs, attrs)}))


class DayField(forms.DateField):
    """A day such as 2015-03-31. What cannot be read is kept in a field for text: one for dates would hide it."""

    def __init__(self, label: str) -> None:
        attributes = {"class": "form-control", "type": "date"}
        widget = _DateInput(format="%Y-%m-%d", attrs=attributes)
        super().__init__(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)

    def to_python(self, value: Any) -> date | None:
        """The day; None where the field is empty. Raises ValidationError, also for centuries that nobody means."""
        try:
            day = super().to_python(value)
        except ValidationError:
            self._refuse(value)
        if day and not FIRST_DAY <= day <= LAST_DAY:
            self._refuse(value)
        return day

    def _refuse(self, value: Any) -> NoReturn:
        self.widget.input_type = "text"
        message = gettext("Expected a date such as 2015-03-31, in the years 2000 to 2100, got “%(value)s”.")
        raise ValidationError(message % {"value": _shown(value)}, "invalid")


class _Select(forms.Select):
    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Without a template for each option; `renderer` is not asked."""
        chosen = "" if value is None else str(value)
        options = (
            (option, mark_safe(" selected") if str(option) == chosen else "", label) for option, label in self.choices
        )
        attributes = flatatt({**self.build_attrs(self.attrs, attrs), "name": name})
        return format_html(
            "<select{}>{}</select>", attributes, format_html_join("", '<option value="{}"{}>{}</option>', options)
        )


class NamedField(forms.ChoiceField):
    """One of what this reader may choose."""

    def __init__(self, label: str, every: str, choices: Sequence[tuple[str, str]]) -> None:
        self._names = [name for name, _ in choices]
        select = _Select(attrs={"class": "form-select"})
        super().__init__(label=label, required=False, choices=[("", every), *choices], widget=select)

    def to_python(self, value: Any) -> str:
        """The choice, also where it is written in other letters: a card's number typed into the address."""
        text: str = super().to_python(value)
        if not text or self.valid_value(text):
            return text
        return next((name for name in self._names if same_letters(name, text)), text)

    def validate(self, value: Any) -> None:
        """Django's own, with an error that says what was expected."""
        if value and not self.valid_value(value):
            message = gettext("Expected one of the choices in the list, got “%(value)s”.")
            raise ValidationError(message % {"value": _shown(value)}, "invalid_choice")


def typed_field(label: str) -> forms.CharField:
    """For what there is too much of to choose from: as it stands on a card or station."""
    return forms.CharField(
        label=label, required=False, max_length=48, widget=forms.TextInput(attrs={"class": "form-control"})
    )
