"""PURE: does this evidence show that the TPM service runs an approved release, now, in its own TPM?

 1. `nonce`               ours, issued to this service, used once, at most 60 s old
 2. `format`              the evidence can be read, and a TPM made it: magic and type are those of a quote
 3. `signature`           the pinned AK signed the quote
 4. `binding`             the quote is about this nonce and these claims
 5. `selection`           the quote is over the PCRs that were asked for
 6. `pcr_digest`          the PCR values shown are those quoted
 7. `event_log_hash`      the event log is the one in the claims
 8. `replay`              the event log gives the measured PCR
 9. `manifest_signature`  the pinned release key signed the manifest
10. `manifest_digest`     the manifest is the one in the claims
11. `events`              the event log is that of the manifest
12. `release`             the release is not older than the last accepted one
13. `host_pcrs`           the host's PCRs have the pinned values
14. `clock`               the TPM's clock and counters have not gone back
15. `firmware`            the firmware's version, and whether it changed
16. `audit`               the log of key uses has not gone back
17. `audit_kept`          the log still holds the entry attested last, and leads on from it
18. `integrity`           the service itself says that it runs what was released

Each failure names its step. A step that needs what an earlier one could not read stays undecided. A service that was
registered as unmeasured (without a release key) has to say so itself; then steps 8 to 12 have nothing to compare.
Standards: TPM 2.0 Library, Part 1, 18 (attestation) and 36 (clock); Part 2, 10.12.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from tpm.verifier import clock
from tpm.verifier.errors import AttestationError
from tpm.verifier.events import Manifest, check_manifest_signature, difference, log_bytes, parse_manifest, replay
from tpm.verifier.evidence import Evidence, IssuedNonce, Pinned, SignedManifest
from tpm.verifier.fields import text_bytes
from tpm.verifier.signatures import check_signature
from tpm.verifier.steps import Check, Finding, NotDecidedError, Step, take

NONCE_VALID = timedelta(seconds=60)


def verify_evidence(
    answer: Mapping[str, Any],
    manifest: SignedManifest | None,
    *,
    nonce: IssuedNonce | None,
    pinned: Pinned,
    now: datetime,
    first: int = 1,
) -> list[Step]:
    """Return the eighteen steps, numbered from `first`; never raises, whatever the service answered.

    `nonce` is what the register knows of the nonce that was sent, None where it was never issued. `now` is the moment
    at which the answer had arrived.
    """
    return take(_Verifier(answer, manifest, nonce, pinned, now).checks(), first=first)


class _Verifier:
    def __init__(
        self,
        answer: Mapping[str, Any],
        manifest: SignedManifest | None,
        nonce: IssuedNonce | None,
        pinned: Pinned,
        now: datetime,
    ) -> None:
        self.answer = answer
        self.signed_manifest = manifest
        self.nonce = nonce
        self.pinned = pinned
        self.now = now

    def checks(self) -> Iterator[Check]:
        """Yield the eighteen steps of the docstring, in its order."""
        yield Check("nonce", "The nonce is ours and fresh", "a nonce of ours, unused", self._nonce)
        yield Check("format", "The evidence is a quote that a TPM made", "TPMS_ATTEST of a quote", self._format)
        yield Check("signature", "The pinned AK signed the quote", "a signature of the pinned AK", self._signature)
        yield Check("binding", "The quote is about this nonce and these claims", "their hash", self._binding)
        yield Check("selection", "The quote is over the PCRs that were asked for", "these PCRs", self._selection)
        yield Check("pcr_digest", "The PCR values shown are those quoted", "the quoted digest", self._pcr_digest)
        yield Check("event_log_hash", "The event log is the one in the claims", "the claimed hash", self._log_hash)
        measured = self._if_measured
        yield Check("replay", "The event log gives the measured PCR", "the PCR's value", measured(self._replay))
        yield Check(
            "manifest_signature",
            "The pinned release key signed the manifest",
            "a signature of the pinned release key",
            measured(self._manifest_signature),
        )
        digest = measured(self._manifest_digest)
        yield Check("manifest_digest", "The manifest is the one in the claims", "its digest", digest)
        yield Check("events", "The event log is that of the manifest", "the manifest's files", measured(self._events))
        yield Check(
            "release",
            "The release is not older than the last accepted one",
            "the same release or a later one",
            measured(self._release),
        )
        yield Check("host_pcrs", "The host's PCRs have the pinned values", "the pinned values", self._host_pcrs)
        yield Check("clock", "The TPM's clock and counters have not gone back", "a later time", self._clock)
        yield Check("firmware", "The TPM's firmware", "the firmware of before", self._firmware)
        yield Check("audit", "The log of key uses has not gone back", "a later entry or the same", self._audit)
        yield Check(
            "audit_kept",
            "The log of key uses still holds the entry attested last",
            "that entry, and the chain from it on",
            self._audit_kept,
        )
        yield Check("integrity", "The service runs what was released", "verified", self._integrity)

    def _if_measured(self, look: Callable[[], Finding]) -> Callable[[], Finding]:
        return look if self.pinned.measured else lambda: Finding("nothing", "nothing", True, "registered as unmeasured")

    @cached_property
    def evidence(self) -> Evidence:
        """The evidence, read whole; raises NotDecidedError for the steps after the second."""
        try:
            evidence = Evidence.parse(self.answer)
            _ = evidence.quoted, evidence.claims
        except AttestationError as error:
            raise NotDecidedError("the evidence cannot be read") from error
        return evidence

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest, read whole; raises NotDecidedError without one, MalformedError."""
        if self.signed_manifest is None:
            raise NotDecidedError("the service shows no manifest")
        return parse_manifest(self.signed_manifest.text)

    def _nonce(self) -> Finding:
        nonce, expected = self.nonce, f"issued for {self.pinned.service}, unused, at most {NONCE_VALID.seconds} s old"
        if nonce is None:
            return Finding(expected, "a nonce that was never issued here", False)
        age = self.now - nonce.issued_at
        if nonce.service != self.pinned.service:
            return Finding(expected, f"another service's: issued for {nonce.service}", False)
        if nonce.used_at is not None:
            return Finding(expected, f"replayed: used already at {nonce.used_at:%Y-%m-%d %H:%M:%S}", False)
        if not timedelta(0) <= age <= NONCE_VALID:
            return Finding(expected, f"late: {age.total_seconds():.0f} s old", False)
        return Finding(expected, f"{age.total_seconds():.1f} s old", True)

    def _format(self) -> Finding:
        evidence = Evidence.parse(self.answer)
        _ = evidence.quoted, evidence.claims
        return Finding("TPMS_ATTEST of a quote", f"a quote of {len(evidence.quote)} bytes", True)

    def _signature(self) -> Finding:
        check_signature(self.pinned.ak_public, self.evidence.quote, self.evidence.signature)
        return Finding("a signature of the pinned AK", "a signature of the pinned AK", True)

    def _binding(self) -> Finding:
        if self.nonce is None:
            raise NotDecidedError("there is no nonce")
        expected = hashlib.sha256(self.nonce.value + text_bytes(self.evidence.claims_text)).digest()
        found = self.evidence.quoted.extra_data
        return Finding(f"extraData {expected.hex()}", f"extraData {found.hex()}", expected == found)

    def _selection(self) -> Finding:
        asked, quoted, shown = self.pinned.pcrs, list(self.evidence.quoted.pcrs), sorted(self.evidence.pcrs)
        return Finding(f"PCRs {asked}", f"PCRs {quoted}, shown {shown}", asked == quoted == shown)

    def _pcr_digest(self) -> Finding:
        values = b"".join(value for _, value in sorted(self.evidence.pcrs.items()))
        expected, found = self.evidence.quoted.pcr_digest, hashlib.sha256(values).digest()
        return Finding(expected.hex(), found.hex(), expected == found)

    def _log_hash(self) -> Finding:
        expected = self.evidence.claims.event_log_sha256
        found = hashlib.sha256(log_bytes(self.evidence.event_log)).hexdigest()
        return Finding(expected, found, expected == found)

    def _replay(self) -> Finding:
        number, claimed = self.pinned.measured_pcr, self.evidence.claims.measured_pcr
        if claimed != number:
            return Finding(f"PCR {number} measured", f"PCR {claimed} measured", False)
        if number not in self.evidence.pcrs:
            raise NotDecidedError(f"PCR {number} is not shown")
        expected, found = self.evidence.pcrs[number], replay(self.evidence.event_log)
        note = f"{len(self.evidence.event_log):,} events"
        return Finding(f"PCR {number} = {expected.hex()}", f"PCR {number} = {found.hex()}", expected == found, note)

    def _manifest_signature(self) -> Finding:
        signed = self.signed_manifest
        if signed is None:
            return Finding("a signature of the pinned release key", "the service shows no manifest", False)
        check_manifest_signature(signed.text, signed.signature, self.pinned.release_key_pem)
        version = f"release {self.manifest.version}"
        return Finding("a signature of the pinned release key", "a signature of the pinned release key", True, version)

    def _manifest_digest(self) -> Finding:
        if self.signed_manifest is None:
            raise NotDecidedError("the service shows no manifest")
        expected, found = self.evidence.claims.manifest_digest, self.signed_manifest.digest
        return Finding(str(expected), found, expected == found)

    def _events(self) -> Finding:
        expected, found = f"the {len(self.manifest.events):,} files of the manifest", self.evidence.event_log
        different = difference(self.manifest, found)
        return Finding(expected, different or f"{len(found):,} files", not different)

    def _release(self) -> Finding:
        last = self.pinned.last
        try:
            found = self.manifest.created_at
        except AttestationError as error:
            raise NotDecidedError("the manifest cannot be read") from error
        if last is None or last.release_created_at is None:
            return Finding("any: it is the first", f"made {found:%Y-%m-%d %H:%M:%S}", True)
        expected = f"made {last.release_created_at:%Y-%m-%d %H:%M:%S} or later"
        return Finding(expected, f"made {found:%Y-%m-%d %H:%M:%S}", found >= last.release_created_at)

    def _host_pcrs(self) -> Finding:
        for number, expected in sorted(self.pinned.host_pcrs.items()):
            found = self.evidence.pcrs.get(number)
            if found != expected:
                words = found.hex() if found else "not shown"
                return Finding(f"PCR {number} = {expected.hex()}", f"PCR {number} = {words}", False)
        pinned = ", ".join(map(str, sorted(self.pinned.host_pcrs))) or "none pinned"
        return Finding(pinned, pinned, True)

    def _clock(self) -> Finding:
        quoted, last = self.evidence.quoted.clock, self.pinned.last
        if last is None:
            return Finding("any: it is the first", clock.words(quoted), True)
        asked_at = self.nonce.issued_at if self.nonce else self.now
        return clock.compare(
            last.clock,
            quoted,
            power_on_ms=self.evidence.claims.power_on_clock_ms,
            passed=asked_at - last.at,
            hardware=self.pinned.hardware,
        )

    def _firmware(self) -> Finding:
        found, last = self.evidence.quoted.firmware_version, self.pinned.last
        if last is None or last.firmware_version == found:
            return Finding(f"{found:016x}", f"{found:016x}", True)
        return Finding(f"{last.firmware_version:016x}", f"{found:016x}", True, "changed: was the firmware updated?")

    def _audit(self) -> Finding:
        claims, last = self.evidence.claims, self.pinned.last
        found = f"entry {claims.audit_sequence} with {claims.audit_hash}"
        if last is None:
            return Finding("any: it is the first", found, True)
        expected = f"entry {last.audit_sequence} with {last.audit_hash}, or a later one"
        same = (claims.audit_sequence, claims.audit_hash) == (last.audit_sequence, last.audit_hash)
        return Finding(expected, found, same or claims.audit_sequence > last.audit_sequence)

    def _audit_kept(self) -> Finding:
        """The service reads its files for this: what is behind an attested entry cannot be written anew."""
        last, since = self.pinned.last, self.evidence.claims.audit_since
        if last is None:
            return Finding("any: it is the first", "nothing was asked", True)
        expected = f"entry {last.audit_sequence} with {last.audit_hash}, and the chain from it to the newest"
        if since is None:
            return Finding(expected, "the service does not say: it is older than this portal, update it", False)
        entry = f"entry {since.sequence} " + (f"with {since.hash}" if since.hash else "not in the log any more")
        same = (since.sequence, since.hash) == (last.audit_sequence, last.audit_hash)
        note = "" if same else "the log was cut or written anew behind an entry that was attested"
        if same and not since.leads_on:
            note = "the log was damaged or written anew behind this entry"
        found = entry + (", and the chain to the newest" if since.leads_on else ", and no whole chain to the newest")
        return Finding(expected, found, same and since.leads_on, note)

    def _integrity(self) -> Finding:
        expected, found = "verified" if self.pinned.measured else "unmeasured", self.evidence.claims.integrity
        return Finding(expected, found, found == expected)
