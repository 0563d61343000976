"""PURE. The XML container of S.A.F.E.'s transparency software: signed values, and the key said to be the meter's.

    <values><value transactionId="7" context="Transaction.Begin">
      <signedData format="OCMF" encoding="plain">OCMF|…|…</signedData><publicKey encoding="plain">3059…</publicKey>
    </value></values>

A key in it comes along with what it should prove; whoever reads one compares it with the registered key.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from stations.metering.judging import SignedValue

SIZE_MAX = 8 << 20
ENCODINGS = ("plain", "base64", "hex")


class ContainerUnreadable(ValueError):
    """It is no container; the message says why."""


@dataclass(frozen=True, slots=True)
class Contained:
    """One value with the transaction and the key that stand beside it, "" where they do not."""

    value: SignedValue
    transaction_id: str = ""
    public_key: str = ""


def written(values: Sequence[SignedValue], public_key: str = "", transaction_id: str = "1") -> bytes:
    """The container of one charge; the key is given once a value, as the transparency software wants it."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<values>"]
    for value in values:
        context = f" context={quoteattr(value.context)}" if value.context else ""
        lines.append(f"  <value transactionId={quoteattr(transaction_id)}{context}>")
        form = f"format={quoteattr(value.format)} encoding={quoteattr(value.encoding)}"
        lines.append(f"    <signedData {form}>{escape(value.text, {chr(13): '&#13;'})}</signedData>")
        if public_key:
            lines.append(f'    <publicKey encoding="plain">{escape(public_key)}</publicKey>')
        lines.append("  </value>")
    return "\n".join([*lines, "</values>", ""]).encode()


def read(data: bytes) -> list[Contained]:
    """What a container holds, in its order. Raises ContainerUnreadable."""
    if len(data) > SIZE_MAX:
        raise ContainerUnreadable(f"larger than {SIZE_MAX} bytes")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ContainerUnreadable("a container has no document type, and is UTF-8")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type there are no entities
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ContainerUnreadable(f"no XML: {error}") from error
    found = [_value(element) for element in root.iter("value")]
    if not found:
        raise ContainerUnreadable("no <value> in it")
    return found


def _value(element: ElementTree.Element) -> Contained:
    for name in ("signedData", "encodedData"):
        signed = element.find(name)
        if signed is not None:
            break
    else:
        raise ContainerUnreadable("a <value> without <signedData>")
    text = signed.text or ""
    format_name = (signed.get("format") or ("OCMF" if text.strip().startswith("OCMF|") else "UNKNOWN")).upper()
    encoding = (signed.get("encoding") or "plain").lower()
    if encoding not in ENCODINGS:
        raise ContainerUnreadable(f"the encoding {encoding[:20]}")
    key = "".join((element.findtext("publicKey") or "").split())
    value = SignedValue(format_name, encoding, element.get("context") or "", text)
    return Contained(value, element.get("transactionId") or "", key)
