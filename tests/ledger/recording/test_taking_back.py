"""An import is taken back as a whole before it is recorded, and not at all from the moment when recording begins."""

import itertools
import os
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ledger.models import ChainTransaction, DataKey, LedgerEntry
from ledger.recording import receivers, transactions
from stations.errors import ImportStateError
from stations.imports.taking_back import import_take_back
from stations.models import ChargingSession, Connector, IdToken, ImportRun, Site, Station
from stations.signals import sessions_closed
from tests.stations.conftest import crowd, crowd_database, database_make, in_thread
from tests.stations.test_imports_admin import row as line
from tests.stations.test_imports_admin import text_of

__all__ = ["crowd_database", "database_make"]
numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def entries_without_a_tpm() -> Any:
    """The real receivers but for the data key, which a TPM would have to seal."""
    sessions_closed.disconnect(receivers.open_entries, dispatch_uid="ledger.entries_open")
    sessions_closed.connect(open_entries)
    yield
    sessions_closed.disconnect(open_entries)
    sessions_closed.connect(receivers.open_entries, dispatch_uid="ledger.entries_open")


def open_entries(sessions: list[ChargingSession], **kwargs: Any) -> None:
    key, _ = DataKey.objects.get_or_create(
        site=sessions[0].station.site, defaults={"key_id": os.urandom(16), "wrapped": b"w"}
    )
    LedgerEntry.objects.bulk_create(
        LedgerEntry(session=one, salt=b"s", canonical=b"{}", digest=os.urandom(32), data_key=key) for one in sessions
    )


def imported(tmp_path: Any, count: int = 3) -> ImportRun:
    first = next(numbers) * 1_000
    path = tmp_path / f"{first}.csv"
    path.write_bytes(text_of(*(line(first + number, stationId=first) for number in range(count))))
    call_command("import_sessions", str(path), time_zone="UTC")
    return ImportRun.objects.latest("pk")


@pytest.mark.django_db
def test_all_of_it_goes_and_can_come_again(tmp_path: Any, capsys: Any) -> None:
    there = imported(tmp_path)
    run = imported(tmp_path)
    assert (run.state, run.imported, run.sessions.count()) == ("DONE", 3, 3)
    call_command("import_sessions", take_back=run.pk)
    assert "3 sessions are gone" in capsys.readouterr().out
    run.refresh_from_db()
    assert run.state == "UNDONE" and run.taken_back_at is not None
    assert ChargingSession.objects.count() == there.sessions.count() == LedgerEntry.objects.count() == 3
    assert (Station.objects.count(), Connector.objects.count(), Site.objects.count()) == (1, 1, 1)
    assert IdToken.objects.count() == 1  # the other import's sessions have it
    with pytest.raises(CommandError, match="is taken back, so it cannot"):
        call_command("import_sessions", take_back=run.pk)
    call_command("import_sessions", str(tmp_path / run.file_name), time_zone="UTC")
    assert ChargingSession.objects.count() == 6


@pytest.mark.django_db
def test_what_is_being_recorded_stays_whole(tmp_path: Any) -> None:
    run = imported(tmp_path)
    entry = LedgerEntry.objects.filter(session__import_run=run).first()
    assert entry is not None
    LedgerEntry.objects.filter(pk=entry.pk).update(transaction=ChainTransaction.objects.create())
    with pytest.raises(CommandError, match="1 of these sessions are recorded on the chain or are just being recorded"):
        call_command("import_sessions", take_back=run.pk)
    run.refresh_from_db()
    assert run.state == "DONE" and run.sessions.count() == LedgerEntry.objects.count() == 3
    assert Station.objects.count() == 1


@pytest.mark.django_db
def test_places_that_are_used_stay(tmp_path: Any) -> None:
    run = imported(tmp_path)
    Station.objects.create(identity="CP-1", site=Site.objects.get())
    Station.objects.filter(identity__startswith="WP-").update(credential_hash="set")
    IdToken.objects.update(customer=None, contract_id="DE-1")
    import_take_back(run=run, by=None)
    assert Station.objects.count() == 2 and Site.objects.count() == 1 and not ChargingSession.objects.exists()


@pytest.mark.django_db
def test_there_is_no_such_import() -> None:
    with pytest.raises(CommandError, match="there is no import 7"):
        call_command("import_sessions", take_back=7)


@pytest.mark.usefixtures("crowd_database")
def test_recording_and_taking_back_at_once(tmp_path: Any) -> None:
    """Whoever is first: either all sessions are there and in a transaction, or none is."""
    run = in_thread(lambda: imported(tmp_path, 20))

    def take_back() -> bool:
        try:
            import_take_back(run=ImportRun.objects.get(pk=run.pk), by=None)
        except ImportStateError:
            return False
        return True

    _, *taken = crowd([transactions.transaction_batch, take_back, take_back])

    def there() -> tuple[int, int]:
        ours = ChargingSession.objects.filter(import_run=run)
        return ours.count(), LedgerEntry.objects.filter(session__in=ours, transaction__isnull=False).count()

    assert in_thread(there) == ((0, 0) if any(taken) else (20, 20)) and taken.count(True) <= 1
