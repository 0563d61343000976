"""What tests of the release are given."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tpm.service.release.entries import Entry
from tpm.service.release.manifest import Release, approve, manifest_of, sign

KEY = ec.generate_private_key(ec.SECP256R1())


def release_of(*entries: Entry) -> Release:
    manifest = manifest_of(version="1", created_at="2026-11-23T09:00:00Z", roots=["/app"], entries=entries)
    release = sign(manifest.dumps(), KEY)
    return approve(release, KEY, {8: manifest.pcr})


@pytest.fixture
def release() -> Release:
    return release_of(Entry("/app/b", link="a"), Entry("/app/a", sha256=b"\xab" * 32, size=3, mode=0o644))
