"""Every address of the URLconf, found in it: a new one is there by itself, with ids of what belongs to somebody."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.converters import IntConverter, UUIDConverter

OTHER = "x"


@dataclass(frozen=True)
class Address:
    """One pattern as it stands in the URLconf, its name with namespaces, and what it needs to become a path."""

    route: str
    name: str
    parameters: tuple[tuple[str, str], ...]  # name and kind: int, uuid or str
    app_model: str = ""  # in the admin: whose pages these are

    def path(self, ids: Mapping[str, Any]) -> str:
        """The path with these ids in it: by `APP.MODEL` in the admin, by the parameter's name, else by its kind."""
        path = self.route
        for name, kind in self.parameters:
            value = ids.get(self.app_model) or ids.get(name) or ids.get(kind) or OTHER
            path = path.replace(f"{{{name}}}", str(value), 1)
        return "/" + path


def addresses() -> list[Address]:
    """All of them, also the admin's and those of routers, in the order of the URLconf."""
    return list(_walk(get_resolver().url_patterns, "", "", ()))


def _walk(
    patterns: list[Any], route: str, namespace: str, parameters: tuple[tuple[str, str], ...]
) -> Iterator[Address]:
    for entry in patterns:
        part, found = _readable(entry)
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from _walk(entry.url_patterns, route + part, inner, parameters + found)
        elif isinstance(entry, URLPattern):
            whole = route + part
            model = re.match(r"admin/(\w+)/(\w+)/", whole)
            name = f"{namespace}{entry.name or ''}"
            yield Address(whole, name, parameters + found, f"{model[1]}.{model[2]}" if model else "")


def _readable(entry: URLPattern | URLResolver) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The pattern with `{name}` for each parameter, whether it is a path or a regular expression."""
    pattern = entry.pattern
    text = str(pattern)
    converters = getattr(pattern, "converters", {})
    if converters or not getattr(pattern, "regex", None) or "(?P<" not in text:
        kinds = {name: _kind(converter) for name, converter in converters.items()}
        return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", _plain(text)), tuple(kinds.items())
    names = re.findall(r"\(\?P<(\w+)>", text)
    return _plain(re.sub(r"\(\?P<(\w+)>[^()]*(?:\([^()]*\)[^()]*)*\)", r"{\1}", text)), tuple((n, "str") for n in names)


def _plain(text: str) -> str:
    """A regular expression without what is none of the path."""
    return text.removeprefix("^").removesuffix("$").removesuffix(r"\Z").replace("/?", "/").replace("\\", "")


def _kind(converter: object) -> str:
    return "int" if isinstance(converter, IntConverter) else "uuid" if isinstance(converter, UUIDConverter) else "str"
