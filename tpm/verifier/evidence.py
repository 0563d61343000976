"""PURE: what a TPM service shows when it is asked to attest itself, read strictly, and what it is compared with."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from tpm.verifier.errors import MalformedError
from tpm.verifier.fields import from_base64, hex_digest, members, no_doubles, text_bytes
from tpm.verifier.structures import PCRS_MAX, Clock, Quote, parse_quote

NONCE_BYTES = 32
EVENTS_MAX = 400_000
EVENT_CHARACTERS_MAX = 20_000  # path and target of a link have at most 4,096 bytes each, and an escape takes three
CLAIMS_CHARACTERS_MAX = 4_096
QUOTE_BYTES_MAX, SIGNATURE_BYTES_MAX = 4_096, 256
_CLAIMS = {"manifest_digest", "measured_pcr", "event_log_sha256", "integrity", "audit", "power_on_clock_ms"}


@dataclass(frozen=True, slots=True)
class LogSince:
    """What the service says of the entry that it was asked about: its hash now, None where it is not in the log, and
    whether the chain leads from it to the newest entry.
    """

    sequence: int
    hash: str | None
    leads_on: bool


@dataclass(frozen=True, slots=True)
class Claims:
    """What the service says beside the quote; the quote's extraData covers it."""

    manifest_digest: str | None
    measured_pcr: int | None
    event_log_sha256: str
    integrity: str
    audit_sequence: int
    audit_hash: str
    audit_since: LogSince | None
    power_on_clock_ms: int


@dataclass(frozen=True)
class Evidence:
    """What `POST /v1/attestations` answered. `quote` is a TPMS_ATTEST, `signature` ECDSA in DER."""

    quote: bytes
    signature: bytes
    pcrs: Mapping[int, bytes]
    claims_text: str
    event_log: tuple[str, ...]

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "Evidence":
        """Read the service's answer; raises MalformedError."""
        given = members(answer, "evidence", {"quote", "signature", "pcrs", "claims", "event_log"})
        pcrs, claims, log = given["pcrs"], given["claims"], given["event_log"]
        if not isinstance(pcrs, dict) or len(pcrs) > PCRS_MAX or not all(map(_is_number, pcrs)):
            raise MalformedError("pcrs: expected values by number")
        values = {int(name): from_base64(value, f"pcrs.{name}") for name, value in pcrs.items()}
        if len(values) != len(pcrs) or any(len(value) != 32 for value in values.values()):
            raise MalformedError("pcrs: expected 32 bytes for each number")
        if not isinstance(claims, str) or len(claims) > CLAIMS_CHARACTERS_MAX:
            raise MalformedError(f"claims: expected JSON as text of at most {CLAIMS_CHARACTERS_MAX} characters")
        if not isinstance(log, list) or len(log) > EVENTS_MAX or not all(map(_is_event, log)):
            raise MalformedError(f"event_log: expected at most {EVENTS_MAX} texts of {EVENT_CHARACTERS_MAX} characters")
        quote, signature = (from_base64(given[name], name) for name in ("quote", "signature"))
        if len(quote) > QUOTE_BYTES_MAX or len(signature) > SIGNATURE_BYTES_MAX:
            raise MalformedError(
                f"quote, signature: expected {QUOTE_BYTES_MAX} and {SIGNATURE_BYTES_MAX} bytes at most"
            )
        return cls(quote, signature, values, claims, tuple(log))

    @cached_property
    def quoted(self) -> Quote:
        """The quote as the TPM made it; raises MalformedError or UnsupportedError."""
        return parse_quote(self.quote)

    @cached_property
    def claims(self) -> Claims:
        """The claims; raises MalformedError."""
        try:
            given = members(json.loads(self.claims_text, object_pairs_hook=no_doubles), "claims", _CLAIMS)
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"claims: expected JSON: {error}") from error
        audit, since = _audit(given["audit"])
        pcr, digest, sequence = given["measured_pcr"], given["manifest_digest"], audit["sequence"]
        if pcr is not None and (type(pcr) is not int or not 0 <= pcr < 24):
            raise MalformedError("claims.measured_pcr: expected a PCR's number or null")
        power_on_clock_ms = given["power_on_clock_ms"]
        for number in (sequence, power_on_clock_ms):
            if type(number) is not int or not 0 <= number < 2**64:
                raise MalformedError("claims: audit.sequence and power_on_clock_ms: expected whole numbers")
        if given["integrity"] not in ("verified", "failed", "unmeasured"):
            raise MalformedError("claims.integrity: expected verified, failed or unmeasured")
        return Claims(
            manifest_digest=None if digest is None else hex_digest(digest, "claims.manifest_digest"),
            measured_pcr=pcr,
            event_log_sha256=hex_digest(given["event_log_sha256"], "claims.event_log_sha256"),
            integrity=given["integrity"],
            audit_sequence=sequence,
            audit_hash=hex_digest(audit["hash"], "claims.audit.hash"),
            audit_since=since,
            power_on_clock_ms=power_on_clock_ms,
        )


def _audit(value: object) -> tuple[Mapping[str, Any], LogSince | None]:
    """Return the claimed head of the log, and what is said of the entry that was asked about, if any was."""
    if not isinstance(value, dict) or "since" not in value:
        return members(value, "claims.audit", {"sequence", "hash"}), None
    audit = members(value, "claims.audit", {"sequence", "hash", "since"})
    since = members(audit["since"], "claims.audit.since", {"sequence", "hash", "leads_on"})
    sequence, digest, leads_on = since["sequence"], since["hash"], since["leads_on"]
    if type(sequence) is not int or type(leads_on) is not bool:
        raise MalformedError("claims.audit.since: expected sequence as a whole number, leads_on as true or false")
    found = None if digest is None else hex_digest(digest, "claims.audit.since.hash")
    return audit, LogSince(sequence, found, leads_on)


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 3


def _is_event(value: object) -> bool:
    return isinstance(value, str) and len(value) <= EVENT_CHARACTERS_MAX


@dataclass(frozen=True, slots=True)
class SignedManifest:
    """The manifest's text and the release key's signature over its bytes (ECDSA in DER)."""

    text: str
    signature: bytes

    @classmethod
    def parse(cls, answer: Mapping[str, Any]) -> "SignedManifest":
        """Read the answer of `GET /v1/manifest`; raises MalformedError. Its digest is computed, not believed."""
        given = members(answer, "manifest", {"manifest", "digest", "signature"})
        if not isinstance(given["manifest"], str):
            raise MalformedError("manifest: expected a text")
        return cls(given["manifest"], from_base64(given["signature"], "manifest.signature"))

    @property
    def digest(self) -> str:
        """SHA-256 in hex of the bytes that were signed."""
        return hashlib.sha256(text_bytes(self.text)).hexdigest()


@dataclass(frozen=True, slots=True)
class IssuedNonce:
    """A nonce as the verifier's register knows it. `service` names the one that it was issued for."""

    value: bytes
    service: str
    issued_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the last accepted evidence said, and when it had arrived."""

    clock: Clock
    firmware_version: int
    audit_sequence: int
    audit_hash: str
    at: datetime
    release_created_at: datetime | None = None  # None for a service that is not measured


@dataclass(frozen=True, slots=True)
class Pinned:
    """What the verifier knows of a service from elsewhere than the evidence.

    `ak_public` is a TPMT_PUBLIC, `release_key_pem` an ECC P-256 key ("" for a service that is not measured),
    `host_pcrs` values by number. `hardware` says that the EK's root is that of a maker of hardware TPMs. `last` is None
    before the first accepted evidence.
    """

    service: str
    ak_public: bytes
    release_key_pem: str
    measured_pcr: int
    host_pcrs: Mapping[int, bytes] = field(default_factory=dict)
    hardware: bool = False
    last: Accepted | None = None

    @property
    def pcrs(self) -> list[int]:
        """The PCRs to ask for."""
        return sorted({self.measured_pcr, *self.host_pcrs})

    @property
    def measured(self) -> bool:
        """Whether its files have to be those of a signed release."""
        return bool(self.release_key_pem)
