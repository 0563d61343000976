"""Parameters for each kind of command, made from its table: the least, all, and each word that may be chosen."""

import copy
from collections.abc import Iterator
from typing import Any

from stations.commands.kind import Kind
from stations.commands.params import Param, Type, params_of

TEXTS = {"transaction_id": "4711", "checksum": "0" * 32, "location": "https://files.example/firmware.bin"}
Path = tuple[str, ...]
AT = "2026-03-01T08:00:00Z"


def examples(kind: Kind, version: str) -> Iterator[dict[str, Any]]:
    """Each is right by the table; what belongs together by a version's rules comes together (`mended`)."""
    yield {param.name: value_of(param, version, full=False) for param in kind.params if param.required}
    full = {param.name: value_of(param, version, full=True) for param in params_of(kind.params, version)}
    yield mended(kind, full, version)
    for path, word in choices(kind.params, version):
        other = copy.deepcopy(full)
        put(other, path, word)
        yield mended(kind, other, version)


def mended(kind: Kind, params: dict[str, Any], version: str) -> dict[str, Any]:
    if kind.name == "customer_information":
        params.pop("customer_identifier", None)
    if kind.name == "get_certificate_ids" and version == "1.6":
        params["types"] = params["types"][:1]
    return params


def value_of(param: Param, version: str, *, full: bool) -> Any:
    match param.type:
        case Type.TEXT:
            return TEXTS.get(param.name, "x" * min(20, int(param.maximum or 1)))
        case Type.INTEGER:
            return int(param.minimum or 0) + 1
        case Type.NUMBER:
            return 6.1
        case Type.FLAG:
            return True
        case Type.CHOICE:
            return param.values(version)[0]
        case Type.MOMENT:
            return AT
        case Type.TEXTS:
            return ["x", "y"]
        case Type.INTEGERS:
            return [1, 2]
        case Type.CHOICES:
            return param.values(version)[:1]
    members = [one for one in params_of(param.members, version) if full or one.required]
    made = {one.name: value_of(one, version, full=full) for one in members}
    return [made, copy.deepcopy(made)] if param.type is Type.OBJECTS else made


def choices(params: tuple[Param, ...], version: str, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for param in params_of(params, version):
        here = (*path, param.name)
        if param.type is Type.CHOICE:
            yield from ((here, word) for word in param.values(version))
        elif param.type is Type.CHOICES:
            yield from ((here, [word]) for word in param.values(version))
        yield from choices(param.members, version, here)


def put(params: dict[str, Any], path: Path, word: Any) -> None:
    inside: Any = params
    for name in path[:-1]:
        inside = inside[name]
        inside = inside[0] if isinstance(inside, list) else inside
    inside[path[-1]] = word
