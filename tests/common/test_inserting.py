"""Many rows at once: what is stored is what Django's own way of storing them would have stored."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.forms.models import model_to_dict

from common.database.inserting import columns_insert, rows_insert
from ledger.models import DataKey, LedgerEntry
from stations.models import ChargingSession, Connector, Site, Station

pytestmark = pytest.mark.django_db
STRANGE = ("plain", "", "\\N", "a\tb\nc\rd\\e", '"quoted", {braces} %s', "Ωmega 𝔘 \u2028", "\x7f\b\f\v")


def sessions(numbers: Any) -> list[ChargingSession]:
    """Closed ones with these numbers, not stored yet; text, JSON, dates, UUIDs, numbers and nothing."""
    site, _ = Site.objects.get_or_create(code="S", defaults={"name": "S"})
    station, _ = Station.objects.get_or_create(identity="CP", defaults={"site": site})
    connector, _ = Connector.objects.get_or_create(station=station, evse_id=1, connector_id=1)
    at = datetime(2026, 1, 2, 3, 4, 5, 678, UTC)
    return [
        ChargingSession(
            station=station,
            connector=connector,
            transaction_id=number,
            location={"name": number, "empty": "", "list": [1, None, True]},
            flags=[number],
            status="COMPLETED",
            started_at=at.replace(microsecond=place),
            stopped_at=at.replace(hour=4),
            energy_wh=2**40,
            cost_minor=None,
            source="IMPORT",
            statement_month=date(2026, 1, 1),
        )
        for place, number in enumerate(numbers)
    ]


def stored(number: str) -> dict[str, Any]:
    found = ChargingSession.objects.get(transaction_id=number)
    others = {"number": found.number, "heard_at": found.heard_at, "month": found.statement_month}
    return model_to_dict(found) | others | {"written": found.written}


def test_what_is_stored_is_what_django_stores() -> None:
    for number in STRANGE:
        (row,) = sessions([number])
        rows_insert([row])
        assert row.pk == ChargingSession.objects.get().pk
        assert not row._state.adding
        ours, updated_at = stored(number), ChargingSession.objects.get().updated_at
        assert updated_at == row.updated_at and updated_at.tzinfo is not None
        ChargingSession.objects.all().delete()
        ChargingSession.objects.bulk_create([row])
        assert stored(number) == ours
        ChargingSession.objects.all().delete()


def test_many_take_one_statement(django_assert_num_queries: Any) -> None:
    rows = sessions(str(number) for number in range(2_500))
    with django_assert_num_queries(1):
        rows_insert(rows)
    assert ChargingSession.objects.filter(pk__in=[row.pk for row in rows[::100]], number__gte="0").count() == 25
    assert ChargingSession.objects.count() == 2_500
    with django_assert_num_queries(0):
        rows_insert([])


def test_what_the_database_refuses_is_djangos_error_and_stores_nothing() -> None:
    rows_insert(sessions(["A"]))
    with pytest.raises(IntegrityError), transaction.atomic():
        rows_insert([*sessions(["B", "C"]), *sessions(["a"])])  # the last one is there, in other letters
    assert ChargingSession.objects.get().transaction_id == "A"


def test_columns_without_objects_have_their_defaults() -> None:
    rows = sessions(["1", "2"])
    rows_insert(rows)
    key = DataKey.objects.create(key_id=b"k" * 16, wrapped=b"\x00\xff\\x\t\n", master_key_id="m")
    assert bytes(DataKey.objects.get().wrapped or b"") == b"\x00\xff\\x\t\n"
    every: dict[str, list[Any]] = {
        "session_id": [row.pk for row in rows],
        "salt": [b"\x00" * 32, bytes(range(32))],
        "canonical": [b"\\N\t\r\n", b"{}"],
        "digest": [uuid.uuid4().bytes * 2, uuid.uuid4().bytes * 2],
        "data_key_id": [key.pk, key.pk],
    }
    columns_insert(LedgerEntry, every)
    columns_insert(LedgerEntry, {name: [] for name in every})
    for place, entry in enumerate(LedgerEntry.objects.order_by("id")):
        found = (entry.session_id, bytes(entry.salt or b""), bytes(entry.canonical or b""), bytes(entry.digest))
        assert found == tuple(every[name][place] for name in ("session_id", "salt", "canonical", "digest"))
        assert (entry.conflict, entry.mismatch, entry.checked_at, entry.transaction_id) == ("", "", None, None)
        assert entry.opened_at.tzinfo is not None and entry.state == "READY"
    connection.check_constraints()
