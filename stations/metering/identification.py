"""PURE. Whom the meter says that it measured for, compared with the token of the charge."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from stations.metering.refused import Refused

FAILED_LEVELS = {"MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"}
# Types under which ID names nobody.
NOBODY = {"NONE", "DENIED", ""}
# Some stations write more than the identification into it: "contract-id: rfid:12…", "idTag:12…,version:…".
LABELLED = re.compile(r"(?:contract-id: *)?(?:rfid|emaid|evcoid|idtag): *([^,]+)(?:,.*)?", re.IGNORECASE)
CONTRACT = re.compile(
    r"[a-z]{2}[a-z0-9]{3}[a-z0-9]{9}"
)  # without separators; the check digit behind it may be left out


def check(payloads: Sequence[Mapping[str, Any]], token_uid: str | None) -> None:
    """Raises Refused where the identification failed, differs between the texts, or is not the charge's.

    A text that names nobody says nothing about it: the station may have started before it knew.
    """
    named = set()
    for payload in payloads:
        level, kind, identity = (_text(payload, name) for name in ("IL", "IT", "ID"))
        if level.strip() in FAILED_LEVELS:
            raise Refused("identification_level", level)
        if kind.strip() not in NOBODY and identity.strip():
            named.add(normal(identity))
    if len(named) > 1:
        raise Refused("identifications_differ", ", ".join(sorted(named)))
    for one in named:
        if token_uid is not None and not same(one, normal(token_uid)):
            raise Refused("other_token", one)


def normal(identity: str) -> str:
    """Without what makers write differently: capital letters, separators, a label in front."""
    found = LABELLED.fullmatch(identity.strip())
    return re.sub(r"[\s:*-]", "", found[1] if found else identity).casefold()


def same(one: str, other: str) -> bool:
    """Whether both (normal) are one; a contract's check digit may stand in one alone."""
    short, long = sorted((one, other), key=len)
    return short == long or (len(long) == len(short) + 1 and long.startswith(short) and bool(CONTRACT.fullmatch(short)))


def _text(payload: Mapping[str, Any], name: str) -> str:
    found = payload.get(name)
    if found is not None and not isinstance(found, str):
        raise Refused("fields", f"{name} is no text")
    return found or ""
