"""The event log in the TPM: extended into one PCR whenever the TPM has started, and then judged by the TPM."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tpm2_pytss import ESAPI, ESYS_TR, TPM2_ALG, TPML_DIGEST_VALUES, TPMT_HA, TPMU_HA

from tpm.service.device.objects import read_pcrs
from tpm.service.errors import IntegrityFailedError, NotApprovedError
from tpm.service.release.pcr import PCR_START, event_digest, extended

if TYPE_CHECKING:
    from tpm.service.device.policy import ReleasePolicy

log = logging.getLogger(__name__)

RESETTABLE = 23  # PCRs 16 and 23 may be reset by us (TCG "PC Client Platform TPM Profile", 4.6)


class PcrNotZeroError(NotApprovedError):
    """Something was measured before us since the TPM started: this service, which ended, or somebody else."""


def extend_events(esys: ESAPI, pcr: int, events: Sequence[str]) -> None:
    """Extend a PCR with the digest of each event, in the SHA-256 bank: 5,000 in about 0.6 s on swtpm."""
    digests = TPML_DIGEST_VALUES([TPMT_HA(hashAlg=TPM2_ALG.SHA256, digest=TPMU_HA(sha256=bytes(32)))])
    for event in events:
        digests[0].digest.sha256 = event_digest(event)  # one structure for all: making it takes longer than extending
        esys.pcr_extend(ESYS_TR(pcr), digests)


class Measured:
    """What was measured, and what the TPM says of it. Once `failure` is there, it stays for the life of the process.

    `connected` is called with the turn at the TPM; `append` and the properties by any thread.
    """

    def __init__(self, pcr: int, events: Sequence[str], policy: "ReleasePolicy") -> None:
        self.pcr = pcr
        self.policy = policy
        self.failure: IntegrityFailedError | None = None
        self._proven = False
        self._events = list(events)
        self._begun = False  # whether any of it was extended since this process started

    @property
    def events(self) -> list[str]:
        """The event log: what the PCR holds, in order."""
        return list(self._events)

    @property
    def verified(self) -> bool:
        """Whether the TPM found an approval for it, and nothing has failed since."""
        return self._proven and self.failure is None

    def append(self, event: str) -> None:
        """Add an event; the next `connected` extends it."""
        self._events.append(event)

    def fail(self, failure: IntegrityFailedError) -> None:
        """Say what has failed; only the first is kept."""
        if self.failure is None:
            log.critical("integrity: %s", failure.detail)
            self.failure = failure

    def connected(self, esys: ESAPI, *, started: bool) -> None:
        """Bring the PCR up to the event log, and have the TPM judge it; raises NotApprovedError.

        `started` tells that the TPM has started since the last call, or that there was none. Meanwhile `verified` stays
        as it was: nothing is served, and evidence that others gather would tell of a failure that there is not.
        """
        self._extend(esys, started)
        self.policy.prove(esys)
        self._proven = True

    def _extend(self, esys: ESAPI, started: bool) -> None:
        """Extend what is missing: the connection may have been lost while we extended."""
        if started and self.pcr == RESETTABLE:
            esys.pcr_reset(ESYS_TR(self.pcr))
        values = read_pcrs(esys, [self.pcr])
        if not values:
            raise NotApprovedError("the TPM has no SHA-256 bank")
        (value,) = values
        if value != PCR_START and not self._begun:
            raise PcrNotZeroError(f"PCR {self.pcr} is not zero: the TPM has to be reset before the service starts")
        self._begun = True
        events = self.events
        extend_events(esys, self.pcr, events[self._measured(events, value) :])

    def _measured(self, events: Sequence[str], value: bytes) -> int:
        """Return how many events make up this value of the PCR."""
        reached = PCR_START
        for number, event in enumerate(events):
            if reached == value:
                return number
            reached = extended(reached, [event])
        if reached != value:
            raise NotApprovedError(f"PCR {self.pcr} was extended by somebody else")
        return len(events)
