"""Pages: headers as chapter 4 has them, and nothing is missed, whatever happens while somebody leafs."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.fixtures import Settings

from stations.models import ChargingSession
from tests.stations.ocpi.conftest import Charge, Partner, data

pytestmark = pytest.mark.django_db
SINCE = "date_from=2020-01-01T00:00:00Z"


@pytest.fixture
def hundred_and_five(charge: Charge) -> list[ChargingSession]:
    """Closed sessions, each changed a minute after the one before."""
    rows = [charge() for _ in range(105)]
    for minute, row in enumerate(rows):
        ChargingSession.objects.filter(pk=row.pk).update(updated_at=moment(minute))
    return rows


def moment(minute: int) -> datetime:
    return datetime(2026, 3, 20, tzinfo=UTC) + timedelta(minutes=minute)


def ids(objects: list[dict[str, Any]]) -> list[str]:
    return [found["id"] for found in objects]


def keys(rows: list[ChargingSession]) -> list[str]:
    return [str(row.pk) for row in rows]


def next_of(answer: Any) -> str:
    link = str(answer.headers.get("Link", ""))
    assert not link or link.endswith('>; rel="next"')
    return link.partition("/ocpi/")[2].partition(">")[0]


def test_pages_in_order_with_their_headers(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    first = provider.get("2.2.1/cdrs")
    assert (first["X-Total-Count"], first["X-Limit"], len(data(first))) == ("105", "100", 100)
    assert first["Link"].startswith("<http://testserver/ocpi/2.2.1/cdrs?offset=100&limit=100&after=")
    second = provider.get(next_of(first))
    assert (second["X-Total-Count"], second["X-Limit"], "Link" in second) == ("105", "100", False)
    assert ids(data(first)) + ids(data(second)) == keys(hundred_and_five)


def test_who_counts_offsets_himself_gets_the_same(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    found = [
        key for offset in range(0, 120, 20) for key in ids(data(provider.get(f"2.2.1/cdrs?offset={offset}&limit=20")))
    ]
    assert found == keys(hundred_and_five)
    assert data(provider.get("2.2.1/cdrs?offset=105")) == []


def test_a_huge_limit_is_capped(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    answer = provider.get("2.2.1/cdrs?limit=2000000")
    assert (len(data(answer)), answer["X-Limit"]) == (100, "100")


def test_from_is_included_to_is_not_and_pages_keep_both(
    provider: Partner, hundred_and_five: list[ChargingSession]
) -> None:
    query = "date_from=2026-03-20T00:10:00Z&date_to=2026-03-20T00:20:00Z"
    assert ids(provider.objects("cdrs", f"{query}&limit=3")) == keys(hundred_and_five[10:20])
    assert ids(provider.objects("sessions", f"{query}&limit=3")) == keys(hundred_and_five[10:20])
    assert provider.get(f"2.2.1/cdrs?{query}&limit=3")["X-Total-Count"] == "10"
    without_zone = "date_from=2026-03-20T00:10:00&date_to=2026-03-20T00:10:00.001"
    assert ids(provider.objects("cdrs", without_zone)) == keys(hundred_and_five[10:11])


def test_many_changed_in_the_same_moment(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    ChargingSession.objects.update(updated_at=moment(0))
    assert sorted(ids(provider.objects("cdrs", "limit=10"))) == sorted(keys(hundred_and_five))


def test_a_row_that_changes_while_one_leafs_hides_no_other(
    provider: Partner, hundred_and_five: list[ChargingSession]
) -> None:
    """It moves to the end; by counting offsets one would miss the row that moved up into the page before."""
    first = provider.get(f"2.2.1/sessions?{SINCE}&limit=50")
    ChargingSession.objects.filter(pk=hundred_and_five[0].pk).update(updated_at=timezone.now())
    rest = provider.objects("sessions", next_of(first).partition("?")[2])
    assert ids(data(first)) + ids(rest) == [*keys(hundred_and_five), str(hundred_and_five[0].pk)]


def test_rows_that_come_while_one_leafs_come_at_the_end(
    provider: Partner, hundred_and_five: list[ChargingSession], charge: Charge
) -> None:
    first = provider.get("2.2.1/cdrs?limit=100")
    new = [charge() for _ in range(3)]
    rest = provider.objects("cdrs", next_of(first).partition("?")[2])
    assert ids(data(first)) + ids(rest) == keys(hundred_and_five + new)


def test_a_cdr_waits_until_older_ones_cannot_come_any_more(
    provider: Partner, charge: Charge, settings: Settings
) -> None:
    """A transaction that began before may end after: listed at once, its CDRs would be missed by who pulls since."""
    settings.OCPI_CDR_SETTLE_S = 10
    row = charge()
    assert provider.objects("cdrs") == [] and provider.get("2.2.1/cdrs")["X-Total-Count"] == "0"
    assert len(provider.objects("sessions", SINCE)) == 1
    ChargingSession.objects.filter(pk=row.pk).update(updated_at=timezone.now() - timedelta(seconds=11))
    assert ids(provider.objects("cdrs")) == keys([row])


def test_a_page_costs_a_fixed_number_of_queries(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    def queries(path: str) -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            data(provider.get(path))
        return len(caught)

    queries("versions")  # notes that the partner was seen
    for path in ("cdrs?", "locations?", "tariffs?", f"sessions?{SINCE}&"):
        assert queries(f"2.2.1/{path}limit=2") == queries(f"2.2.1/{path}limit=100") <= 6


def test_the_total_is_counted_once_a_crawl(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    second = next_of(provider.get("2.2.1/cdrs?limit=10"))
    with CaptureQueriesContext(connection) as caught:
        assert provider.get(second)["X-Total-Count"] == "105"
    assert not [query for query in caught.captured_queries if "COUNT(" in query["sql"]]


def test_a_cursor_of_nowhere_is_no_error(provider: Partner, hundred_and_five: list[ChargingSession]) -> None:
    assert data(provider.get(f"2.2.1/cdrs?after=2999-01-01T00:00:00Z_{uuid.uuid4()}")) == []
    assert data(provider.get(f"2.2.1/locations?after=2999-01-01T00:00:00Z_{10**30}")) == []
