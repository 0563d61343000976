"""A chain that this portal publishes, for the pages and papers of the proof."""

import pytest
from pytest_django.fixtures import Settings

from ledger.models import SigningKey
from tests.ledger.receipts.receipt_chain import ACCOUNT, Recorded


@pytest.fixture
def published(recorded: Recorded, settings: Settings, db: None) -> Recorded:
    """The portal publishes this chain's nodes, id and key."""
    settings.LEDGER_PUBLIC_NODES, settings.LEDGER_CHAIN_ID = list(recorded.nodes), recorded.chain_id
    settings.LEDGER_ACCOUNT = ACCOUNT
    SigningKey.objects.create(name="ledger", public_key=recorded.key)
    return recorded
