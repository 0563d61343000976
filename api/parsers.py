"""Request bodies: JSON, not larger than agreed, and meaning the same to everybody who reads it."""

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from api.problems import RequestTooLarge

BODY_MAX_BYTES = 65_536


class StrictJSONParser(JSONParser):
    """DRF's parser without a limit would read whatever comes; this one also refuses NaN and members named twice."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """The value; raises RequestTooLarge and ParseError: no other encoding than UTF-8, no NaN, no name twice."""
        body = stream.read(BODY_MAX_BYTES + 1)
        if len(body) > BODY_MAX_BYTES:
            raise RequestTooLarge(f"expected at most {BODY_MAX_BYTES} bytes, got more")
        try:
            return json.loads(body.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_object)
        except UnicodeDecodeError as error:
            raise ParseError(f"expected UTF-8, got another byte at position {error.start}", "invalid_json") from error
        except ValueError as error:
            raise ParseError(f"expected JSON: {error}", "invalid_json") from error
        except RecursionError as error:  # the scanner's answer to thousands of opening brackets
            raise ParseError("expected JSON of reasonable depth", "invalid_json") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members
