"""A park: stations in each state that operators see, and the people who look."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from stations.models import ChargingSession, Connector, MeterValue, OcppMessage, Site, Station, StationEvent
from tests.people import browser_of, person


@pytest.fixture
def site(db: None) -> Site:
    return Site.objects.create(code="P1", name="Harbour", time_zone="Europe/Berlin", currency="EUR")


def station_of(site: Site, identity: str, outlets: int = 1, **fields: Any) -> Station:
    station = Station.objects.create(site=site, identity=identity, **fields)
    for number in range(1, outlets + 1):
        Connector.objects.create(station=station, evse_id=number, status="AVAILABLE", ocpp_status="Available")
    return station


def charge_at(station: Station, evse_id: int = 1, minutes: int = 30, **fields: Any) -> ChargingSession:
    connector = station.connectors.get(evse_id=evse_id)
    Connector.objects.filter(pk=connector.pk).update(status="OCCUPIED", ocpp_status="Charging")
    started = timezone.now() - timedelta(minutes=minutes)
    content: dict[str, Any] = {"transaction_id": f"{station.pk}-{evse_id}", "meter_start_wh": 1000, "source": "OCPP"}
    return ChargingSession.objects.create(station=station, connector=connector, started_at=started, **content | fields)


def measured(session: ChargingSession, seconds_ago: int, value: object, **fields: Any) -> MeterValue:
    at = timezone.now() - timedelta(seconds=seconds_ago)
    return MeterValue.objects.create(session=session, sampled_at=at, value=str(value), **fields)


@pytest.fixture
def park(site: Site) -> dict[str, Station]:
    """One station in each state, by the state's name."""
    now = timezone.now()
    here: dict[str, Any] = {"connection": "a" * 20, "connected_at": now - timedelta(hours=2), "ocpp_version": "2.0.1"}
    here |= {"last_seen_at": now, "booted_at": now - timedelta(hours=2), "expected_by": now + timedelta(minutes=15)}
    stations = {
        "connected": station_of(site, "CP-CALM", outlets=2, **here),
        "charging": station_of(site, "CP-BUSY", outlets=2, **here | {"ocpp_version": "1.6"}),
        "fault": station_of(site, "CP-ILL", **here | {"ocpp_version": "2.1"}),
        "silent": station_of(
            site,
            "CP-QUIET",
            ocpp_version="1.6",
            last_seen_at=now - timedelta(hours=5),
            expected_by=now - timedelta(hours=4),
        ),
        "away": station_of(
            site, "CP-AWAY", ocpp_version="1.6", last_seen_at=now, expected_by=now + timedelta(minutes=9)
        ),
        "off": station_of(site, "CP-OFF", enabled=False, ocpp_version="1.6", last_seen_at=now - timedelta(days=9)),
        "heard": station_of(site, "CP-REST", last_seen_at=now),
        "never": station_of(site, "CP-NEW"),
    }
    Connector.objects.filter(station=stations["fault"]).update(
        status="FAULTED", ocpp_status="Faulted", error_code="GroundFailure", status_info="relay welded"
    )
    session = charge_at(stations["charging"])
    measured(session, 40, 7360, measurand="Power.Active.Import", unit="W")
    for station in (stations["connected"], stations["charging"], stations["fault"]):
        OcppMessage.objects.create(
            station=station,
            at=now,
            direction="IN",
            kind="CALL",
            action="Heartbeat",
            message_id="1",
            text='[2,"1","Heartbeat",{}]',
        )
    StationEvent.objects.create(
        station=stations["fault"], kind="STATUS", severity="WARNING", words="connector 1: GroundFailure"
    )
    return stations


@pytest.fixture
def operator(db: None) -> User:
    return person("olga", Role.OPERATOR)


@pytest.fixture
def staff(operator: User) -> Client:
    return browser_of(operator)
