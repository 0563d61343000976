"""A column that follows from another: an identifier in its canonical form, which is what is looked up and unique."""

from collections.abc import Callable
from typing import Any

from django.db import models


class Canonical(models.CharField):  # type: ignore[type-arg]  # a generic in the stubs alone
    """`of` gives the form of a row; it is stored with every insert and save, one row or many."""

    def __init__(self, *args: Any, of: Callable[[Any], str] | None = None, **kwargs: Any) -> None:
        self.of = of
        settled: dict[str, Any] = {"max_length": 48, "editable": False, "default": ""}
        super().__init__(*args, **settled | kwargs)

    def deconstruct(self) -> Any:
        """For migrations a plain column: what fills it is today's code."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """The form of the row as it is now."""
        if self.of is not None:
            setattr(model_instance, self.attname, self.of(model_instance))
        return super().pre_save(model_instance, add)
