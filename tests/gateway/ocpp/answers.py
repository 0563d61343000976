"""Answers made from the official schemas: the least, everything, and each word of a status."""

import copy
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def answers(schema: Schema) -> Iterator[dict[str, Any]]:
    """Valid responses; every value of every status in them comes once."""
    definitions = schema.get("definitions", {})
    yield made(schema, definitions, full=False)
    full = made(schema, definitions, full=True)
    yield full
    for path, word in words(schema, definitions):
        other = copy.deepcopy(full)
        inside: Any = other
        for name in path[:-1]:
            inside = inside[name]
        inside[path[-1]] = word
        yield other


def resolved(schema: Schema, definitions: Schema) -> Schema:
    return definitions[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def made(schema: Schema, definitions: Schema, *, full: bool) -> Any:
    schema = resolved(schema, definitions)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            members = schema.get("properties", {}).items()
            kept = [(name, one) for name, one in members if name in wanted or (full and name != "customData")]
            return {name: made(one, definitions, full=full) for name, one in kept}
        case "array":
            return [made(schema["items"], definitions, full=full) for _ in range(max(1, schema.get("minItems", 1)))]
        case "integer":
            return 1
        case "number":
            return min(6, int(schema.get("maximum", 6)))
        case "boolean":
            return True
    return "2026-03-01T08:00:00Z" if schema.get("format") == "date-time" else "x"


def words(schema: Schema, definitions: Schema, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    schema = resolved(schema, definitions)
    if "enum" in schema:
        yield from ((path, word) for word in schema["enum"])
    elif schema.get("type") == "array":
        yield from words(schema["items"], definitions, (*path, 0))
    elif schema.get("type") == "object":
        for name, one in schema.get("properties", {}).items():
            if name != "customData":
                yield from words(one, definitions, (*path, name))
