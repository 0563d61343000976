"""All code is loaded when the files are measured: a file that is changed later is never run by this process."""

import sys
from pathlib import Path

import httpx2
import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.conftest import ALL_SCOPES

MARK = "import time:"  # python -X importtime


def test_no_request_loads_code(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("l")
    stack = TpmStack(directory, {"PYTHONPROFILEIMPORTTIME": "1"})
    try:
        stack.start()
        before = len(loaded(directory / "service.log"))
        ask_for_everything(stack)
        late = {name.partition(".")[0] for name in loaded(directory / "service.log")[before:]}
    finally:
        stack.stop()
    assert before > 100
    assert not late - sys.stdlib_module_names


def loaded(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines()
    return [line.rpartition("|")[2].strip() for line in lines if line.startswith(MARK)]


def ask_for_everything(stack: TpmStack) -> None:
    portal = stack.provider.pool.ensure_client("portal", ALL_SCOPES)
    client = stack.client(portal, scopes=ALL_SCOPES)
    client.key_create("ledger", policy="release")
    client.sign("ledger", bytes(32))
    client.seal("secret", b"x", policy="release")
    client.unseal("secret")
    client.random(8)
    client.identity()
    client.attest(bytes(32), [8])
    client.certify("ledger", bytes(32))
    client.manifest()
    client.health()
    header = {"Authorization": "Bearer none"}
    for path in ("/nothing", "/v1/openapi.json", "/v1/docs", "/v1/keys", "/v1/keys/ledger/sign"):
        for method in ("GET", "POST", "OPTIONS", "DELETE"):
            httpx2.request(method, stack.service_url + path, headers=header, timeout=60)
            httpx2.request(method, stack.service_url + path, json={"not": "this"}, timeout=60)
