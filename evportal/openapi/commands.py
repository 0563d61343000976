"""How the document describes commands: the parameters of each kind, from stations/commands/kinds.py; examples."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension

from stations.commands.kinds import KINDS
from stations.commands.params import LIST_MAX, MOMENT, Param, Type

Schema = dict[str, Any]
JSON_TYPES = {Type.TEXT: "string", Type.INTEGER: "integer", Type.NUMBER: "number", Type.FLAG: "boolean"}
LISTS = {Type.TEXTS: Type.TEXT, Type.CHOICES: Type.CHOICE, Type.INTEGERS: Type.INTEGER, Type.OBJECTS: Type.OBJECT}


def params_schema(params: tuple[Param, ...]) -> Schema:
    """An object of these parameters as JSON Schema."""
    found: Schema = {
        "type": "object",
        "properties": {param.name: param_schema(param) for param in params},
        "additionalProperties": False,
    }
    if required := [param.name for param in params if param.required]:
        found["required"] = required
    return found


def param_schema(param: Param) -> Schema:
    """One parameter, with its words; which versions have it, where not all do."""
    words = str(param.words)
    if len(param.versions) < 3:
        words += f" (OCPP {', '.join(param.versions)})"
    if param.type in LISTS:
        items = _one(LISTS[param.type], param)
        return {"type": "array", "items": items, "minItems": 1, "maxItems": LIST_MAX, "description": words}
    return {**_one(param.type, param), "description": words}


def _one(kind: Type, param: Param) -> Schema:
    if kind is Type.OBJECT:
        return params_schema(param.members)
    if kind is Type.CHOICE:
        return {"type": "string", "enum": param.values()}
    if kind is Type.MOMENT:
        return {"type": "string", "format": "date-time", "pattern": f"^{MOMENT.pattern}$"}
    names = ("minLength", "maxLength") if kind is Type.TEXT else ("minimum", "maximum")
    bounds = zip(names, (param.minimum, param.maximum), strict=True)
    return {"type": JSON_TYPES[kind], **{name: bound for name, bound in bounds if bound is not None}}


class ParamsSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "stations.commands.rest.ParamsField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:
        """Any object; each kind's own schema beside it."""
        kinds = {kind.name: params_schema(kind.params) for kind in KINDS.values() if not kind.own}
        words = "What the kind asks for: its schema is in `x-params-by-kind`."
        return {"type": "object", "additionalProperties": {}, "description": words, "x-params-by-kind": kinds}


COMMAND: Schema = {
    "id": 7,
    "station": "CP-MARKET-1",
    "kind": "reset",
    "params": {"type": "soft"},
    "session": None,
    "by": "OPERATOR",
    "asked_at": "2026-03-01T08:00:00Z",
    "valid_until": "2026-03-01T08:02:00Z",
    "state": "ACCEPTED",
    "action": "Reset",
    "sent_at": "2026-03-01T08:00:00Z",
    "answered_at": "2026-03-01T08:00:01Z",
    "answer": {"status": "Accepted"},
    "words": "Accepted",
    "progress": "",
    "progress_at": None,
}
WAITING = {"state": "WAITING", "action": "", "sent_at": None, "answered_at": None, "answer": None, "words": ""}
EXAMPLES: dict[str, Schema] = {
    "commands_list": {"answer": {"next": None, "previous": None, "results": [COMMAND]}},
    "commands_create": {
        "body": {"kind": "reset", "params": {"type": "soft"}, "valid_for_s": 120},
        "answer": COMMAND | WAITING,
    },
    "commands_get": {"answer": COMMAND},
    "commands_cancel": {},
}
