"""PURE: the form of a receipt's two parts since /3, `log` and `chain`: members, types, sizes; nothing is proven yet.

What a text says is judged in the step that names it, so hex and base64 stay texts here (docs/receipts.md).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NUMBER_MAX = 2**53 - 1
PROOF_MAX, WITNESSES_MAX, SIGNATURES_MAX, PATH_MAX = 64, 16, 100, 32
CHECKPOINT_LENGTH_MAX, KEY_LENGTH_MAX, NAME_LENGTH_MAX, SIGNATURE_LENGTH_MAX = 65_536, 1_000, 255, 4_100
TEXT_LENGTH_MAX, RECEIPT_LENGTH_MAX = 100, 1024 * 1024
_MAY_BE_NULL = {
    "stored": RECEIPT_LENGTH_MAX,
    "producer_signature": SIGNATURE_LENGTH_MAX,
    "producer_key": TEXT_LENGTH_MAX,
}
AK_CERTIFICATE_TEXTS = ("format", "ak", "ek_certificate", "root", "signature")


class PartError(ValueError):
    """A part of another form; the message names the member, what was expected and what came."""


@dataclass(frozen=True, slots=True)
class WitnessPart:
    """A witness as the receipt names it: its vkey, and what it says of the TPM (`evportal-ak-certificate/1`)."""

    name: str
    key: str
    ak_certificate: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class LogPart:
    """Where the record stands in the log, and the signed checkpoint that says so."""

    index: int
    proof: tuple[str, ...]
    checkpoint: str
    key: str
    key_attestation: Mapping[str, Any] | None
    witnesses: tuple[WitnessPart, ...]


@dataclass(frozen=True, slots=True)
class ChainPart:
    """What a node would show of the block: the transaction, its path to the header, the header, its signature."""

    packed: str
    signatures: tuple[str, ...]
    compression: str
    stored: str | None
    context_free_data: str
    status: str
    cpu_usage_us: int
    net_usage_words: int
    path: tuple[str, ...]
    header: str
    producer_signature: str | None
    producer_key: str | None
    signed_with: Mapping[str, str] | None


def log_part(found: Any, is_certification: Callable[[Any], bool]) -> LogPart | None:
    """Read the member `log`; raises PartError."""
    if found is None:
        return None
    _members(found, "log", {"index", "proof", "checkpoint", "key", "key_attestation", "witnesses"})
    attestation = found["key_attestation"]
    if attestation is not None and not is_certification(attestation):
        raise PartError("log.key_attestation: expected null or a certification")
    witnesses = [_witness(one) for one in _list(found["witnesses"], "log.witnesses", WITNESSES_MAX)]
    proof = _list(found["proof"], "log.proof", PROOF_MAX)
    return LogPart(
        index=_number(found["index"], "log.index", NUMBER_MAX),
        proof=tuple(_text(one, "log.proof", TEXT_LENGTH_MAX) for one in proof),
        checkpoint=_text(found["checkpoint"], "log.checkpoint", CHECKPOINT_LENGTH_MAX),
        key=_text(found["key"], "log.key", KEY_LENGTH_MAX),
        key_attestation=attestation,
        witnesses=tuple(witnesses),
    )


def _witness(found: Any) -> WitnessPart:
    _members(found, "log.witnesses", {"name", "key", "ak_certificate"})
    certificate = found["ak_certificate"]
    if certificate is not None:
        _members(certificate, "ak_certificate", {*AK_CERTIFICATE_TEXTS, "time"})
        for name in AK_CERTIFICATE_TEXTS:
            _text(certificate[name], f"ak_certificate.{name}", KEY_LENGTH_MAX)
        _number(certificate["time"], "ak_certificate.time", NUMBER_MAX)
    name = _text(found["name"], "log.witnesses", NAME_LENGTH_MAX)
    return WitnessPart(name, _text(found["key"], "log.witnesses", KEY_LENGTH_MAX), certificate)


def chain_part(found: Any) -> ChainPart | None:
    """Read the member `chain`; raises PartError."""
    if found is None:
        return None
    _members(found, "chain", set(ChainPart.__dataclass_fields__))
    signed_with = found["signed_with"]
    if signed_with is not None:
        _members(signed_with, "chain.signed_with", {"blockroot_merkle", "schedule_hash"})
        for name, text in signed_with.items():
            _text(text, f"chain.signed_with.{name}", TEXT_LENGTH_MAX)
    for name in ("packed", "context_free_data", "header"):
        _text(found[name], f"chain.{name}", RECEIPT_LENGTH_MAX)
    for name in ("compression", "status"):
        _text(found[name], f"chain.{name}", TEXT_LENGTH_MAX)
    for name, most in _MAY_BE_NULL.items():
        if found[name] is not None:
            _text(found[name], f"chain.{name}", most)
    for name in ("cpu_usage_us", "net_usage_words"):
        _number(found[name], f"chain.{name}", (1 << 32) - 1)
    lists = {
        "signatures": _texts(found["signatures"], "chain.signatures", SIGNATURES_MAX, SIGNATURE_LENGTH_MAX),
        "path": _texts(found["path"], "chain.path", PATH_MAX, TEXT_LENGTH_MAX),
    }
    return ChainPart(**{**found, **lists})


def _members(found: Any, name: str, expected: set[str]) -> None:
    if not isinstance(found, Mapping):
        raise PartError(f"{name}: expected null or an object, got {type(found).__name__}")
    if wrong := sorted({*found} ^ expected):
        raise PartError(f"{name}: expected exactly {', '.join(sorted(expected))}; {wrong[0][:40]} is wrong")


def _list(found: Any, name: str, most: int) -> list[Any]:
    if not isinstance(found, list) or len(found) > most:
        raise PartError(f"{name}: expected a list of at most {most}")
    return found


def _texts(found: Any, name: str, most: int, length: int) -> tuple[str, ...]:
    return tuple(_text(one, name, length) for one in _list(found, name, most))


def _text(found: Any, name: str, most: int) -> str:
    if not isinstance(found, str) or len(found) > most:
        raise PartError(f"{name}: expected text of at most {most} characters, got {str(found)[:40]!r}")
    return found


def _number(found: Any, name: str, most: int) -> int:
    if type(found) is not int or not 0 <= found <= most:
        raise PartError(f"{name}: expected a number up to {most}, got {str(found)[:40]!r}")
    return found
