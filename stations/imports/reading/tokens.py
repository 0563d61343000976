"""PURE: what a foreign file says was shown to start a charge, as a token of ours."""

import re

from stations.errors import ImportRowError
from stations.imports.reading import values
from stations.imports.reading.row import Token

UID_MAX = 36
_RFID = re.compile(r"(?:[0-9A-Fa-f]{2}[: -]?){3,10}")
_CONTRACT = re.compile(r"[A-Za-z]{2}[*-]?[A-Za-z0-9]{3}[*-]?C?[A-Za-z0-9]{8}[*-]?[A-Za-z0-9]?")


def card(value: str, column: str) -> Token | None:
    """A card or contract that is the same wherever it is shown; None where nothing was."""
    text = value.strip()
    if text in values.NOTHING:
        return None
    if len(text) > UID_MAX or not text.isprintable():
        raise ImportRowError(f"a card of at most {UID_MAX} characters", values.shown(value), field=column)
    if _CONTRACT.fullmatch(text) and not _RFID.fullmatch(text):
        return Token(text, "eMAID", text)
    return Token(text, "ISO14443" if _RFID.fullmatch(text) else "Central")


def user(source: str, value: str) -> Token | None:
    """A user by a number that means nothing outside its source."""
    text = value.strip()
    return None if text in values.NOTHING else Token(values.code(f"{source}-{text}", UID_MAX))
