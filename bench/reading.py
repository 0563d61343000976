"""history_page_p95_ms, session_list_api_p95_ms, history_page_growth and more: pages among a million sessions.

Method: PostgreSQL (fsync on) and Redis of the bench's own. Customers with 100 sessions each are made
(bench/million.py), first 10,000 sessions, then 1,000,000. In this process, without a network: Django's test client
takes each request through the whole middleware, with session, second factor or API token, to the rendered answer. Each
sample is the first request of another customer, drawn at random, after others have warmed the process. `growth` is the
median page at 1,000,000 over that at 10,000. Queries are counted in requests of their own: the most of ten. The CSV is
staff's export of everything, read to its 100,000th line; the peak is what the process's resident memory grew by
meanwhile.
"""

import os
import random
import re
import shutil
import statistics
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.stage import bar, options, write
from dev.master_key import ensure_recovery_key
from dev.portal_stack import outer_environment
from dev.postgres import Postgres
from dev.processes import free_port
from dev.redis import Redis

if TYPE_CHECKING:
    from django.test import Client

    from accounts.models import User

HISTORY, API, CSV = "/", "/api/v1/sessions", "/history.csv"
EACH = 100  # sessions a customer
SMALL = 10_000
CSV_LINES = 100_000
WARM_UP = 20
COUNTED = 10
CLEAR_PEAK = "5"  # /proc/PID/clear_refs: the peak of the resident memory begins anew (proc(5))

LogIn = Callable[["User"], "Client"]


@contextmanager
def portal(directory: Path) -> Iterator[None]:
    """This process becomes a portal on a database and a Redis of its own."""
    postgres, redis = Postgres(directory / "postgres", durable=True), Redis(directory / "redis", free_port())
    try:
        postgres.start()
        redis.start()
        _enter(directory, postgres.url, redis.url)
        yield
    finally:
        redis.stop()
        postgres.stop()


def _enter(directory: Path, database: str, redis: str) -> None:
    import django
    from django.core.management import call_command

    for name in set(os.environ) - set(outer_environment()):
        del os.environ[name]
    os.environ |= {
        "EVPORTAL_ENV_FILE": os.devnull,
        "EVPORTAL_DATABASE_URL": database,
        "EVPORTAL_REDIS_URL": redis,
        "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE": str(ensure_recovery_key(directory / "recovery_key.pem")),
        "EVPORTAL_LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "evportal.settings",
    }
    django.setup()
    call_command("migrate", verbosity=0)


# --- Who asks


def in_browser(user: "User") -> "Client":
    """With a session and the second factor, as a person after his login."""
    from django.test import Client

    from tests.people import log_in

    client = Client()
    log_in(client, user)
    return client


def with_token(user: "User") -> "Client":
    """With a personal API token, as his program."""
    from accounts.api_tokens import token_make  # type: ignore[import-not-found,unused-ignore]  # comes with the REST API
    from django.test import Client

    _, token = token_make(user=user, name="bench", scopes=["sessions.read"])
    return Client(headers={"authorization": f"Bearer {token}"})


# --- Measuring


def times_ms(address: str, customers: Sequence["User"], log_in: LogIn) -> list[float]:
    """Milliseconds of the first request of each of these customers, after WARM_UP others of them."""
    clients = [log_in(user) for user in customers]
    for client in clients[:WARM_UP]:
        _get(client, address)
    samples = []
    for client in clients[WARM_UP:]:
        begun = time.perf_counter()
        _get(client, address)
        samples.append((time.perf_counter() - begun) * 1000)
    return samples


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


def csv_read(client: "Client", lines: int) -> tuple[float, float]:
    """(MB by which the resident memory grew at most, seconds) while so many lines of the export are read."""
    for _ in islice(_lines(client), 2_000):  # loads what it needs
        pass
    Path("/proc/self/clear_refs").write_text(CLEAR_PEAK)
    before, begun = _memory_mb("VmRSS"), time.perf_counter()
    read = sum(1 for _ in islice(_lines(client), lines))
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
    from bench import million

    found = million.patterns()
    with bar(total - already, "making sessions", " sessions") as progress:
        made = million.customers_make(
            count=(total - already) // EACH, sessions=EACH, found=found, first=already // EACH
        )
        for count in made:
            progress.update(count)
    million.settle()


def measure(chosen: Namespace) -> tuple[dict[str, list[float]], dict[str, float]]:
    from accounts.models import User

    rng = random.Random(1)
    sessions_make(SMALL, 0)
    small = times_ms(HISTORY, customers_some(WARM_UP + chosen.requests, rng), in_browser)
    begun = time.monotonic()
    sessions_make(chosen.count, SMALL)
    made_s = time.monotonic() - begun
    samples = {"history_page_p95_ms": times_ms(HISTORY, customers_some(WARM_UP + chosen.requests, rng), in_browser)}
    samples["history_page_growth"] = [statistics.median(samples["history_page_p95_ms"]) / statistics.median(small)]
    few = customers_some(COUNTED, rng)
    samples["history_page_queries"] = most_queries(HISTORY, few, in_browser)
    samples["session_list_api_p95_ms"] = times_ms(API, customers_some(WARM_UP + chosen.requests, rng), with_token)
    samples["session_list_api_queries"] = most_queries(API, few, with_token)
    staff = in_browser(User.objects.create_superuser("olga"))
    peak_mb, seconds = csv_read(staff, CSV_LINES)
    samples["csv_100k_peak_mb"] = [peak_mb]
    return samples, {"sessions": chosen.count, "made_in_s": round(made_s), "csv_100k_s": round(seconds, 1)}


def main() -> None:
    parser = options(__doc__, count=1_000_000, what="sessions")
    parser.add_argument("--requests", type=int, default=80, help="measured requests a page (%(default)s)")
    chosen = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="evp-"))
    with portal(directory):
        samples, beside = measure(chosen)
    if not chosen.keep:
        shutil.rmtree(directory)
    write(chosen.out, samples, **beside)


if __name__ == "__main__":
    main()
