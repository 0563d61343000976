"""Attestations: what the TPM states about its PCRs, and what the service claims beside, bound into one signature.

The verifier's nonce and the claims are hashed into the quote's extraData. So the claims are as fresh as the quote, and
whoever changes one of them breaks it. That they are true is another matter: the PCRs say whether this service may be
believed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tpm.service.device import attest
from tpm.service.device.attest import Quote
from tpm.service.device.connection import Connection
from tpm.service.keys.audit_check import NOTHING, Head, Kept


@dataclass(frozen=True)
class Evidence:
    """What the service knows of itself.

    `integrity` is `verified`, `failed` or `unmeasured`; a digest is hex SHA-256. `event_log` holds the events in the
    order in which the measured PCR was extended with them (`event` of tpm/service/release/entries.py). `audit` is the
    head of the log of key uses; `since` the head that the verifier saw last, and what the log holds of it now, when it
    was asked for.
    """

    integrity: str = "unmeasured"
    measured_pcr: int | None = None
    event_log: tuple[str, ...] = ()
    manifest_digest: str | None = None
    audit: Head = NOTHING
    since: tuple[Head, Kept] | None = None


@dataclass(frozen=True)
class Attestation:
    """A quote with the evidence that its extraData covers: SHA-256(nonce || claims as UTF-8)."""

    quote: Quote
    claims: str
    event_log: tuple[str, ...]


def attested(connection: Connection, *, nonce: bytes, pcrs: Sequence[int], evidence: Evidence) -> Attestation:
    """Have the TPM attest these PCRs and this evidence for whoever drew the nonce (32 bytes)."""
    claims = ""

    def extra_data(power_on_clock_ms: int) -> bytes:
        nonlocal claims
        claims = claims_text(evidence, power_on_clock_ms)
        return hashlib.sha256(nonce + claims.encode()).digest()

    quote = attest.quote_with_clock(connection, pcrs, extra_data)
    return Attestation(quote, claims, evidence.event_log)


def claims_text(evidence: Evidence, power_on_clock_ms: int) -> str:
    """Return the claims as JSON; the verifier hashes this very text."""
    return json.dumps(
        {
            "manifest_digest": evidence.manifest_digest,
            "measured_pcr": evidence.measured_pcr,
            "event_log_sha256": event_log_sha256(evidence.event_log),
            "integrity": evidence.integrity,
            "audit": evidence.audit._asdict() | _since(evidence),
            "power_on_clock_ms": power_on_clock_ms,
        }
    )


def _since(evidence: Evidence) -> dict[str, object]:
    """Return what is claimed of the head that the verifier saw last; an older one does not ask, nor know the claim."""
    if evidence.since is None:
        return {}
    asked, found = evidence.since
    return {"since": {"sequence": asked.sequence, "hash": found.hash or None, "leads_on": found.leads_on}}


def event_log_sha256(events: Sequence[str]) -> str:
    """Return the hex SHA-256 over the events, one a line; names that are no UTF-8 come back as the bytes they were."""
    return hashlib.sha256("\n".join(events).encode(errors="surrogateescape")).hexdigest()
