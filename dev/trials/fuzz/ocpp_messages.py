"""Made-up OCPP messages: from the official schemas of three versions, right and wrong, and frames that are none."""

import json
import random
import string
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any

VERSIONS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
LIST_MAX, TEXT_MAX, DEPTH_MAX = 3, 60, 8
ODD_TEXTS = ["", " ", "\x00", "é" * 10, "🚗", "'; DROP TABLE x; --", "<script>", "\u202e", "x" * 5000, "-1", "null"]
ODD_VALUES: list[Any] = [None, True, -1, 0, 2**31, -(2**63), 1e308, 0.1, "", [], {}, [[]], {"a": {"b": 1}}, "NaN"]
ODD_FRAMES = [
    "", "null", "[]", "{}", "[2]", "[2,1]", '[2,"a"]', '[2,"a","Heartbeat"]', '[2,"a","Heartbeat",null]', '"x"',
    '[3,"nobody asked",{}]', '[4,"nobody asked","InternalError","",{}]', '[5,"a","b","c",{}]', '[6,"a","b",{}]',
    '[2,"a","Heartbeat",{},{}]', "[2.5,1,2,3]", '[true,"a","Heartbeat",{}]', '[2,"' + "i" * 300 + '","Heartbeat",{}]',
    "[" * 2000, '[2,"a","Heartbeat",{"x":' * 200, "\ufeff[2]", '[2,"a","\\u0000",{}]', "[2,\"a\",\"x\",{\"a\":1e999}]",
]  # fmt: skip


@cache
def requests(version: str) -> dict[str, dict[str, Any]]:
    """The schemas of all requests by the name of the action; both directions."""
    folder = resources.files("ocpp") / VERSIONS[version] / "schemas"
    files = (file for file in folder.iterdir() if file.name.endswith(".json") and "Response" not in file.name)
    return {
        file.name.removesuffix(".json").removesuffix("Request"): json.loads(file.read_text("utf-8-sig"))
        for file in files
    }


def frames(version: str, count: int, seed: int) -> Iterator[str]:
    """So many frames, the same for a seed; about half obey the schema."""
    chance = random.Random(seed)  # noqa: S311 - the same again for a seed
    actions = sorted(requests(version))
    for number in range(count):
        if chance.random() < 0.05:
            yield chance.choice(ODD_FRAMES)
            continue
        action = chance.choice(actions)
        payload = made(requests(version)[action], chance)
        if chance.random() < 0.5:
            payload = spoiled(payload, chance)
        if chance.random() < 0.02:
            action = chance.choice(["", "heartbeat", "../../x", "X" * 60, "Réset"])
        yield json.dumps([2, f"{seed}-{number}", action, payload])


def made(schema: dict[str, Any], chance: random.Random) -> Any:
    """A value that obeys a schema, its optional members there or not."""
    return _made(schema, schema.get("definitions", {}), chance, 0)


def _made(schema: dict[str, Any], known: dict[str, Any], chance: random.Random, depth: int) -> Any:
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    if "enum" in schema:
        return chance.choice(schema["enum"])
    kind = schema.get("type", "string")
    makers: dict[str, Callable[[], Any]] = {
        "object": lambda: _object(schema, known, chance, depth),
        "array": lambda: _array(schema, known, chance, depth),
        "integer": lambda: chance.randint(int(schema.get("minimum", 0)), int(schema.get("maximum", 100_000))),
        "number": lambda: round(chance.uniform(schema.get("minimum", 0), schema.get("maximum", 1000)), 1),
        "boolean": lambda: chance.random() < 0.5,
        "string": lambda: _text(schema, chance),
    }
    return makers[kind]()


def _object(schema: dict[str, Any], known: dict[str, Any], chance: random.Random, depth: int) -> dict[str, Any]:
    required = set(schema.get("required", []))
    share = 0.6 if depth < DEPTH_MAX else 0.0
    return {
        name: _made(inner, known, chance, depth + 1)
        for name, inner in schema.get("properties", {}).items()
        if name in required or (name != "customData" and chance.random() < share)
    }


def _array(schema: dict[str, Any], known: dict[str, Any], chance: random.Random, depth: int) -> list[Any]:
    least = schema.get("minItems", 0)
    length = chance.randint(least, max(least, min(LIST_MAX, schema.get("maxItems", LIST_MAX))))
    return [_made(schema.get("items", {}), known, chance, depth + 1) for _ in range(length)]


def _text(schema: dict[str, Any], chance: random.Random) -> str:
    if schema.get("format") == "date-time":
        return chance.choice(
            ["2026-11-30T12:00:00Z", "2026-11-30T12:00:00.123+01:00", "1970-01-01T00:00:00Z", "2026-11-30T12:00:00"]
        )
    length = chance.randint(1, min(TEXT_MAX, schema.get("maxLength", TEXT_MAX)))
    return "".join(chance.choices(string.ascii_letters + string.digits + " .-_:/", k=length))


def spoiled(value: Any, chance: random.Random) -> Any:
    """One thing in it is wrong: gone, of another type, too long, or more than there should be."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return chance.choice([*ODD_VALUES, chance.choice(ODD_TEXTS)])
    if isinstance(value, list):
        place = chance.randrange(len(value))
        return [spoiled(one, chance) if at == place else one for at, one in enumerate(value)]
    name = chance.choice(sorted(value))
    way = chance.random()
    if way < 0.2:
        return {key: one for key, one in value.items() if key != name}
    if way < 0.3:
        return {**value, "notInTheSchema": chance.choice(ODD_VALUES)}
    return {**value, name: spoiled(value[name], chance)}
