"""The official JSON schemas of OCPP, as PyPI `ocpp` brings them, compiled: does a payload obey them?

Only the schemas are taken from there (docs/decisions/0010): each is read by the draft that it names, by jsonschema-rs,
which judges alike (tests/gateway/ocpp/test_schemas.py) and takes a hundredth of the time.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

import jsonschema_rs
import orjson

from gateway.ocpp.handling import V16, V21, V201

FOLDERS = {V16: "v16", V201: "v201", V21: "v21"}
# What of a schema was not obeyed -> OCPP-J's code for it (Part 4, 4.3).
CODES = {
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "minProperties": "OccurrenceConstraintViolation",
    "type": "TypeConstraintViolation",
    "additionalProperties": "FormatViolation",
}


@dataclass(frozen=True)
class Violation:
    """`path`: where in the payload, as keys and indexes; `keyword`: which rule (type, enum, maxLength …)."""

    path: tuple[str | int, ...]
    keyword: str
    words: str

    @property
    def code(self) -> str:
        """OCPP-J's error code."""
        return CODES.get(self.keyword, "PropertyConstraintViolation")


@lru_cache(maxsize=1024)  # stations may invent names without end
def knows(version: str, action: str) -> bool:
    """Whether this version has a request of that name."""
    return not action.endswith("Response") and bool(_file(version, action, "Request").is_file())


def violation(version: str, action: str, payload: dict[str, Any], *, answer: bool = False) -> Violation | None:
    """The first rule that it breaks, or None. `action`: one that `knows`; `answer`: of the response to it."""
    validator = _validator(version, action, "Response" if answer else "Request")
    if validator.is_valid(payload):
        return None
    error = next(iter(validator.iter_errors(payload)))
    where = "/".join(map(str, error.instance_path)) or "the payload"
    keyword = str(error.schema_path[-1]) if error.schema_path else ""
    if keyword.isdecimal() and len(error.schema_path) > 1:
        keyword = str(error.schema_path[-2])
    return Violation(tuple(error.instance_path), keyword, f"{where}: {error.message}"[:250])


@cache
def _validator(version: str, action: str, kind: str) -> Any:
    schema = orjson.loads(_file(version, action, kind).read_bytes().removeprefix(b"\xef\xbb\xbf"))
    # Without formats: what is no time is no reason to refuse a charge (gateway/calls.py reads clocks).
    return jsonschema_rs.validator_for(schema, validate_formats=False)


def _file(version: str, action: str, kind: str) -> Any:
    folder = resources.files("ocpp") / FOLDERS[version] / "schemas"
    plain = action if action.isalnum() and action.isascii() else "-"
    named = "" if version == V16 and kind == "Request" else kind
    found = folder / f"{plain}{named}.json"
    # SEND has no answer, and its schema no "Request" in its name.
    return found if kind == "Response" or found.is_file() else folder / f"{plain}.json"
