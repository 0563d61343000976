"""Filters of the REST API's lists; each is refused where it cannot be meant."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import QuerySet

from api.forms import TIME

NAME_MAX = 64


class MomentFormField(forms.CharField):
    """An RFC 3339 timestamp with offset; UTC inside."""

    def to_python(self, value: Any) -> Any:
        """The moment in UTC; None where nothing was sent. Raises ValidationError for any other form."""
        text = super().to_python(value)
        if not text:
            return None
        if not TIME.fullmatch(text):
            raise ValidationError("expected YYYY-MM-DDThh:mm:ssZ or with an offset (write + as %2B)")
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise ValidationError("expected a date and time that exist") from error


class MomentFilter(django_filters.Filter):  # type: ignore[misc]  # django-filter has no types
    field_class = MomentFormField
    schema = {"type": "string", "format": "date-time"}


class NameFilter(django_filters.CharFilter):  # type: ignore[misc]  # django-filter has no types
    """Exactly this name, as code, identity or uid; `forms` gives what rows may have for it in a canonical column."""

    schema = {"type": "string", "minLength": 1, "maxLength": NAME_MAX}

    def __init__(self, *args: Any, forms: Callable[[str], Collection[str]] | None = None, **kwargs: Any) -> None:
        self.forms = forms
        super().__init__(*args, max_length=NAME_MAX, strip=False, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Exactly, or by one of its canonical forms."""
        if value and self.forms is not None:
            return qs.filter(**{f"{self.field_name}__in": self.forms(value)})
        return super().filter(qs, value)  # type: ignore[no-any-return]


class OneOfFilter(django_filters.ChoiceFilter):  # type: ignore[misc]  # django-filter has no types
    def __init__(self, *args: Any, names: list[str], **kwargs: Any) -> None:
        super().__init__(*args, choices=[(name, name) for name in names], **kwargs)
        self.schema = {"type": "string", "enum": names}
