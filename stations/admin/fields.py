"""Fields of the admin's pages about sessions: moments and energy, exactly."""

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

KWH_MAX = Decimal(1_000_000)


def moment_field(*, label: Any) -> forms.DateTimeField:
    """A moment in UTC, to the second."""
    return forms.DateTimeField(
        label=label,
        input_formats=["%Y-%m-%d %H:%M:%S"],
        widget=forms.DateTimeInput(format="%Y-%m-%d %H:%M:%S"),
        error_messages={"invalid": _("Expected a time such as 2026-03-01 08:45:00.")},
    )
