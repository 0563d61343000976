"""Numbers of invoices: consecutive, each once, none left out, also where several ask at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from portal.invoice.numbering import invoice_number
from stations.models import InvoiceNumber, InvoiceSeries


@pytest.mark.django_db
def test_they_follow_one_another_and_stay() -> None:
    assert [invoice_number(year=2026, content=content) for content in "aabac"] == [
        *("2026-000001", "2026-000001", "2026-000002", "2026-000001", "2026-000003")
    ]
    assert invoice_number(year=2027, content="d") == "2027-000001"
    assert invoice_number(year=2027, content="a") == "2026-000001"
    assert dict(InvoiceSeries.objects.values_list("year", "last")) == {2026: 3, 2027: 1}


@pytest.mark.django_db(transaction=True)
def test_at_once_none_doubles_and_none_is_left_out() -> None:
    def ask(content: int) -> str:
        try:
            return invoice_number(year=2026, content=str(content % 20))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(ask, range(60)))
    assert found[:20] == found[20:40] == found[40:]
    assert sorted(set(found)) == [f"2026-{number:06d}" for number in range(1, 21)]
    assert InvoiceNumber.objects.count() == 20
