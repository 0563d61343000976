"""Statements: which months there are, what is on the paper and in the file, and who gets them."""

import csv
import io
import re
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pypdf import PdfReader
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from common.pdf import PaperError, pdf
from ledger.models import LedgerEntry
from portal.statements import files, statements, tasks
from portal.statements.statements import StatementPeriod
from stations.models import ChargingSession, Site
from tests.people import log_in
from tests.portal.conftest import MakeTransaction
from tests.portal.statements.statement_sessions import Charge, charge

__all__ = ["charge"]
pytestmark = pytest.mark.django_db

MARCH = datetime(2026, 3, 12, 8, 0, tzinfo=UTC)


def page(client: Client, address: str = "/statements") -> str:
    response = client.get(address)
    assert response.status_code == 200, response.content[:500]
    return " ".join(response.content.decode().split())


def paper(client: Client, address: str) -> str:
    """The text of a PDF, in one line."""
    response = client.get(address)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/pdf"
    assert "attachment" in response["Content-Disposition"]
    return read(response.content)


def read(content: bytes) -> str:
    return " ".join(" ".join(sheet.extract_text() for sheet in PdfReader(io.BytesIO(content)).pages).split())


def rows(client: Client, address: str) -> list[dict[str, str]]:
    response = client.get(address)
    assert response.status_code == 200
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(content)))


# --- which months


def test_months_newest_first_with_the_sums_of_their_sessions(
    browser: Client, owner: User, charge: Charge, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    charge(MARCH)
    charge(MARCH.replace(day=13), energy_wh=2_225, cost_minor=88)
    charge(MARCH.replace(month=1), cost_minor=100)
    charge(MARCH.replace(year=2025))
    found = statements.years_of(owner)
    assert [str(year.year.period) for year in found] == ["2026", "2025"]
    assert [str(month.period) for month in found[0].months] == ["2026-03", "2026-01"]
    march = found[0].months[0].totals
    assert (march.sessions, march.energy_wh, march.costs) == (2, 10_005, [(400, "EUR")])
    whole = found[0].year.totals
    assert (whole.sessions, whole.energy_wh, whole.costs) == (3, 17_785, [(500, "EUR")])
    with django_assert_max_num_queries(8):
        text = page(browser)
    assert text.index("Whole of 2026") < text.index('id="m2026-03"') < text.index('id="m2026-01"')
    assert "10.01" in text
    assert "4.00 EUR" in text
    for address in ("2026-03.pdf", "2026-03.csv", "2026.pdf", "2025.csv"):
        assert f'href="/statements/{address}"' in text


def test_without_sessions_it_says_how_a_statement_comes_about(browser: Client) -> None:
    text = page(browser)
    assert "No statement yet" in text
    assert "first charge" in text


def test_a_month_begins_at_the_midnight_of_the_place_or_of_the_drivers_own_zone(
    browser: Client, owner: User, charge: Charge
) -> None:
    """22:30 UTC on 31 March is April in Berlin, in summer time by then; 23:30 on 28 February is March, in winter."""
    late, early = charge(datetime(2026, 3, 31, 22, 30, tzinfo=UTC)), charge(datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    assert [row["session_id"] for row in rows(browser, "/statements/2026-04.csv")] == [str(late.pk)]
    assert [row["session_id"] for row in rows(browser, "/statements/2026-03.csv")] == [str(early.pk)]
    owner.time_zone = "America/New_York"
    owner.save()
    charge(datetime(2026, 6, 1, 2, 30, tzinfo=UTC))
    assert [str(month.period) for month in statements.years_of(owner)[0].months] == ["2026-05", "2026-04", "2026-03"]


def test_a_month_over_a_change_of_clocks_is_an_hour_shorter() -> None:
    start, end = StatementPeriod(2026, 3).bounds(ZoneInfo("Europe/Berlin"))
    assert (end - start).total_seconds() == 31 * 86_400 - 3_600
    start, end = StatementPeriod(2025, 10).bounds(ZoneInfo("Europe/Berlin"))
    assert (end - start).total_seconds() == 31 * 86_400 + 3_600
    year = StatementPeriod(2025).bounds(ZoneInfo("Europe/Berlin"))
    assert (year[1] - year[0]).days == 365


@pytest.mark.parametrize(
    "address",
    [
        *("2026-02", "2026-13", "2026-00", "0000", "0000-01", "9999-12", "1999-12", "2101"),
        *("2026-3", "26-03", "2026-03-01", "٢٠٢٦-03", "2026-03%00", "..%2f2026-03", "2026-03.pdf", "-2026", "2026-"),
    ],
)
def test_other_months_and_hostile_addresses_are_404(browser: Client, charge: Charge, address: str) -> None:
    charge(MARCH)
    for ending in ("pdf", "csv"):
        assert browser.get(f"/statements/{address}.{ending}").status_code == 404
    assert browser.get(f"/statements/{address}/making").status_code == 404
    assert browser.post(f"/statements/{address}/mail").status_code == 404


# --- who


def test_others_find_nothing_and_strangers_log_in(
    other_browser: Client, staff_browser: Client, client: Client, charge: Charge
) -> None:
    charge(MARCH)
    addresses = ("2026-03.pdf", "2026-03.csv", "2026.pdf", "2026-03/making")
    for browser in (other_browser, staff_browser):  # staff see sessions elsewhere; these statements are the customer's
        assert "No statement yet" in page(browser)
        for address in addresses:
            assert browser.get(f"/statements/{address}").status_code == 404
        assert browser.post("/statements/2026-03/mail").status_code == 404
    for address in ("/statements", *(f"/statements/{address}" for address in addresses)):
        response = client.get(address)
        assert response.status_code == 302
        assert response["Location"].startswith("/login")
    assert client.post("/statements/2026-03/mail").status_code == 302
    assert client.post("/statements/by-mail", {"wanted": "yes"}).status_code == 302


# --- the paper


def test_the_paper_has_each_session_its_record_and_the_sums(
    browser: Client, charge: Charge, make_transaction: MakeTransaction
) -> None:
    first, second = charge(MARCH), charge(MARCH.replace(day=13), energy_wh=2_225, cost_minor=88)
    moment = datetime(2026, 3, 12, 9, tzinfo=UTC)
    row = make_transaction("IRREVERSIBLE", block_num=1_234_567, block_id="ab" * 32, irreversible_at=moment)
    LedgerEntry.objects.filter(session=first).update(transaction=row)
    text = paper(browser, "/statements/2026-03.pdf")
    assert "Statement March 2026" in text
    assert "10.01 kWh" in text
    assert "4.00 EUR" in text
    assert "1 recorded on the chain" in text
    assert "1 / 1" in text
    assert "Thu 12 Mar 2026, 09:00 – 09:45 CET" in text
    assert text.index("12 Mar 2026, 09:00") < text.index("13 Mar 2026, 09:00")
    for session in (first, second):
        entry = LedgerEntry.objects.get(session=session)
        assert bytes(entry.digest).hex() in text.replace(" ", "")
        assert f"CP-HARBOUR-1 · {entry.pk} · " in text
    assert "· 1234567 ·" in text
    assert "Recorded" in text
    assert "Being recorded" in text
    assert "c" * 64 in text  # the chain's id
    assert "Not billed" not in text
    assert "Not final" not in text


def test_the_paper_says_when_a_session_was_changed(browser: Client, charge: Charge) -> None:
    session = charge(MARCH)
    ChargingSession.objects.filter(pk=session.pk).update(energy_wh=999_000, cost_minor=99_900)
    text = paper(browser, "/statements/2026-03.pdf")
    assert "Differs from its record" in text
    assert "1 session differs from its record. The sums use the record as it was kept" in text
    assert "Total 7.78 3.12 EUR" in text
    assert "the database says 999.00 kWh, 999.00 EUR today" in text
    LedgerEntry.objects.filter(session=session).update(mismatch="changed since it was recorded: energy_wh")
    listed = page(browser)
    assert "1 differs from its record" in listed and "3.12 EUR" in listed and "999.00" not in listed
    LedgerEntry.objects.filter(session=session).update(digest=b"\x00" * 32)
    text = paper(browser, "/statements/2026-03.pdf")
    assert "1 session is left out of the sums." in text and "Total 0.00 –" in text


def test_credits_net_out_invalid_ones_stand_apart_and_currencies_are_not_added(
    browser: Client, owner: User, charge: Charge
) -> None:
    wrong = charge(MARCH, energy_wh=50_000, cost_minor=2_000)
    charge(MARCH, energy_wh=-50_000, cost_minor=-2_000, credit=True, credit_reference=wrong)
    charge(MARCH.replace(day=20), energy_wh=1_500, cost_minor=250, currency="USD")
    charge(MARCH.replace(day=21), energy_wh=910_000, cost_minor=None, currency="", status="INVALID")
    statement = statements.statement_of(owner, StatementPeriod(2026, 3), statements.zone_of(owner))
    assert statement is not None
    listed = statements.years_of(owner)[0].months[0]
    for sums in (statement.sums, listed):
        assert (sums.totals.sessions, sums.totals.energy_wh) == (1, 1_500)
        assert sums.totals.costs == [(250, "USD")]
        assert (sums.credits, sums.not_billed) == (1, 1)
    text = paper(browser, "/statements/2026-03.pdf")
    assert "Credit for the session of Thu 12 Mar 2026" in text, text
    assert "-50.00" in text or "−50.00" in text
    assert "1 more taken back by a credit" in text
    assert text.index("Total 1.50 2.50 USD") < text.index("Not billed") < text.index("910.00")
    assert "1 not billed" in page(browser)
    assert len(rows(browser, "/statements/2026-03.csv")) == 4


def test_the_paper_says_how_the_cost_came_about_to_the_cent(browser: Client, owner: User, charge: Charge) -> None:
    tariff = {
        **{"id": "STD", "name": "Standard", "currency": "EUR", "price_per_kwh": "0.2549", "price_per_session": "1"},
        "vat_percent": "19",
    }
    first = charge(MARCH, energy_wh=7_780, cost_minor=298, tariff=tariff)  # 1.983 EUR and 1
    charge(MARCH.replace(day=13), energy_wh=2_225, cost_minor=157, tariff=tariff)  # 0.567 and 1
    charge(MARCH.replace(day=14), energy_wh=-7_780, cost_minor=-298, tariff=tariff, credit=True, credit_reference=first)
    charge(MARCH.replace(day=15), cost_minor=312)
    statement = statements.statement_of(owner, StatementPeriod(2026, 3), statements.zone_of(owner))
    assert statement is not None
    assert [(sum_.kind, sum_.quantity, sum_.amount_minor) for sum_ in statement.cost_sums] == [
        ("ENERGY", 2_225, 57),
        ("FLAT", 1, 100),
        ("", 0, 312),
    ]
    assert statement.sums.totals.costs == [(469, "EUR")]
    text = paper(browser, "/statements/2026-03.pdf")
    assert "2.23 kWh 0.2549 EUR per kWh 0.57 EUR" in text
    assert "1 session 1 EUR per session 1.00 EUR" in text


def test_a_year_for_the_tax_return_has_its_months_and_all_sessions(browser: Client, charge: Charge) -> None:
    sessions = [charge(MARCH.replace(month=month)) for month in (1, 3, 5)]
    text = paper(browser, "/statements/2026.pdf")
    assert "Statement 2026" in text
    assert text.index("January 2026") < text.index("March 2026") < text.index("May 2026")
    assert "9.36 EUR" in text
    assert [row["session_id"] for row in rows(browser, "/statements/2026.csv")] == [str(s.pk) for s in sessions]


def test_the_paper_is_in_the_readers_language(browser: Client, charge: Charge) -> None:
    charge(MARCH)
    response = browser.get("/statements/2026-03.pdf", headers={"accept-language": "de"})
    reader = PdfReader(io.BytesIO(response.content))
    assert str(reader.root_object["/Lang"]) == "de"
    assert "März 2026" in read(response.content)


def test_the_paper_is_tagged_titled_and_the_same_each_time(browser: Client, charge: Charge) -> None:
    charge(MARCH)
    first = browser.get("/statements/2026-03.pdf").content
    assert browser.get("/statements/2026-03.pdf").content == first
    reader = PdfReader(io.BytesIO(first))
    assert reader.metadata is not None
    assert reader.metadata.title == "Statement March 2026"
    assert "/StructTreeRoot" in reader.root_object
    assert reader.xmp_metadata is not None
    assert b"pdfuaid" in reader.xmp_metadata.stream.get_data()


def test_the_month_that_runs_is_called_not_final(browser: Client, charge: Charge) -> None:
    charge(timezone.now())
    (month,) = re.findall(r'id="m([0-9-]{7})"', page(browser))
    assert "Not final" in paper(browser, f"/statements/{month}.pdf")


def test_hostile_names_are_text_on_the_paper_and_in_the_file(
    browser: Client, owner: User, site: Site, charge: Charge
) -> None:
    site.name = '=cmd()<img src="file:///etc/passwd"><script>1</script>'
    site.save()
    owner.first_name = "<b>Anna</b>{{ 7 }}"
    owner.save()
    charge(MARCH)
    text = paper(browser, "/statements/2026-03.pdf")
    assert "<b>Anna</b>{{ 7 }}" in text
    assert '<imgsrc="file:///etc/passwd">' in text.replace(" ", "")
    assert "root:" not in text
    (row,) = rows(browser, "/statements/2026-03.csv")
    assert row["site"].startswith("'=cmd()")


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:9/x.png", "data:image/png;base64,AA=="])
def test_a_paper_fetches_nothing_whatever_it_names(address: str) -> None:
    with pytest.raises(PaperError, match="fetches nothing"):
        pdf(f'<html lang="en"><title>t</title><img src="{address}" alt="">', "", identifier="1")
    with pytest.raises(PaperError, match="fetches nothing"):
        pdf('<html lang="en"><title>t</title>', f'body {{ background: url("{address}") }}', identifier="1")
    with pytest.raises(PaperError, match="fetches nothing"):
        pdf('<html lang="en"><title>t</title>', f'@import url("{address}");', identifier="1")


# --- long statements are made in the background


@pytest.fixture
def long_ones(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str, str]]:
    """Every statement counts as long; what a worker is asked for is kept, not done."""
    asked: list[tuple[int, str, str]] = []
    monkeypatch.setattr(files, "SHORT_LINES", 0)
    monkeypatch.setattr(files, "announce", lambda task, *arguments: asked.append(arguments))
    cache.clear()
    return asked


def test_a_long_statement_is_made_by_the_worker_while_the_reader_sees_how_far_it_is(
    browser: Client, charge: Charge, long_ones: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    response = browser.get("/statements/2026-03.pdf")
    assert (response.status_code, response["Location"]) == (302, "/statements/2026-03/making")
    response = browser.get("/statements/2026-03/making")
    assert response["Refresh"] == "1"
    assert b"made in a moment" in response.content
    assert len(long_ones) == 1, "asked for once, however often the page looks"

    heard: list[str] = []
    original = cache.set

    def set_and_look(*args: Any) -> None:
        original(*args)
        heard.append(page(browser, "/statements/2026-03/making"))

    monkeypatch.setattr(cache, "set", set_and_look)
    tasks.statement_make(*long_ones[0])
    assert any("Being made: page 1 of about 1" in text for text in heard)
    response = browser.get("/statements/2026-03/making")
    assert "Refresh" not in response
    assert b"ready" in response.content
    assert "Statement March 2026" in paper(browser, "/statements/2026-03.pdf")
    assert len(long_ones) == 1


def test_a_paper_made_before_is_not_given_for_sessions_that_came_later(
    browser: Client, charge: Charge, long_ones: list[tuple[int, str, str]]
) -> None:
    charge(MARCH)
    browser.get("/statements/2026-03.pdf")
    tasks.statement_make(*long_ones[0])
    charge(MARCH.replace(day=14))
    assert browser.get("/statements/2026-03.pdf").status_code == 302
    assert len(long_ones) == 2


def test_without_a_worker_or_redis_the_reader_gets_it_all_the_same(
    browser: Client, charge: Charge, long_ones: list[tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    charge(MARCH)
    browser.get("/statements/2026-03.pdf")
    monkeypatch.setattr(files, "SILENT_AFTER_S", -1)
    assert "Make it while I wait" in page(browser, "/statements/2026-03/making")
    assert "Statement March 2026" in paper(browser, "/statements/2026-03.pdf")

    def refused(*args: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(cache, "get", refused)
    assert "Statement March 2026" in paper(browser, "/statements/2026-03.pdf")


def test_a_paper_of_another_is_not_found_in_the_cache(
    browser: Client, other_customer: User, charge: Charge, long_ones: list[tuple[int, str, str]]
) -> None:
    charge(MARCH)
    browser.get("/statements/2026-03.pdf")
    tasks.statement_make(*long_ones[0])
    other = Client()
    log_in(other, other_customer)
    charge(MARCH, customer=other_customer)
    assert other.get("/statements/2026-03.pdf").status_code == 302
