"""Releases as a device measures them, with their approvals, and what is open to them."""

import secrets
from collections.abc import Mapping

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tpm2_pytss import ESAPI, ESYS_TR, TPM2_ALG, TPML_DIGEST_VALUES, TPMT_HA, TPMU_HA

from tests.waiting import until
from tpm.service.device.device import Device
from tpm.service.device.measured import Measured
from tpm.service.device.objects import KeyBlob
from tpm.service.device.policy import ReleasePolicy
from tpm.service.errors import IntegrityFailedError, TpmUnavailableError
from tpm.service.release.manifest import Approval, policy_digest
from tpm.service.release.pcr import PCR_START, POLICY_REF, extended

EVENTS = [f"sha256:{number:064x} 0644 /app/{number}.py" for number in range(20)]
RELEASE_KEY = ec.generate_private_key(ec.SECP256R1())


def approval(pcrs: Mapping[int, bytes], key: ec.EllipticCurvePrivateKey = RELEASE_KEY) -> Approval:
    policy = policy_digest(pcrs)
    return Approval(pcrs, policy, key.sign(policy + POLICY_REF, ec.ECDSA(hashes.SHA256())))


def measured(
    events: list[str],
    *approvals: Approval,
    pcr: int = 8,
    host: tuple[int, ...] = (),
    key: ec.EllipticCurvePrivateKey = RELEASE_KEY,
) -> Measured:
    """What a process measured that found these events, with approvals of its own events when none are given."""
    given = approvals or (approval({pcr: extended(PCR_START, events), **{n: bytes(32) for n in host}}),)
    return Measured(pcr, events, ReleasePolicy(key.public_key(), [pcr, *host], given))


def extend(esys: ESAPI, pcr: int) -> None:
    digests = [TPMT_HA(hashAlg=TPM2_ALG.SHA256, digest=TPMU_HA(sha256=secrets.token_bytes(32)))]
    esys.pcr_extend(ESYS_TR(pcr), TPML_DIGEST_VALUES(digests))


def soon_opened(device: Device, blob: KeyBlob) -> bytes:
    """What the object holds, as soon as the TPM is to be had."""
    return until(lambda: device.open_released(blob), but=(TpmUnavailableError,))


def refuses(device: Device, blob: KeyBlob) -> bool:
    with pytest.raises(IntegrityFailedError):
        device.open_released(blob)
    return True
