"""A real gateway in this process, on a port of its own, and stations that speak to it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.utils import timezone

from gateway.ocpp.server.process import Gateway
from stations.models import Connector, Site, Station
from stations.places.credentials import station_credential_set
from tests.gateway.ocpp.client import Charger
from tests.gateway.ocpp.v16.station16 import Station16, station16

__all__ = ["Running"]


class Running:
    """A gateway in a thread; `url` as stations have it, without the identity."""

    def __init__(self) -> None:
        self.started = threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.thread.start()
        assert self.started.wait(60), "the gateway does not start"

    async def _run(self) -> None:
        self.loop, self.ended, ready = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self.gateway = Gateway("127.0.0.1", 0)
        running = asyncio.create_task(self.gateway.run(self.ended, ready))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        self.started.set()
        await running

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.gateway.port}/ocpp"

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(60)
        assert not self.thread.is_alive(), "the gateway does not end"


@pytest.fixture
def gateway(transactional_db: None) -> Iterator[Running]:
    running = Running()
    yield running
    running.stop()


Make = Callable[..., tuple[Station, str]]


@pytest.fixture
def charger_row(transactional_db: None) -> Make:
    """Makes a station with `outlets` EVSEs at a site; returns it with its credential."""

    def make(identity: str = "CP-1", *, outlets: int = 1, site: dict[str, Any] | None = None, **fields: Any) -> Any:
        place, _ = Site.objects.get_or_create(
            code="OCPP", defaults={"name": "Yard", "unknown_cards": True} | (site or {})
        )
        station = Station.objects.create(site=place, identity=identity, **fields)
        for evse in range(1, outlets + 1):
            Connector.objects.create(station=station, evse_id=evse, connector_id=1, max_power_w=22_000)
        return station, station_credential_set(station=station)

    return make


Plug = Callable[..., Charger]


@pytest.fixture
def plug(gateway: Running, charger_row: Make) -> Iterator[Plug]:
    """Connects a station, new or known (`known=(station, credential)`); all are closed at the end."""
    opened: list[Charger] = []

    def connect(
        version: str = "1.6", *, known: tuple[Station, str] | None = None, answer: Any = None, **row: Any
    ) -> Charger:
        station, credential = known or charger_row(**row)
        opened.append(Charger(gateway.url, station.identity, credential, version, answer=answer))
        return opened[-1]

    yield connect
    for charger in opened:
        charger.close()


@pytest.fixture
def cp(db: None, monkeypatch: pytest.MonkeyPatch) -> Station16:
    """A station of OCPP 1.6 that speaks to the handlers; our own clock is its story's."""
    station = station16()
    monkeypatch.setattr(timezone, "now", lambda: station.now)
    return station
