"""The layer of the TPM service that owns the TPM, in this process: with an approved release of some files."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dev.parts.swtpm import Swtpm
from tpm.service.device.device import Device
from tpm.service.integrity import loaded
from tpm.service.integrity.integrity import Integrity, ReleaseSettings
from tpm.service.release.manifest import approve, manifest_of, sign
from tpm.service.release.measure import measure
from tpm.service.turn import Turn

PCR = 8


def released(directory: Path, root: Path) -> ReleaseSettings:
    """Measure what lies below the root, and have a key sign and approve it; the release is written to the directory."""
    key = ec.generate_private_key(ec.SECP256R1())
    roots = [str(root.resolve())]
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    release = sign(manifest_of(version="bench", created_at=now, roots=roots, entries=measure(roots)).dumps(), key)
    approve(release, key, {PCR: release.manifest.pcr}).save(directory)
    key_file = directory / "release_key.pub.pem"
    key_file.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return ReleaseSettings(directory, key_file, PCR, (), full_pass_s=300)


def swtpm_in(directory: Path) -> Swtpm:
    return Swtpm(directory / "state", directory / "tpm")


@contextmanager
def started(swtpm: Swtpm, settings: ReleaseSettings) -> Iterator[Device]:
    """Measure, extend, and have the TPM find the release approved, as the service does when it starts."""
    found = Integrity(settings, look=looked)
    device = Device(swtpm.tcti, Turn(places=16, deadline_s=5), found.measured)
    try:
        device.connect()
        assert found.state == "verified", found.state
        yield device
    finally:
        device.close()


def looked(measured: Collection[bytes], roots: Sequence[str]) -> list[loaded.Found]:
    """Take as long as the service for looking at what runs; a bench is not what was released."""
    list(loaded.found(measured, roots))
    return []
