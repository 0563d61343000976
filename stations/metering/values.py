"""PURE. A signed text as it was received, whatever its encoding."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stations.metering.refused import Refused


@dataclass(frozen=True, slots=True)
class SignedValue:
    """One signed text as it was received; `context` is OCPP's reading context, "" where unknown."""

    format: str
    encoding: str
    context: str
    text: str

    @classmethod
    def of(cls, element: Mapping[str, Any]) -> "SignedValue":
        """From an element of a record's `signed_meter_values`."""
        return cls(element["format"], element["encoding"], element.get("context", ""), element["text"])

    def element(self) -> dict[str, str]:
        """As an element of a record's `signed_meter_values`: the context is left out where it is not known."""
        found = {"format": self.format, "encoding": self.encoding, "context": self.context, "text": self.text}
        return found if self.context else {name: text for name, text in found.items() if name != "context"}


def digest_of(value: SignedValue) -> str:
    """SHA-256 of a text, in hex: the same in whatever encoding it came."""
    try:
        text = plain(value)
    except Refused:
        text = value.text
    return hashlib.sha256(text.encode()).hexdigest()


def plain(value: SignedValue) -> str:
    """The OCMF text itself, where it came in another spelling. Raises Refused."""
    if value.encoding == "plain":
        return value.text.strip(" \r\n")
    try:
        packed = "".join(value.text.split())
        data = bytes.fromhex(packed) if value.encoding == "hex" else base64.b64decode(packed, validate=True)
        return data.decode().strip(" \r\n")
    except (binascii.Error, ValueError) as error:
        raise Refused("not_ocmf", f"not {value.encoding}") from error
