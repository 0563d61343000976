"""history_page_p95_ms, session_list_api_p95_ms, history_page_growth and more: pages among a million sessions.

Method: PostgreSQL (fsync on) and Redis of the bench's own. Customers with 100 sessions each are made
(million.py), first 10,000 sessions, then 1,000,000. In a process of its own, without a network: Django's client
takes each request through the whole middleware, with session, second factor or API token, to the rendered answer. Each
sample is the first request of another customer, drawn at random, after others have warmed the process. `growth` is the
median page at 1,000,000 over that on a copy of the database with 10,000, measured in turns. Queries are counted in
requests of their own: the most of ten. The CSV is the export of one more customer, a fleet with 100,000 sessions, in a
new process; its peak is what the resident memory grew by at most between the first lines and the last.
"""

import multiprocessing
import os
import random
import re
import statistics
import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg

from bench.stage import become_portal, options, perform
from bench.stage import seconds as seconds_of
from dev.common.processes import free_port
from dev.common.progress import bar
from dev.parts.postgres import Postgres
from dev.parts.redis import Redis

if TYPE_CHECKING:
    from django.test import Client
    from django.test.client import ClientHandler

    from accounts.models import User

HISTORY, API, CSV = "/", "/api/v1/sessions", "/history.csv"
EACH = 100  # sessions a customer
SMALL = 10_000
FLEET_SESSIONS = 100_000
WARM_UP = 20
TURNS = 4
COUNTED = 10
CLEAR_PEAK = "5"  # /proc/PID/clear_refs: the peak of the resident memory begins anew (proc(5))

LogIn = Callable[["User"], "Client"]
Customers = Callable[[], list["User"]]
T = TypeVar("T")


@contextmanager
def portal(directory: Path) -> Iterator[None]:
    """This process becomes a portal on a database and a Redis of its own."""
    postgres, redis = Postgres(directory / "postgres", durable=True), Redis(directory / "redis", free_port())
    try:
        postgres.start()
        redis.start()
        become_portal(directory, EVPORTAL_DATABASE_URL=postgres.url, EVPORTAL_REDIS_URL=redis.url)
        yield
    finally:
        redis.stop()
        postgres.stop()


# --- Who asks


def in_browser(user: "User") -> "Client":
    """With a session and the second factor, as a person after login."""
    from django.test import Client

    from tests.people import log_in

    client = one_handler(Client())
    log_in(client, user)
    return client


def with_token(user: "User") -> "Client":
    """With a personal API token, as their program."""
    from django.test import Client

    from accounts.programs.tokens import token_make  # type: ignore[import-not-found,unused-ignore]  # comes with the REST API

    _, token = token_make(user=user, name="bench", scopes=["sessions.read"])
    return one_handler(Client(headers={"authorization": f"Bearer {token}"}))


@cache
def _handler() -> "ClientHandler":
    from django.test.client import ClientHandler

    handler = ClientHandler(enforce_csrf_checks=False)
    handler.load_middleware()
    return handler


def one_handler(client: "Client") -> "Client":
    """As in a server: the middleware is loaded once for all; a client of the tests does so at its first request."""
    client.handler = _handler()
    return client


# --- Measuring


def times_ms(address: str, customers: Sequence["User"], log_in: LogIn) -> list[float]:
    """Milliseconds of the first request of each of these customers, after WARM_UP others of them."""
    clients = [log_in(user) for user in customers]
    for client in clients[:WARM_UP]:
        _get(client, address)
    samples = []
    for client in clients[WARM_UP:]:
        samples.append(_ms(client, address))
    return samples


def times_elsewhere_ms(address: str, customers: Sequence["User"], log_in: LogIn, *, database: str = "") -> list[float]:
    """The same in a process that only reads, as a server's does; ours holds what making a million sessions left."""
    return elsewhere(_times_alone, address, [user.pk for user in customers], log_in, database=database)


def database_copy(name: str) -> str:
    """A copy of the database as it is now, beside it on the same server; its address."""
    from django.db import connection

    url = os.environ["EVPORTAL_DATABASE_URL"]
    connection.close()  # a database that is copied may have no clients
    with psycopg.connect(_sibling(url, "template1"), autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE {urlsplit(url).path[1:]}")  # both are our own words
    return _sibling(url, name)


def _sibling(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def pages_in_turn(few: Customers, many: Customers, *, small: str) -> tuple[list[float], list[float]]:
    """The page's times on the small database and on ours, in turns, so that both meet the machine in all its moods."""
    on_small: list[float] = []
    on_ours: list[float] = []
    for _ in range(TURNS):
        on_small += times_elsewhere_ms(HISTORY, few(), in_browser, database=small)
        on_ours += times_elsewhere_ms(HISTORY, many(), in_browser)
    return on_small, on_ours


def _times_alone(address: str, customers: Sequence[int], log_in: LogIn) -> list[float]:
    from accounts.models import User

    return times_ms(address, list(User.objects.filter(pk__in=customers)), log_in)


def elsewhere(measure: Callable[..., T], *values: object, database: str = "") -> T:
    """What it gives in a new process, which has done nothing else; on another database where one is named."""
    url = os.environ["EVPORTAL_DATABASE_URL"]
    os.environ["EVPORTAL_DATABASE_URL"] = database or url
    try:
        return _in_new_process(measure, values)
    finally:
        os.environ["EVPORTAL_DATABASE_URL"] = url


def _in_new_process(measure: Callable[..., T], values: tuple[object, ...]) -> T:
    with multiprocessing.get_context("spawn").Pool(1, initializer=_set_up) as pool:
        return pool.apply(measure, values)


def _set_up() -> None:
    """As a web process begins; static files, which nobody asks for here, need not have been collected."""
    warnings.filterwarnings("ignore", "No directory at")
    import evportal.wsgi  # noqa: F401


def _ms(client: "Client", address: str) -> float:
    return 1000 * seconds_of(lambda: _get(client, address))


def _get(client: "Client", address: str) -> None:
    response = client.get(address)
    if response.status_code != 200 or len(response.content) < 1000:
        raise RuntimeError(f"{address}: expected a full page, got {response.status_code}: {response.content[:300]!r}")


def most_queries(address: str, customers: Sequence["User"], log_in: LogIn) -> list[float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    counts = []
    for user in customers:
        client = log_in(user)
        with CaptureQueriesContext(connection) as queries:
            _get(client, address)
        counts.append(float(len(queries)))
    return [max(counts)]


def staff_medians_ms() -> dict[str, float]:
    """What an auditor waits for, who sees everybody's sessions: the latest month, the longest time, admin's home."""
    from portal.history.filter import DAYS_OF_EVERYBODY
    from stations.models import ChargingSession
    from tests.people import person

    newest = ChargingSession.objects.values_list("started_at", flat=True)[0].date()
    longest = f"{HISTORY}?from={newest - timedelta(days=DAYS_OF_EVERYBODY - 1)}&to={newest}"
    browser = in_browser(person("bench-auditor", "auditor"))
    pages = {"staff_month_ms": HISTORY, "staff_longest_ms": longest, "staff_home_ms": "/admin/"}
    return {name: statistics.median(_ms(browser, address) for _ in range(COUNTED)) for name, address in pages.items()}


def csv_measured(username: str, lines: int) -> tuple[float, float]:
    """`csv_read` in a process that has done nothing else, whose memory holds no room that was freed before."""
    return elsewhere(_csv_alone, username, lines)


def _csv_alone(username: str, lines: int) -> tuple[float, float]:
    from accounts.models import User

    return csv_read(in_browser(User.objects.get(username=username)), lines)


def csv_read(client: "Client", lines: int) -> tuple[float, float]:
    """(MB by which the resident memory grew at most, seconds) while the export is read, which has so many lines."""
    for _ in islice(_lines(client), 2_000):  # loads what it needs
        pass
    Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    before, begun = _memory_mb("VmRSS"), time.perf_counter()
    read = sum(1 for _ in _lines(client))
    if read != lines:
        raise RuntimeError(f"expected {lines} lines, got {read}")
    return _memory_mb("VmHWM") - before, time.perf_counter() - begun


def _lines(client: "Client") -> Iterator[bytes]:
    """The client closes the response, and with it the database's cursor, when nobody reads on."""
    yield from client.get(CSV).streaming_content  # type: ignore[attr-defined]


def _memory_mb(name: str) -> float:
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


def customers_some(count: int, rng: random.Random) -> list["User"]:
    from accounts.models import User

    ids = list(User.objects.filter(username__startswith="driver-").values_list("pk", flat=True))
    return list(User.objects.filter(pk__in=rng.sample(ids, min(count, len(ids)))))


def sessions_make(total: int, already: int) -> None:
    from bench.portal import million

    with bar(total - already, "making sessions", " sessions") as progress:
        customers = {"count": (total - already) // EACH, "first": already // EACH}
        for made in million.customers_make(**customers, sessions=EACH, found=million.patterns()):
            progress.update(made)
    million.settle()


def fleet_make() -> str:
    """Returns its user's name."""
    from accounts.models import User
    from bench.portal import million

    number = User.objects.count()
    list(million.customers_make(count=1, first=number, sessions=FLEET_SESSIONS, found=million.patterns()))
    million.settle()
    return f"driver-{number}"


def measure(chosen: Namespace) -> tuple[dict[str, list[float]], dict[str, float]]:
    rng = random.Random(1)

    def some(requests: int = chosen.requests // TURNS) -> list["User"]:
        return customers_some(WARM_UP + requests, rng)

    sessions_make(SMALL, 0)
    first = customers_some(SMALL // EACH, rng)
    small = database_copy("small")
    begun = time.monotonic()
    sessions_make(chosen.count, SMALL)
    made_s = time.monotonic() - begun
    on_small, pages = pages_in_turn(lambda: rng.sample(first, WARM_UP + chosen.requests // TURNS), some, small=small)
    few = customers_some(COUNTED, rng)
    samples = {
        "history_page_p95_ms": pages,
        "history_page_growth": [statistics.median(pages) / statistics.median(on_small)],
        "history_page_queries": most_queries(HISTORY, few, in_browser),
        "session_list_api_p95_ms": times_elsewhere_ms(API, some(chosen.requests), with_token),
        "session_list_api_queries": most_queries(API, few, with_token),
    }
    staff = {name: round(found) for name, found in staff_medians_ms().items()}
    peak_mb, seconds = csv_measured(fleet_make(), FLEET_SESSIONS + 1)
    samples["csv_100k_peak_mb"] = [peak_mb]
    return samples, {"sessions": chosen.count, "made_in_s": round(made_s), "csv_100k_s": round(seconds, 1), **staff}


def measure_alone(chosen: Namespace, directory: Path) -> tuple[dict[str, list[float]], dict[str, float]]:
    with portal(directory):
        return measure(chosen)


if __name__ == "__main__":
    parser = options(__doc__, count=1_000_000, what="sessions", portal=True)
    parser.add_argument("--requests", type=int, default=80, help="measured requests a page (%(default)s)")
    perform(parser, measure_alone)
