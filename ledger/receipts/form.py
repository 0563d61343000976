"""PURE: the form of a receipt, `evportal-receipt/2` or /1: reading its JSON strictly, before anything is proven.

Fields: `record` (the canonical record as a JSON object), `salt`, `digest`, `chain_id`, `transaction_id` and `block_id`
(lower-case hex of 32 bytes), `ledger_id` (decimal text: JavaScript loses digits of large numbers), `account`,
`block_num`, `public_key` (PUB_R1_…), `attestation` (null, or in which TPM the key was made: the JSON object of
ledger/receipts/certification.py), `signed_meter_values`, [] in these versions, and since /2 `credited_by`: null, or the
ledger id (decimal text) of the credit that took the session back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import rfc8785

from common import strict_json
from common.strict_json import StrictJsonError
from ledger.chain import antelope
from ledger.chain.antelope import AntelopeError
from ledger.chain.block import hex_bytes
from ledger.receipts import certification

FORMAT, FIRST_FORMAT = "evportal-receipt/2", "evportal-receipt/1"
DIGEST_FIELDS = ("salt", "digest", "chain_id", "transaction_id", "block_id")
TEXT_FIELDS = (*DIGEST_FIELDS, "ledger_id", "account", "public_key")
FIELDS = {*TEXT_FIELDS, "format", "record", "block_num", "attestation", "signed_meter_values"}
FIELDS_OF = {FIRST_FORMAT: FIELDS, FORMAT: FIELDS | {"credited_by"}}
LEDGER_ID = re.compile(r"0|[1-9][0-9]{0,19}")
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
    credited_by: str | None


def loads(text: str | bytes) -> dict[str, Any]:
    """Read a JSON object strictly: at most 1 MB, UTF-8, no member twice, integers only; raises ReceiptError."""
    try:
        data = text if isinstance(text, bytes) else text.encode()
        found = strict_json.loads(data, most=TEXT_BYTES_MAX, fractions=False)
    except (StrictJsonError, UnicodeEncodeError) as error:
        raise ReceiptError(str(error)) from error
    if not isinstance(found, dict):
        raise ReceiptError(f"expected a JSON object, got {type(found).__name__}")
    return found


def parse(receipt: Mapping[str, Any]) -> Receipt:
    """Check that a receipt's JSON values are complete and of the right types; raises ReceiptError."""
    _check_members(receipt)
    for name in TEXT_FIELDS:
        if not isinstance(receipt[name], str) or len(receipt[name]) > TEXT_LENGTH_MAX:
            raise ReceiptError(f"{name}: expected text of up to {TEXT_LENGTH_MAX} characters")
    block_num = receipt["block_num"]
    if type(block_num) is not int or not 0 < block_num < 1 << 32:
        raise ReceiptError(f"block_num: expected a number of 32 bits, got {str(block_num)[:40]!r}")
    attestation = receipt["attestation"]
    if attestation is not None and not certification.has_form(attestation):
        raise ReceiptError(f"attestation: expected null or a certification with {', '.join(certification.PARTS)}")
    if (credited_by := receipt.get("credited_by")) is not None:
        _check_ledger_id("credited_by", credited_by, least=1)
    texts = {name: receipt[name] for name in TEXT_FIELDS}
    canonical = _canonical(receipt["record"])
    rest = {"block_num": block_num, "attestation": attestation, "credited_by": credited_by}
    return Receipt(canonical=canonical, **rest, **texts)


def _check_members(receipt: Mapping[str, Any]) -> None:
    named = receipt.get("format")
    if not isinstance(named, str) or named not in FIELDS_OF:
        raise ReceiptError(f"format: expected {' or '.join(FIELDS_OF)}, got {str(named)[:40]!r}")
    for name in sorted(FIELDS_OF[named] ^ {*receipt}):
        reason = "missing" if name in FIELDS_OF[named] else f"not a field of {named}, nothing would prove it"
        raise ReceiptError(f"{name[:40]}: {reason}")
    if (values := receipt["signed_meter_values"]) != []:
        raise ReceiptError(f"signed_meter_values: expected [], got {str(values)[:40]!r}")


def _check_ledger_id(name: str, text: Any, *, least: int = 0) -> None:
    if not isinstance(text, str) or not LEDGER_ID.fullmatch(text) or not least <= int(text) < 1 << 64:
        raise ReceiptError(f"{name}: expected a number of 64 bits as decimal text, got {str(text)[:40]!r}")


def check_texts(receipt: Receipt) -> None:
    """Check the texts of a receipt that we make ourselves: hex, key, name and number; raises ReceiptError."""
    try:
        for name in DIGEST_FIELDS:
            hex_bytes(getattr(receipt, name), name, 32)
        antelope.public_key_decode(receipt.public_key)
        antelope.name_to_int(receipt.account)
    except AntelopeError as error:
        raise ReceiptError(str(error)) from error
    _check_ledger_id("ledger_id", receipt.ledger_id)


def _canonical(record: Any) -> bytes:
    if not isinstance(record, dict):
        raise ReceiptError(f"record: expected an object, got {type(record).__name__}")
    _check_value(record, DEPTH_MAX)
    try:
        return rfc8785.dumps(record)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:  # the latter of a member's name
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
