"""What is sealed for approved releases opens for them alone: the policy and the measured PCR, at the TPM itself."""

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from tpm2_pytss import (
    ESAPI,
    ESYS_TR,
    TPM2_ALG,
    TPM2_CAP,
    TPM2_RC,
    TPM2_SE,
    TPML_DIGEST_VALUES,
    TPMT_HA,
    TPMU_HA,
    TSS2_Exception,
)

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import reset_tpm
from tests.waiting import until
from tpm.service.device.device import Device
from tpm.service.device.measured import Measured, PcrNotZeroError, extend_events
from tpm.service.device.objects import Guard, KeyBlob
from tpm.service.device.policy import ReleasePolicy, authorize_policy, release_public
from tpm.service.errors import (
    IntegrityFailedError,
    KeyUnusableError,
    KeyUsageError,
    NotApprovedError,
    TpmUnavailableError,
)
from tpm.service.release.manifest import Approval, policy_digest
from tpm.service.release.pcr import PCR_START, POLICY_REF, extended
from tpm.service.turn import Turn

EVENTS = [f"sha256:{number:064x} 0644 /app/{number}.py" for number in range(20)]
RELEASE_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
TCTI_IO_ERROR = 0xA000A
SESSIONS, TRANSIENT = 0x02000000, 0x80000000


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


@pytest.fixture(scope="module")
def swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    directory = tmp_path_factory.mktemp("tpm")
    swtpm = Swtpm(directory / "state", directory / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


Start = Callable[..., Device]


@pytest.fixture
def start(swtpm: Swtpm) -> Iterator[Start]:
    """Start a process's device, on a TPM that was reset unless told otherwise."""
    made: list[Device] = []

    def device(what: Measured | None, *, reset: bool = True) -> Device:
        if made:
            made.pop().close()
        if not swtpm.alive:
            swtpm.start()
        if reset:
            reset_tpm(swtpm.socket)
        made.append(Device(swtpm.tcti, Turn(places=4, deadline_s=5), what))
        made[-1].connect()
        return made[-1]

    yield device
    for one in made:
        one.close()


@pytest.fixture
def stranger(swtpm: Swtpm, start: Start) -> Iterator[ESAPI]:
    """Somebody else at the same TPM."""
    with ESAPI(swtpm.tcti) as esys:
        yield esys


def handles(esys: ESAPI, first: int) -> int:
    _, capability = esys.get_capability(TPM2_CAP.HANDLES, first, 10)
    return int(capability.data.handles.count)


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


# --- the measured PCR


def test_five_thousand_events(start: Start, stranger: ESAPI) -> None:
    start(None)
    events = [f"sha256:{number:064x} 0644 /app/{number}" for number in range(5000)]
    extend_events(stranger, 8, events)
    _, _, digests = stranger.pcr_read("sha256:8")
    assert bytes(digests[0]) == extended(PCR_START, events)


def test_names_that_are_no_text_are_measured_as_the_bytes_they_are(start: Start) -> None:
    what = measured([f"sha256:{0:064x} 0644 /app/\udcff"])
    start(what)
    assert what.verified


def test_a_pcr_that_is_not_zero_at_the_start(start: Start) -> None:
    start(measured(EVENTS))
    what = measured(EVENTS)
    start(what, reset=False)
    assert isinstance(what.failure, PcrNotZeroError)
    assert "has to be reset" in what.failure.detail


def test_poison_fails_a_session_that_is_open_already(start: Start) -> None:
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")

    def unseal(esys: ESAPI) -> bytes:
        handle = device.load(esys, blob)
        with what.policy.session(esys) as session:
            extend_events(esys, 8, ["drift:changed /app/0.py"])
            return bytes(esys.unseal(handle, session1=session))

    with pytest.raises(TSS2_Exception) as caught, device._turn.hold():
        device._once(unseal)
    assert caught.value.rc == TPM2_RC.PCR_CHANGED == 0x128


def test_drift_closes_everything_and_survives_the_tpm(swtpm: Swtpm, start: Start) -> None:
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")
    assert device.open_released(blob) == b"x"
    what.append("drift:changed /app/0.py")
    device.measure()
    poisoned = extended(PCR_START, [*EVENTS, "drift:changed /app/0.py"])
    assert device.pcrs()[8] == poisoned
    assert refuses(device, blob)
    swtpm.kill()
    swtpm.start()
    assert device.pcrs()[8] == poisoned
    assert refuses(device, blob)


def test_somebody_else_extends_the_measured_pcr(start: Start, stranger: ESAPI) -> None:
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")
    extend(stranger, 8)
    assert refuses(device, blob)
    assert not what.verified
    device.measure()
    assert refuses(device, blob)


def test_others_extend_pcrs_that_are_not_ours(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Linux's IMA extends PCR 10 at any moment: the TPM ends open sessions then, and another one is opened."""
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")
    genuine = ESAPI.policy_authorize
    extended_by_others: list[int] = []

    def authorize(esys: ESAPI, *arguments: Any) -> None:
        genuine(esys, *arguments)
        if not extended_by_others:
            extended_by_others.append(10)
            extend(esys, 10)

    monkeypatch.setattr(ESAPI, "policy_authorize", authorize)
    assert device.open_released(blob) == b"x"
    assert (what.verified, extended_by_others) == (True, [10])


# --- the TPM goes away


@pytest.mark.parametrize("killed", [False, True])
def test_another_start_of_the_tpm_is_measured_before_anything_else(swtpm: Swtpm, start: Start, killed: bool) -> None:
    """libtss2 connects anew for each command: one that was killed and is back between two of them goes unnoticed."""
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")
    if killed:
        swtpm.kill()
        swtpm.start()
    else:
        reset_tpm(swtpm.socket)
    assert soon_opened(device, blob) == b"x"
    assert device.pcrs()[8] == extended(PCR_START, EVENTS)
    assert what.verified


AWAY = [
    (how, command)
    for how in ("cut", "killed", "reset")
    for command in ("pcr_extend", "verify_signature", "policy_pcr", "policy_authorize")
    # a TPM that is back between two events has a PCR that begins in the middle of the log: that looks like tampering
    if (how, command) != ("killed", "pcr_extend")
]


@pytest.mark.parametrize(("how", "command"), AWAY)
def test_the_tpm_goes_away_while_it_is_measured(
    swtpm: Swtpm, start: Start, monkeypatch: pytest.MonkeyPatch, command: str, how: str
) -> None:
    device = start(what := measured(EVENTS))
    blob = device.seal_released(b"x")
    swtpm.kill()
    swtpm.start()
    genuine = getattr(ESAPI, command)
    calls: list[str] = []

    def failing(esys: ESAPI, *arguments: Any) -> Any:
        calls.append(command)
        if len(calls) == (5 if command == "pcr_extend" else 1):
            if how == "cut":
                raise TSS2_Exception(TCTI_IO_ERROR)
            if how == "killed":
                swtpm.kill()
                swtpm.start()
            else:
                reset_tpm(swtpm.socket)
        return genuine(esys, *arguments)

    monkeypatch.setattr(ESAPI, command, failing)
    assert soon_opened(device, blob) == b"x"
    assert device.pcrs()[8] == extended(PCR_START, EVENTS)
    assert what.verified


def test_it_is_measured_once_there_is_a_tpm(swtpm: Swtpm, start: Start) -> None:
    blob = start(measured(EVENTS)).seal_released(b"x")
    swtpm.kill()
    device = Device(swtpm.tcti, Turn(places=4, deadline_s=5), what := measured(EVENTS))
    with pytest.raises(TpmUnavailableError):
        device.connect()
    assert not what.verified
    assert what.failure is None
    swtpm.start()
    assert soon_opened(device, blob) == b"x"
    assert what.verified
    device.close()


# --- a chip: PCR 23, which the service resets, and the host's PCRs

HOST = (0, 2, 4, 7)


def test_pcr_23_is_reset_by_the_service_itself(start: Start) -> None:
    blob = start(measured(EVENTS, pcr=23, host=HOST)).seal_released(b"x")
    what = measured(EVENTS, pcr=23, host=HOST)
    device = start(what, reset=False)
    assert (device.open_released(blob), what.verified) == (b"x", True)
    assert device.pcrs()[23] == extended(PCR_START, EVENTS)
    what.append("drift:changed /app/0.py")
    device.measure()
    assert refuses(device, blob)


@pytest.mark.parametrize("pcr", HOST)
def test_another_host_opens_nothing(start: Start, stranger: ESAPI, pcr: int) -> None:
    blob = start(measured(EVENTS, pcr=23, host=HOST)).seal_released(b"x")
    extend(stranger, pcr)
    what = measured(EVENTS, pcr=23, host=HOST)
    assert refuses(start(what, reset=False), blob)
    assert not what.verified


def test_a_release_key_whose_coordinate_begins_with_zero_is_given_in_full() -> None:
    """One key in 128 has one; the TPM refuses the shorter form (TPM_RC_ECC_POINT)."""
    numbers = (ec.derive_private_key(value, ec.SECP256R1()).public_key() for value in range(1, 5000))
    key = next(key for key in numbers if key.public_numbers().x < 1 << 248)
    point = release_public(key).publicArea.unique.ecc
    assert (len(bytes(point.x.buffer)), len(bytes(point.y.buffer))) == (32, 32)
