"""The alarm on the account: whoever changes its permissions, even with the TPM's own key, is seen."""

import pytest

from dev.chain.keys import new_keypair
from dev.chain.setup import link_auth, update_auth
from dev.chain.transactions import push_actions
from ledger.models import Alert
from ledger.recording import tasks
from ledger.signing import permissions
from tests.conftest import LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def test_as_pinned_there_is_no_alarm(ledger_account: LedgerAccount) -> None:
    assert permissions.check() == []
    assert not Alert.objects.exists()


@pytest.mark.parametrize("case", ["another key", "a second key", "a new permission", "another action"])
def test_a_change_raises_the_alarm_and_its_undoing_ends_it(ledger_account: LedgerAccount, case: str) -> None:
    account = ledger_account
    tpm_key = account.tpm.client().key_get("ledger").public_key_eosio
    foreign = new_keypair("R1").public
    change = {
        "another key": [update_auth(account.name, "record", [foreign])],
        "a second key": [update_auth(account.name, "record", sorted([tpm_key, foreign]))],
        "a new permission": [update_auth(account.name, "backdoor", [foreign])],
        "another action": [link_auth(account.name, "eosio", "setabi", "record")],
    }[case]
    push_actions(account.node.url, change, [account.active])
    tasks.watch_permissions()
    alert = Alert.objects.get(code="permission_changed", closed_at__isnull=True)
    assert alert.message
    tasks.watch_permissions()
    alert.refresh_from_db()
    assert alert.count == 2, "counted, not repeated"
    if case in {"another key", "a second key"}:
        push_actions(account.node.url, [update_auth(account.name, "record", [tpm_key])], [account.active])
        tasks.watch_permissions()
        alert.refresh_from_db()
        assert alert.closed_at is not None


def test_a_node_that_is_away_is_no_alarm(ledger_account: LedgerAccount, settings: object) -> None:
    settings.LEDGER_NODES = ["http://127.0.0.1:1"]  # type: ignore[attr-defined]
    tasks.watch_permissions()
    assert not Alert.objects.exists()
