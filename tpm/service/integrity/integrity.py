"""Whether this process is what the release key approved: measured at its start, and watched while it runs.

The files below the release's roots are hashed and extended into a PCR; nothing is compared here. Whether the outcome is
approved says the TPM (tpm/service/device/policy.py),
which also keeps the secrets of the policy "release" from anything else.

Drift while running is extended, too, as a poison event: from then on the TPM opens nothing of that policy, all that it
had opened is forgotten, and the service answers `integrity_failed` until it is started anew on a TPM that was reset. So
is what runs here and was not measured (loaded.py): looked for at the start, once the TPM is connected, and in each slow
pass.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tpm.service.device.device import Device
from tpm.service.device.measured import Measured, PcrNotZeroError
from tpm.service.device.policy import ReleasePolicy
from tpm.service.errors import IntegrityFailedError, ServiceError
from tpm.service.integrity import loaded
from tpm.service.integrity.drift import Watcher
from tpm.service.release.entries import drift_event, events
from tpm.service.release.manifest import Release
from tpm.service.release.pcr import path_bytes
from tpm.service.release.release_files import load_public_key
from tpm.service.release.strict_json import ReleaseError

log = logging.getLogger(__name__)

WORDS = {
    "unmeasured": "{} runs, or may be imported, and was not measured",
    "environment": "{} is set, and decides what code is loaded",
    "arguments": "command line: {}: it decides what code is loaded",
}

Look = Callable[[Collection[bytes], Sequence[str]], Iterable[loaded.Found]]
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

    def __init__(self, settings: ReleaseSettings | None, *, look: Look = loaded.found) -> None:
        """Measure the files of the release; without settings nothing is measured. Whatever is wrong is a `failed`.

        `look` finds what runs and was not measured; a bench, which is no release, has its own.
        """
        self.release: Release | None = None
        self.measured: Measured | None = None
        self._settings = settings
        self._watcher: Watcher | None = None
        self._files: frozenset[bytes] = frozenset()
        self._look = look
        if settings is None:
            return
        try:
            self._measure(settings)
        except ReleaseError as error:
            log.critical("integrity: %s", error)

    def _measure(self, settings: ReleaseSettings) -> None:
        key = load_public_key(settings.key_file)
        self.release = Release.load(settings.directory, key)
        self._watcher = Watcher(self.release.manifest.roots, full_pass_s=settings.full_pass_s)
        entries = self._watcher.measure()
        self._files = frozenset(path_bytes(entry.path) for entry in entries)
        pcrs = [settings.measured_pcr, *settings.host_pcrs]
        policy = ReleasePolicy(key, pcrs, self.release.approvals)
        self.measured = Measured(settings.measured_pcr, events(entries), policy)
        for what, path in [*self._looked()][:1]:
            _poison(self.measured, what, path)

    def _looked(self) -> Iterable[loaded.Found]:
        assert self.release is not None
        return self._look(self._files, self.release.manifest.roots)

    @property
    def state(self) -> State:
        """`verified` once the TPM found an approval for what was measured, `failed` for good after a fault."""
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
        on_drift = _OnDrift(self.measured, device)
        if self.measured.failure is None:
            for what, path in [*self._looked()][:1]:  # libtss2 has loaded what reaches the TPM
                on_drift(what, path)
        log.info("integrity: %s, %d files measured", self.state, len(self._files))
        self._watcher.start(on_drift, look=tuple if self.measured.failure else self._looked)

    def require(self, device: Device) -> None:
        """Raise IntegrityFailedError unless keys and objects may be used; ServiceError when the TPM cannot be asked."""
        if self._settings is not None and self.state == "unmeasured":
            device.connect()
        if self.state == "failed":
            raise IntegrityFailedError("the service's log has the reason")


def _poison(measured: Measured, what: str, path: str) -> None:
    """Have nothing opened from the next extension on, and say why."""
    measured.append(drift_event(what, path))
    measured.fail(IntegrityFailedError(WORDS.get(what, f"drift: {what} {{}}").format(ascii(path))))


@dataclass(frozen=True)
class _OnDrift:
    """What is done about the first drift, at once: the poison event."""

    measured: Measured
    device: Device

    def __call__(self, what: str, path: str) -> None:
        _poison(self.measured, what, path)
        try:
            self.device.measure()
        except ServiceError as error:  # the connection is gone, and with it all that was open; the next one extends it
            log.error("integrity: the drift is not in the TPM yet: %s", error.code)
