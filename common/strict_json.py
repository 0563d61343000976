"""PURE: JSON read strictly, as all verifiers of receipts read it (docs/receipts.md).

What two readers could take for two different things is refused. UTF-8 without a byte order mark, no member twice, no
NaN, no -0, integers of at most 20 characters, at most 64 levels.
"""

import json
from typing import Any

LEVELS_MAX = 64
INTEGER_LENGTH_MAX = 20


class StrictJsonError(ValueError):
    """Not JSON of this kind; the message says what was expected and what came."""


def loads(data: bytes, *, most: int, fractions: bool = True) -> Any:
    """Read JSON of at most `most` bytes; numbers with fraction or exponent only with `fractions`."""
    if len(data) > most:
        raise StrictJsonError(f"expected at most {most} bytes, got {len(data)}")
    try:
        found = json.loads(
            data.decode(),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=float if fractions else _no_number,
            parse_constant=_no_number,
        )
    except StrictJsonError:
        raise
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, nested without end
        raise StrictJsonError(f"expected JSON: {error}") from error
    _check_levels(found, LEVELS_MAX)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise StrictJsonError("a member stands twice in an object")
    return members


def _integer(text: str) -> int:
    if text == "-0" or len(text) > INTEGER_LENGTH_MAX:
        raise StrictJsonError(f"expected an integer of up to {INTEGER_LENGTH_MAX} digits, got {text[:40]}")
    return int(text)


def _no_number(text: str) -> float:
    raise StrictJsonError(f"expected integers only, got {text[:40]}")


def _check_levels(value: Any, levels: int) -> None:
    """The innermost number or text counts as a level, too."""
    if levels == 0:
        raise StrictJsonError(f"expected at most {LEVELS_MAX} levels")
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            _check_levels(item, levels - 1)
