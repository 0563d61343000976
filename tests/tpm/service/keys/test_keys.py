"""Keys are made in the TPM, listed, and sign; what they sign verifies elsewhere."""

import base64
import secrets
import subprocess
from concurrent.futures import ThreadPoolExecutor
from stat import S_IMODE

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from dev.parts.tpm_service import TpmStack
from tests.tpm.verifier import oracle
from tpm.client import Key, TpmClient, TpmRefused

BODY = {"name": "site-7", "type": "ecc-p256", "usage": "sign", "policy": None}


def verify(key: Key, digest: bytes, signature: str) -> None:
    public = load_pem_public_key(key.public_key_pem.encode())
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(base64.b64decode(signature), digest, ec.ECDSA(Prehashed(SHA256())))


def item(digest: bytes, form: str = "eosio") -> dict[str, str]:
    return {"digest": base64.b64encode(digest).decode(), "format": form}


def test_a_key_is_made_once(http: httpx2.Client) -> None:
    first = http.post("/keys", json=BODY)
    assert first.status_code == 201
    assert {name: first.json()[name] for name in BODY} == BODY
    again = http.post("/keys", json={name: BODY[name] for name in ("name", "type", "usage")})
    assert (again.status_code, again.json()) == (200, first.json())
    other = http.post("/keys", json={**BODY, "usage": "decrypt"})
    assert (other.status_code, other.json()["code"]) == (409, "key_conflict")
    assert http.get("/keys/site-7").json() == first.json()
    names = [key["name"] for key in http.get("/keys").json()["keys"]]
    assert "site-7" in names
    assert names == sorted(names)

    assert http.delete("/keys/site-7").status_code == 204
    for answer in (
        http.get("/keys/site-7"),
        http.delete("/keys/site-7"),
        http.post("/keys/site-7/sign", json=item(bytes(32))),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "key_not_found")
    assert http.post("/keys", json=BODY).json()["public_key_pem"] != first.json()["public_key_pem"]
    http.delete("/keys/site-7")


def test_der_signature_verifies(tpm_client: TpmClient, ledger_key: Key) -> None:
    digest = secrets.token_bytes(32)
    verify(ledger_key, digest, tpm_client.sign("ledger", digest, format="der"))


@pytest.mark.parametrize("digest", [bytes(32), oracle.N.to_bytes(32), b"\xff" * 32])
def test_odd_digests_sign_too(tpm_client: TpmClient, ledger_key: Key, digest: bytes) -> None:
    assert oracle.recovered(digest, tpm_client.sign("ledger", digest)) == ledger_key.public_key_eosio


def test_many_eosio_signatures_recover_the_key_with_low_s(tpm_client: TpmClient, ledger_key: Key) -> None:
    digests = [secrets.token_bytes(32) for _ in range(256)]
    signatures = tpm_client.sign_batch("ledger", digests)
    assert len(set(signatures)) == 256
    assert all(oracle.r_and_s(signature)[1] <= oracle.N // 2 for signature in signatures)
    for digest, signature in zip(digests[:40], signatures, strict=False):
        assert oracle.recovered(digest, signature) == ledger_key.public_key_eosio


def test_one_bad_item_does_not_spoil_the_batch(http: httpx2.Client, ledger_key: Key) -> None:
    digest = secrets.token_bytes(32)
    batch = [
        item(digest),
        item(bytes(31)),
        item(digest, "der"),
        {"digest": "?", "format": "der"},
        5,
        item(digest, "pem"),
    ]
    answer = http.post("/keys/ledger/sign", json={"batch": batch})
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert oracle.recovered(digest, results[0]["signature"]) == ledger_key.public_key_eosio
    title = "The digest has the wrong length"
    assert results[1] == {"error": {"code": "invalid_digest", "title": title, "status": 400}}
    verify(ledger_key, digest, results[2]["signature"])
    assert [result["error"]["code"] for result in results[3:]] == [
        "invalid_encoding",
        "invalid_request",
        "invalid_request",
    ]


def test_the_client_raises_for_a_bad_item(tpm_client: TpmClient, ledger_key: Key) -> None:
    with pytest.raises(TpmRefused, match="invalid_digest: item 1"):
        tpm_client.sign_batch("ledger", [bytes(32), bytes(31)])


def test_key_files_are_for_the_service_alone(tpm_stack: TpmStack, ledger_key: Key) -> None:
    path = tpm_stack.key_dir / "ledger.json"
    assert S_IMODE(path.stat().st_mode) == 0o600
    assert S_IMODE(tpm_stack.key_dir.stat().st_mode) == 0o700


def test_more_keys_than_slots_and_500_operations_leave_no_handle(tpm_stack: TpmStack, tpm_client: TpmClient) -> None:
    """500 mixed operations by 8 threads on 6 keys; afterwards a foreign tool finds the TPM's slots empty."""
    names = [f"many-{number}" for number in range(6)]
    keys = {name: tpm_client.key_create(name) for name in names}

    def work(number: int) -> None:
        name = names[number % len(names)]
        digest = secrets.token_bytes(32)
        if number % 25 == 0:
            tpm_client.key_create(f"passing-{number}")
            tpm_client.key_delete(f"passing-{number}")
        elif number % 10 == 0:
            assert tpm_client.health()["tpm"] == "ok"
        elif number % 9 == 0:
            with pytest.raises(TpmRefused):
                tpm_client.sign(name, bytes(31))
        else:
            verify(keys[name], digest, tpm_client.sign(name, digest, format="der"))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(500)))
    tpm_stack.service.stop()  # swtpm serves one connection at a time
    try:
        for sort in ("handles-transient", "handles-loaded-session", "handles-saved-session"):
            assert foreign(tpm_stack, "tpm2_getcap", sort) == ""
    finally:
        tpm_stack.start_service()
    for name in names:
        tpm_client.key_delete(name)
    assert [key.name for key in tpm_client.key_list() if key.name.startswith(("many-", "passing-"))] == []


def foreign(stack: TpmStack, *argv: str) -> str:
    """Run one of the tpm2-tools against the same TPM."""
    done = subprocess.run([argv[0], "-T", stack.swtpm.tcti, *argv[1:]], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
