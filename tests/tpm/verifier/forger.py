"""Evidence with an AK of the tests' own: whatever a TPM would never sign can be signed, so each step can fail alone."""

import base64
import hashlib
import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tpm.verifier.attestation import verify_evidence
from tpm.verifier.events import replay
from tpm.verifier.evidence import Accepted, IssuedNonce, Pinned, SignedManifest
from tpm.verifier.steps import Step
from tpm.verifier.structures import Clock

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ATTRIBUTES = 0x00050472  # fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign
SIGNING = 0x00040472  # the same, not restricted
FIRST = Clock(5_000_000, 3, 0, True)
FILES = ("/app/a.py", "/app/b.py", "/app/c.py", "/lib/d e.so")
STEPS = (
    *("nonce", "format", "signature", "binding", "selection", "pcr_digest", "event_log_hash", "replay"),
    *("manifest_signature", "manifest_digest", "events", "release", "host_pcrs", "clock", "firmware"),
    *("audit", "audit_kept", "integrity"),
)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def sized(data: bytes) -> bytes:
    return struct.pack(">H", len(data)) + data


def ecc_public(key: ec.EllipticCurvePublicKey, *, attributes: int = ATTRIBUTES, curve: int = 3) -> bytes:
    """A TPMT_PUBLIC: ECC, SHA-256, ECDSA with SHA-256."""
    numbers = key.public_numbers()
    head = struct.pack(">HHI", 0x0023, 0x000B, attributes) + sized(b"")
    parameters = struct.pack(">HHHHH", 0x0010, 0x0018, 0x000B, curve, 0x0010)
    return head + parameters + sized(numbers.x.to_bytes(32)) + sized(numbers.y.to_bytes(32))


def attest_head(kind: int, extra_data: bytes, clock: Clock, firmware: int = 7, *, magic: int = 0xFF544347) -> bytes:
    info = struct.pack(">QIIB", clock.clock_ms, clock.reset_count, clock.restart_count, clock.safe)
    signer = sized(b"\x00\x0b" + bytes(32))
    return struct.pack(">IH", magic, kind) + signer + sized(extra_data) + info + struct.pack(">Q", firmware)


def quote(pcrs: Sequence[int], digest: bytes, **head: Any) -> bytes:
    bitmap = sum(1 << number for number in pcrs).to_bytes(3, "little")
    selection = struct.pack(">IHB", 1, 0x000B, 3) + bitmap
    return attest_head(0x8018, **head) + selection + sized(digest)


def file_entry(path: str) -> dict[str, Any]:
    return {"path": path, "sha256": hashlib.sha256(path.encode()).hexdigest(), "size": 7, "mode": "0644"}


@dataclass
class Forger:
    """One service whose TPM says whatever the fields say; the defaults are all in order."""

    ak: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    release_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    clock: Clock = FIRST
    firmware: int = 7
    integrity: str = "verified"
    audit: tuple[int, str] = (12, "ab" * 32)
    since: dict[str, Any] | None = None  # what is said of the entry that was asked about
    files: tuple[str, ...] = FILES
    created_at: str = "2026-03-01T00:00:00Z"
    measured_pcr: int = 8
    host_pcrs: dict[int, bytes] = field(default_factory=dict)
    log: tuple[str, ...] | None = None  # other than the manifest's
    claimed: dict[str, Any] = field(default_factory=dict)  # other than what is true

    @property
    def manifest_text(self) -> str:
        files = [*map(file_entry, self.files[:-1]), {"path": self.files[-1], "link": "x y%"}]
        head = {"format": "evportal-manifest/1", "version": "1.0", "created_at": self.created_at}
        return json.dumps({**head, "roots": ["/app", "/lib"], "files": files})

    @property
    def events(self) -> tuple[str, ...]:
        if self.log is not None:
            return self.log
        entries = map(file_entry, self.files[:-1])
        return (*(f"sha256:{e['sha256']} 0644 {e['path']}" for e in entries), f"link:x%20y%25 {self.files[-1]}")

    def manifest(self) -> SignedManifest:
        return SignedManifest(
            self.manifest_text, self.release_key.sign(self.manifest_text.encode(), ec.ECDSA(SHA256()))
        )

    def claims(self) -> str:
        log = "\n".join(self.events).encode("utf-8", "surrogateescape")
        true: dict[str, Any] = {
            "manifest_digest": self.manifest().digest,
            "measured_pcr": self.measured_pcr,
            "event_log_sha256": hashlib.sha256(log).hexdigest(),
            "integrity": self.integrity,
            "audit": {"sequence": self.audit[0], "hash": self.audit[1]} | ({"since": self.since} if self.since else {}),
            "power_on_clock_ms": self.clock.clock_ms - 100,
        }
        return json.dumps(true | self.claimed)

    def answer(self, nonce: bytes) -> dict[str, Any]:
        """What the service answers to this nonce."""
        claims = self.claims()
        pcrs = {self.measured_pcr: replay(self.events), **self.host_pcrs}
        digest = hashlib.sha256(b"".join(value for _, value in sorted(pcrs.items()))).digest()
        extra_data = hashlib.sha256(nonce + claims.encode()).digest()
        statement = quote(sorted(pcrs), digest, extra_data=extra_data, clock=self.clock, firmware=self.firmware)
        return {
            "quote": b64(statement),
            "signature": b64(self.sign(statement)),
            "pcrs": {str(number): b64(value) for number, value in pcrs.items()},
            "claims": claims,
            "event_log": list(self.events),
        }

    def sign(self, message: bytes) -> bytes:
        return self.ak.sign(message, ec.ECDSA(SHA256()))

    def pinned(self, **other: Any) -> Pinned:
        pem = self.release_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
        known = {"service": "main", "ak_public": ecc_public(self.ak.public_key()), "release_key_pem": pem}
        return Pinned(**{**known, "measured_pcr": self.measured_pcr, "host_pcrs": self.host_pcrs, **other})

    def accepted(self, at: datetime = NOW - timedelta(minutes=5)) -> Accepted:
        """What is remembered of evidence like this one."""
        return Accepted(self.clock, self.firmware, *self.audit, at, datetime.fromisoformat(self.created_at))


def nonce(value: bytes = b"n" * 32, **other: Any) -> IssuedNonce:
    return IssuedNonce(**{"value": value, "service": "main", "issued_at": NOW - timedelta(seconds=1), **other})


def judged(forger: Forger, *, answer: dict[str, Any] | None = None, **other: Any) -> list[Step]:
    """The steps for the forger's evidence, or for one that was altered on its way.

    Where there was evidence before, its log still holds the entry of then, unless the forger says otherwise.
    """
    sent = {"nonce": nonce(), "pinned": forger.pinned(), "now": NOW, "manifest": forger.manifest(), **other}
    manifest, last = sent.pop("manifest"), sent["pinned"].last
    if last is not None and forger.since is None:
        forger = replace(forger, since=held(last))
    given = forger.answer(sent["nonce"].value if sent["nonce"] else b"n" * 32) if answer is None else answer
    return verify_evidence(given, manifest, **sent)


def held(last: Accepted, **other: Any) -> dict[str, Any]:
    """What an honest service says of the newest entry of then."""
    return {"sequence": last.audit_sequence, "hash": last.audit_hash, "leads_on": True, **other}


def failed(steps: Sequence[Step]) -> list[str]:
    return [step.name for step in steps if step.outcome == "failed"]
