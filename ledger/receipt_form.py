"""PURE: the form of a receipt, `evportal-receipt/1`: reading its JSON strictly, before anything is proven.

Fields: `record` (the canonical record as a JSON object), `salt`, `digest`, `chain_id`, `transaction_id` and `block_id`
(lower-case hex of 32 bytes), `ledger_id` (decimal text: JavaScript loses digits of large numbers), `account`,
`block_num`, `public_key` (PUB_R1_…), `attestation` (null, or in which TPM the key was made: the JSON object of
ledger/certification.py), and `signed_meter_values`, [] in this version.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from ledger import antelope, certification
from ledger.antelope import AntelopeError
from ledger.block import hex_bytes

FORMAT = "evportal-receipt/1"
DIGEST_FIELDS = ("salt", "digest", "chain_id", "transaction_id", "block_id")
TEXT_FIELDS = (*DIGEST_FIELDS, "ledger_id", "account", "public_key")
FIXED: dict[str, Any] = {"format": FORMAT, "signed_meter_values": []}
FIELDS = {*TEXT_FIELDS, *FIXED, "record", "block_num", "attestation"}
TEXT_LENGTH_MAX = 100
TEXT_BYTES_MAX = 1024 * 1024
DEPTH_MAX = 8
INTEGER_MAX = 2**53 - 1  # RFC 8785 numbers are IEEE 754 doubles


class ReceiptError(ValueError):
    """Not a receipt of this format; the message names the field, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt whose fields have the right types. Nothing is proven yet: each text is compared in its step."""

    canonical: bytes
    salt: str
    digest: str
    ledger_id: str
    chain_id: str
    account: str
    transaction_id: str
    block_num: int
    block_id: str
    public_key: str
    attestation: Mapping[str, Any] | None


def loads(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object strictly: at most 1 MB, no member twice, no fractions, no NaN; raises ReceiptError."""
    if len(text) > TEXT_BYTES_MAX:
        raise ReceiptError(f"expected at most {TEXT_BYTES_MAX} bytes, got {len(text)}")
    try:
        found = json.loads(
            text, object_pairs_hook=_unique, parse_int=_integer, parse_float=_no_number, parse_constant=_no_number
        )
    except ReceiptError:
        raise
    except (ValueError, RecursionError) as error:  # not JSON, not UTF-8, nested without end
        raise ReceiptError(f"expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise ReceiptError(f"expected a JSON object, got {type(found).__name__}")
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ReceiptError("a member stands twice in an object")
    return members


def _integer(text: str) -> int:
    if text == "-0" or len(text) > 20:
        raise ReceiptError(f"expected an integer of up to 20 digits, got {text[:40]}")
    return int(text)


def _no_number(text: str) -> float:
    raise ReceiptError(f"expected integers only, got {text[:40]}")


def parse(receipt: Mapping[str, Any]) -> Receipt:
    """Check that a receipt's JSON values are complete and of the right types; raises ReceiptError."""
    for name in sorted(FIELDS ^ {*receipt}):
        reason = "missing" if name in FIELDS else f"not a field of {FORMAT}, nothing would prove it"
        raise ReceiptError(f"{name[:40]}: {reason}")
    for name, only in FIXED.items():
        if receipt[name] != only:
            raise ReceiptError(f"{name}: expected {only!r}, got {str(receipt[name])[:40]!r}")
    for name in TEXT_FIELDS:
        if not isinstance(receipt[name], str) or len(receipt[name]) > TEXT_LENGTH_MAX:
            raise ReceiptError(f"{name}: expected text of up to {TEXT_LENGTH_MAX} characters")
    block_num = receipt["block_num"]
    if type(block_num) is not int or not 0 < block_num < 1 << 32:
        raise ReceiptError(f"block_num: expected a number of 32 bits, got {str(block_num)[:40]!r}")
    attestation = receipt["attestation"]
    if attestation is not None and not certification.has_form(attestation):
        raise ReceiptError(f"attestation: expected null or a certification with {', '.join(certification.PARTS)}")
    texts = {name: receipt[name] for name in TEXT_FIELDS}
    canonical = _canonical(receipt["record"])
    return Receipt(canonical=canonical, block_num=block_num, attestation=attestation, **texts)


def check_texts(receipt: Receipt) -> None:
    """Check the texts of a receipt that we make ourselves: hex, key, name and number; raises ReceiptError."""
    try:
        for name in DIGEST_FIELDS:
            hex_bytes(getattr(receipt, name), name, 32)
        antelope.public_key_decode(receipt.public_key)
        antelope.name_to_int(receipt.account)
    except AntelopeError as error:
        raise ReceiptError(str(error)) from error
    if not re.fullmatch(r"0|[1-9][0-9]{0,19}", receipt.ledger_id) or int(receipt.ledger_id) >= 1 << 64:
        raise ReceiptError(f"ledger_id: expected a number of 64 bits as decimal text, got {receipt.ledger_id!r}")


def _canonical(record: Any) -> bytes:
    if not isinstance(record, dict):
        raise ReceiptError(f"record: expected an object, got {type(record).__name__}")
    _check_value(record, DEPTH_MAX)
    try:
        return rfc8785.dumps(record)
    except rfc8785.CanonicalizationError as error:
        raise ReceiptError(f"record: {error}") from error


def _check_value(value: Any, depth: int) -> None:
    """Allow what a canonical record is made of: integers, text, lists and objects, not nested for ever."""
    if depth == 0:
        raise ReceiptError(f"record: expected at most {DEPTH_MAX} levels")
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else ():
            _check_value(name, 1)
        for item in value.values() if isinstance(value, dict) else value:
            _check_value(item, depth - 1)
    elif type(value) is int:
        if abs(value) > INTEGER_MAX:
            raise ReceiptError("record: expected integers up to 2^53-1")
    elif not isinstance(value, str):
        raise ReceiptError(f"record: expected integers and text, got {type(value).__name__}")
