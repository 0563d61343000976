"""The measured PCR, at the TPM itself: poison, drift, strangers, a TPM that goes away, and PCR 23 of a chip."""

from typing import Any

import pytest
from tpm2_pytss import ESAPI, TPM2_RC, TSS2_Exception

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import reset_tpm
from tests.tpm.service.device.conftest import Start
from tests.tpm.service.device.releases import EVENTS, extend, measured, refuses, soon_opened
from tpm.service.device.device import Device
from tpm.service.device.measured import PcrNotZeroError, extend_events
from tpm.service.errors import TpmUnavailableError
from tpm.service.release.pcr import PCR_START, extended
from tpm.service.turn import Turn

TCTI_IO_ERROR = 0xA000A


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
