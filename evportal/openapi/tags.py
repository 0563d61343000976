"""The OpenAPI document on a page for people."""

import json
from collections.abc import Iterator
from typing import Any

from django import template
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()


@register.filter
def as_json(value: Any) -> str:
    """Indented, as people read it."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@register.filter
def paragraphs(text: str) -> list[str]:
    """The parts between empty lines, each on one line."""
    return [" ".join(part.split()) for part in text.split("\n\n")]


@register.filter
def code_spans(text: str) -> SafeString:
    """What stands between backticks as code; all else is escaped."""
    parts = str(text).split("`")
    return format_html_join("", "{}{}{}", _spans(parts))


def _spans(parts: list[str]) -> Iterator[tuple[str, str, str]]:
    for number, part in enumerate(parts):
        opened, closed = (mark_safe("<code>"), mark_safe("</code>")) if number % 2 else ("", "")
        yield opened, part, closed


@register.filter
def resolved(schema: Any, document: dict[str, Any]) -> Any:
    """The schema with what it refers to in its place, so that a reader has all in one."""
    if isinstance(schema, list):
        return [resolved(item, document) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    return {name: resolved(value, document) for name, value in schema.items()}
