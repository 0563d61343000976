"""The park: every station in its state, those first at which somebody should look; as dear for many as for few."""

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role, User
from stations.models import ChargingSession, Connector, MeterValue, OcppMessage, Site, Station
from stations.park.live import power_now, with_power
from tests.people import browser_of, person
from tests.stations.park.conftest import charge_at, measured, station_of

PARK = "/admin/stations/station/park/"


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    cache.clear()


def page(browser: Client, query: str = "") -> str:
    answer = browser.get(f"{PARK}?{query}")
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def row(text: str, identity: str) -> str:
    (found,) = [part for part in re.findall(r"<tr class=.*?</tr>", text) if f">{identity}<" in part]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found)).strip()


def order(text: str) -> list[str]:
    return re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', text)


def test_each_station_is_in_its_state_and_the_silent_come_first(staff: Client, park: dict[str, Station]) -> None:
    text = page(staff)
    assert order(text) == ["CP-QUIET", "CP-ILL", "CP-AWAY", "CP-BUSY", "CP-CALM", "CP-OFF", "CP-REST", "CP-NEW"]
    for state, station in park.items():
        assert (
            f'ev-state-{state}"> <th scope="row"><a href="{reverse("admin:stations_station_change", args=[station.pk])}'
            in text
        )
    busy = row(text, "CP-BUSY")
    assert "1: Occupied (Charging)" in busy and "2: Available" in busy and " 7.4 kW" in busy and "Heartbeat" in busy
    assert "OCPP 1.6" in busy and "since" in busy
    assert "1: GroundFailure, relay welded" in row(text, "CP-ILL")
    session = ChargingSession.objects.get()
    assert reverse("admin:stations_chargingsession_change", args=[session.pk]) in text
    sums = dict(re.findall(r"<dt>([^<]+)</dt><dd[^>]*>([^<]+)</dd>", text))
    assert sums == {
        "Stations": "8",
        "Connected": "3",
        "Silent": "1",
        "With a fault": "1",
        "Charges": "1",
        "Power, kW": "7.4",
    }
    assert re.search(r"Last refreshed \d\d:\d\d:\d\d UTC\.", text)


@pytest.mark.parametrize(
    ("query", "identities"),
    [
        ("state=connected", ["CP-ILL", "CP-BUSY", "CP-CALM"]),
        ("state=away", ["CP-QUIET", "CP-AWAY"]),
        ("state=heard", ["CP-REST"]),
        ("state=silent", ["CP-QUIET"]),
        ("state=fault", ["CP-ILL"]),
        ("state=charging", ["CP-BUSY"]),
        ("state=off", ["CP-OFF"]),
        ("state=never", ["CP-NEW"]),
        ("q=cp-a", ["CP-AWAY"]),
        ("q=nothing", []),
        ("state=zzz&p=99&q=%00", None),
    ],
)
def test_what_narrows_it(staff: Client, park: dict[str, Station], query: str, identities: list[str] | None) -> None:
    assert order(page(staff, query)) == identities or identities is None
    assert order(page(staff, f"{query}&part=live")) == identities or identities is None


def test_a_sites_sums_are_its_own(staff: Client, park: dict[str, Station]) -> None:
    other = Site.objects.create(code="P2", name="Market", time_zone="UTC", currency="EUR")
    station_of(other, "CP-MARKET")
    text = page(staff, f"site={other.pk}")
    assert order(text) == ["CP-MARKET"] and "The sums are those of Market." in text
    assert re.search(r"<dt>Stations</dt><dd>1</dd>", text)


def test_the_live_part_is_a_part(staff: Client, park: dict[str, Station]) -> None:
    whole, part = page(staff), page(staff, "part=live")
    assert part.startswith('<div id="park"') and "<html" in whole and "<html" not in part
    assert "js/park.js" in whole and "<script" not in part and "style=" not in part


def test_who_may_look(park: dict[str, Station], client: Client) -> None:
    assert "CP-BUSY" in page(browser_of(person("axel", Role.AUDITOR)))
    for browser in (client, browser_of(User.objects.create_user("driver"))):
        answer = browser.get(PARK)
        assert answer.status_code in (302, 404) and b"CP-BUSY" not in answer.content
    assert browser_of(person("olga", Role.OPERATOR)).post(PARK).status_code == 405


def test_a_page_asks_as_often_for_ten_thousand_as_for_seven(
    staff: Client, park: dict[str, Station], site: Site
) -> None:
    def asked(query: str = "") -> int:
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            page(staff, query)
        return len(queries)

    asked()
    few = asked(), asked("part=live")
    stations = Station.objects.bulk_create(
        Station(site=site, identity=f"CP-{number:05}", canonical=f"CP-{number:05}", connection="a" * 20)
        for number in range(10_000)
    )
    outlets = Connector.objects.bulk_create(Connector(station=station, status="OCCUPIED") for station in stations)
    ChargingSession.objects.bulk_create(
        ChargingSession(
            station=one.station, connector=one, transaction_id=str(one.pk), started_at=timezone.now(), source="OCPP"
        )
        for one in outlets[:200]
    )
    OcppMessage.objects.bulk_create(
        OcppMessage(station=station, at=timezone.now(), direction="IN", kind="CALL", action="Heartbeat", text="[]")
        for station in stations
    )
    assert (asked(), asked("part=live")) == few
    assert few[1] <= 12
    assert "Page 2 of" in page(staff, "p=2")


# --- power


def power_of(session: ChargingSession) -> int | None:
    now = timezone.now()
    return power_now(with_power(ChargingSession.objects.filter(pk=session.pk), now).get(), now)


def test_power_is_what_the_station_said_last(site: Site) -> None:
    session = charge_at(station_of(site, "CP-1"))
    assert power_of(session) is None
    measured(session, 60, 3000, measurand="Power.Active.Import", unit="W")
    measured(session, 30, "7.5", measurand="Power.Active.Import", unit="kW")
    assert power_of(session) == 7500
    assert MeterValue.objects.count() == 2


def test_power_of_phases_is_their_sum_and_counts_once(site: Site) -> None:
    session = charge_at(station_of(site, "CP-1"))
    at = timezone.now()
    for phase in ("L1", "L2", "L3-N"):
        for context in ("Sample.Periodic", "Sample.Clock"):
            MeterValue.objects.create(
                session=session,
                sampled_at=at,
                measurand="Power.Active.Import",
                unit="W",
                phase=phase,
                context=context,
                value=1000,
            )
    assert power_of(session) == 3000
    MeterValue.objects.create(session=session, sampled_at=at, measurand="Power.Active.Import", unit="W", value=2990)
    assert power_of(session) == 2990


def test_power_follows_from_energy_where_it_is_not_told(site: Site) -> None:
    session = charge_at(station_of(site, "CP-1"), minutes=10)
    started = session.started_at
    MeterValue.objects.create(session=session, sampled_at=started + timedelta(minutes=5), value=1500)
    assert power_of(session) == 6000  # since the start: 500 Wh in five minutes
    MeterValue.objects.create(session=session, sampled_at=started + timedelta(minutes=9), value=2300)
    assert power_of(session) == 12000
    MeterValue.objects.create(session=session, sampled_at=started + timedelta(minutes=9.5), value=0)  # a reset meter
    assert power_of(session) is None


def test_what_was_measured_long_ago_says_nothing_of_now(site: Site) -> None:
    session = charge_at(station_of(site, "CP-1"), minutes=60)
    measured(session, 3000, 3000, measurand="Power.Active.Import", unit="W")
    measured(session, 3000, 5000)
    assert power_of(session) is None
