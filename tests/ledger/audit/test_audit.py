"""The audit believes no state: what is erased, pending or pruned is compared like all the rest."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from dev.chain.transactions import Action, push_actions
from ledger import record
from ledger.audit.audit import Report, audit, entry_check
from ledger.keys import seals
from ledger.keys.erasure import customer_erase
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.state import row
from stations.charging.sessions import meter_values_add, session_close, session_start
from stations.charging.vocabulary import Sample
from stations.models import ChargingSession, Connector, IdToken, MeterValue
from tests.conftest import CloseSessions, LedgerAccount
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
RecordAll = Callable[[], None]


@pytest.fixture
def recorded(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll
) -> list[ChargingSession]:
    sessions = close_sessions(3)
    record_all()
    return sessions


def entry_of(session: ChargingSession) -> LedgerEntry:
    return LedgerEntry.objects.select_related("data_key").get(session=session)


def said(report: Report) -> str:
    """What the one difference is."""
    assert not report.clean and len(report.findings) == 1, report.as_dict()
    return report.findings[0].message


# --- erased (P5)


def test_an_entry_that_only_says_that_it_was_erased_is_found(recorded: list[ChargingSession]) -> None:
    """P5: salt and record gone, energy 999,999: "1 erased", exit 0, page "recorded"."""
    ChargingSession.objects.filter(pk=recorded[0].pk).update(energy_wh=999_999)
    row = LedgerEntry.objects.filter(session=recorded[0])
    row.update(erased_at=timezone.now(), salt=None, canonical=None)
    assert "its data key was not destroyed" in said(audit())
    assert not entry_check(entry=row.get()).ok


def test_who_forges_an_erasure_in_all_tables_is_found(recorded: list[ChargingSession]) -> None:
    """Key destroyed, token and customer gone, as an erasure leaves it; what they cannot make is the portal's seal."""
    now = timezone.now()
    pks = [session.pk for session in recorded]
    ChargingSession.objects.filter(pk__in=pks).update(id_token=None, customer=None)
    ChargingSession.objects.filter(pk=pks[0]).update(energy_wh=999_999)
    DataKey.objects.update(wrapped=None, destroyed_at=now, id_token=None, customer=None)
    LedgerEntry.objects.update(erased_at=now, salt=None, canonical=None)
    report = audit()
    assert report.different == 3 and {one.message for one in report.findings} == {
        "marked as erased, but this portal did not erase it"
    }


def test_figures_of_an_erased_session_stay_comparable(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll, owner: User
) -> None:
    session, other = close_sessions(2)
    record_all()
    customer_erase(customer=owner)
    report = audit()
    assert (report.clean, report.erased) == (True, 2)
    row = ChargingSession.objects.filter(pk=session.pk)
    row.update(energy_wh=999_999)
    assert "changed since it was erased" in said(audit())
    row.update(energy_wh=7_780)
    assert audit().clean
    seal = entry_of(other).erasure_seal
    LedgerEntry.objects.filter(session=session).update(erasure_seal=seal)
    assert "did not erase it" in said(audit()), "a seal is of one entry"


def test_what_was_altered_before_it_was_erased_stays_found(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll, owner: User
) -> None:
    (session,) = close_sessions(1)
    record_all()
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=999_999)
    customer_erase(customer=owner)
    assert "changed since it was erased" in said(audit())


def test_a_customer_on_an_erased_session_is_found(
    recorded: list[ChargingSession], owner: User, other_customer: User
) -> None:
    customer_erase(customer=owner)
    ChargingSession.objects.filter(pk=recorded[0].pk).update(customer=other_customer)
    assert "still names a customer" in said(audit())


def test_a_destroyed_key_without_an_erasure_is_found(recorded: list[ChargingSession]) -> None:
    DataKey.objects.update(wrapped=None, destroyed_at=timezone.now())
    assert audit().different == 3


# --- pending (P6)


def test_a_recorded_entry_that_says_it_waits_is_compared(recorded: list[ChargingSession]) -> None:
    """P6: transaction NULL, session, record, salt and digest rewritten so that they agree."""
    row = ChargingSession.objects.filter(pk=recorded[0].pk)
    row.update(energy_wh=999_999)
    canonical = record.canonical(record.record_of(row.get()))
    digest = record.digest(b"f" * 32, canonical)
    LedgerEntry.objects.filter(session=recorded[0]).update(
        transaction=None, salt=b"f" * 32, canonical=canonical, digest=digest
    )
    assert "another digest is on the chain" in said(audit())
    assert "another digest" in entry_check(entry=entry_of(recorded[0])).reason


@pytest.mark.parametrize("status", ["SENT", "BATCHED"])
def test_a_row_that_is_there_and_equal_waits_to_be_tied_to_it(recorded: list[ChargingSession], status: str) -> None:
    ChainTransaction.objects.update(status=status)
    report = audit()
    assert (report.clean, report.pending) == (True, 3)


def test_what_is_recorded_under_a_transaction_that_is_over_is_found(recorded: list[ChargingSession]) -> None:
    ChainTransaction.objects.update(status=ChainTransaction.Status.EXPIRED)
    assert audit().different == 3


# --- meter values (P8)


@pytest.fixture
def measured(ledger_account: LedgerAccount, connector: Connector, record_all: RecordAll) -> ChargingSession:
    started_at = timezone.now() - timedelta(hours=1)
    session, _ = session_start(
        station=connector.station, transaction_id="M1", started_at=started_at, meter_start_wh=1000
    )
    samples = [Sample(started_at + timedelta(minutes=minutes), Decimal(2000 + minutes)) for minutes in (10, 20)]
    meter_values_add(session=session, samples=samples)
    closed, _ = session_close(session=session, stopped_at=started_at + timedelta(minutes=40), meter_stop_wh=5000)
    record_all()
    assert audit().clean
    return closed


def test_no_meter_values_left_is_a_difference(measured: ChargingSession) -> None:
    MeterValue.objects.all().delete()
    assert "meter_values" in said(audit())
    assert row.meter_values_differ(ChargingSession.objects.get())


def test_restored_sessions_have_none_and_only_the_portal_says_so(measured: ChargingSession) -> None:
    """Whoever removes meter values and writes "restored" on top is found: they have no seal for it."""
    MeterValue.objects.all().delete()
    ChargingSession.objects.filter(pk=measured.pk).update(restored_at=timezone.now())
    assert "this portal did not restore it" in said(audit())
    entry = entry_of(measured)
    seal = seals.restored_seal(ledger_id=entry.pk, digest=bytes(entry.digest))
    LedgerEntry.objects.update(restored_seal=seal)
    report = audit()
    assert (report.clean, report.equal, report.restored) == (True, 1, 1)


def test_one_meter_value_too_many_is_a_difference(recorded: list[ChargingSession]) -> None:
    MeterValue.objects.create(session=recorded[0], sampled_at=timezone.now(), value=Decimal(1))
    assert "meter_values" in said(audit())


# --- what hangs on an entry


def test_a_session_given_to_another_customer_is_found(recorded: list[ChargingSession], other_customer: User) -> None:
    """The record names the card, not the customer: whose the card was is what the data key knows."""
    row = ChargingSession.objects.filter(pk=recorded[0].pk)
    row.update(customer=other_customer)
    assert "customer" in said(audit())
    row.update(customer=None)
    assert "customer" in said(audit())


def test_a_session_of_a_card_that_changed_hands_given_to_another_is_found(
    recorded: list[ChargingSession], id_token: IdToken, other_customer: User
) -> None:
    from stations.cards.services import id_token_link, id_token_unlink

    id_token_unlink(id_token=id_token, mistaken=True)
    id_token_link(id_token=id_token, customer=other_customer)
    assert audit().clean and DataKey.objects.get().closed_at
    ChargingSession.objects.filter(pk=recorded[0].pk).update(customer=None)
    assert "customer" in said(audit())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("block_num", 3),
        ("block_num", 2**40),
        ("block_num", -1),
        ("block_id", "ab" * 32),
        ("transaction_id", "cd" * 32),
        ("packed", b"other"),
        ("signature", "SIG_R1_K"),
        ("public_key", "PUB_R1_other"),
        ("ref_block_num", 7),
        ("expires_at", timezone.now()),
        ("irreversible_at", timezone.now()),
    ],
)
def test_what_the_page_says_of_the_transaction_is_compared(
    recorded: list[ChargingSession], field: str, value: object
) -> None:
    ChainTransaction.objects.update(**{field: value})
    report = audit()
    assert report.different == 3 and "transaction" in report.findings[0].message


def test_an_entry_tied_to_anothers_transaction_is_found(
    recorded: list[ChargingSession], close_sessions: CloseSessions, record_all: RecordAll
) -> None:
    (session,) = close_sessions(1)
    record_all()
    assert ChainTransaction.objects.count() == 2
    LedgerEntry.objects.filter(session=session).update(transaction=entry_of(recorded[0]).transaction)
    assert "it recorded other entries" in said(audit())


# --- pruned (P7)


def pruned(account: LedgerAccount, upto: int) -> None:
    data = upto.to_bytes(8, "little") + (100).to_bytes(4, "little")
    push_actions(account.node.url, [Action(account.name, "prune", data, f"{account.name}@prune")], [account.active])
    until(lambda: account.chain.state().floor == upto)


def test_what_was_pruned_and_then_deleted_is_missed(
    ledger_account: LedgerAccount, recorded: list[ChargingSession]
) -> None:
    """P7: row pruned, session and entry deleted; only the blocks know that there was one, and what."""
    entries = list(LedgerEntry.objects.order_by("pk"))
    pruned(ledger_account, entries[1].pk)
    assert audit().clean
    for entry in entries[:2]:
        assert entry.session_id
        LedgerEntry.objects.filter(pk=entry.pk).delete()
        ChargingSession.objects.filter(pk=entry.session_id).delete()
    report = audit()
    assert (report.clean, report.unknown, report.equal) == (False, 2, 1)
    assert {one.ledger_id for one in report.findings} == {entry.pk for entry in entries[:2]}
    assert all("and pruned" in one.message for one in report.findings)


def test_ids_that_were_never_recorded_are_no_gap(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll
) -> None:
    first = close_sessions(1)
    entry_of(first[0])
    with pytest.raises(RuntimeError), transaction.atomic():
        close_sessions(3)
        raise RuntimeError("not closed after all; the ids are used up")
    close_sessions(1)
    record_all()
    pruned(ledger_account, LedgerEntry.objects.latest("pk").pk)
    assert audit().clean


def test_a_pruned_entry_that_says_it_waits_is_found(
    ledger_account: LedgerAccount, recorded: list[ChargingSession]
) -> None:
    first = LedgerEntry.objects.order_by("pk").first()
    assert first
    pruned(ledger_account, first.pk)
    LedgerEntry.objects.filter(pk=first.pk).update(transaction=None)
    assert "missing on the chain" in said(audit())
