"""The history page's filter, order, sums and bars: whatever is chosen, page, list, table and file say the same."""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.login.roles import roles_set
from accounts.models import User
from portal.history.spans import Span
from portal.statements import statements
from stations.charging.words import kwh
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.zones import zone_named
from tests.people import log_in
from tests.portal.history.test_history import download, move, text

pytestmark = pytest.mark.django_db
Make = Callable[..., ChargingSession]
DAY = timedelta(days=1)


@pytest.fixture
def make(connector: Connector, id_token: IdToken) -> Make:
    """A finished session where and when the test says; without a record, as nothing here is about records."""

    def make(started_at: datetime, *, minutes: int = 45, at: Connector = connector, **fields: Any) -> ChargingSession:
        stored = {"energy_wh": 7_780, "cost_minor": 312, "currency": "EUR", "id_token": id_token, "source": "IMPORT"}
        place = at.station.site
        location = {"id": place.code, "name": place.name, "country": "DEU", "time_zone": place.time_zone}
        stored |= {
            "status": "COMPLETED",
            "customer": id_token.customer,
            "stopped_at": started_at + minutes * DAY / 1440,
        }
        number = f"M{ChargingSession.objects.count() + 1}"
        return ChargingSession.objects.create(
            station=at.station,
            connector=at,
            transaction_id=number,
            location=location,
            started_at=started_at,
            **(stored | fields),
        )

    return make


@pytest.fixture
def mill(db: None) -> Connector:
    site = Site.objects.create(code="S2", name="Mill", time_zone="Europe/Zurich", currency="CHF")
    return Connector.objects.create(station=Station.objects.create(site=site, identity="CP-MILL-1"))


@pytest.fixture
def second_card(owner: User) -> IdToken:
    return IdToken.objects.create(uid="04FF", customer=owner)


@pytest.fixture
def year(make: Make, mill: Connector, second_card: IdToken) -> list[ChargingSession]:
    """130 sessions over a year: two sites, two cards, two currencies."""
    first = datetime(2025, 4, 1, 12, tzinfo=UTC)
    made = []
    for number in range(130):
        more: dict[str, Any] = {"energy_wh": 1_000 + 137 * number % 9_000, "minutes": 5 + 31 * number % 300}
        if number % 3 == 0:
            more |= {"at": mill, "currency": "CHF"}
        if number % 5 == 0:
            more["id_token"] = second_card
        made.append(make(first + timedelta(hours=67 * number), cost_minor=100 + 53 * number % 900, **more))
    return made


def keys(page: str) -> list[str]:
    return re.findall(r'<tr data-session="([0-9a-f-]+)"', page)


def leaf(browser: Client, query: str) -> list[str]:
    """The keys of all pages of the list, one after the other."""
    found, page = [], 1
    while True:
        shown = text(browser, f"/?{query}&page={page}")
        found += keys(shown)
        if 'rel="next">' not in shown.partition('class="pages" aria-label="Pages"')[2]:
            return found
        page += 1


def sums(page: str) -> str:
    """The line above the list, without markup."""
    line = page.partition('<div class="list-head">')[2].partition("<a ")[0]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", line)).strip()


ORDERS: dict[str, Callable[[ChargingSession], Any]] = {
    "newest": lambda session: (-session.started_at.timestamp(),),
    "oldest": lambda session: (session.started_at.timestamp(),),
    "energy": lambda session: (-(session.energy_wh or 0), -session.started_at.timestamp()),
    "cost": lambda session: (session.currency, -(session.cost_minor or 0), -session.started_at.timestamp()),
    "duration": lambda session: (session.started_at - (session.stopped_at or session.started_at),),
}


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("", lambda session: True),
        ("station=CP-MILL-1", lambda session: session.station.identity == "CP-MILL-1"),
        ("token=04FF&site=S1", lambda session: session.id_token.uid == "04FF" and session.station.site.code == "S1"),
        (
            "from=2025-06-01&to=2025-08-31&state=none",
            lambda session: date(2025, 6, 1) <= session.started_at.date() <= date(2025, 8, 31),
        ),
    ],
)
def test_filter_order_and_pages_together(
    browser: Client, year: Sequence[ChargingSession], query: str, fits: Callable[[ChargingSession], bool]
) -> None:
    expected = [session for session in year if fits(session)]
    for sort, order in ORDERS.items():
        wanted = sorted(expected, key=order)
        found = leaf(browser, f"{query}&sort={sort}")
        assert len(found) == len(set(found)), "a row stands on one page only"
        if sort != "duration":  # equal durations: the newer first
            assert found == [str(session.pk) for session in wanted], sort
        assert {*found} == {str(session.pk) for session in expected}
        assert [row["session_id"] for row in download(browser, f"/history.csv?{query}&sort={sort}")] == found


@pytest.mark.parametrize("query", ["", "site=S2", "token=04FF", "from=2025-05-01&to=2025-05-31"])
def test_totals_are_the_sums_of_the_rows(browser: Client, year: Sequence[ChargingSession], query: str) -> None:
    rows = download(browser, f"/history.csv?{query}")
    energy = sum(int(row["energy_wh"]) for row in rows)
    line = sums(text(browser, f"/?{query}"))
    assert line.startswith(f"{len(rows)} sessions, {kwh(energy)} kWh, ")
    for currency in {row["currency"] for row in rows}:
        cost = sum(int(row["cost_minor"]) for row in rows if row["currency"] == currency)
        assert f"{Decimal(cost) / 100:,.2f} {currency}" in line


@pytest.mark.parametrize("query", ["", "bars=month", "from=2025-05-01&to=2025-05-31", "from=2025-04-03&to=2025-12-24"])
def test_the_bars_are_the_table_and_the_table_is_the_list(
    browser: Client, year: Sequence[ChargingSession], query: str
) -> None:
    """Each row of the table leads to the days whose sums it shows."""
    page = text(browser, f"/?{query}")
    table = page.partition('<details id="behind"')[2].partition("</details>")[0]
    rows = re.findall(r'<tr data-bar="[0-9-]+"><th scope="row"><a href="([^"]+)">.*?</tr>', table)
    energies = re.findall(r'<tr data-bar=.*?</th><td class="number">(\d+)</td><td class="number">([\d,.]+)</td>', table)
    assert rows and len(rows) == len(energies)
    drawn = page.partition('<path class="bar" d="')[2].partition('"')[0]
    assert drawn.count("M") == len(rows), "as many bars of energy as rows"
    for address, (count, energy) in list(zip(rows, energies, strict=True))[:6]:
        shown = text(browser, f"/{address.replace('&amp;', '&')}")
        assert sums(shown).startswith(f"{count} session{'' if count == '1' else 's'}, {energy} kWh")
    together = table.partition("<tfoot>")[2]
    assert f'<td class="number">{sum(int(count) for count, _ in energies):,}</td>' in together


def test_each_currency_has_a_chart_of_its_own(browser: Client, year: Sequence[ChargingSession]) -> None:
    page = text(browser, "/?bars=month")
    assert re.findall(r"<figcaption>(.*?)</figcaption>", page) == ["Energy, kWh", "Cost, CHF", "Cost, EUR"]
    assert page.count("<title") == 4  # the page's own, and one a chart
    assert page.count("<desc ") == 3


def test_a_month_is_compared_with_the_one_before_whatever_the_filter(
    browser: Client, year: Sequence[ChargingSession]
) -> None:
    page = text(browser, "/?from=2025-06-01&to=2025-06-30&site=S2")
    assert "Against May 2025" in page
    may = sum(
        session.energy_wh or 0
        for session in year
        if session.started_at.month == 5 and session.currency == "CHF" and session.started_at.year == 2025
    )
    assert f"May {kwh(may)} kWh" in page
    assert "from=2025-05-01&amp;to=2025-05-31&amp;site=S2" in page
    assert "from=2025-07-01&amp;to=2025-07-31&amp;site=S2" in page


def test_the_year_by_month(browser: Client, year: Sequence[ChargingSession]) -> None:
    page = text(browser, "/?bars=month")
    assert "The latest year with a session, against 2025" in page or "This year, against 2025" in page
    assert '<a href="?" ' in page or 'href="?"' in page  # back to the month
    assert all(f"<span>{month}</span>" in page for month in ("Jan", "Jun", "Dec"))


def test_quick_links_are_this_and_the_last_month_and_year(browser: Client, make: Make) -> None:
    make(timezone.now() - timedelta(hours=1))
    page = text(browser, "/?site=S1")
    month = Span.around(timezone.localdate(timezone=zone_named("Europe/Berlin")), "month")
    assert month.before
    for span in (month, month.before):
        assert f"site=S1&amp;from={span.first}&amp;to={span.last}" in page


def test_by_day_only_in_the_order_of_time(browser: Client, year: Sequence[ChargingSession]) -> None:
    assert 'class="day"' in text(browser, "/?sort=oldest")
    page = text(browser, "/?sort=energy")
    assert 'class="day"' not in page
    assert 'aria-sort="descending"><a href="?sort=energy">' in page
    assert '<input type="hidden" name="sort" value="energy">' in page


def test_an_address_is_a_bookmark(browser: Client, year: Sequence[ChargingSession]) -> None:
    query = "from=2025-04-01&to=2026-03-31&station=CP-HARBOUR-1&token=04A2B3C4D5E680&sort=cost"
    page = text(browser, f"/?{query}")
    assert '<option value="CP-HARBOUR-1" selected>' in page
    assert '<option value="04A2B3C4D5E680" selected>card 04A2B3C4D5E680</option>' in page
    escaped = query.replace("&", "&amp;")
    assert f'href="/history.csv?{escaped}"' in page
    assert f'href="?{escaped}&amp;page=2"' in page
    assert keys(page) == keys(text(browser, f"/?{query}&page=1"))


@pytest.mark.parametrize("value", ["x", "%00", "-energy", "energy_wh", "customer__password", "9" * 3000])
@pytest.mark.parametrize("name", ["sort", "bars", "page"])
def test_an_order_that_does_not_exist_is_the_usual_one(browser: Client, make: Make, name: str, value: str) -> None:
    session = make(datetime(2026, 3, 1, tzinfo=UTC))
    assert str(session.pk) in text(browser, f"/?{name}={value}")


@pytest.mark.parametrize(
    ("name", "typed"), [("from", "yesterday"), ("station", "CP-1"), ("token", "<b>"), ("to", "31")]
)
def test_what_was_typed_is_kept_and_named(browser: Client, make: Make, name: str, typed: str) -> None:
    make(datetime(2026, 3, 1, tzinfo=UTC))
    page = text(browser, f"/?{name}={typed}&site=S1")
    assert f"got “{typed.replace('<', '&lt;').replace('>', '&gt;')}”" in page
    assert '<option value="S1" selected>' in page
    assert "<b>" not in page
    if name in {"from", "to"}:
        field = re.search(rf'<input [^>]*name="{name}"[^>]*>', page)
        assert field and 'type="text"' in field[0] and f'value="{typed}"' in field[0]


def test_another_customers_station_and_card_cannot_be_named(
    other_browser: Client, other_customer: User, make: Make, mill: Connector
) -> None:
    make(datetime(2026, 3, 1, tzinfo=UTC))
    make(datetime(2026, 3, 1, tzinfo=UTC), at=mill, customer=other_customer, id_token=None)
    for query in ("station=CP-HARBOUR-1", "token=04A2B3C4D5E680", "site=S1"):
        assert "Expected one of the choices" in text(other_browser, f"/?{query}")
    page = text(other_browser, "/")
    assert "CP-HARBOUR-1" not in page
    assert "04A2B3C4D5E680" not in page


# --- Days and clocks


@pytest.mark.parametrize(
    "where", ["Europe/Berlin", "America/New_York", "Pacific/Auckland", "Etc/GMT+11", "Asia/Kolkata"]
)
def test_days_are_the_readers_days_also_when_clocks_change(
    browser: Client, owner: User, make: Make, where: str
) -> None:
    """Every hour around changes of clocks and ends of months: sums by day, filter and Python agree on the day."""
    owner.time_zone = where
    owner.save()
    hours = [
        datetime(*day, hour, 30, tzinfo=UTC)
        for day, hour in product([(2025, 3, 30), (2025, 10, 26), (2025, 12, 31)], (0, 1, 2, 5, 11, 14, 22, 23))
    ]
    days: dict[date, int] = {}
    for moment in hours:
        make(moment)
        day = moment.astimezone(zone_named(where)).date()
        days[day] = days.get(day, 0) + 1
    for day, count in days.items():
        page = text(browser, f"/?from={day}&to={day}")
        assert len(keys(page)) == count
        assert sums(page).startswith(f"{count} session")


# --- What is on top while it charges


def test_what_charges_stands_on_top_and_not_in_the_list(browser: Client, make: Make) -> None:
    finished = make(datetime(2026, 3, 1, tzinfo=UTC))
    begun = timezone.now() - timedelta(minutes=20)
    tariff = {"id": "T", "name": "T", "currency": "EUR", "price_per_kwh": "0.50", "price_per_session": "1"}
    active = make(begun, status="ACTIVE", stopped_at=None, energy_wh=None, cost_minor=None, currency="", tariff=tariff)
    page = text(browser, "/")
    assert "Charging now" in page
    assert "no meter value yet" in page
    move(active, meter_start_wh=1_000)
    for minutes, register, power in ((5, 1_500, 7_400), (10, 3_000, 10_960)):
        at = begun + timedelta(minutes=minutes)
        active.meter_values.create(sampled_at=at, value=register)
        active.meter_values.create(sampled_at=at, value=power, measurand="Power.Active.Import", unit="W")
    page = text(browser, "/")
    for words in ("<strong>11.0</strong> kW", "<strong>2.00</strong> kWh", "<strong>2.00 EUR</strong>"):
        assert words in page
    assert "data-moving" in page
    assert keys(page) == [str(finished.pk)]
    assert sums(page).startswith("1 session, 7.78 kWh")


# --- Who sees everything


@pytest.fixture
def auditor_browser(db: None) -> Client:
    user, client = User.objects.create_user("axel"), Client()
    roles_set(user=user, roles=["auditor"])
    log_in(client, user)
    return client


def test_who_sees_everything_begins_with_the_latest_month(auditor_browser: Client, year: list[ChargingSession]) -> None:
    latest = year[-1].started_at
    month = Span.around(latest.date(), "month")
    page = text(auditor_browser, "/")
    expected = {str(session.pk) for session in year if month.first <= session.started_at.date() <= month.last}
    assert {*keys(page)} == expected
    assert f'value="{month.first}"' in page
    assert [row["session_id"] for row in download(auditor_browser, "/history.csv")] == keys(page)


def test_who_sees_everything_says_which_days_or_which_card(
    auditor_browser: Client, year: list[ChargingSession]
) -> None:
    for query in ("from=2025-04-01&to=2025-12-31", "from=2025-04-01", "to=2025-12-31"):
        assert "Expected at most 92 days at once, or a station or card." in text(auditor_browser, f"/?{query}")
    assert sums(text(auditor_browser, "/?token=04FF")).startswith("26 sessions")
    assert sums(text(auditor_browser, "/?station=nowhere")) == ""
    assert len(keys(text(auditor_browser, "/?from=2025-06-01&to=2025-06-30"))) > 5


def test_a_customers_queries_name_the_customer(browser: Client, year: list[ChargingSession]) -> None:
    with CaptureQueriesContext(connection) as asked:
        text(browser, "/?site=S1&sort=energy")
    about = [query["sql"] for query in asked.captured_queries if 'FROM "stations_chargingsession"' in query["sql"]]
    assert len(about) == 3
    assert all('"customer_id" = ' in sql for sql in about)
    assert len(asked.captured_queries) <= 8


# --- What may change under the sums


def test_what_was_taken_back_counts_nowhere(browser: Client, make: Make) -> None:
    first, fifth = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 5, 12, tzinfo=UTC)
    charged, _ = make(first), make(fifth, energy_wh=1_000, cost_minor=40)
    assert sums(text(browser, "/")) == "2 sessions, 8.78 kWh, 3.52 EUR"
    make(first, energy_wh=-7_780, cost_minor=-312, credit=True, credit_reference=charged)
    page = text(browser, "/")
    assert sums(page) == "1 session, 1.00 kWh, 0.40 EUR"
    assert page.count("data-session=") == 3 and page.count('data-bar="') == 1


def test_the_latest_site_says_where_days_begin(
    browser: Client, make: Make, mill: Connector, connector: Connector, owner: User
) -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # in Berlin and Zurich April has begun, in New York it has not
    make(late - 2 * DAY, at=mill)
    make(late)
    assert "April 2026" in text(browser, "/")
    Site.objects.filter(pk=mill.station.site_id).update(time_zone="America/New_York")
    mill.station.site.refresh_from_db()
    make(late + timedelta(minutes=5), at=mill)
    page = text(browser, "/")
    assert "March 2026" in page
    assert "April 2026" not in page
    assert statements.zone_of(owner).key == "America/New_York"


def test_a_session_moved_to_another_station_stands_there(browser: Client, make: Make, mill: Connector) -> None:
    make(datetime(2026, 3, 1, 12, tzinfo=UTC))
    moved = make(datetime(2026, 3, 1, 13, tzinfo=UTC))
    ChargingSession.objects.filter(pk=moved.pk).update(station=mill.station)  # its outlet stays the other station's
    with CaptureQueriesContext(connection) as asked:
        page = text(browser, "/")
    assert page.index("CP-MILL-1", page.index(str(moved.pk))) < page.index("CP-HARBOUR-1", page.index(str(moved.pk)))
    assert len(asked.captured_queries) <= 8
