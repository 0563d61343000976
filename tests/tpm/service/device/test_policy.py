"""What is sealed for approved releases opens for them alone: the policy, at the TPM itself."""

import secrets
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tpm2_pytss import ESAPI, ESYS_TR, TPM2_ALG, TPM2_CAP, TPM2_SE

from tests.tpm.service.device.conftest import Start
from tests.tpm.service.device.releases import EVENTS, RELEASE_KEY, approval, extend, measured, refuses
from tpm.service.device.device import Device
from tpm.service.device.objects import Guard
from tpm.service.device.policy import ReleasePolicy, authorize_policy, release_public
from tpm.service.errors import KeyUnusableError, KeyUsageError, NotApprovedError
from tpm.service.release.manifest import Approval, policy_digest
from tpm.service.release.pcr import PCR_START, POLICY_REF, extended

OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
SESSIONS, TRANSIENT = 0x02000000, 0x80000000


def handles(esys: ESAPI, first: int) -> int:
    _, capability = esys.get_capability(TPM2_CAP.HANDLES, first, 10)
    return int(capability.data.handles.count)


# --- the policy


def test_name_and_policy_are_what_the_tpm_computes(start: Start, stranger: ESAPI) -> None:
    start(None)
    public = release_public(RELEASE_KEY.public_key())
    key = stranger.load_external(public, hierarchy=ESYS_TR.OWNER)
    name = bytes(stranger.tr_get_name(key))
    stranger.flush_context(key)
    policy = ReleasePolicy(RELEASE_KEY.public_key(), [8], [])
    assert policy.name == name
    session = stranger.start_auth_session(ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.TRIAL, None, TPM2_ALG.SHA256)
    ticket = verified(stranger, approval({8: bytes(32)}))
    stranger.policy_authorize(session, bytes(32), name, ticket, POLICY_REF)
    computed = bytes(stranger.policy_get_digest(session))
    stranger.flush_context(session)
    assert policy.auth_policy == authorize_policy(name) == computed


def verified(esys: ESAPI, given: Approval) -> Any:
    (_, ticket) = ReleasePolicy(RELEASE_KEY.public_key(), [8], [given])._tickets(esys)[0]
    return ticket


def test_the_state_that_is_approved_is_the_state_of_a_session(start: Start, stranger: ESAPI) -> None:
    start(measured(EVENTS))
    session = stranger.start_auth_session(ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.TRIAL, None, TPM2_ALG.SHA256)
    stranger.policy_pcr(session, None, "sha256:8")
    computed = bytes(stranger.policy_get_digest(session))
    stranger.flush_context(session)
    assert computed == policy_digest({8: extended(PCR_START, EVENTS)})


def test_an_approved_release_opens_what_it_sealed(start: Start, stranger: ESAPI) -> None:
    data = secrets.token_bytes(128)
    device = start(measured(EVENTS))
    blob = device.seal_released(data)
    assert device.open_released(blob) == data
    what = measured(EVENTS)
    assert start(what).open_released(blob) == data
    assert what.verified
    assert (handles(stranger, SESSIONS), handles(stranger, TRANSIENT)) == (0, 0)


def test_an_approved_upgrade_opens_it_without_a_new_seal(start: Start) -> None:
    blob = start(measured(EVENTS)).seal_released(b"kept")
    assert start(measured([*EVENTS, "sha256:" + "f" * 64 + " 0644 /app/new.py"])).open_released(blob) == b"kept"


REFUSED = {
    "not approved": (EVENTS[1:], [approval({8: extended(PCR_START, EVENTS)})]),
    "no approval at all": (EVENTS, [approval({23: extended(PCR_START, EVENTS)})]),
    "approved by somebody else": (EVENTS, [approval({8: extended(PCR_START, EVENTS)}, OTHER_KEY)]),
    "other order": (EVENTS[::-1], [approval({8: extended(PCR_START, EVENTS)})]),
    "nothing measured": ([], [approval({8: extended(PCR_START, EVENTS)})]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_approved_opens_nothing(start: Start, stranger: ESAPI, case: str) -> None:
    blob = start(measured(EVENTS)).seal_released(b"secret")
    events, approvals = REFUSED[case]
    what = measured(events, *approvals)
    device = start(what)
    assert not what.verified
    assert isinstance(what.failure, NotApprovedError)
    assert refuses(device, blob)
    assert len(device.random(8)) == 8  # what does not hang on it goes on
    assert (handles(stranger, SESSIONS), handles(stranger, TRANSIENT)) == (0, 0)


def test_the_approval_that_fits_is_found_among_others(start: Start) -> None:
    good = approval({8: extended(PCR_START, EVENTS)})
    others = [approval({8: bytes(32)}), replace(good, signature=approval({8: bytes(32)}).signature)]
    what = measured(EVENTS, *others, good)
    assert start(what).open_released(start(what).seal_released(b"x")) == b"x"


def test_an_object_for_another_release_key_is_refused_alone(start: Start) -> None:
    foreign = approval({8: extended(PCR_START, EVENTS)}, OTHER_KEY)
    blob = start(measured(EVENTS, foreign, key=OTHER_KEY)).seal_released(b"theirs")
    what = measured(EVENTS)
    device = start(what)
    ours = device.seal_released(b"ours")
    assert refuses(device, blob)
    assert device.open_released(ours) == b"ours"
    assert what.verified


def test_without_measuring_nothing_has_the_policy(start: Start) -> None:
    blob = start(measured(EVENTS)).seal_released(b"x")
    device = start(None)
    with pytest.raises(KeyUsageError) as caught:
        device.seal_released(b"x")
    assert caught.value.code == "policy_unavailable"
    assert refuses(device, blob)


def test_a_refusal_is_no_broken_connection(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    device = start(measured(EVENTS))
    blob = device.seal_released(b"x")
    device.perform(lambda esys: extend(esys, 8))
    connected = []
    monkeypatch.setattr(Device, "_disconnect", lambda self: connected.append(self))
    assert refuses(device, blob)
    monkeypatch.undo()
    assert connected == []


def test_a_release_key_whose_coordinate_begins_with_zero_is_given_in_full() -> None:
    """One key in 128 has one; the TPM refuses the shorter form (TPM_RC_ECC_POINT)."""
    numbers = (ec.derive_private_key(value, ec.SECP256R1()).public_key() for value in range(1, 5000))
    key = next(key for key in numbers if key.public_numbers().x < 1 << 248)
    point = release_public(key).publicArea.unique.ecc
    assert (len(bytes(point.x.buffer)), len(bytes(point.y.buffer))) == (32, 32)


# --- keys


def test_a_keys_auth_value_is_unsealed_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    device = start(measured(EVENTS))
    secret = secrets.token_bytes(32)
    guard = Guard(device.seal_released(secret), "ledger")
    key = replace(device.create_key("ecc-p256", "sign", guard.auth(secret)), auth=b"", guard=guard)
    unsealed: list[int] = []
    genuine = ESAPI.unseal
    monkeypatch.setattr(ESAPI, "unseal", lambda *a, **k: unsealed.append(1) or genuine(*a, **k))  # type: ignore[func-returns-value]
    for _ in range(3):
        assert len(device.sign(key, [bytes(32)])) == 1
    assert len(unsealed) == 1
    with pytest.raises(KeyUnusableError):
        device.sign(replace(key, guard=replace(guard, name="other")), [bytes(32)])
    unsealed.clear()
    device.sign(key, [bytes(32)])
    device.measure()
    device.sign(key, [bytes(32)])
    assert len(unsealed) == 2  # a wrong auth value costs the connection, and measuring anew makes it forget
