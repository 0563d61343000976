"""Erasing a customer: their copies are closed for ever, and nobody else loses anything, shared cards or not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db.models import Count, Sum
from django.utils import timezone

from accounts.models import User
from ledger import record
from ledger.audit.audit import audit
from ledger.chain.records import records_in
from ledger.errors import KeyDestroyed
from ledger.keys import data_keys
from ledger.keys.erasure import customer_erase
from ledger.models import DataKey, LedgerEntry
from stations.cards.services import TokenRef, id_token_link, id_token_unlink
from stations.charging.sessions import session_close, session_start
from stations.errors import ChargeRunningError
from stations.models import ChargingSession, Connector, IdToken, Site
from tests.conftest import CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)
RecordAll = Callable[[], None]


def key_of(session: ChargingSession) -> DataKey:
    return LedgerEntry.objects.get(session=session).data_key


def sums(**which: Any) -> dict[str, int]:
    found = ChargingSession.objects.filter(**which)
    return found.aggregate(count=Count("pk"), energy=Sum("energy_wh"), cost=Sum("cost_minor"))


# --- one key a holder


@pytest.fixture
def handed_on(
    close_sessions: CloseSessions, id_token: IdToken, other_customer: User
) -> dict[str, list[ChargingSession]]:
    """Anna's card: she charges, gives it up, somebody charges, Ben gets it and charges."""
    annas = close_sessions(2)
    id_token_unlink(id_token=id_token)
    between = close_sessions(1)
    id_token_link(id_token=id_token, customer=other_customer)
    bens = close_sessions(2)
    return {"anna": annas, "ben": between + bens}


def test_each_holder_of_a_card_has_a_key_of_his_own(
    handed_on: dict[str, list[ChargingSession]], owner: User, other_customer: User
) -> None:
    annas, bens = ({key_of(session).pk for session in handed_on[name]} for name in ("anna", "ben"))
    assert len(annas) == 1 and not annas & bens
    assert set(ChargingSession.objects.filter(customer=other_customer)) == set(handed_on["ben"])
    assert set(ChargingSession.objects.filter(customer=owner)) == set(handed_on["anna"])


def test_who_gets_his_card_back_goes_on_with_his_key(
    close_sessions: CloseSessions, id_token: IdToken, owner: User
) -> None:
    (first,) = close_sessions(1)
    id_token_unlink(id_token=id_token)
    id_token_link(id_token=id_token, customer=owner)
    (second,) = close_sessions(1)
    assert key_of(first) == key_of(second)


def test_sessions_that_leave_by_a_mistaken_link_take_their_key_along(
    close_sessions: CloseSessions, id_token: IdToken, owner: User, other_customer: User
) -> None:
    (bens,) = close_sessions(1)
    id_token_unlink(id_token=id_token, mistaken=True)
    id_token_link(id_token=id_token, customer=other_customer)
    id_token_unlink(id_token=id_token)
    id_token_link(id_token=id_token, customer=owner)
    (annas,) = close_sessions(1)
    assert key_of(bens) != key_of(annas)
    customer_erase(customer=owner)
    assert key_of(bens).destroyed_at is None
    customer_erase(customer=other_customer)
    assert key_of(bens).destroyed_at is not None


# --- who loses what


def test_a_former_holders_record_and_receipt_stay_whole(
    ledger_account: LedgerAccount,
    handed_on: dict[str, list[ChargingSession]],
    record_all: RecordAll,
    owner: User,
    other_customer: User,
    site: Site,
) -> None:
    """Ben, who has the card now, is erased: Anna's copies open, her records are unchanged, the site's sums too."""
    record_all()
    before = sums(station__site=site), sums(customer=owner)
    assert customer_erase(customer=other_customer) == 3
    assert (sums(station__site=site), sums(customer=owner)) == before
    copies = copies_on_chain(ledger_account)
    for name, opens in (("anna", True), ("ben", False)):
        for session in handed_on[name]:
            assert can_be_read(session, copies) is opens, name
    report = audit()
    assert report.clean and (report.equal, report.erased) == (2, 3)
    assert IdToken.objects.get(uid="04A2B3C4D5E680").customer is None, "Anna's records name it"
    customer_erase(customer=owner)
    assert not any(can_be_read(session, copies) for session in handed_on["anna"])
    assert sums(station__site=site) == before[0]


def copies_on_chain(account: LedgerAccount) -> dict[int, bytes]:
    """ledger id -> sealed copy, from the blocks themselves."""
    found: dict[int, bytes] = {}
    for entry in LedgerEntry.objects.select_related("transaction"):
        assert entry.transaction and entry.transaction.block_num and entry.transaction.transaction_id
        block = account.chain.block(entry.transaction.block_num)
        records = records_in(block.transactions[entry.transaction.transaction_id], settings.LEDGER_ACCOUNT)
        found |= {ledger_id: sealed for ledger_id, _, sealed in records}
    return found


def can_be_read(session: ChargingSession, copies: dict[int, bytes]) -> bool:
    """Whether all that we have, database and master key, opens this session's copy."""
    entry, ring = LedgerEntry.objects.select_related("data_key").get(session=session), data_keys.keyring()
    sealed = copies[entry.pk]
    key_id = record.key_id_of(ledger_id=entry.pk, sealed=sealed, directory=ring.directory)
    try:
        key = ring.unwrap(DataKey.objects.get(key_id=key_id))
    except KeyDestroyed:
        return False
    return bool(record.open_sealed(ledger_id=entry.pk, sealed=sealed, key=key).record["id"] == str(session.pk))


def test_what_is_not_recorded_yet_is_recorded_without_a_copy(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: RecordAll, owner: User
) -> None:
    close_sessions(2)
    customer_erase(customer=owner)
    record_all()
    assert set(copies_on_chain(ledger_account).values()) == {b""}
    report = audit()
    assert report.clean and report.erased == 2


def test_a_second_time_changes_nothing(close_sessions: CloseSessions, owner: User) -> None:
    close_sessions(2)
    assert customer_erase(customer=owner) == 2
    before = list(DataKey.objects.values()), list(LedgerEntry.objects.values())
    assert customer_erase(customer=owner) == 0
    assert (list(DataKey.objects.values()), list(LedgerEntry.objects.values())) == before


# --- while they charge


@pytest.fixture
def charging(connector: Connector, id_token: IdToken) -> ChargingSession:
    session, _ = session_start(
        station=connector.station,
        transaction_id="RUNNING",
        started_at=timezone.now(),
        meter_start_wh=1000,
        token=TokenRef(id_token.uid),
    )
    return session


def test_nobody_is_erased_while_he_charges(
    close_sessions: CloseSessions, charging: ChargingSession, owner: User
) -> None:
    (session,) = close_sessions(1)
    with pytest.raises(ChargeRunningError):
        customer_erase(customer=owner)
    assert key_of(session).destroyed_at is None and IdToken.objects.filter(customer=owner).exists()


def test_a_charge_that_is_cut_loose_is_recorded_as_nobodys(charging: ChargingSession, owner: User) -> None:
    assert customer_erase(customer=owner, although_charging=True) == 1
    stopped_at = charging.started_at + timedelta(minutes=30)
    closed, _ = session_close(session=charging, stopped_at=stopped_at, meter_stop_wh=1500)
    assert (closed.customer, closed.id_token, closed.energy_wh) == (None, None, 500)
    assert key_of(closed).site == closed.station.site
