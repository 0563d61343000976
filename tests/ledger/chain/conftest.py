"""What tests of the chain are given."""

from collections.abc import Iterator

import pytest

from tests.conftest import LedgerAccount
from tests.ledger.chain.proxy import Proxy


@pytest.fixture
def proxy(ledger_account: LedgerAccount) -> Iterator[Proxy]:
    proxy = Proxy(ledger_account.node.url)
    yield proxy
    proxy.close()
