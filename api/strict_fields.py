"""Members of requests that are taken as they are or not at all: nothing unknown, no numbers as text, no NUL."""

import re
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from api.forms import described

SURROGATES = r"\ud800-\udfff"
PLAIN_TEXT = rf"[^\x00-\x1f\x7f{SURROGATES}]"


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses members that it does not know: a misspelt optional member would be lost in silence."""

    def to_internal_value(self, data: Any) -> Any:
        """As DRF has it, but a member that is not known is refused and named."""
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                expected = ", ".join(self.fields)
                message = f"expected only {expected}; got {unknown[0][:40]!a}"
                raise serializers.ValidationError({"non_field_errors": [message]})
        return super().to_internal_value(data)


class WholeNumberField(serializers.Field[int, Any, int, Any]):
    """A JSON integer: no 1.0, no true, no "1"."""

    def __init__(self, *, minimum: int, maximum: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.minimum, self.maximum = minimum, maximum

    def to_internal_value(self, data: Any) -> int:
        """The number; no text, no fraction, no true or false is one."""
        if type(data) is not int:
            raise serializers.ValidationError(f"expected a whole number, got {described(data)}")
        if not self.minimum <= data <= self.maximum:
            raise serializers.ValidationError(f"expected {self.minimum} to {self.maximum}, got {described(data)}")
        return data


class TextField(serializers.Field[str, Any, str, Any]):
    """A JSON string that fits a pattern, or is one of a list."""

    def __init__(self, *, pattern: str = "", one_of: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pattern, self.one_of = pattern, one_of

    def to_internal_value(self, data: Any) -> str:
        """The text, where it is one of those that may be or fits the pattern as a whole."""
        if self.one_of is not None:
            if not isinstance(data, str) or data not in self.one_of:
                raise serializers.ValidationError(f"expected one of {', '.join(self.one_of)}, got {described(data)}")
        elif not isinstance(data, str) or not re.fullmatch(self.pattern, data):
            raise serializers.ValidationError(f"expected text like {self.pattern}, got {described(data)}")
        return data


class FlagField(serializers.Field[bool, Any, bool, Any]):
    """JSON true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """JSON's true or false, nothing else that would count as one."""
        if not isinstance(data, bool):
            raise serializers.ValidationError(f"expected true or false, got {described(data)}")
        return data
