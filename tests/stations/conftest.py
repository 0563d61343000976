"""Three who talk to the portal: the station that owns the sessions, another station, a stranger without credential."""

import base64
import itertools
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import pytest
from django.core.management import call_command
from django.db import connections
from django.test import Client

from accounts.models import User
from dev.parts.postgres import Postgres
from ledger.recording import receivers
from stations.models import ChargingSession, Connector, Site, Station
from stations.places.credentials import station_credential_set
from stations.signals import sessions_closed
from tests import databases
from tests.environment import DIRECTORY, PREPARED

BASE = "/api/v1/station/sessions"
CSV = Path(__file__).parents[2] / "data" / "workplace_charging_sessions.csv"


class StationClient:
    """A station at the real URLs, authenticated as it would be."""

    def __init__(self, station: Station, credential: str) -> None:
        self.station = station
        self.credential = credential
        self.http = Client()

    def headers(self) -> dict[str, str]:
        pair = f"{self.station.identity}:{self.credential}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}

    def post(self, path: str, body: Any, **extra: Any) -> Any:
        return self.http.post(BASE + path, body, content_type="application/json", headers=self.headers(), **extra)

    def get(self, path: str) -> Any:
        return self.http.get(BASE + path, headers=self.headers())

    def start(self, transaction_id: str = "T1", **changes: Any) -> Any:
        return self.post("", start_message(transaction_id) | changes)

    def stop(self, transaction_id: str = "T1", **changes: Any) -> Any:
        return self.post(f"/{transaction_id}/stop", {"stopped_at": at(0), "meter_stop_wh": 8000} | changes)


RUN_STARTED = datetime.now(UTC).replace(microsecond=0)


def at(minutes: int, since: datetime = RUN_STARTED) -> str:
    """A moment so many minutes from the test run's start, as stations write it."""
    return (since + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def start_message(transaction_id: str = "T1") -> dict[str, Any]:
    """A start one hour ago, said to have been sent late only by its time."""
    return {
        "transaction_id": transaction_id,
        "started_at": at(-60),
        "meter_start_wh": 1000,
        "id_token": {"uid": "04A1"},
    }


def station_make(identity: str, **connector: Any) -> StationClient:
    site, _ = Site.objects.get_or_create(
        code="SITE-1", name="Harbour", country="DEU", time_zone="Europe/Berlin", currency="EUR"
    )
    station = Station.objects.create(site=site, identity=identity)
    Connector.objects.create(station=station, **connector)
    return StationClient(station, station_credential_set(station=station))


@pytest.fixture(autouse=True)
def own_cache(settings: Any) -> None:
    """A cache of the test's own: no test is throttled by what another one asked."""
    backend = "django.core.cache.backends.locmem.LocMemCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": uuid.uuid4().hex}}


@pytest.fixture(autouse=True)
def ledger_apart() -> Iterator[None]:
    """The ledger's receiver has tests of its own; these look at the signal itself."""
    sessions_closed.disconnect(receivers.open_entries, dispatch_uid="ledger.entries_open")
    yield
    sessions_closed.connect(receivers.open_entries, dispatch_uid="ledger.entries_open")


@pytest.fixture
def owner(db: None) -> StationClient:
    return station_make("CS-OWNER", max_power_w=22_000)


@pytest.fixture
def other(db: None) -> StationClient:
    return station_make("CS-OTHER", max_power_w=22_000)


@pytest.fixture
def stranger() -> Client:
    return Client()


@pytest.fixture
def customer(db: None) -> User:
    return User.objects.create_user("driver")


class Ear:
    """Listens to `sessions_closed` and remembers, or refuses on demand."""

    def __init__(self) -> None:
        self.heard: list[ChargingSession] = []
        self.calls = 0
        self.refuse: Exception | None = None
        self._lock = threading.Lock()

    def __call__(self, sessions: list[ChargingSession], **kwargs: Any) -> None:
        with self._lock:
            self.calls += 1
            self.heard += sessions
        if self.refuse:
            raise self.refuse


@pytest.fixture
def ear() -> Iterator[Ear]:
    listener = Ear()
    sessions_closed.connect(listener, weak=False)
    yield listener
    sessions_closed.disconnect(listener)


# --- Real databases that several threads use at once


@pytest.fixture(scope="session")
def database_make() -> Iterator[Callable[[str], str]]:
    """Makes a new database of this kind and returns its address: a copy of one that was migrated, or an empty one."""
    # each package that takes this fixture has its own
    directory = Path(tempfile.mkdtemp(prefix="crowd-", dir=DIRECTORY))
    server = Postgres(directory / "postgres", template=PREPARED.cluster if PREPARED else None)
    numbers = itertools.count()

    def make(vendor: str) -> str:
        name = f"crowd{next(numbers)}"
        if vendor == "sqlite":
            path = directory / f"{name}.sqlite3"
            if PREPARED:
                shutil.copy(PREPARED.sqlite, path)
            return f"sqlite:///{path}"
        if not server.alive:
            server.start()
        databases.create(server.url, name, template=databases.MIGRATED if PREPARED else "template1")
        return databases.database_of(server.url, name)

    yield make
    server.stop()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def crowd_database(
    request: pytest.FixtureRequest, database_make: Callable[[str], str], django_db_blocker: Any
) -> Iterator[str]:
    """A migrated database of its own that the threads of `crowd` use as `default`; the tests' own stays untouched."""
    kept = connections.settings["default"]
    options = SQLITE_OPTIONS if request.param == "sqlite" else {}
    chosen = kept | dj_database_url.parse(database_make(request.param)) | {"OPTIONS": options}
    connections.settings["default"] = chosen
    try:
        with django_db_blocker.unblock():
            if PREPARED is None:
                in_thread(lambda: call_command("migrate", run_syncdb=True, verbosity=0))
            yield request.param
    finally:
        connections.settings["default"] = kept


SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 30,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
}


def in_thread(work: Callable[[], Any]) -> Any:
    """Run in a new thread, which has connections of its own, and close them."""
    return crowd([work])[0]


def crowd(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all at once, each in a thread with a connection of its own; the first error is raised."""
    gate = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            gate.wait(timeout=60)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [future.result() for future in [pool.submit(run, work) for work in works]]
