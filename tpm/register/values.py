"""Rows of the register as the verifier's values: what is pinned of a service, a nonce that was issued, a manifest."""

import zlib
from datetime import datetime
from typing import Any

from tpm.models import Nonce, ReleaseManifest, TpmService
from tpm.verifier.evidence import Accepted, IssuedNonce, Pinned, SignedManifest
from tpm.verifier.structures import Clock


def pinned(service: TpmService) -> Pinned:
    """What is known of the service for judging its evidence; it is enrolled."""
    assert service.ak_public is not None
    return Pinned(
        service=service.name,
        ak_public=bytes(service.ak_public),
        release_key_pem=service.release_key_pem,
        measured_pcr=service.measured_pcr,
        host_pcrs={int(number): bytes.fromhex(value) for number, value in service.host_pcrs.items()},
        hardware=service.hardware_roots,
        last=_accepted(service.last, service.last_attested_at),
    )


def _accepted(last: dict[str, Any] | None, at: datetime | None) -> Accepted | None:
    if last is None or at is None:
        return None
    clock = Clock(last["clock_ms"], last["reset_count"], last["restart_count"], last["safe"])
    created_at = last["release_created_at"]
    return Accepted(
        clock,
        last["firmware_version"],
        last["audit_sequence"],
        last["audit_hash"],
        at,
        datetime.fromisoformat(created_at) if created_at else None,
    )


def issued(nonce: Nonce) -> IssuedNonce:
    """The challenge, with the name of the service that it was issued for."""
    return IssuedNonce(bytes(nonce.value), nonce.service.name, nonce.issued_at, nonce.used_at)


def signed(manifest: ReleaseManifest) -> SignedManifest:
    """The manifest's text as it was signed, and its signature."""
    text = zlib.decompress(bytes(manifest.compressed)).decode("utf-8", "surrogateescape")
    return SignedManifest(text, bytes(manifest.signature))
