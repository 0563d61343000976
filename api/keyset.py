"""Pages of long lists by the last row's place, not by its number: new rows move nothing, and page 1000 costs as page 1.

A cursor names a direction and the place of a row; the answer is `{"next", "previous", "results"}`, addresses or null.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from django.db import models
from django.db.models import QuerySet
from rest_framework.exceptions import ParseError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

PAGE_SIZE = 25
PAGE_SIZE_MAX = 200
CURSOR_MAX = 200
Side = Literal["after", "before"]


@dataclass(frozen=True)
class Cursor:
    """Rows after, or before, the row whose ordering fields have these values (as text)."""

    side: Side
    place: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it stands in an address: base64url of JSON, without padding."""
        return base64.urlsafe_b64encode(json.dumps([self.side, *self.place]).encode()).decode().rstrip("=")


def cursor_read(text: str, *, fields: int) -> Cursor:
    """The cursor that an address names; raises ParseError for anything that we did not make."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        side, *place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        whole = side in ("after", "before") and all(isinstance(value, str) for value in place)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        whole = False
    if not whole or len(text) > CURSOR_MAX or len(place) != fields:
        raise ParseError("cursor: expected one of `next` or `previous`", "cursor_invalid")
    return Cursor(side, tuple(place))


class KeysetPagination(BasePagination):
    """`ordering` comes from the view: fields that are unique together, all rising or all falling ("-")."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page that the request asks for; one more is read, to know whether there is a next one."""
        self.request = request
        self.fields, self.falling = _ordering(view.get_ordering())
        self.size = _size(request.query_params.get("limit"))
        text = request.query_params.get("cursor")
        self.cursor = cursor_read(text, fields=len(self.fields)) if text is not None else None
        backwards = self.cursor is not None and self.cursor.side == "before"
        rows = list(self._narrowed(queryset, falling=self.falling != backwards)[: self.size + 1])
        self.more = len(rows) > self.size
        del rows[self.size :]
        self.page = rows[::-1] if backwards else rows
        return self.page

    def _narrowed(self, queryset: QuerySet[Any], *, falling: bool) -> QuerySet[Any]:
        sign = "-" if falling else ""
        queryset = queryset.order_by(*(f"{sign}{field}" for field in self.fields))
        if self.cursor is None:
            return queryset
        values = [
            _value(queryset.model, field, text) for field, text in zip(self.fields, self.cursor.place, strict=True)
        ]
        return beyond(queryset, self.fields, values, falling=falling)

    def get_paginated_response(self, data: Any) -> Response:
        """`next`, `previous` (addresses or null) and `results`."""
        side = self.cursor.side if self.cursor else None
        later = self.more if side != "before" else True
        earlier = self.more if side == "before" else side is not None
        return Response(
            {
                "next": self._address("after", -1) if later else None,
                "previous": self._address("before", 0) if earlier else None,
                "results": data,
            }
        )

    def _address(self, side: Side, position: int) -> str | None:
        """The page beyond this end of ours. An empty page has no ends: back to where it came from."""
        if self.page:
            place = tuple(_text(self.page[position], field) for field in self.fields)
        elif self.cursor and self.cursor.side != side:
            place = self.cursor.place
        else:
            return None
        query = self.request.query_params.copy()
        query["cursor"] = Cursor(side, place).text
        return self.request.build_absolute_uri(f"{self.request.path}?{urlencode(list(query.items()))}")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """How OpenAPI describes `cursor` and `limit`."""
        place = {"type": "string", "minLength": 1}
        size = {"type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE}
        return [
            _parameter("cursor", "Which page: a value that `next` or `previous` holds.", place),
            _parameter("limit", "How many at most.", size),
        ]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """How OpenAPI describes a page of `schema`."""
        address = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": address, "previous": address, "results": schema}
        return {"type": "object", "required": [*properties], "properties": properties}


def beyond(queryset: QuerySet[Any], fields: Sequence[str], values: Sequence[Any], *, falling: bool) -> QuerySet[Any]:
    """Rows behind the row with these values. Its equals are cut off apart, so that the index does the rest."""
    first, *others = fields
    side = "lt" if falling else "gt"
    if not others:
        return queryset.filter(**{f"{first}__{side}": values[0]})
    assert len(others) == 1, "expected one or two ordering fields"
    reached = {first: values[0], f"{others[0]}__{'gte' if falling else 'lte'}": values[1]}
    return queryset.filter(**{f"{first}__{side}e": values[0]}).exclude(**reached)


def _ordering(ordering: Sequence[str]) -> tuple[list[str], bool]:
    return [name.removeprefix("-") for name in ordering], ordering[0].startswith("-")


def _size(text: str | None) -> int:
    if text is None:
        return PAGE_SIZE
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= PAGE_SIZE_MAX):
        raise ParseError(f"limit: expected 1 to {PAGE_SIZE_MAX}", "invalid_request")
    return int(text)


def _text(row: Any, field: str) -> str:
    value = getattr(row, field)
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


def _value(model: type[models.Model], field: str, text: str) -> Any:
    """What `_text` was made of; only what the column can hold reaches the database."""
    column = model._meta.get_field(field)
    try:
        if isinstance(column, models.DateTimeField):
            return datetime.fromisoformat(text).astimezone(UTC)
        if isinstance(column, models.UUIDField):
            return UUID(text)
        number = int(text)
        if abs(number) < 2**63:
            return number
    except (ValueError, OverflowError):
        pass
    raise ParseError("cursor: expected one of `next` or `previous`", "cursor_invalid")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}
