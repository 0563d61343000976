"""PURE. One OCMF text (1.0 to 1.4.1): taken apart as received, its JSON read strictly, its signature verified.

What two readers could take for two things is refused: a member twice, NaN, a number out of all proportion, hexadecimal
digits of both sizes, anything behind the signature. Numbers are exact (int, Decimal), never float.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stations.metering.keys import HASHES, MeterKey
from stations.metering.refused import Refused

HEADER = "OCMF|"
TEXT_MAX = 65536
DIGITS_MAX, EXPONENT_MAX, LEVELS_MAX = 40, 20, 64
BLANK = re.compile(r"[ \t\n\r]*")
# The part with the signature as makers write it, in one line or one member a line: its blanks are not signed, so that
# no others may stand there than these forms have.
_MEMBER = r'"[A-Z]{1,8}" ?: ?"(?:[^"\\\x00-\x1f]|\\.)*"'
SIGNATURE_PART = re.compile(
    rf"(?:\r?\n)?(?:\{{ ?{_MEMBER}(?: ?, ?{_MEMBER})* ?\}}"
    rf"|\{{\r?\n(?: {{2,}}|\t*){_MEMBER}(?:,\r?\n(?: {{2,}}|\t*){_MEMBER})*\r?\n(?: {{2,}}|\t*)\}})"
)
HEXADECIMAL = re.compile(r"(?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+")
# Members that somebody may add and nobody signs; not those that are one slip of the pen away from a known one.
ADDED = re.compile(r"(?![A-Z][ADEM]$)[A-FU-Z]")
CURVE_NAMES = {
    **{name: name for name in ("secp192k1", "secp192r1", "secp256k1", "secp256r1", "secp384r1", "secp521r1")},
    **{"brainpool256r1": "brainpoolP256r1", "brainpoolP256r1": "brainpoolP256r1"},
    **{"brainpool384r1": "brainpoolP384r1", "brainpoolP384r1": "brainpoolP384r1"},
}
DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256"
ALGORITHMS: Mapping[str, tuple[str, str]] = {
    f"ECDSA-{spelled}-{digest}": (curve, digest)
    for name, curve in CURVE_NAMES.items()
    for spelled in (name, name.upper())
    for digest in HASHES
}


@dataclass(frozen=True, slots=True)
class OcmfText:
    """A text taken apart; nothing is verified yet."""

    payload: Mapping[str, Any]
    signed: bytes  # the payload's own bytes, blanks and all
    curve: str
    hash_name: str
    signature: bytes


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("duplicate_member", "a member stands twice in an object")
    return found


def _decimal(text: str) -> Decimal:
    if len(text) > DIGITS_MAX:
        raise Refused("number", text[:DIGITS_MAX])
    try:
        found = Decimal(text)
    except ArithmeticError as error:
        raise Refused("number", text) from error
    if not -EXPONENT_MAX <= found.adjusted() <= EXPONENT_MAX:
        raise Refused("number", text)
    return found


def _whole(text: str) -> int:
    if len(text) > DIGITS_MAX:
        raise Refused("number", text[:DIGITS_MAX])
    return int(text)


def _no_number(text: str) -> Any:
    raise Refused("number", text)


_DECODER = json.JSONDecoder(
    object_pairs_hook=_members, parse_float=_decimal, parse_int=_whole, parse_constant=_no_number
)


def read(text: str) -> OcmfText:
    """The parts of a text. Raises Refused."""
    if len(text) > TEXT_MAX:
        raise Refused("too_long", f"{len(text)} characters")
    text = text.strip(" \r\n")
    if not text.startswith(HEADER):
        raise Refused("not_ocmf", "expected OCMF| at the begin")
    payload, end = _object(text, len(HEADER))
    bar = _behind_blanks(text, end)
    if text[bar : bar + 1] != "|":
        raise Refused("not_ocmf", "expected | behind the payload")
    signature, end = _object(text, bar + 1)
    if end != len(text):
        raise Refused("trailing", text[end : end + 40])
    if not SIGNATURE_PART.fullmatch(text, bar + 1):
        raise Refused("signature_form", "the part with the signature has blanks or members of another form")
    try:
        signed = text[len(HEADER) : bar].encode()
        if "\\u" in text:  # half of a surrogate pair is no character: two readers would not see the same
            json.dumps([payload, signature], ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise Refused("json", "half a character") from error
    curve, hash_name = _algorithm(signature)
    return OcmfText(payload, signed, curve, hash_name, _signature(signature))


def verify(text: OcmfText, key: MeterKey) -> None:
    """Raises Refused where this key did not sign this text as it says."""
    if text.curve != key.curve:
        raise Refused("curve", f"{text.curve}, the key is on {key.curve}")
    if not key.verifies(text.signature, text.signed, text.hash_name):
        raise Refused("signature")


def _behind_blanks(text: str, at: int) -> int:
    found = BLANK.match(text, at)
    return found.end() if found else at


def _object(text: str, at: int) -> tuple[dict[str, Any], int]:
    """The JSON object that begins there, and where it ends: a bar in one of its texts does not end it."""
    try:
        found, end = _DECODER.raw_decode(text, _behind_blanks(text, at))
    except (json.JSONDecodeError, RecursionError) as error:
        raise Refused("json", str(error)) from error
    if type(found) is not dict:
        raise Refused("json", "expected an object")
    if text.count("{") + text.count("[") > LEVELS_MAX and _levels(found) > LEVELS_MAX:
        raise Refused("json", "too deep")
    return found, end


def _levels(item: Any) -> int:
    inner = item.values() if type(item) is dict else item if type(item) is list else ()
    return 1 + max(map(_levels, inner), default=0)


def _algorithm(signature: Mapping[str, Any]) -> tuple[str, str]:
    for name in signature:
        if name not in ("SA", "SE", "SM", "SD") and not ADDED.match(name):
            raise Refused("signature_form", f"the member {name}")
    name = signature.get("SA", DEFAULT_ALGORITHM)
    found = ALGORITHMS.get(name) if isinstance(name, str) else None
    if found is None:
        raise Refused("algorithm", str(name)[:60])
    return found


def _signature(signature: Mapping[str, Any]) -> bytes:
    data, encoding = signature.get("SD"), signature.get("SE", "hex")
    if signature.get("SM", "application/x-der") != "application/x-der" or not isinstance(data, str):
        raise Refused("signature_form", "expected SD, as application/x-der")
    if encoding == "hex" and HEXADECIMAL.fullmatch(data):
        return bytes.fromhex(data)
    if encoding == "base64":
        try:
            found = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Refused("signature_form", "SD is no base64") from error
        if base64.b64encode(found).decode() == data:
            return found
    raise Refused("signature_form", "SD is not written as SE says")
