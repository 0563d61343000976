"""What a receipt of the portal is made of: what was recorded (P10), and the credit that took it back (P12)."""

from collections.abc import Callable

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.chain.nodeos import Nodeos
from ledger.errors import NotRecordedYet
from ledger.models import LedgerEntry
from ledger.receipts import checks, receipt
from ledger.receipts.published import check_command
from stations.charging.corrections import session_credit
from stations.models import ChargingSession
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.receipts.receipt_chain import standalone

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def nodes(ledger_account: LedgerAccount, second_node: Nodeos, settings: Settings) -> list[str]:
    urls = [ledger_account.node.url, second_node.url]
    settings.LEDGER_NODES = urls
    return urls


@pytest.fixture
def session(nodes: list[str], close_sessions: CloseSessions, record_all: Callable[[], None]) -> ChargingSession:
    (session,) = close_sessions()
    record_all()
    return session


def test_a_changed_session_s_receipt_is_of_what_was_recorded(session: ChargingSession) -> None:
    before = checks.receipt_for(session)
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=77_800)
    session.refresh_from_db()
    assert checks.receipt_for(session) == before and before["record"]["energy_wh"] == 7_780
    assert checks.verify_receipt(before).verdict == "VERIFIED"
    found = checks.verify_session(session)
    assert (found.verdict, found.steps[0].outcome) == ("NOT VALID", "failed"), "what the row says today is not"


def test_the_command_has_all_pins(settings: Settings) -> None:
    settings.LEDGER_CODE_HASH, settings.LEDGER_CODE_UPDATED = "ab" * 32, "2026-02-01T10:00:00.500"
    command = check_command("receipt.json", "PUB_R1_x")
    for part in (
        *(f"--chain-id {settings.LEDGER_CHAIN_ID}", f"--account {settings.LEDGER_ACCOUNT}", "--key PUB_R1_x"),
        *(f"--code-hash {'ab' * 32}", "--code-updated 2026-02-01T10:00:00.500"),
    ):
        assert part in command


def test_where_the_kept_record_was_altered_there_is_no_receipt(session: ChargingSession) -> None:
    entry = LedgerEntry.objects.get(session=session)
    altered = bytes(entry.canonical or b"").replace(b'"energy_wh":7780', b'"energy_wh":7781')
    LedgerEntry.objects.filter(pk=entry.pk).update(canonical=altered)
    with pytest.raises(NotRecordedYet, match="no longer gives the digest that was recorded"):
        checks.receipt_for(session)


def test_a_credited_session_is_verified_and_its_receipt_names_the_credit(
    session: ChargingSession, nodes: list[str], owner: User, record_all: Callable[[], None]
) -> None:
    before = checks.receipt_for(session)
    assert before["credited_by"] is None
    credit = session_credit(session=session, reason="wrong tariff", by=owner)
    assert checks.receipt_for(session)["credited_by"] is None, "it is not on the chain yet"
    record_all()
    number = str(LedgerEntry.objects.get(session=credit).pk)
    content = checks.receipt_for(session)
    assert content["credited_by"] == number
    pins = {"key": content["public_key"], "chain_id": content["chain_id"], "account": content["account"]}
    for made in (content, before):
        found = checks.verify_receipt(made)
        assert (found.verdict, found.notices.credited) == ("VERIFIED", number)
        script = standalone(receipt.dumps(made), nodes, **pins)
        assert script.verdict == "VERIFIED" and f"entry {number} of the ledger is its credit" in script.text
    assert checks.verify_receipt(checks.receipt_for(credit)).notices.credited is None
    lie = checks.verify_receipt({**content, "credited_by": str(int(number) + 1)})
    assert (lie.verdict, lie.steps[9].outcome) == ("NOT VALID", "failed")
