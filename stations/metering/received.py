"""PURE: signed meter values as messages bring them: plain, in hex, in base64, in an object. Each text stays as it came.

OCPP 2.x has `signedMeterValue` beside the plain number: {"signedMeterData" in base64, "encodingMethod", "publicKey"}.
1.6 has the text itself where a value's `format` is SignedData, or that object of 2.x as JSON in a text (OCA's note on
signed meter values). OCMF that came in base64 by OCPP's own rule is kept as the text that it is; the frame is in the
message log. What is binary keeps its base64 or hex.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

TEXT_MAX = 65_536  # letters; what 2.1 allows in base64 is half of it
KEY_MAX = 2_500
SIGNED_MEMBERS = frozenset({"text", "format", "encoding", "context", "public_key"})
FORMAT_MAX = 50
CONTEXT_MAX = 20
UNKNOWN = "SIGNEDDATA"
OCMF, ALFEN, EDL40 = "OCMF", "ALFEN", "EDL40"
# By what a signed text of a format begins, once it is plain.
BEGINS = ((b"OCMF|", OCMF), (b"AP;", ALFEN), (b"\x1b\x1b\x1b\x1b", EDL40))
BLANK = b" \t\r\n\xef\xbb\xbf"
HEX = re.compile(r"(?:[0-9A-Fa-f]{2}\s*){8,}", re.ASCII)
BASE64 = re.compile(r"[A-Za-z0-9+/\s]{12,}={0,2}\s*", re.ASCII)
METER_SERIAL = re.compile(r'"MS"\s*:\s*"([^"\\]{1,50})"')


@dataclass(frozen=True)
class SignedText:
    """One text. `public_key`: what came along with it, in whatever form; it proves nothing until a person confirms."""

    format: str
    encoding: str
    context: str
    text: str
    public_key: str = ""

    @property
    def meter_serial(self) -> str:
        """What an OCMF text says of its meter, to find its row by; nothing is proven by it."""
        found = METER_SERIAL.search(self.text) if self.format == OCMF and self.encoding == "plain" else None
        return found[1] if found else ""


@dataclass(frozen=True)
class Unread:
    """What was said to be signed and is no text that can be kept; `index`: where in its list."""

    subject: str
    reason: str
    said: Any
    index: int = 0


class NotSigned(ValueError):
    """It cannot be kept as a signed text; the message says why."""


def is_signed(sampled_value: Any) -> bool:
    """Whether a sampled value of OCPP 1.6 is a signed text and no number."""
    form = sampled_value.get("format") if isinstance(sampled_value, dict) else None
    return isinstance(form, str) and form.strip().lower() == "signeddata"


def signed_of(meter_values: Iterable[Mapping[str, Any]]) -> tuple[tuple[SignedText, ...], tuple[Unread, ...]]:
    """The signed texts in the meter values of a message, in their order, whichever version of OCPP it is of."""
    texts: list[SignedText] = []
    unread: list[Unread] = []
    for meter_value in meter_values:
        for index, said in enumerate(meter_value.get("sampledValue") or ()):
            given = signed_part(said)
            if given is None:
                continue
            try:
                texts.append(signed_read(given, said.get("context")))
            except NotSigned as error:
                unread.append(Unread("signed value", str(error), said, index))
    return tuple(texts), tuple(unread)


def signed_part(sampled_value: Any) -> Any:
    """What of a sampled value is signed; None where nothing is."""
    if not isinstance(sampled_value, Mapping):
        return None
    if (given := sampled_value.get("signedMeterValue")) is not None:
        return given
    return sampled_value.get("value") if is_signed(sampled_value) else None


def signed_read(given: Any, context: Any = None) -> SignedText:
    """A text, or OCPP's object around it; raises NotSigned."""
    if isinstance(given, str) and given.lstrip()[:1] == "{":
        try:
            inside = json.loads(given)
        except (ValueError, RecursionError):
            inside = None
        if isinstance(inside, dict) and "signedMeterData" in inside:
            given = inside
    if isinstance(given, Mapping):
        data, method = given.get("signedMeterData"), given.get("encodingMethod")
        found = unwrapped(text_read(data, _words(method, FORMAT_MAX)))
        return replace(found, context=_words(context, CONTEXT_MAX), public_key=_words(given.get("publicKey"), KEY_MAX))
    return replace(text_read(given), context=_words(context, CONTEXT_MAX))


def signed_said(said: Mapping[str, Any]) -> SignedText:
    """A text with what is told of it (SIGNED_MEMBERS), as our own REST has it; raises NotSigned."""
    told = {name: _words(said.get(name), most) for name, most in (("context", CONTEXT_MAX), ("public_key", KEY_MAX))}
    encoding = _words(said.get("encoding"), 6).lower()
    encoding = encoding if encoding in {"plain", "hex", "base64"} else ""
    return replace(text_read(said.get("text"), _words(said.get("format"), FORMAT_MAX), encoding), **told)


def text_read(said: Any, method: str = "", encoding: str = "") -> SignedText:
    """A signed text as it came; its format and encoding from itself, else as they are told. Raises NotSigned."""
    if not isinstance(said, str) or not said.strip():
        raise NotSigned("expected a signed text")
    if len(said) > TEXT_MAX:
        raise NotSigned(f"expected at most {TEXT_MAX} letters, got {len(said)}")
    if "\0" in said or not _is_unicode(said):
        raise NotSigned("expected text, got what is none in Unicode")
    for name, content in _contents(said):
        for begin, form in BEGINS:
            if content.lstrip(BLANK).startswith(begin):
                return SignedText(form, name, "", said)
    guessed = next((name for name, _ in _contents(said) if name != "plain"), "plain")
    return SignedText(_format(method), encoding or guessed, "", said)


def unwrapped(signed: SignedText) -> SignedText:
    """OCMF out of the base64 that OCPP 2.x puts around it; anything else stays as it is."""
    if signed.format != OCMF or signed.encoding != "base64":
        return signed
    content = dict(_contents(signed.text))["base64"]
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return signed
    return signed if "\0" in text else replace(signed, encoding="plain", text=text)


def _contents(said: str) -> Iterable[tuple[str, bytes]]:
    """What the text may be, by each encoding that it can be read in."""
    yield "plain", said.encode()
    if HEX.fullmatch(said.strip()):
        yield "hex", bytes.fromhex(said)
    if BASE64.fullmatch(said.strip()):
        try:
            yield "base64", base64.b64decode("".join(said.split()), validate=True)
        except binascii.Error:
            return


def _format(method: str) -> str:
    upper = method.strip().upper()
    for name in (OCMF, ALFEN):
        if name in upper:
            return name
    return EDL40 if "EDL" in upper else upper or UNKNOWN


def _words(said: Any, longest: int) -> str:
    """A short text of the message; what is none, or too long, is nothing."""
    text = said.strip() if isinstance(said, str) else ""
    return text if len(text) <= longest and text.isprintable() and _is_unicode(text) else ""


def _is_unicode(text: str) -> bool:
    """Whether it can be stored: JSON can name half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
