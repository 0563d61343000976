"""Columns of a kind that Django has not."""

from decimal import Decimal
from typing import Any

from django.db import models


class LedgerId(models.Field):  # type: ignore[type-arg]  # a generic in the stubs alone
    """An id as the chain has it, 64 bits without sign, kept as its digits.

    A bigint is too small for it, and SQLite keeps a decimal as a double: a large one came back rounded.
    """

    DIGITS = 20

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": self.DIGITS} | kwargs)

    def get_internal_type(self) -> str:
        return "CharField"

    def deconstruct(self) -> Any:
        """For migrations a plain column of text."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def from_db_value(self, value: str | None, *_: Any) -> int | None:
        """Of a decimal that was rounded before it became text ("1.8e+19"), what is left of it."""
        return None if value is None else int(Decimal(value))

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else str(int(value))

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)
