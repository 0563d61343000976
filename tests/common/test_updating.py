"""Many rows changed at once: what is stored is what Django's own way would have stored."""

import pytest
from django.db import DataError, connection, transaction

from common.database.updating import columns_update
from stations.models import ChargingSession
from tests.common.test_inserting import STRANGE, sessions, stored

pytestmark = pytest.mark.django_db


def test_each_row_gets_its_own_values_in_one_statement(django_assert_num_queries: pytest.FixtureRequest) -> None:
    rows = sessions(STRANGE)
    ChargingSession.objects.bulk_create(rows)
    for place, row in enumerate(rows):
        row.stop_reason, row.flags = STRANGE[-place - 1][:20], [STRANGE[place], None]
        row.energy_wh, row.cost_minor, row.currency = place, None if place % 2 else 2**40, "EUR"
        row.stopped_at = row.started_at.replace(hour=5, microsecond=place)
    names = ("stop_reason", "flags", "energy_wh", "cost_minor", "currency", "stopped_at", "updated_at", "connector_id")
    with django_assert_num_queries(1):  # type: ignore[operator]
        changed = columns_update(ChargingSession, [row.pk for row in rows], _values(rows, names))
    assert changed == len(rows)
    ours = [stored(number) for number in STRANGE]
    for row in rows:
        ChargingSession.objects.filter(pk=row.pk).update(**{name: getattr(row, name) for name in names})
    assert [stored(number) for number in STRANGE] == ours


def test_rows_that_are_not_so_any_more_stay_as_they_are() -> None:
    rows = sessions(["1", "2"])
    ChargingSession.objects.bulk_create(rows)
    ChargingSession.objects.filter(pk=rows[0].pk).update(status="INVALID")
    values = {"energy_wh": [1, 2]}
    assert columns_update(ChargingSession, [row.pk for row in rows], values, where={"status": "COMPLETED"}) == 1
    assert set(ChargingSession.objects.values_list("energy_wh", flat=True)) == {2, 2**40}
    assert columns_update(ChargingSession, [], {"energy_wh": []}) == 0


def test_a_text_that_is_too_long_is_an_error_and_not_cut() -> None:
    (row,) = sessions(["1"])
    row.save()
    if connection.vendor == "postgresql":
        with pytest.raises(DataError), transaction.atomic():
            columns_update(ChargingSession, [row.pk], {"currency": ["EURO"]})


def _values(rows: list[ChargingSession], names: tuple[str, ...]) -> dict[str, list[object]]:
    return {name: [getattr(row, name) for row in rows] for name in names}
