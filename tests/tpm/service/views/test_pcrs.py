"""PCRs are read and extended, once an event, and only those that are for clients."""

import base64
import hashlib
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tpm2_pytss import ESAPI, TPM2_RC, TSS2_Exception

from dev.parts.swtpm import Swtpm, control_path
from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import WithScopes
from tpm.service.device.device import Device
from tpm.service.turn import Turn


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def values(http: httpx2.Client) -> list[bytes]:
    answer = http.get("/pcrs").json()
    assert answer["algorithm"] == "sha256"
    assert [pcr["pcr"] for pcr in answer["pcrs"]] == list(range(24))
    return [base64.b64decode(pcr["value"]) for pcr in answer["pcrs"]]


def extended(value: bytes, event: bytes) -> bytes:
    return hashlib.sha256(value + hashlib.sha256(event).digest()).digest()


def test_pcrs_are_what_another_tool_reads(tpm_stack: TpmStack, http: httpx2.Client) -> None:
    http.post("/pcrs/16/events", json={"data": b64(b"before")})
    ours = values(http)
    tpm_stack.service.stop()  # swtpm serves one connection at a time
    try:
        argv = ["tpm2_pcrread", "-T", tpm_stack.swtpm.tcti, "sha256:all"]
        text = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout
    finally:
        tpm_stack.start_service()
    theirs = [bytes.fromhex(line.split("0x")[1]) for line in text.splitlines() if "0x" in line]
    assert ours == theirs


@pytest.mark.parametrize("pcr", [16, 23])
@pytest.mark.parametrize("size", [1, 1024])
def test_an_event_extends_its_pcr_alone(http: httpx2.Client, pcr: int, size: int) -> None:
    before, event = values(http), secrets.token_bytes(size)
    answer = http.post(f"/pcrs/{pcr}/events", json={"data": b64(event)})
    after = extended(before[pcr], event)
    assert (answer.status_code, answer.json()) == (200, {"pcr": pcr, "value": b64(after)})
    assert values(http) == [*before[:pcr], after, *before[pcr + 1 :]]


def test_the_others_are_not_for_clients(http: httpx2.Client) -> None:
    before = values(http)
    for pcr in set(range(24)) - {16, 23}:
        answer = http.post(f"/pcrs/{pcr}/events", json={"data": "AA=="})
        assert (answer.status_code, answer.json()["code"]) == (403, "pcr_not_allowed")
    for path in ("24", "99999999999999999999", "-1", "x", "1.5"):
        answer = http.post(f"/pcrs/{path}/events", json={"data": "AA=="})
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert values(http) == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid_request"),
        ([], 400, "invalid_request"),
        ({"data": ""}, 400, "invalid_request"),
        ({"data": 1}, 400, "invalid_request"),
        ({"data": "?"}, 400, "invalid_encoding"),
        ({"data": b64(bytes(1025))}, 413, "data_too_large"),
    ],
)
def test_bad_events(http: httpx2.Client, body: object, status: int, code: str) -> None:
    before = values(http)
    answer = http.post("/pcrs/16/events", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert values(http) == before


def test_what_the_service_is_measured_into_is_not_for_clients(tmp_path: Path) -> None:
    stack = TpmStack(tmp_path / "own", {"TPM_MEASURED_PCR": "23"}, measured=False)
    portal = stack.provider.pool.ensure_client("portal", ["tpm/attest"])
    stack.start()
    try:
        authorization = {"Authorization": f"Bearer {stack.credentials(portal, ['tpm/attest'])()}"}
        with httpx2.Client(base_url=f"{stack.service_url}/v1", headers=authorization, timeout=60) as http:
            refused = http.post("/pcrs/23/events", json={"data": "AA=="}).json()
            assert (refused["code"], refused["detail"]) == ("pcr_not_allowed", "PCRs for clients: 16")
            assert http.post("/pcrs/16/events", json={"data": "AA=="}).status_code == 200
    finally:
        stack.stop()


def test_scope(with_scopes: WithScopes) -> None:
    wrong = with_scopes("tpm/keys", "tpm/sign", "tpm/crypto", "tpm/seal")
    for answer in (wrong.get("/pcrs"), wrong.post("/pcrs/16/events", json={"data": "AA=="})):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


@pytest.mark.parametrize("reset", [False, True])
def test_an_event_whose_answer_is_lost_counts_once(swtpm: Swtpm, monkeypatch: pytest.MonkeyPatch, reset: bool) -> None:
    """The TPM extends and the answer is lost; or the TPM is reset with it, and then the event has to be repeated."""
    device = Device(swtpm.tcti, Turn(places=1, deadline_s=1))
    first = device.extend(16, b"first")
    assert first == extended(bytes(32), b"first")
    genuine, calls = ESAPI.pcr_event, []

    def losing(esys: ESAPI, *arguments: Any) -> Any:
        calls.append(arguments)
        result = genuine(esys, *arguments)
        if len(calls) > 1:
            return result
        if reset:
            subprocess.run(["swtpm_ioctl", "--unix", str(control_path(swtpm.socket)), "-i"], check=True, timeout=60)
        raise TSS2_Exception(TPM2_RC.RETRY)

    monkeypatch.setattr(ESAPI, "pcr_event", losing)
    assert device.extend(16, b"second") == extended(bytes(32) if reset else first, b"second")
    assert len(calls) == (2 if reset else 1)
    device.close()
