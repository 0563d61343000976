"""What the admin says of imports, and what is chosen there."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import time_zone_validate
from common.lists.forms import NOTHING, Choices, zone_choices

DATE_FORMS = [
    ("", _("as the file shows")),
    ("YMD", _("year first, 2026-03-13")),
    ("DMY", _("day first, 13/03/2026")),
    ("MDY", _("month first, 03/13/2026")),
]


class ZoneField(forms.ChoiceField):
    """A time zone, chosen; nothing where it may stay open. Any other name of a zone than the list's is taken, too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=zones_or_nothing, **kwargs)

    def validate(self, value: Any) -> None:
        """What is no zone is said in our words."""
        forms.Field.validate(self, value)
        if value:
            time_zone_validate(value)


def zones_or_nothing() -> Choices:
    return [NOTHING, *zone_choices()]
