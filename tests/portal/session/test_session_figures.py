"""The page of one session: power, cost line by line, the reader's clock, meter values as a file; English and German."""

import copy
import csv
import io
import tracemalloc
import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from portal.session import csv as export
from stations.charging.meter_digest import meter_values_sha256
from stations.models import ChargingSession, Connector, IdToken, MeterValue
from stations.tariffs.pricing import cost_lines, total_minor
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import download, move, record_anew, text

pytestmark = pytest.mark.django_db
TARIFF = {"id": "STD", "name": "Standard", "currency": "EUR", "price_per_kwh": "0.2549", "price_per_session": "1"}


def report(session: ChargingSession, *values: tuple[int, str, str, str]) -> None:
    """Meter values as (minutes after the start, measurand, value, unit), which the session's record knows of."""
    MeterValue.objects.bulk_create(
        MeterValue(
            session=session,
            sampled_at=session.started_at + timedelta(minutes=at),
            measurand=what,
            value=Decimal(amount),
            unit=unit,
        )
        for at, what, amount, unit in values
    )
    move(session, meter_values_sha256=meter_values_sha256(session.meter_values.all()))


@pytest.fixture
def active(connector: Connector, id_token: IdToken) -> ChargingSession:
    return ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id="now",
        customer=id_token.customer,
        id_token=id_token,
        location={"name": "Harbour office", "time_zone": "Europe/Berlin"},
        started_at=timezone.now() - timedelta(minutes=30),
        meter_start_wh=1_000,
        tariff=TARIFF,
        source="STATION",
    )


def test_the_cost_line_by_line(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    cost = total_minor(cost_lines(TARIFF, energy_wh=7_780))
    move(session, tariff=TARIFF | {"vat_percent": "19"}, cost_minor=cost)
    record_anew(session)
    page = text(browser, f"/sessions/{session.pk}")
    assert "How the cost came about" in page
    for words in ("7.780 kWh", "0.2549", '<td class="number">1.98</td>', '<td class="number">2.98</td>', "VAT of 19 %"):
        assert words in page
    move(session, cost_minor=cost + 1)
    record_anew(session)
    assert "does not follow from the price that was promised" in text(browser, f"/sessions/{session.pk}")


@pytest.mark.parametrize(
    "tariff", [[], "x", {"currency": 7}, {"price_per_kwh": "NaN"}, TARIFF | {"price_per_kwh": "x"}]
)
def test_a_spoilt_tariff_still_has_a_page(
    browser: Client, make_session: MakeSession, active: ChargingSession, tariff: Any
) -> None:
    session = make_session()
    for spoilt in (session, active):
        move(spoilt, tariff=tariff)
        text(browser, f"/sessions/{spoilt.pk}")
    text(browser, "/")


def test_without_a_tariff_it_says_where_the_cost_is_from(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    assert "It was reported with the session" in text(browser, f"/sessions/{session.pk}")
    move(session, source="IMPORT")
    record_anew(session)
    assert "It came with the imported file" in text(browser, f"/sessions/{session.pk}")


def test_power_as_a_curve_and_as_a_table(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    report(session, (1, "Power.Active.Import", "7400", "W"), (20, "Power.Active.Import", "11000", "W"))
    page = text(browser, f"/sessions/{session.pk}")
    assert "Power over time" in page
    assert '<td class="number">7.4</td>' in page
    assert '<td class="number">11.0</td>' in page
    assert "at most 11.0 kW" in page
    assert "worked out" not in page
    assert 'data-state="recorded"' not in page  # the values came after the record


def test_a_curve_from_the_register_says_so(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    report(session, (15, "Energy.Active.Import.Register", "41237000", "Wh"))
    assert "worked out from the meter's readings" in text(browser, f"/sessions/{session.pk}").replace("&#x27;", "'")


def test_the_readers_clock_stands_beside_the_sites(browser: Client, owner: User, make_session: MakeSession) -> None:
    session = make_session()
    assert "for you" not in text(browser, f"/sessions/{session.pk}")
    owner.time_zone = "America/New_York"
    owner.save()
    page = text(browser, f"/sessions/{session.pk}")
    assert "1 Mar 2026, 09:00:00 CET" in page
    assert "(03:00:00 EST for you)" in page
    assert "(yours is America/New_York)" in page


def test_how_far_it_has_come(browser: Client, active: ChargingSession) -> None:
    assert "has not reported any meter value yet" in text(browser, f"/sessions/{active.pk}")
    report(
        active, (5, "Energy.Active.Import.Register", "2000", "Wh"), (10, "Energy.Active.Import.Register", "3000", "Wh")
    )
    page = text(browser, f"/sessions/{active.pk}")
    for words in (
        "Power now",
        '12.0 <span class="unit">kW',
        '2.00 <span class="unit">kWh',
        '1.51 <span class="unit">EUR',
    ):
        assert words in page
    assert 'id="session" data-live data-moving' in page


def test_german_pages_have_german_figures_and_exports_their_marks(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    page = text(browser, f"/sessions/{session.pk}")
    for words in ("7,78", "3,12", "1. März 2026, 09:00:00 CET", "41.234,57 kWh", "1.234.567"):
        assert words in page
    page = text(browser, "/")
    for words in ("7,78", "3,12 EUR", "So 1. März 2026", "März 2026"):
        assert words in page
    (row,) = download(browser, "/history.csv", separator=";")
    assert (row["energy_wh"], row["started_at"], row["record_state"]) == ("7780", "2026-03-01T08:00:00Z", "Recorded")
    report(session, (1, "Power.Active.Import", "-7400.5", "W"))
    assert download(browser, f"/sessions/{session.pk}/meter-values.csv", separator=";")[-1]["value"] == "-7400,5"


# --- Files


def test_meter_values_as_a_file(browser: Client, other_browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    report(session, (1, "Power.Active.Import", "-7400.5", "W"), (2, "=HYPERLINK(1)", "1000", "kW"))
    address = f"/sessions/{session.pk}/meter-values.csv"
    first, second = download(browser, address)
    assert first == {
        **{"session_id": str(session.pk), "sampled_at": "2026-03-01T08:01:00Z", "measurand": "Power.Active.Import"},
        **{"phase": "", "context": "Sample.Periodic", "value": "-7400.5", "unit": "W"},
    }
    assert (second["measurand"], second["value"]) == ("'=HYPERLINK(1)", "1000")
    assert other_browser.get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_the_file_streams_with_flat_memory(
    browser: Client, make_session: MakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five times the rows, many chunks of them: no further query, and not more memory."""
    monkeypatch.setattr(export, "CHUNK", 50)
    session = make_session()
    found = [_streamed(browser, session, count) for count in (199, 800)]
    (few, few_queries, few_peak), (many, many_queries, many_peak) = found
    assert (few, many) == (200, 1_000)
    assert few_queries == many_queries
    assert many_peak < 1.3 * few_peak  # 1.0 where it streams, 4 and more where it does not


def _streamed(browser: Client, like: ChargingSession, more: int) -> tuple[int, int, int]:
    """(rows, queries, peak of memory) of the file, with so many sessions more."""
    number = ChargingSession.objects.count()
    copies = []
    for place in range(number, number + more):
        copy_of = copy.copy(like)
        copy_of.pk, copy_of.transaction_id = uuid.uuid4(), f"C{place}"
        copies.append(copy_of)
    ChargingSession.objects.bulk_create(copies, batch_size=500)
    del copies
    with CaptureQueriesContext(connection) as asked:
        response = browser.get("/history.csv")
        tracemalloc.start()
        rows = sum(chunk.count(b"\n") for chunk in response.streaming_content) - 1  # type: ignore[attr-defined]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return rows, len(asked.captured_queries), peak


def test_a_file_reads_as_csv_whatever_the_texts(browser: Client, make_session: MakeSession) -> None:
    session = make_session()
    move(session, location={"name": 'A "quoted", place\nof two lines', "time_zone": "UTC"})
    content = b"".join(browser.get("/history.csv").streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    header, row = csv.reader(io.StringIO(content))
    assert len(header) == len(row)
    assert 'A "quoted", place\nof two lines' in row
