"""The way back (P11): whatever was altered becomes again what was recorded, and the log keeps what it was."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management.base import CommandError
from django.db.models import F
from django.test import Client
from django.utils import timezone

from accounts.login.roles import roles_set
from accounts.models import Role, User
from common.change_log import change_lines
from ledger import record
from ledger.audit.audit import audit, entry_check
from ledger.keys import data_keys
from ledger.keys.erasure import customer_erase
from ledger.models import Alert, ChainTransaction, LedgerEntry
from stations.charging.corrections import session_credit
from stations.charging.sessions import meter_values_add, session_close, session_start
from stations.charging.vocabulary import Sample
from stations.models import ChargingSession, Connector, Correction, IdToken, MeterValue, Station
from tests.conftest import SIGNED, TARIFF, CloseSessions, LedgerAccount
from tests.ledger.audit.test_tampering import FIELDS
from tests.ledger.repair.test_restoration import run
from tests.people import log_in

pytestmark = pytest.mark.django_db(transaction=True)
OWN = {"checked_at", "updated_at", "restored_at", "heard_at", "mismatch", "restored_seal", "opened_at"}


@pytest.fixture
def recorded(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, owner: User, record_all: Callable[[], None]
) -> list[ChargingSession]:
    """Four sessions and the credit of one of them, in two transactions."""
    sessions = close_sessions(4, tariff=TARIFF, **SIGNED)
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


def delete_all() -> None:
    for number in (1, 0, 0, 0, 0):  # the credit first
        delete(number)


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


def another_key() -> None:
    other = ChargingSession(id_token=IdToken.objects.create(uid="CAFE"))
    (key,) = data_keys.data_keys_for([other]).values()
    entry_of(2).update(data_key=key)


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
    ("everything is gone", delete_all),
    ("sessions swapped", swap_sessions),
    ("ids swapped", swap_ids),
    ("another id", lambda: entry_of(2).update(id=5_000)),
    ("erased, it says", erase_falsely),
    ("another customer", lambda: sessions().update(customer=User.objects.create_user("mallory"))),
    ("nobody's", lambda: sessions().update(customer=None)),
    ("another data key", another_key),
    ("the station's name", lambda: Station.objects.update(identity="CP-9")),
]


def test_every_altered_field_is_put_back(recorded: list[ChargingSession]) -> None:
    before, row = state(), ChargingSession.objects.filter(pk=recorded[1].pk)
    for field, value in FIELDS:
        row.update(**{field: value})
        assert not entry_check(entry=LedgerEntry.objects.get(session=recorded[1])).ok
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


def test_without_ids_all_that_an_audit_finds_is_put_back(recorded: list[ChargingSession]) -> None:
    before = state()
    ChargingSession.objects.filter(pk=recorded[3].pk).update(energy_wh=7_781)
    forge(2)
    delete(3)
    assert not audit().clean
    status, output, errors = run("ledger_restore", "--repair", "--reason", "after the break-in")
    assert status == 0 and "3 put back to what was recorded" in output, output + errors
    assert audit().clean and state() == before
    assert ChargingSession.objects.exclude(restored_at=None).count() == 1, "one has no meter values any more"


def test_the_log_keeps_what_was_there_and_who_put_it_back(recorded: list[ChargingSession], owner: User) -> None:
    ChargingSession.objects.filter(pk=recorded[1].pk).update(energy_wh=7_781)
    run("ledger_restore", "--repair", str(recorded[1].pk), "--reason", "after the break-in", "--by", owner.username)
    lines = [line.text for entry in LogEntry.objects.filter(object_id=recorded[1].pk) for line in change_lines(entry)]
    assert any("after the break-in" in line for line in lines) and "energy, Wh: 7781 → 7780" in lines
    assert {entry.user for entry in LogEntry.objects.all()} == {owner}
    ChargingSession.objects.filter(pk=recorded[1].pk).update(energy_wh=7_782)
    run("ledger_restore", "--repair", str(recorded[1].pk))
    user = LogEntry.objects.latest("pk").user
    assert user.username == "(command line)" and not user.is_active and not user.has_usable_password()
    with pytest.raises(CommandError, match="no user nobody"):
        run("ledger_restore", "--repair", "1", "--by", "nobody")
    with pytest.raises(CommandError, match="expected a ledger id"):
        run("ledger_restore", "--repair", "T1")


def test_what_was_never_recorded_is_named_and_never_deleted(recorded: list[ChargingSession]) -> None:
    invented = ChargingSession.objects.get(pk=recorded[2].pk)
    invented.pk, invented.transaction_id = uuid4(), "INVENTED"
    ChargingSession.objects.bulk_create([invented])
    kept = entry_of(2).get()
    kept.pk, kept.session, kept.digest = 9_000, invented, b"i" * 32
    LedgerEntry.objects.bulk_create([kept])
    unentered = ChargingSession.objects.get(pk=recorded[2].pk)
    unentered.pk, unentered.transaction_id = uuid4(), "UNENTERED"
    ChargingSession.objects.bulk_create([unentered])
    before = state()
    status, _, errors = run("ledger_restore", "--repair")
    assert status == 1 and state() == before
    assert "ledger id 9000: nothing is on the chain under ledger id 9000" in errors
    assert f"session {unentered.pk}: no record on the chain that opens is of this session" in errors


def test_what_was_erased_stays_erased(recorded: list[ChargingSession], owner: User) -> None:
    customer_erase(customer=owner)
    before = state()
    entry = LedgerEntry.objects.get(session=recorded[1])
    LedgerEntry.objects.filter(pk=entry.pk).update(digest=b"e" * 32, transaction=None)
    status, output, errors = run("ledger_restore", "--repair", str(entry.pk))
    assert status == 0, output + errors
    assert state() == before


def test_meter_values_are_said_to_be_nowhere_else(
    ledger_account: LedgerAccount, connector: Connector, record_all: Callable[[], None]
) -> None:
    begun = timezone.now() - timedelta(hours=1)
    session, _ = session_start(station=connector.station, transaction_id="M1", started_at=begun, meter_start_wh=1000)
    meter_values_add(session=session, samples=[Sample(begun + timedelta(minutes=20), Decimal(3000))])
    session_close(session=session, stopped_at=begun + timedelta(minutes=40), meter_stop_wh=5000)
    record_all()
    MeterValue.objects.update(value=3001)
    ChargingSession.objects.update(energy_wh=1)
    status, output, _ = run("ledger_restore", "--repair", str(session.pk))
    assert status == 1 and "its meter values are not those that were recorded" in output
    assert ChargingSession.objects.get().energy_wh == 4000 and MeterValue.objects.get().value == 3001
    assert "meter_values" in LedgerEntry.objects.get().mismatch


def test_what_is_not_recorded_yet_is_put_back_from_its_entry(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    (session,) = close_sessions()
    ChargingSession.objects.update(energy_wh=1)
    assert run("ledger_restore", "--repair", str(session.pk))[0] == 0
    assert ChargingSession.objects.get().energy_wh == 7_780


# --- in the admin


@pytest.fixture
def people(db: None) -> dict[str, Client]:
    found = {}
    for name, roles in (("olga", [Role.OPERATOR]), ("axel", [Role.AUDITOR])):
        user = User.objects.create_user(name)
        roles_set(user=user, roles=roles)
        found[name] = Client()
        log_in(found[name], user)
    return found


def test_an_operator_sees_what_would_change_gives_a_reason_and_it_is_put_back(
    recorded: list[ChargingSession], people: dict[str, Client]
) -> None:
    before, olga = state(), people["olga"]
    ChargingSession.objects.filter(pk=recorded[1].pk).update(energy_wh=7_781)
    entry = LedgerEntry.objects.get(session=recorded[1])
    entry_check(entry=entry)
    chosen = {"action": "put_back", "_selected_action": str(entry.pk)}
    asked = olga.post("/admin/ledger/ledgerentry/", chosen)
    assert asked.status_code == 302 and asked["Location"].endswith(f"put-back/?id={entry.pk}")
    of_session = {"action": "compare", "_selected_action": str(recorded[1].pk)}
    same = olga.post("/admin/stations/chargingsession/", of_session)
    assert same["Location"].endswith(f"put-back/?id={recorded[1].pk}")
    page = olga.get(same["Location"]).content.decode()
    assert "Put this back to what was recorded?" in page and "7781" in page and "7780" in page
    assert (
        f"put-back/?id={recorded[1].pk}"
        in olga.get(f"/admin/stations/chargingsession/{recorded[1].pk}/change/").content.decode()
    )
    assert "characters" in olga.post(asked["Location"], {"reason": "short"}).content.decode()
    assert ChargingSession.objects.get(pk=recorded[1].pk).energy_wh == 7_781, "seen, and without a reason not done"
    done = olga.post(asked["Location"], {"reason": "after the break-in"}, follow=True)
    assert "1 is put back to what was recorded." in done.content.decode()
    assert state() == before and not Alert.objects.filter(closed_at=None).exists()
    history = olga.get(f"/admin/stations/chargingsession/{recorded[1].pk}/history/").content.decode()
    assert "after the break-in" in history and "7781 → 7780" in history and "olga" in history
    assert "There is nothing to put back" in olga.get(asked["Location"]).content.decode()


def test_an_auditor_puts_nothing_back(recorded: list[ChargingSession], people: dict[str, Client]) -> None:
    ChargingSession.objects.filter(pk=recorded[1].pk).update(energy_wh=7_781)
    address = f"/admin/ledger/ledgerentry/put-back/?id={recorded[1].pk}"
    assert people["axel"].get(address).status_code == 403
    assert people["axel"].post(address, {"reason": "because I want to"}).status_code == 403
    assert Client().post(address, {"reason": "because I want to"}).status_code == 302
    assert ChargingSession.objects.get(pk=recorded[1].pk).energy_wh == 7_781
