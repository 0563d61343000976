"""Whatever another server answers, no client of the portal takes much memory or time over it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.common.bombs import BOMBS, bomb, in_a_process
from tests.test_imports import PACKAGES, ROOT, imported, modules, starts_with

MEMORY_MAX_MB = 400
# Each client as it is, but for its patience: a test waits for it.
CLIENTS = {
    "asking": """
from common.outgoing.asking import *
asker = Asker()
def ask(url):
    try:
        return asker.ask("GET", url, patience=Patience(1, 1, 0.6), most=1_000_000).json()
    except (NoAnswer, ValueError) as error:
        return "refused"
""",
    "chain": """
from common.outgoing.asking import Patience
from ledger.chain.node import Chain
from ledger.errors import ChainUnreachable
def ask(url):
    try:
        return Chain([url], account="evledger", chain_id="0" * 64, patience=Patience(1, 1, 0.6)).info()
    except ChainUnreachable:
        return "refused"
""",
    "receipts": """
from ledger.receipts import node_reader
node_reader.NODE_S = 0.6
def ask(url):
    try:
        return node_reader.NodeReader(url).ask("get_info", {})
    except node_reader.NodeError:
        return "refused"
""",
    "partners": """
from dataclasses import replace
from stations.ocpi import peer
peer.PATIENCE = replace(peer.PATIENCE, whole_s=0.6)
def ask(url):
    try:
        return peer.get(url, "token")
    except peer.PeerUnusable:
        return "refused"
""",
    "tpm": """
from tpm import client
client.WHOLE_ANSWER_S = 0.6
def ask(url):
    try:
        return client.TpmClient(url, lambda: "token", timeout_s=1).identity()
    except client.TpmUnavailable:
        return "refused"
""",
    "the TPM's token": """
from dataclasses import replace
from tpm import tokens
tokens.PATIENCE = replace(tokens.PATIENCE, whole_s=0.6)
def ask(url):
    try:
        return tokens.ClientCredentials(url, "a", "b", ["c"])()
    except tokens.TokenError:
        return "refused"
""",
    "logins": """
from dataclasses import replace
from accounts.login import identity
identity.PATIENCE = replace(identity.PATIENCE, whole_s=0.6)
def ask(url):
    try:
        return identity._provider(url, 0)
    except identity.IdentityUnavailableError:
        return "refused"
""",
    "the pool's keys": """
from dataclasses import replace
from accounts import pool_keys
pool_keys.PATIENCE = replace(pool_keys.PATIENCE, whole_s=0.6)
def ask(url):
    try:
        return pool_keys.pool_key(url, "kid")
    except pool_keys.PoolUnreachable:
        return "refused"
""",
    "the TPM service's keys": """
import os
names = ("TCTI", "KEY_DIR", "TOKEN_ISSUER", "JWKS_URL", "ALLOWED_CLIENTS")
os.environ |= {f"TPM_{name}": "x" for name in names} | {"TPM_MEASURE": "off"}
from tpm.service.door import authentication
authentication.FETCH_S = 0.6
def ask(url):
    try:
        return authentication._pool_keys(url)
    except Exception:
        return "refused"
""",
}
WEBHOOKS = """
from dataclasses import replace
from ledger.webhooks import delivery
from ledger.models import Webhook, WebhookDelivery
delivery.PATIENCE = replace(delivery.PATIENCE, whole_s=0.6)
def ask(url):
    hook = Webhook(url=url)
    delivery.secret_make(hook=hook)
    return delivery._post(WebhookDelivery(webhook=hook, body="{}"), hook)[0]
"""


@pytest.fixture(scope="module")
def urls() -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        yield {name: stack.enter_context(bomb(name)) for name in BOMBS}


@pytest.mark.parametrize("client", CLIENTS)
def test_no_answer_fills_the_memory_or_never_ends(client: str, urls: dict[str, str]) -> None:
    """All of them for the two that read; one of each kind for those that call them."""
    names = list(BOMBS) if client in {"asking", "the TPM service's keys"} else ["gzip", "endless", "dripping head"]
    asked = in_a_process(CLIENTS[client], [urls[name] for name in names])
    assert dict(zip(names, asked.said, strict=True)) == dict.fromkeys(names, "refused")
    assert asked.memory_mb < MEMORY_MAX_MB


def test_a_webhook_reads_the_status_alone(urls: dict[str, str]) -> None:
    asked = in_a_process(WEBHOOKS, list(urls.values()))
    heads = {"endless head", "endless informing", "dripping head", "dripping status"}
    assert dict(zip(BOMBS, asked.said, strict=True)) == {name: "None" if name in heads else "200" for name in BOMBS}
    assert asked.memory_mb < MEMORY_MAX_MB


def test_there_is_no_other_way_out() -> None:
    """Of the portal. The TPM service ships alone, and asks for its pool's keys only."""
    asking = {"httpx2", "httpcore2", "urllib.request", "http.client", "requests", "aiohttp"}
    found = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in modules(package)
        if any(starts_with(name, asking) for name in imported(path))
    }
    service = {"tpm/service/door/authentication.py", "tpm/service/wsgi.py"}
    assert found == {"common/outgoing/asking.py", "ledger/standalone/verify_receipt.py", *service}
