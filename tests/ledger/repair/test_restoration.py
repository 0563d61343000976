"""The chain and a backup of the wrapped keys bring everything back; what was erased stays away."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.forms.models import model_to_dict

from accounts.models import User
from ledger.audit.audit import audit
from ledger.errors import LedgerError, MasterKeyMissing
from ledger.keys import data_keys
from ledger.keys.erasure import customer_erase
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.signals import sessions_closed
from tests.conftest import SIGNED, TARIFF, CloseSessions, LedgerAccount

pytestmark = pytest.mark.django_db(transaction=True)


def drop_everything() -> None:
    """As after `dropdb`, `migrate`: nothing is left but the master key file."""
    for model in (LedgerEntry, ChainTransaction, DataKey, ChargingSession, IdToken, Connector, Station, Site, User):
        model.objects.all().delete()


def run(*arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(*arguments, stdout=out, stderr=err)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


@pytest.fixture
def two_customers(
    ledger_account: LedgerAccount,
    close_sessions: CloseSessions,
    record_all: Callable[[], None],
    other_customer: User,
) -> tuple[list[ChargingSession], list[ChargingSession]]:
    """Recorded sessions of anna, and of ben."""
    ben = IdToken.objects.create(uid="BEEF00", customer=other_customer)
    annas, bens = close_sessions(4, tariff=TARIFF, **SIGNED), close_sessions(3, token=ben)
    close_sessions(2, token=None)
    record_all()
    return annas, bens


def test_everything_is_back_from_the_chain(two_customers: object, tmp_path: Path) -> None:
    def sessions() -> list[dict[str, object]]:
        rows = ChargingSession.objects.order_by("pk").select_related("station", "id_token")
        left_out = ("customer", "station", "connector", "id_token", "restored_at", "heard_at")
        return [
            {**model_to_dict(row, exclude=left_out), "station": row.station.identity, "token": str(row.id_token)}
            for row in rows
        ]

    before = sessions()
    backup = tmp_path / "keys.json"
    assert run("ledger_keys", "backup", str(backup))[0] == 0
    assert backup.stat().st_mode & 0o777 == 0o600
    drop_everything()
    status, output, _ = run("ledger_restore", "--keys", str(backup), "--dry-run")
    assert (status, ChargingSession.objects.count()) == (0, 0) and "9 sessions would be restored" in output
    status, output, _ = run("ledger_restore", "--keys", str(backup))
    assert status == 0 and "9 sessions restored" in output
    assert sessions() == before
    assert not ChargingSession.objects.filter(restored_at=None).exists(), "none at all of meter values is no alteration"
    assert [row["tariff"] for row in before].count(TARIFF) == 4, "what they were promised is back, too"
    assert [row["cost_lines"] for row in before].count(SIGNED["cost_lines"]) == 4, "and what the meter signed"
    report = audit()
    assert report.clean and report.equal == 9
    assert "0 sessions restored, 9 already there" in run("ledger_restore")[1]


def test_two_records_of_one_number_and_start_both_come_back(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    """As they were recorded when a station's "ab" and "AB" were two numbers (ledger/migrations/0014)."""
    (one,) = close_sessions(1)
    figures = (
        "station",
        "connector",
        "id_token",
        "customer",
        "location",
        "started_at",
        "stopped_at",
        "statement_month",
    )
    same = {name: getattr(one, name) for name in figures}
    other = ChargingSession(
        **same,
        transaction_id="t1~2",
        written={"transaction_id": "t1"},
        status="COMPLETED",
        energy_wh=5,
        source="STATION",
    )
    ChargingSession.objects.bulk_create([other])
    sessions_closed.send(sender=ChargingSession, sessions=[other])
    record_all()
    before = {entry.pk: entry.canonical for entry in LedgerEntry.objects.all()}
    assert json.loads(bytes(LedgerEntry.objects.get(session=other).canonical or b""))["transaction_id"] == "t1"
    LedgerEntry.objects.all().delete()
    ChainTransaction.objects.all().delete()
    ChargingSession.objects.all().delete()
    status, output, _ = run("ledger_restore")
    assert status == 0 and "2 sessions restored" in output
    assert {entry.pk: entry.canonical for entry in LedgerEntry.objects.all()} == before
    assert sorted(number.upper() for number in numbers()) == ["T1", "T1~2"]
    report = audit()
    assert report.clean and report.equal == 2
    ChargingSession.objects.filter(number="T1~2").update(energy_wh=6)  # its repair finds the number that it has
    entry = LedgerEntry.objects.get(session__number="T1~2")
    assert run("ledger_restore", "--repair", str(entry.pk))[0] == 0
    assert audit().clean and sorted(number.upper() for number in numbers()) == ["T1", "T1~2"]


def numbers() -> list[str]:
    return list(ChargingSession.objects.values_list("transaction_id", flat=True))


def test_after_a_restoration_recording_goes_on(
    two_customers: object, tmp_path: Path, close_sessions: CloseSessions, record_all: Callable[[], None]
) -> None:
    run("ledger_keys", "backup", str(tmp_path / "keys.json"))
    LedgerEntry.objects.all().delete()
    ChainTransaction.objects.all().delete()
    run("ledger_restore", "--keys", str(tmp_path / "keys.json"))
    close_sessions(3)
    record_all()
    report = audit()
    assert report.clean and report.equal == 12


def test_without_the_keys_nothing_opens(two_customers: object, tmp_path: Path) -> None:
    drop_everything()
    status, _, errors = run("ledger_restore")
    assert status == 1 and "9 copies could not be opened" in errors


def test_with_another_master_key_nothing_opens(two_customers: object, tmp_path: Path) -> None:
    run("ledger_keys", "backup", str(tmp_path / "keys.json"))
    drop_everything()
    settings.LEDGER_MASTER_KEY_FILE.unlink()
    data_keys.keyring()  # with no data key there, this is a fresh installation: it gets a master key of its own
    status, _, errors = run("ledger_restore", "--keys", str(tmp_path / "keys.json"))
    assert status == 1 and "9 copies could not be opened" in errors


def test_without_the_master_key_file_the_command_says_so(two_customers: object, tmp_path: Path) -> None:
    run("ledger_keys", "backup", str(tmp_path / "keys.json"))
    drop_everything()
    settings.LEDGER_MASTER_KEY_FILE.unlink()
    with pytest.raises(CommandError, match="put it back"):
        run("ledger_restore", "--keys", str(tmp_path / "keys.json"))


def test_an_erased_customer_stays_erased(
    two_customers: tuple[list[ChargingSession], list[ChargingSession]], owner: User, tmp_path: Path
) -> None:
    """Neither a later backup nor an earlier one opens their copies with the master key of a later day."""
    annas, bens = two_customers
    early, later = tmp_path / "early.json", tmp_path / "later.json"
    run("ledger_keys", "backup", str(early))
    assert customer_erase(customer=owner) == len(annas)
    run("ledger_keys", "backup", str(later))
    assert "04A2B3C4D5E680" not in later.read_text() + early.read_text()

    report = audit()
    assert report.clean and (report.erased, report.equal) == (4, 5)
    assert not IdToken.objects.filter(uid="04A2B3C4D5E680").exists()
    assert not LedgerEntry.objects.filter(session__in=annas, salt__isnull=False).exists()

    drop_everything()
    status, output, _ = run("ledger_restore", "--keys", str(later))
    assert status == 0 and "5 sessions restored, 0 already there, 4 erased" in output
    assert set(ChargingSession.objects.exclude(id_token=None).values_list("pk", flat=True)) == {s.pk for s in bens}

    drop_everything()
    status, _, errors = run("ledger_restore", "--keys", str(early))
    assert status == 1 and "could not be opened" in errors
    assert ChargingSession.objects.count() == 0, "an old backup is of no use with the new master key"


def test_erasing_survives_a_kill_before_the_master_key_was_replaced(two_customers: object, owner: User) -> None:
    from ledger.recording import tasks

    before = data_keys.keyring().current.id
    data_keys.destroy(DataKey.objects.filter(id_token__customer=owner))
    assert data_keys.master_key_is_due()
    tasks.sweep()
    ring = data_keys.keyring()
    assert ring.current.id != before and len(ring.masters) == 1
    for data_key in DataKey.objects.filter(wrapped__isnull=False):
        assert len(ring.unwrap(data_key)) == 32


def test_a_session_not_yet_sealed_is_recorded_without_its_copy(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, owner: User, record_all: Callable[[], None]
) -> None:
    from ledger.chain.records import records_in

    close_sessions(2)
    customer_erase(customer=owner)
    record_all()
    row = ChainTransaction.objects.get()
    block = ledger_account.chain.block(row.block_num or 0)
    records = records_in(block.transactions[row.transaction_id or ""], ledger_account.name)
    assert [sealed for _, _, sealed in records] == [b"", b""]
    assert audit().erased == 2


def test_a_new_session_of_an_erased_token_gets_a_new_key(
    two_customers: object, owner: User, close_sessions: CloseSessions
) -> None:
    customer_erase(customer=owner)
    token = IdToken.objects.create(uid="04A2B3C4D5E680")
    (session,) = close_sessions(1, token=token)
    entry = LedgerEntry.objects.select_related("data_key").get(session=session)
    assert entry.data_key.destroyed_at is None


def test_replacing_the_master_key_keeps_every_copy_readable(two_customers: object) -> None:
    before = {row.pk: data_keys.keyring().unwrap(row) for row in DataKey.objects.all()}
    data_keys.master_key_replace()
    assert {row.pk: data_keys.keyring().unwrap(row) for row in DataKey.objects.all()} == before


def test_a_lost_master_key_file_is_not_silently_made_anew(two_customers: object) -> None:
    settings.LEDGER_MASTER_KEY_FILE.unlink()
    with pytest.raises(MasterKeyMissing, match="put it back"):
        data_keys.keyring()


@pytest.mark.parametrize("content", ["", "[]", '{"format": "other"}', '{"format": "evportal-key-backup/1", "keys": 7}'])
def test_a_damaged_backup_is_named(ledger_account: LedgerAccount, tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises((CommandError, LedgerError)):
        run("ledger_restore", "--keys", str(path))


def test_a_backup_never_overwrites(ledger_account: LedgerAccount, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({}))
    with pytest.raises(CommandError, match="File exists"):
        run("ledger_keys", "backup", str(path))
