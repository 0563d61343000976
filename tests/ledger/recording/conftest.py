"""What tests of recording are given."""

import functools
from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from common.outgoing.asking import Patience
from ledger.chain import node
from tests.conftest import LedgerAccount
from tests.ledger.chain.proxy import Proxy


@pytest.fixture
def proxy(ledger_account: LedgerAccount, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The portal's only way to the node."""
    proxy = Proxy(ledger_account.node.url)
    settings.LEDGER_NODES = [proxy.url]
    # The test waits for the time-out, so that is short; everything else stays as it is.
    impatient = functools.partial(node.Chain, patience=Patience(1.0, 1.0, 20.0))
    monkeypatch.setattr(node, "_chain", lambda nodes, account, key: impatient(nodes, account=account, chain_id=key))
    yield proxy
    proxy.close()
