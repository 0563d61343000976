"""The way back (P11): whatever was altered becomes again what was recorded, and the log keeps what it was."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from ledger import checks, record
from ledger.audit import audit
from ledger.models import Alert, ChainTransaction, LedgerEntry
from stations.corrections import session_credit
from stations.models import ChargingSession, Correction, Station
from tests.conftest import TARIFF, CloseSessions, LedgerAccount
from tests.ledger.test_restoration import run
from tests.ledger.test_tampering import FIELDS

pytestmark = pytest.mark.django_db(transaction=True)
OWN = {"checked_at", "updated_at", "restored_at", "mismatch", "restored_seal", "opened_at"}


@pytest.fixture
def recorded(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, owner: User, record_all: Callable[[], None]
) -> list[ChargingSession]:
    """Four sessions and the credit of one of them, in two transactions."""
    sessions = close_sessions(4, tariff=TARIFF)
    record_all()
    sessions.append(session_credit(session=sessions[0], reason="the outlet was broken", by=owner))
    record_all()
    return [ChargingSession.objects.get(pk=one.pk) for one in sessions]


def state() -> dict[str, Any]:
    """Everything about sessions and entries that the record tells."""

    def rows(model: Any) -> list[dict[str, Any]]:
        found = model.objects.order_by("pk").values()
        plain = [{name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()} for row in found]
        return [{name: value for name, value in row.items() if name not in OWN} for row in plain]

    return {"sessions": rows(ChargingSession), "entries": rows(LedgerEntry)}


def sessions() -> Any:
    return ChargingSession.objects.order_by("started_at", "credit")


def entry_of(number: int) -> Any:
    return LedgerEntry.objects.filter(session=sessions()[number])


def forge(number: int) -> None:
    """Row, kept record, salt and digest altered so that they agree."""
    one = sessions()[number]
    ChargingSession.objects.filter(pk=one.pk).update(energy_wh=1)
    canonical = record.canonical(record.record_of(sessions()[number]))
    digest = record.digest(b"f" * 32, canonical)
    entry_of(number).update(canonical=canonical, salt=b"f" * 32, digest=digest)


def delete(number: int, *, session: bool = True) -> None:
    pk = sessions()[number].pk
    LedgerEntry.objects.filter(session=pk).delete()
    if session:
        Correction.objects.filter(credit=pk).delete()
        sessions().filter(pk=pk)._raw_delete("default")


def swap_sessions() -> None:
    one, two = entry_of(2).get(), entry_of(3).get()
    LedgerEntry.objects.filter(pk=two.pk).update(session=None, erased_at=timezone.now())
    LedgerEntry.objects.filter(pk=one.pk).update(session=two.session)
    LedgerEntry.objects.filter(pk=two.pk).update(session=one.session, erased_at=None)


def swap_ids() -> None:
    one, two = entry_of(2).get(), entry_of(3).get()
    for before, after in ((one.pk, 999), (two.pk, one.pk), (999, two.pk)):
        LedgerEntry.objects.filter(pk=before).update(id=after)


def erase_falsely() -> None:
    entry_of(3).update(salt=None, canonical=None, erased_at=timezone.now())
    ChargingSession.objects.filter(pk=sessions()[3].pk).update(energy_wh=999_999)


def forge_unrecorded() -> None:
    forge(2)
    entry_of(2).update(transaction=None)


TAMPERINGS: list[tuple[str, Callable[[], object]]] = [
    ("its figures agree with each other", lambda: forge(2)),
    ("and it says that it is not recorded yet", forge_unrecorded),
    ("its kept record alone", lambda: entry_of(2).update(canonical=b"{}")),
    ("its salt", lambda: entry_of(2).update(salt=b"s" * 32)),
    ("its digest", lambda: entry_of(2).update(digest=b"d" * 32)),
    ("no transaction", lambda: entry_of(2).update(transaction=None)),
    ("another transaction", lambda: entry_of(2).update(transaction=ChainTransaction.objects.last())),
    ("the transaction's block", lambda: ChainTransaction.objects.update(block_num=F("block_num") - 1)),
    ("the transaction's bytes", lambda: ChainTransaction.objects.update(packed=b"\x00", block_id="00" * 32)),
    ("the transaction's status", lambda: ChainTransaction.objects.update(status="SENT")),
    ("the session is gone", lambda: delete(2)),
    ("the credit is gone", lambda: delete(1)),
    ("the entry is gone", lambda: delete(2, session=False)),
    ("everything is gone", lambda: (delete(1), delete(0), delete(0), delete(0), delete(0))),
    ("sessions swapped", swap_sessions),
    ("ids swapped", swap_ids),
    ("another id", lambda: entry_of(2).update(id=5_000)),
    ("erased, it says", erase_falsely),
    ("the station's name", lambda: Station.objects.update(identity="CP-9")),
]


def test_every_altered_field_is_put_back(recorded: list[ChargingSession]) -> None:
    before, row = state(), ChargingSession.objects.filter(pk=recorded[1].pk)
    for field, value in FIELDS:
        row.update(**{field: value})
        assert not checks.entry_check(entry=LedgerEntry.objects.get(session=recorded[1])).ok
        status, output, _ = run("ledger_restore", "--repair", str(recorded[1].pk), "--dry-run")
        assert status == 0 and f"session {field}: " in output and "1 would be put back" in output
        assert getattr(row.get(), field) == value or field == "id_token"
        assert run("ledger_restore", "--repair", str(recorded[1].pk))[0] == 0
        assert state() == before, field
        assert not Alert.objects.filter(closed_at=None).exists() and not LedgerEntry.objects.exclude(mismatch="")
    assert "as it was recorded" in run("ledger_restore", "--repair", str(recorded[1].pk))[1]


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=[name for name, _ in TAMPERINGS])
def test_whatever_was_altered_becomes_again_what_was_recorded(
    recorded: list[ChargingSession], tampering: tuple[str, Callable[[], object]]
) -> None:
    before, ids = state(), [str(pk) for pk in LedgerEntry.objects.values_list("pk", flat=True)]
    tampering[1]()
    altered = state()
    status, output, errors = run("ledger_restore", "--repair", *ids, "--dry-run")
    assert status == 0 and "would be put back to what was recorded" in output, output + errors
    assert state() == altered, "a dry run changes nothing"
    status, output, errors = run("ledger_restore", "--repair", *ids)
    assert status == 0, output + errors
    assert audit().clean, audit().findings
    after = state()
    if tampering[0] == "the station's name":  # whose it is: the station of that name, which had to be made again
        assert {one.station.identity for one in sessions()} == {"CP-HARBOUR-1"}
    elif tampering[0] == "the credit is gone":  # so is why: that was never on the chain
        assert len(after["sessions"]) == 5
    else:
        assert after == before
    assert run("ledger_restore", "--repair")[1] == "0 put back to what was recorded\n"
