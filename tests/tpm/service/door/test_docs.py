"""The lines of docs/tpm-api.md work as they stand."""

import os
import subprocess

from dev.parts.tpm_service import ROOT, TpmStack
from tests.tpm.conftest import WithScopes
from tpm.client import TpmClient


def test_all_lines_of_the_page_in_their_order(
    tpm_stack: TpmStack, with_scopes: WithScopes, tpm_client: TpmClient
) -> None:
    page = (ROOT / "docs/tpm-api.md").read_text().splitlines()
    lines = [line.strip() for line in page if line.startswith("    ")]
    assert len(lines) > 20
    client = tpm_stack.portal
    addresses = {"TPM": tpm_stack.service_url, "PROVIDER": tpm_stack.provider.token_url.removesuffix("/oauth2/token")}
    credentials = {"CLIENT_ID": client.client_id, "CLIENT_SECRET": client.client_secret}
    argv = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
    env = {**os.environ, **addresses, **credentials, "no_proxy": "127.0.0.1"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for answer in ('{"valid":true}', '{"data":"aGVsbG8="}', '"results":[{"signature":'):
        assert answer in done.stdout
    for name in ("site-7", "mac", "mail"):
        tpm_client.key_delete(name)
