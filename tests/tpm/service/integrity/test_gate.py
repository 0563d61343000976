"""Integrity that fails between the gate and the TPM: whoever waits for a turn then gets nothing any more."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from dev.parts.swtpm import Swtpm
from tpm.service.device.device import Device
from tpm.service.device.measured import Measured
from tpm.service.device.objects import KeyBlob
from tpm.service.device.policy import ReleasePolicy
from tpm.service.errors import IntegrityFailedError, ServiceError
from tpm.service.release.manifest import Approval, policy_digest
from tpm.service.release.pcr import PCR_START, POLICY_REF, extended
from tpm.service.turn import Turn

EVENTS = ["sha256:00 0644 /app/a.py"]
AUTH = b"a" * 32
DIGEST = bytes(32)


def measured() -> Measured:
    key = ec.generate_private_key(ec.SECP256R1())
    pcrs = {8: extended(PCR_START, EVENTS)}
    policy = policy_digest(pcrs)
    approval = Approval(pcrs, policy, key.sign(policy + POLICY_REF, ec.ECDSA(hashes.SHA256())))
    return Measured(8, EVENTS, ReleasePolicy(key.public_key(), [8], [approval]))


class Verified:
    """A device whose release is approved, with things that have no policy: only the gate keeps anybody from them."""

    def __init__(self, swtpm: Swtpm) -> None:
        self.swtpm = swtpm
        self.turn = Turn(places=16, deadline_s=5)
        self.measured = measured()
        self.device = Device(swtpm.tcti, self.turn, self.measured)
        self.device.connect()
        assert self.measured.verified
        self.key = self.device.create_key("ecc-p256", "sign", AUTH)
        self.sealed = self.device.seal(b"data", AUTH)


@pytest.fixture
def verified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Verified]:
    directory = tmp_path_factory.mktemp("t")
    swtpm = Swtpm(directory / "state", directory / "tpm")
    swtpm.start()
    made = Verified(swtpm)
    yield made
    made.device.close()
    swtpm.stop()


USES: dict[str, Callable[[Device, KeyBlob, KeyBlob], object]] = {
    "sign": lambda device, key, sealed: device.sign(key, [DIGEST]),
    "a batch": lambda device, key, sealed: device.sign(key, [DIGEST] * 40),
    "unseal": lambda device, key, sealed: device.unseal(sealed),
    "create": lambda device, key, sealed: device.create_key("ecc-p256", "sign", AUTH),
    "seal": lambda device, key, sealed: device.seal(b"more", AUTH),
}


def test_what_waits_while_the_drift_comes_gets_nothing(verified: Verified) -> None:
    device = verified.device
    device.sign(verified.key, [DIGEST])  # the key is loaded
    answers: dict[str, object] = {}

    def use(name: str) -> None:
        try:
            answers[name] = USES[name](device, verified.key, verified.sealed)
        except ServiceError as error:
            answers[name] = error.code

    threads = [threading.Thread(target=use, args=(name,)) for name in USES]
    with verified.turn.hold():
        for thread in threads:
            thread.start()
        while verified.turn.waiting < len(threads):
            pass
        verified.measured.append("drift:changed /app/a.py")
        verified.measured.fail(IntegrityFailedError("drift"))
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(USES, "integrity_failed")


def tpm2(swtpm: Swtpm, *command: str) -> None:
    subprocess.run(command, env={**os.environ, "TPM2TOOLS_TCTI": swtpm.tcti}, check=True, capture_output=True)


def another_extends(swtpm: Swtpm) -> None:
    swtpm.start()
    tpm2(swtpm, "tpm2_pcrextend", f"8:sha256={'11' * 32}")


def no_bank(swtpm: Swtpm) -> None:
    """The next start of the TPM has no SHA-256 PCRs at all: there is nothing to measure into."""
    swtpm.start()
    tpm2(swtpm, "tpm2_pcrallocate", "sha1:all+sha256:none")
    swtpm.kill()
    swtpm.start()


@pytest.mark.parametrize("what", [another_extends, no_bank])
@pytest.mark.parametrize("use", USES)
def test_what_notices_first_that_the_tpm_is_not_measured_gets_nothing(
    verified: Verified, what: Callable[[Swtpm], None], use: str
) -> None:
    verified.swtpm.kill()
    what(verified.swtpm)
    for _ in range(2):
        with pytest.raises(IntegrityFailedError):
            USES[use](verified.device, verified.key, verified.sealed)
        assert not verified.measured.verified


def test_a_connection_that_was_not_prepared_whole_is_none(verified: Verified, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while the TPM is measured into: nothing is served over that connection."""
    verified.swtpm.kill()
    verified.swtpm.start()

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(ReleasePolicy, "prove", broken)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                verified.device.sign(verified.key, [DIGEST])
    assert verified.device.sign(verified.key, [DIGEST])
    assert verified.measured.verified
