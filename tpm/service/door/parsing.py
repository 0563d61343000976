"""Strict input: JSON without surprises, and requests with exactly the fields that they may have."""

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from typing import IO, Any

from django.http import HttpRequest
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from tpm.service import settings
from tpm.service.encoding import DIGEST_BYTES
from tpm.service.errors import (
    InvalidDigestError,
    InvalidEncodingError,
    InvalidRequestError,
    ServiceError,
    TooLargeError,
    UnsupportedMediaError,
)
from tpm.service.keys.signing import FORMATS, Digest, Message

ALL_FORMATS = tuple(form for formats in FORMATS.values() for form in formats)
MAX_MESSAGE_BYTES = 1024  # that the TPM takes at once; hash what is longer


class StrictJSONParser(BaseParser):
    """JSON (RFC 8259) of bounded size, no name twice, no NaN or Infinity."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return what the body says; raises TooLargeError, or InvalidRequestError (`invalid_json`)."""
        return _read((parser_context or {})["request"].META, stream)


class JSONAlways(DefaultContentNegotiation):
    """Answers in JSON whatever the request accepts, as RFC 9110, 12.4.1 allows: there is nothing else."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the one renderer, whatever `Accept` and the suffix of the URL ask for."""
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def json_body(request: HttpRequest) -> Any:
    """Return the body of a request as DRF would with this parser: `{}` without a body, whatever its type."""
    if request.META.get("CONTENT_LENGTH") in (None, "", "0"):
        return {}
    if request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != StrictJSONParser.media_type:
        raise UnsupportedMediaError()
    return _read(request.META, request)


def _read(meta: Mapping[str, Any], stream: HttpRequest | IO[bytes]) -> Any:
    length = int(meta.get("CONTENT_LENGTH") or 0)
    if length > settings.TPM_MAX_BODY_BYTES:
        raise TooLargeError(f"expected at most {settings.TPM_MAX_BODY_BYTES} bytes, got {length}")
    try:
        return _DECODER.decode(stream.read().decode())
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not valid JSON ({error})", code="invalid_json") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a name twice")
    return made


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_constant)  # json.loads makes one a call


def object_fields(data: object, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the object's fields; raises InvalidRequestError unless all required are there and nothing else is."""
    if not isinstance(data, dict):
        raise InvalidRequestError(f"expected a JSON object, got {_sort(data)}")
    missing = [name for name in required if name not in data]
    unknown = sorted(data.keys() - {*required, *optional})
    if missing or unknown:
        raise InvalidRequestError("; ".join([*(f"{n}: missing" for n in missing), *(f"{n}: unknown" for n in unknown)]))
    return data


def text_fields(data: object, *, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the object's fields, of which the required ones are strings; raises InvalidRequestError otherwise."""
    fields = object_fields(data, required=required, optional=optional)
    for name in required:
        if not isinstance(fields[name], str):
            raise InvalidRequestError(f"{name}: expected a string, got {_sort(fields[name])}")
    return fields


def whole_number(data: object, name: str, *, least: int, most: int) -> int:
    """Return the one field of an object that has no other; raises InvalidRequestError unless it is in the range."""
    value = object_fields(data, required=(name,))[name]
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidRequestError(f"{name}: expected a whole number, got {_sort(value)}")
    if not least <= value <= most:
        raise InvalidRequestError(f"{name}: expected {least} to {most}, got {value}")
    return value


def choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """Return the value; raises InvalidRequestError unless it is one of the choices."""
    if value not in choices:
        raise InvalidRequestError(f"{name}: expected one of {', '.join(choices)}, got {value[:40]!r}")
    return value


def _sort(value: object) -> str:
    """Name the JSON type of a value, for messages."""
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def sign_item(data: object) -> Digest | Message:
    """Read `{digest, format}` or `{data}`; raises InvalidRequestError or TooLargeError."""
    if isinstance(data, dict) and "data" in data:
        message = base64_bytes("data", text_fields(data, required=("data",))["data"])
        if len(message) > MAX_MESSAGE_BYTES:
            text = f"data: expected at most {MAX_MESSAGE_BYTES} bytes, got {len(message)}"
            raise TooLargeError(text, code="data_too_large")
        return Message(message)
    fields = text_fields(data, required=("digest", "format"))
    form = choice("format", fields["format"], ALL_FORMATS)
    digest = base64_bytes("digest", fields["digest"])
    if len(digest) != DIGEST_BYTES:
        raise InvalidDigestError(f"digest: expected {DIGEST_BYTES} bytes, got {len(digest)}")
    return Digest(digest, form)


def signed_item(data: object) -> tuple[Digest | Message, str]:
    """Read the fields of sign_item and `signature`; raises as it does."""
    if not isinstance(data, dict) or not isinstance(data.get("signature"), str):
        raise InvalidRequestError("expected {digest, format, signature} or {data, signature}, and nothing beside")
    return sign_item({name: value for name, value in data.items() if name != "signature"}), data["signature"]


def sign_batch(data: object) -> list[Digest | Message | ServiceError]:
    """Read `{batch: […]}`; an item that is not valid stands there as its error."""
    if not isinstance(data, dict) or data.keys() != {"batch"}:
        raise InvalidRequestError("expected one item or {batch}, and nothing beside")
    items = data["batch"]
    if not isinstance(items, list) or not items:
        raise InvalidRequestError("batch: expected an array with at least one item")
    if len(items) > settings.TPM_MAX_BATCH:
        message = f"batch: expected at most {settings.TPM_MAX_BATCH} items, got {len(items)}"
        raise TooLargeError(message, code="batch_too_large")
    return [_item_or_error(item) for item in items]


def _item_or_error(data: object) -> Digest | Message | ServiceError:
    try:
        return sign_item(data)
    except ServiceError as error:
        return error


def base64_bytes(name: str, text: str) -> bytes:
    """Decode standard base64 in its one canonical form (RFC 4648, 3.5)."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidEncodingError(f"{name}: expected standard base64 ({error})") from None
    if base64.b64encode(decoded).decode() != text:
        raise InvalidEncodingError(f"{name}: expected canonical base64, with zero bits at its end")
    return decoded
