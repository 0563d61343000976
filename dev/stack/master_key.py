"""The offline recovery key of a development stack, and a master key file for tests that run without a TPM."""

import os
from pathlib import Path

from dev.common.files import replace
from ledger.keys import file
from ledger.keys.file import KeyFile
from ledger.keys.master_key import (
    SealedMaster,
    Secret,
    fingerprint,
    recovery_key_new,
    recovery_public_load,
    recovery_wrap,
)


def ensure_recovery_key(private: Path) -> Path:
    """Make the recovery key pair `private` (0600) and `private`.pub unless it is there; returns the public one's path.

    In production the private one is made and kept on a machine that is offline.
    """
    public = private.with_name(private.name + ".pub")
    if not public.exists():
        private_pem, public_pem = recovery_key_new()
        private.parent.mkdir(parents=True, exist_ok=True)
        replace(private, private_pem)  # also one that was left by a process killed before it wrote the public half
        replace(public, public_pem, mode=0o644)
    return public


def write_unsealed_master_key(path: Path, recovery_public: Path) -> None:
    """A master key file whose secret is in no TPM: sessions can be closed with it, and nothing can be opened."""
    secret = Secret.new(os.urandom(32))
    recovery_key = recovery_public_load(recovery_public.read_text())
    master = SealedMaster(
        id=secret.id,
        public=secret.public,
        made_at="2026-01-01T00:00:00+00:00",
        sealed=f"ledger-master-{secret.id}-00000000",
        policy=None,
        recovery=recovery_wrap(secret, recovery_key),
        recovery_key=fingerprint(recovery_key),
    )
    file.write(path, KeyFile((master,)))
