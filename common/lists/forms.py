"""Forms whose texts are codes of a standard: chosen from its list; what is stored already is shown, and may stay."""

import zoneinfo
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.utils.translation import get_language, gettext

from common.lists.names import countries, countries_short

Choices = list[tuple[str, str]]
NOTHING = ("", "---------")


def language() -> str:
    return get_language() or "en"


def country_choices() -> Choices:
    """ISO 3166-1 alpha-3, as sites have it."""
    return [NOTHING, *((code, f"{name} ({code})") for code, name in countries(language()))]


def country_choices_short() -> Choices:
    """ISO 3166-1 alpha-2, as OCPI's parties have it."""
    return [NOTHING, *((code, f"{name} ({code})") for code, name in countries_short(language()))]


def zone_choices() -> Choices:
    """The places of the IANA time zones, and UTC."""
    names = sorted(name for name in zoneinfo.available_timezones() if "/" in name or name == "UTC")
    return [(name, name.replace("_", " ")) for name in names]


class ListedForm(forms.ModelForm):  # type: ignore[type-arg]  # a generic in the stubs alone
    """`lists`: of each field that is chosen from a list, what gives it, in the reader's language."""

    lists: ClassVar[Mapping[str, Callable[[], Choices]]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.lists.keys() & self.fields.keys():  # a name that stays is no field any more
            written, stored = self.fields[name], self.initial.get(name) or ""
            self.fields[name] = forms.ChoiceField(
                label=written.label,
                help_text=written.help_text,
                required=written.required,
                initial=written.initial,
                choices=with_stored(self.lists[name](), stored),
            )


def with_stored(choices: Choices, stored: str) -> Choices:
    """The list, and before it what the row has already and the list has not: it is shown, and told to be mended."""
    if not stored or any(code == stored for code, _name in choices):
        return choices
    return [(stored, gettext("%(value)s (not in the list)") % {"value": stored}), *choices]
