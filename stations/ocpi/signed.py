"""PURE: what a meter signed as OCPI's SignedData (2.2.1, mod_cdrs, 10.4.9 and 10.4.10; the same in 2.3.0)."""

import base64
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stations.models import ChargingSession

METHODS = {"ALFEN": "Alfen Eichrecht", "EDL40": "EDL40 E-Mobility Extension"}  # as OCPI calls them; OCMF is OCMF
NATURES = {"Transaction.Begin": "Start", "Transaction.End": "End"}
CONTROLS, NOT_TEXT = re.compile(r"[\x00-\x1f\x7f]"), "#NA"  # chapter 4, "No data available"
PLAIN_MAX, SIGNED_MAX, KEY_MAX, URL_MAX = 512, 5000, 512, 512


def signed_data(row: "ChargingSession", *, receipt_url: str = "") -> dict[str, Any]:
    """As a member of a CDR; none where the meter signed nothing, or nothing that OCPI has room for.

    The texts are handed out as they came, in base64, whatever they are worth: the receipt at the address says that.
    """
    values = row.signed_meter_values
    told = [_value(value, nature) for value, nature in zip(values, _natures(values), strict=True)]
    fitting = [value for value in told if len(value["signed_data"]) <= SIGNED_MAX]
    if not fitting:
        return {}
    key = base64.b64encode(bytes.fromhex(row.meter_public_key)).decode()
    method = values[0]["format"]
    found = {"encoding_method": METHODS.get(method, method)[:36], "signed_values": fitting}
    more = {"public_key": (key, KEY_MAX), "url": (receipt_url, URL_MAX)}
    return {"signed_data": found | {name: text for name, (text, most) in more.items() if 0 < len(text) <= most}}


def _natures(values: Sequence[dict[str, str]]) -> list[str]:
    """By their contexts; where none is known the first is the start and the last the end."""
    if any("context" in value for value in values):
        return [NATURES.get(value.get("context", ""), "Intermediate") for value in values]
    return ["End" if n == len(values) else "Start" if n == 1 else "Intermediate" for n in range(1, len(values) + 1)]


def _value(value: dict[str, str], nature: str) -> dict[str, str]:
    text, encoding = value["text"], value["encoding"]
    data = text if encoding == "base64" else base64.b64encode(_bytes(text, encoding)).decode()
    return {"nature": nature, "plain_data": _plain(text, encoding), "signed_data": data}


def _bytes(text: str, encoding: str) -> bytes:
    try:
        return bytes.fromhex(text) if encoding == "hex" else text.encode()
    except ValueError:  # no hex, whatever the station says
        return text.encode()


def _plain(text: str, encoding: str) -> str:
    """What was signed, where it is text: of OCMF the payload, as much of it as OCPI has room for."""
    parts = text.split("|")
    payload = "|".join(parts[1:-1]) if parts[0].strip() == "OCMF" and len(parts) > 2 else text
    return CONTROLS.sub(" ", payload)[:PLAIN_MAX] or NOT_TEXT if encoding == "plain" else NOT_TEXT
