"""No client sends without end, nor as much as it likes at once."""

import base64
import socket
import time
from collections import Counter
from collections.abc import Iterator

import httpx2
import pytest

from dev.cognito import Client
from dev.parts.tpm_service import SCOPES, TpmStack
from tests.waiting import until
from tpm.client import TpmUnavailable

BURST, PER_S = 10, 2


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    settings = {"TPM_CLIENT_RATE": str(PER_S), "TPM_CLIENT_BURST": str(BURST)}
    stack = TpmStack(tmp_path_factory.mktemp("limits"), settings)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def caller(stack: TpmStack, client: Client) -> httpx2.Client:
    token = stack.credentials(client, SCOPES)()
    return httpx2.Client(base_url=f"{stack.service_url}/v1", headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_each_client_has_a_rate_of_its_own(stack: TpmStack) -> None:
    portal, neighbour = caller(stack, stack.portal), caller(stack, stack.neighbour)
    began = time.monotonic()
    answers = [portal.get("/keys") for _ in range(60)]
    allowed = BURST + (time.monotonic() - began) * PER_S
    counts = Counter(answer.status_code for answer in answers)
    assert set(counts) == {200, 429}
    assert BURST <= counts[200] <= allowed + 1
    refused = next(answer for answer in reversed(answers) if answer.status_code == 429)
    assert (refused.json()["code"], refused.headers["retry-after"]) == ("rate_limited", "1")
    assert refused.headers["content-type"] == "application/problem+json"
    assert neighbour.get("/keys").status_code == 200
    assert stack.health_status() == 200
    time.sleep(int(refused.headers["retry-after"]))
    assert portal.get("/keys").status_code == 200


def test_the_portal_hears_that_it_may_try_later(stack: TpmStack) -> None:
    client = stack.client()
    with pytest.raises(TpmUnavailable) as limited:
        for _ in range(BURST * 3):
            client.key_list()
    assert (limited.value.code, limited.value.permanent) == ("rate_limited", False)


def test_a_token_that_is_refused_counts_for_nobody(stack: TpmStack) -> None:
    """Or anybody could use up another's rate."""
    neighbour = caller(stack, stack.neighbour)
    time.sleep(1)
    forged = neighbour.headers["Authorization"][:-8] + "AAAAAAAA"
    for _ in range(BURST * 3):
        assert neighbour.get("/keys", headers={"Authorization": forged}).status_code == 401
    assert neighbour.get("/keys").status_code == 200


@pytest.mark.parametrize(("size", "status"), [(64 * 1024, 400), (64 * 1024 + 1, 413)])
def test_size_of_a_request(tpm_stack: TpmStack, size: int, status: int) -> None:
    body = b"x" * size  # no JSON, which is heard of only when it was read
    with caller(tpm_stack, tpm_stack.portal) as http:
        answer = http.post("/keys", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.json()["code"] == ("body_too_large" if status == 413 else "invalid_json")


def test_a_body_that_is_promised_is_refused_before_it_comes(tpm_stack: TpmStack) -> None:
    """Nobody waits for ten gigabytes."""
    with caller(tpm_stack, tpm_stack.portal) as http:
        authorization = http.headers["Authorization"]
    host, port = tpm_stack.service_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        head = ["POST /v1/keys HTTP/1.1", f"Host: {host}", f"Authorization: {authorization}"]
        head += ["Content-Type: application/json", "Content-Length: 10000000000", "", ""]
        connection.sendall("\r\n".join(head).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_batch_has_at_most_256_items(tpm_stack: TpmStack) -> None:
    item = {"digest": base64.b64encode(bytes(32)).decode(), "format": "der"}
    with caller(tpm_stack, tpm_stack.portal) as http:
        http.post("/keys", json={"name": "ledger", "type": "ecc-p256", "usage": "sign", "policy": None})
        assert http.post("/keys/ledger/sign", json={"batch": [item] * 256}).status_code == 200
        large = http.post("/keys/ledger/sign", json={"batch": [item] * 257})
    assert (large.status_code, large.json()["code"]) == (413, "batch_too_large")


def test_unfinished_requests_do_not_hold_the_threads_for_ever(stack: TpmStack) -> None:
    """A hundred connections that send half a header, and need no token for it."""
    host, port = stack.service_url.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port)), timeout=60) for _ in range(100)]
    try:
        for connection in connections:
            connection.sendall(b"POST /v1/keys HTTP/1.1\r\nHo")
        until(lambda: stack.health_status() == 200)
    finally:
        for connection in connections:
            connection.close()
    assert stack.health_status() == 200
