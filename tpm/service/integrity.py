"""Whether this process is what the release key approved: measured at its start, and watched while it runs.

The files below the release's roots are hashed and extended into a PCR; nothing is compared here. Whether the outcome is
approved says the TPM (device/policy.py), which also keeps the secrets of the policy "release" from anything else.

Drift while running is extended, too, as a poison event: from then on the TPM opens nothing of that policy, all that it
had opened is forgotten, and the service answers `integrity_failed` until it is started anew on a TPM that was reset.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tpm.service.device import Device, Measured, PcrNotZeroError, ReleasePolicy
from tpm.service.drift import Watcher
from tpm.service.errors import IntegrityFailedError, ServiceError
from tpm.service.manifest import Release, ReleaseError, drift_event, events, within
from tpm.service.release_files import load_public_key

log = logging.getLogger(__name__)

State = Literal["verified", "failed", "unmeasured"]


@dataclass(frozen=True)
class ReleaseSettings:
    """Where the release lies (manifest.json, release.json), who signs it (PEM), and which PCRs its approvals name."""

    directory: Path
    key_file: Path
    measured_pcr: int
    host_pcrs: Sequence[int]
    full_pass_s: float


class Integrity:
    """The state of this process. `state` is `unmeasured` also before the TPM was reached for the first time."""

    def __init__(self, settings: ReleaseSettings | None) -> None:
        """Measure the files of the release; without settings nothing is measured. Whatever is wrong is a `failed`."""
        self.release: Release | None = None
        self.measured: Measured | None = None
        self._settings = settings
        self._watcher: Watcher | None = None
        if settings is None:
            return
        try:
            self._measure(settings)
        except ReleaseError as error:
            log.critical("integrity: %s", error)

    def _measure(self, settings: ReleaseSettings) -> None:
        key = load_public_key(settings.key_file)
        self.release = Release.load(settings.directory, key)
        _check_application(self.release.manifest.roots)
        self._watcher = Watcher(self.release.manifest.roots, full_pass_s=settings.full_pass_s)
        entries = self._watcher.measure()
        pcrs = [settings.measured_pcr, *settings.host_pcrs]
        policy = ReleasePolicy(key, pcrs, self.release.approvals)
        self.measured = Measured(settings.measured_pcr, events(entries), policy)

    @property
    def state(self) -> State:
        if self._settings is None:
            return "unmeasured"
        if self.measured is None or self.measured.failure is not None:
            return "failed"
        return "verified" if self.measured.verified else "unmeasured"

    def start(self, device: Device) -> None:
        """Extend what was measured, have the TPM judge it, and watch the files from here on.

        Without a TPM it happens when there is one. Raises PcrNotZeroError when the TPM has to be reset first.
        """
        try:
            device.connect()
        except ServiceError as error:
            log.warning("no TPM at the start: %s", error.code)
        if self.measured is None or self._watcher is None:
            return
        if isinstance(self.measured.failure, PcrNotZeroError):
            raise self.measured.failure
        log.info("integrity: %s, %d files measured", self.state, len(self.measured.events))
        self._watcher.start(_OnDrift(self.measured, device))

    def require(self, device: Device) -> None:
        """Raise IntegrityFailedError unless keys and objects may be used; ServiceError when the TPM cannot be asked."""
        if self._settings is not None and self.state == "unmeasured":
            device.connect()
        if self.state == "failed":
            raise IntegrityFailedError("the service's log has the reason")


def _check_application(roots: Sequence[str]) -> None:
    """Raise ReleaseError unless this very code is measured: a wrong search path would run other files than those."""
    here = str(Path(__file__).resolve())
    if not any(within(here, root) for root in roots):
        raise ReleaseError(f"{here} runs, and is in none of the release's roots")


@dataclass(frozen=True)
class _OnDrift:
    """What is done about the first drift: the poison event."""

    measured: Measured
    device: Device

    def __call__(self, what: str, path: str) -> None:
        self.measured.append(drift_event(what, path))
        self.measured.fail(IntegrityFailedError(f"drift: {what} {path!r}"))
        try:
            self.device.measure()
        except ServiceError as error:  # the connection is gone, and with it all that was open; the next one extends it
            log.error("integrity: the drift is not in the TPM yet: %s", error.code)
