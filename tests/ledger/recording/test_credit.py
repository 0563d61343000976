"""A credit is recorded like every session: negative figures on the chain, in the receipt, and back from the chain."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.forms.models import model_to_dict
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.nodeos import Nodeos
from ledger.audit.audit import audit
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts import checks
from stations.charging.corrections import session_credit
from stations.models import ChargingSession
from stations.models.corrections import Correction
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import drive
from tests.ledger.repair.test_restoration import drop_everything, run

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "The meter was read wrongly after its repair."


def test_a_credit_is_recorded_verified_and_restored(
    ledger_account: LedgerAccount,
    second_node: Nodeos,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    owner: User,
    settings: Settings,
    tmp_path: Path,
) -> None:
    settings.LEDGER_NODES = [ledger_account.node.url, second_node.url]
    (session,) = close_sessions()
    credit = session_credit(session=session, reason=REASON, by=owner)
    # The credit reaches the chain a block before the session that it takes back.
    early, late = LedgerEntry.objects.get(session=credit), LedgerEntry.objects.get(session=session)
    LedgerEntry.objects.filter(pk=late.pk).update(conflict="held back")
    drive(ChainTransaction.objects.filter(status="IRREVERSIBLE").exists)
    LedgerEntry.objects.filter(pk=late.pk).update(conflict="")
    record_all()
    assert early.pk > late.pk and audit().clean

    check = checks.verify_session(credit)
    assert check.verdict == "VERIFIED", check
    content = checks.receipt_for(credit)["record"]
    assert (content["energy_wh"], content["cost_minor"]) == (-7_780, -312)
    assert content["credit_reference_id"] == str(session.pk)

    before = [model_to_dict(one) | {"customer": None} for one in figures()]
    run("ledger_keys", "backup", str(tmp_path / "keys.json"))
    for protecting in (
        LedgerEntry.objects.all(),
        Correction.objects.all(),
        ChargingSession.objects.filter(credit=True),
    ):
        protecting.delete()
    drop_everything()
    _, output, _ = run("ledger_restore", "--keys", str(tmp_path / "keys.json"), "--dry-run")
    assert "2 sessions would be restored" in output and not ChargingSession.objects.exists()
    status, output, errors = run("ledger_restore")
    assert (status, errors) == (0, "") and "2 sessions restored" in output
    after = [model_to_dict(one) | {"customer": None} for one in figures()]
    changing = ("station", "connector", "id_token", "restored_at")  # rows of their own, made anew
    assert [without(one, changing) for one in after] == [without(one, changing) for one in before]
    assert audit().clean


def figures() -> list[ChargingSession]:
    return list(ChargingSession.objects.order_by("pk"))


def without(one: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name, value in one.items() if name not in names}
