"""Attestations: quotes that tpm2_checkquote believes, over the very claims and nonce, from the same TPM for ever."""

import base64
import hashlib
import json
import os
import secrets
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import ALL_SCOPES, WithScopes
from tests.tpm.tpm2_tools import checkquote, openssl_verifies
from tpm.service.device import attest
from tpm.service.device.device import Device
from tpm.service.integrity.attestations import Evidence, attested, claims_text, event_log_sha256
from tpm.service.keys.audit_check import Head, Kept
from tpm.service.turn import Turn

NONCE = base64.b64encode(bytes(32)).decode()
ODD_HEADS: list[object] = [
    *(None, [], "0", {}, {"sequence": 0}, {"hash": "0" * 64}, {"sequence": 0, "hash": "0" * 64, "more": 1}),
    *({"sequence": n, "hash": "0" * 64} for n in (-1, 2**53, 1.0, "1", True, None, 10**400)),
    *({"sequence": 0, "hash": h} for h in (None, 0, "", "0" * 63, "0" * 65, "A" * 64, "0" * 64 + "\n")),
]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def attestation(http: httpx2.Client, nonce: bytes, pcrs: list[int]) -> dict[str, Any]:
    answer = http.post("/attestations", json={"nonce": b64(nonce), "pcrs": pcrs})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def complaint(directory: Path, ak_pem: str, shown: dict[str, Any], nonce: bytes) -> str:
    """Return what tpm2_checkquote has against this attestation."""
    return checkquote(
        directory,
        ak_pem=ak_pem,
        quote=raw(shown["quote"]),
        signature=raw(shown["signature"]),
        pcrs={int(number): raw(value) for number, value in shown["pcrs"].items()},
        extra_data=hashlib.sha256(nonce + shown["claims"].encode()).digest(),
    )


def ak_pem(http: httpx2.Client) -> str:
    return str(http.get("/identity").json()["ak"]["public_key_pem"])


@pytest.mark.parametrize("pcrs", [[8], [16, 8], [23, 0, 16], [0, 2, 4, 7, 23]])
def test_another_tool_believes_it(http: httpx2.Client, tmp_path: Path, pcrs: list[int]) -> None:
    http.post("/pcrs/16/events", json={"data": b64(secrets.token_bytes(8))})
    nonce, pem = secrets.token_bytes(32), ak_pem(http)
    shown = attestation(http, nonce, pcrs)
    assert [int(number) for number in shown["pcrs"]] == sorted(pcrs)
    values = {str(pcr["pcr"]): pcr["value"] for pcr in http.get("/pcrs").json()["pcrs"]}
    assert shown["pcrs"] == {str(number): values[str(number)] for number in pcrs}
    assert complaint(tmp_path, pem, shown, nonce) == ""

    assert complaint(tmp_path, pem, shown, secrets.token_bytes(32))
    assert complaint(tmp_path, pem, {**shown, "claims": shown["claims"].replace("unmeasured", "verified") + " "}, nonce)
    assert complaint(tmp_path, pem, {**shown, "pcrs": {**shown["pcrs"], str(pcrs[0]): b64(b"\1" * 32)}}, nonce)
    quote = bytearray(raw(shown["quote"]))
    quote[-1] ^= 1
    assert complaint(tmp_path, pem, {**shown, "quote": b64(bytes(quote))}, nonce)


def test_all_pcrs_at_once(http: httpx2.Client, tmp_path: Path) -> None:
    """Judged by openssl and the last part of TPMS_QUOTE_INFO: tpm2_checkquote 5.4 takes 7 PCRs at most (its #3542)."""
    shown = attestation(http, bytes(32), list(range(24)))
    quote, values = raw(shown["quote"]), [raw(shown["pcrs"][str(number)]) for number in range(24)]
    signature = raw(shown["signature"])
    assert openssl_verifies(tmp_path, public_pem=ak_pem(http), message=quote, signature=signature)
    assert quote[-32:] == hashlib.sha256(b"".join(values)).digest()


def test_the_claims_say_what_the_log_is(http: httpx2.Client) -> None:
    shown = attestation(http, bytes(32), [8])
    claims = json.loads(shown["claims"])
    names = {"manifest_digest", "measured_pcr", "event_log_sha256", "integrity", "audit", "power_on_clock_ms"}
    assert set(claims) == names
    log = "\n".join(shown["event_log"]).encode(errors="surrogateescape")
    assert claims["event_log_sha256"] == hashlib.sha256(log).hexdigest()
    assert claims["integrity"] in ("verified", "failed", "unmeasured")
    assert (claims["manifest_digest"] is None) == (claims["integrity"] == "unmeasured") == (not shown["event_log"])
    assert set(claims["audit"]) == {"sequence", "hash"}
    assert len(bytes.fromhex(claims["audit"]["hash"])) == 32


@pytest.fixture
def swtpm(tmp_path: Path) -> Iterator[Swtpm]:
    swtpm = Swtpm(tmp_path / "state", tmp_path / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


def device_of(swtpm: Swtpm) -> Device:
    return Device(swtpm.tcti, Turn(places=1, deadline_s=5))


def test_all_evidence_is_covered_by_the_signature(swtpm: Swtpm, tmp_path: Path) -> None:
    """Also the event of a file whose name is no UTF-8, which counts with the bytes that it has."""
    log = ("sha256:00 0644 /srv/a", "sha256:01 0644 /srv/\udcff\udc80é")
    since = Head(3, "ef" * 32), Kept("ef" * 32, leads_on=True)
    evidence = Evidence("verified", 8, log, "ab" * 32, Head(7, "cd" * 32), since)
    device, nonce = device_of(swtpm), secrets.token_bytes(32)
    made = attested(device, nonce=nonce, pcrs=[8], evidence=evidence)
    pem = attest.identity(device).ak_public_key_pem
    device.close()
    extra_data = hashlib.sha256(nonce + made.claims.encode()).digest()
    quote, (r, s) = made.quote.statement.attest, made.quote.statement.signature
    signature, pcrs = encode_dss_signature(r, s), made.quote.pcrs
    judged = checkquote(tmp_path, ak_pem=pem, quote=quote, signature=signature, pcrs=pcrs, extra_data=extra_data)
    assert (judged, made.event_log) == ("", log)
    claims = json.loads(made.claims)
    assert claims.pop("power_on_clock_ms") >= 0
    assert claims == {
        "manifest_digest": "ab" * 32,
        "measured_pcr": 8,
        "event_log_sha256": hashlib.sha256(b"sha256:00 0644 /srv/a\nsha256:01 0644 /srv/\xff\x80\xc3\xa9").hexdigest(),
        "integrity": "verified",
        "audit": {
            "sequence": 7,
            "hash": "cd" * 32,
            "since": {"sequence": 3, "hash": "ef" * 32, "leads_on": True},
        },
    }


def test_the_evidence_of_a_service_that_is_not_measured() -> None:
    assert json.loads(claims_text(Evidence(), 4711)) == {
        "manifest_digest": None,
        "measured_pcr": None,
        "event_log_sha256": hashlib.sha256(b"").hexdigest(),
        "integrity": "unmeasured",
        "audit": {"sequence": 0, "hash": "0" * 64},
        "power_on_clock_ms": 4711,
    }
    assert event_log_sha256(["a"]) == hashlib.sha256(b"a").hexdigest()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "invalid_request"),
        ([], "invalid_request"),
        (None, "invalid_request"),
        ({"nonce": NONCE}, "invalid_request"),
        ({"pcrs": [8]}, "invalid_request"),
        ({"nonce": NONCE, "pcrs": [8], "more": 1}, "invalid_request"),
        *(
            ({"nonce": NONCE, "pcrs": pcrs}, "invalid_request")
            for pcrs in (
                *(None, 8, "8", {}, {"8": 8}, [], [8, 8], [24], [-1], [8.0], ["8"], [True], [None], [[8]]),
                *([8, 2**64], [8, -(2**64)], list(range(25)), [8] * 25, [8, 10**400]),
            )
        ),
        *(({"nonce": nonce, "pcrs": [8]}, "invalid_request") for nonce in (None, 32, [NONCE], "", b64(bytes(31)))),
        *(({"nonce": b64(bytes(size)), "pcrs": [8]}, "invalid_request") for size in (1, 33, 64, 40_000)),
        *(({"nonce": NONCE, "pcrs": [8], "audit": audit}, "invalid_request") for audit in ODD_HEADS),
        ({"nonce": NONCE[:-1], "pcrs": [8]}, "invalid_encoding"),
        ({"nonce": NONCE + "\n", "pcrs": [8]}, "invalid_encoding"),
        ({"nonce": "_" + NONCE[1:], "pcrs": [8]}, "invalid_encoding"),
        ({"nonce": NONCE[:42] + "B=", "pcrs": [8]}, "invalid_encoding"),
    ],
)
def test_bad_requests(http: httpx2.Client, body: object, code: str) -> None:
    answer = http.post("/attestations", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_scope(with_scopes: WithScopes) -> None:
    wrong = with_scopes(*(scope for scope in ALL_SCOPES if scope != "tpm/attest"))
    answer = wrong.post("/attestations", json={"nonce": NONCE, "pcrs": [8]})
    assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")


def extends(http: httpx2.Client) -> str:
    answer = http.post("/pcrs/16/events", json={"data": b64(secrets.token_bytes(8))})
    return "" if answer.status_code == 200 else answer.text


def test_attesting_certifying_and_signing_at_once(http: httpx2.Client, tpm_stack: TpmStack, tmp_path: Path) -> None:
    """More keys than slots, and events between quotes: every quote fits the values that came with it."""
    pem, names = ak_pem(http), [f"busy-{number}" for number in range(4)]
    for name in names:
        assert http.post("/keys", json={"name": name, "type": "ecc-p256", "usage": "sign"}).status_code == 201
    ecc = {name: http.get(f"/keys/{name}").json()["public_key_pem"] for name in names}

    def attests(number: int) -> str:
        nonce = secrets.token_bytes(32)
        return complaint(directory(number), pem, attestation(http, nonce, [8, 16]), nonce)

    def certifies(number: int) -> str:
        body = {"nonce": b64(secrets.token_bytes(8))}
        answer = http.post(f"/keys/{names[number % 4]}/certify", json=body)
        good = answer.status_code == 200 and openssl_verifies(
            directory(number),
            public_pem=pem,
            message=raw(answer.json()["attest"]),
            signature=raw(answer.json()["signature"]),
        )
        return "" if good else answer.text

    def signs(number: int) -> str:
        name, message = names[number % 4], secrets.token_bytes(8)
        digest = b64(hashlib.sha256(message).digest())
        answer = http.post(f"/keys/{name}/sign", json={"digest": digest, "format": "der"})
        good = answer.status_code == 200 and openssl_verifies(
            directory(number), public_pem=ecc[name], message=message, signature=raw(answer.json()["signature"])
        )
        return "" if good else answer.text

    def directory(number: int) -> Path:
        made = tmp_path / str(number)
        made.mkdir()
        return made

    works: list[Callable[[int], str]] = [attests, certifies, signs, lambda _: extends(http)] * 25
    with ThreadPoolExecutor(8) as pool:
        complaints = list(pool.map(lambda number: works[number](number), range(len(works))))
    assert not [text for text in complaints if text]
    for name in names:
        assert http.delete(f"/keys/{name}").status_code == 204


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[TpmStack]:
    stack = TpmStack(tmp_path / "own")
    stack.start()
    yield stack
    stack.stop()


def opened(stack: TpmStack) -> httpx2.Client:
    portal = stack.provider.pool.ensure_client("portal", ALL_SCOPES)
    authorization = {"Authorization": f"Bearer {stack.credentials(portal, ALL_SCOPES)()}"}
    return httpx2.Client(base_url=f"{stack.service_url}/v1", headers=authorization, timeout=60)


def replayed(events: list[str]) -> bytes:
    value = bytes(32)
    for event in events:
        digest = hashlib.sha256(event.encode(errors="surrogateescape")).digest()
        value = hashlib.sha256(value + digest).digest()
    return value


ANSWER_UNVERIFIED = {
    "health": 503,
    "identity": 200,
    "identity_activate": 400,
    "attestations_create": 400,
    "manifest": 200,
    "pcrs_list": 200,
}


def test_what_a_service_still_answers_that_is_not_what_was_approved(own_stack: TpmStack, tmp_path: Path) -> None:
    """A file appears whose name is no UTF-8. The verifier gets to see it, and everything else is refused."""
    foreign = os.fsencode(own_stack.release_dir / "app") + b"/\xff\x80.py"
    with opened(own_stack) as http:
        before = attestation(http, bytes(32), [8])
        Path(os.fsdecode(foreign)).touch()
        own_stack.service.wait_ready(lambda: http.get("/health").json()["integrity"] == "failed", timeout_s=60)
        nonce, pem = secrets.token_bytes(32), ak_pem(http)
        shown = attestation(http, nonce, [8])
        assert shown["event_log"][:-1] == before["event_log"]
        drift = shown["event_log"][-1].encode(errors="surrogateescape")
        assert drift.startswith(b"drift:")
        assert drift.endswith(foreign)
        assert raw(shown["pcrs"]["8"]) == replayed(shown["event_log"])
        assert json.loads(shown["claims"])["integrity"] == "failed"
        assert complaint(tmp_path, pem, shown, nonce) == ""

        answered = {}
        for path, methods in http.get("/openapi.json").json()["paths"].items():
            for method, operation in methods.items():
                answer = http.request(method, path.format(name="ledger", pcr=16).removeprefix("/v1"), json={})
                if answer.status_code != 503 or answer.json().get("code") != "integrity_failed":
                    answered[operation["operationId"]] = answer.status_code
        assert answered == ANSWER_UNVERIFIED


def test_no_handle_is_left_and_the_tpm_stays_the_same(own_stack: TpmStack, tmp_path: Path) -> None:
    """Hundreds of operations, failed ones among them; then the TPM is killed and comes back."""
    with opened(own_stack) as http:
        for name in ("one", "two", "three"):
            assert http.post("/keys", json={"name": name, "type": "ecc-p256", "usage": "sign"}).status_code == 201
        for number in range(100):
            attestation(http, bytes(32), [8, 16])
            name = ("one", "two", "three")[number % 3]
            assert http.post(f"/keys/{name}/certify", json={"nonce": b64(bytes(8))}).status_code == 200
            bad = {"credential_blob": "AAFh", "secret": "AAFh"}
            assert http.post("/identity/activate", json=bad).status_code == 400
        before = http.get("/identity").json()

        own_stack.kill_swtpm()
        assert http.post("/attestations", json={"nonce": NONCE, "pcrs": [8]}).json()["code"] == "tpm_unavailable"
        own_stack.swtpm.start()
        nonce = secrets.token_bytes(32)
        shown = attestation(http, nonce, [16])
        assert shown["pcrs"] == {"16": b64(bytes(32))}
        assert complaint(tmp_path, before["ak"]["public_key_pem"], shown, nonce) == ""
        assert http.get("/identity").json() == before

        own_stack.kill_swtpm()
        own_stack.swtpm.start()  # before the service asked for anything: nothing tells it but the TPM's own counter
        assert raw(attestation(http, bytes(32), [8])["pcrs"]["8"]) == replayed(shown["event_log"])

        for _ in range(100):
            attestation(http, bytes(32), [8])
    own_stack.kill_service()  # which has no time to flush: what is loaded now, stays
    listed = {
        kind: subprocess.run(
            ["tpm2_getcap", "-T", own_stack.swtpm.tcti, kind], capture_output=True, text=True, timeout=60, check=True
        ).stdout.split()
        for kind in ("handles-transient", "handles-loaded-session", "handles-saved-session")
    }
    assert not any(listed.values()), listed
