"""What the tests' settings need before Django reads them: loaded first by pytest (`-p tests.environment`).

Starts a PostgreSQL and a Redis of the tests' own; each worker of pytest-xdist has its own, as it has its own of all
parts. EVPORTAL_TEST_DATABASE=sqlite runs the same tests on SQLite.
"""

import argparse
import atexit
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from dev.cognito import Provider
from dev.common.processes import FREE_PORTS, RANGE_VARIABLE, free_port
from dev.parts.postgres import Postgres
from dev.parts.redis import Redis
from dev.stack.master_key import ensure_recovery_key, write_unsealed_master_key
from tests import databases
from tests.databases import Prepared

ON_SQLITE = os.environ.get("EVPORTAL_TEST_DATABASE") == "sqlite"


def _hands_out() -> bool:
    """Whether this process only hands out tests to pytest-xdist's workers: then it needs no servers."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses", default="0")
    workers = parser.parse_known_args(sys.argv[1:])[0].numprocesses
    return "PYTEST_XDIST_WORKER" not in os.environ and workers != "0"


def _prepared() -> Prepared | None:
    """What the first process of a run prepares, for itself or for its workers; nothing where tests have their own."""
    if _hands_out() or ("PYTEST_XDIST_WORKER" not in os.environ and not ON_SQLITE):
        os.environ["TESTS_PREPARED"] = "" if "--nomigrations" in sys.argv else str(databases.place())
    directory = os.environ.get("TESTS_PREPARED")
    return Prepared(Path(directory)) if directory else None


def _ports_of_this_worker() -> str:
    """Its tenth of the free ports; whoever is no worker of pytest-xdist has the last."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw9").removeprefix("gw")) % 10
    first, end = FREE_PORTS
    size = (end - first) // 10
    return f"{first + number * size}-{first + (number + 1) * size}"


os.environ[RANGE_VARIABLE] = _ports_of_this_worker()
# Short, because Unix sockets below it may be at most 107 bytes long.
DIRECTORY = Path(tempfile.mkdtemp(prefix="evp-"))
REDIS = Redis(DIRECTORY / "redis", free_port(), appendonly=False)
RECOVERY_KEY = DIRECTORY / "recovery_key.pem"
PREPARED = _prepared()
POSTGRES = Postgres(DIRECTORY / "postgres", template=PREPARED.cluster if PREPARED else None)
# Where people log in. Started by the tests that go there (fixture `cognito`); the portal's settings know it before.
COGNITO = Provider(DIRECTORY / "cognito", free_port(), log=DIRECTORY / "cognito.log")
COGNITO_CLIENT = COGNITO.pool.ensure_client("login", ["openid", "email", "profile"])


def _start() -> None:
    for name in [name for name in os.environ if name.startswith("EVPORTAL_") and name != "EVPORTAL_TEST_DATABASE"]:
        del os.environ[name]  # a developer's own settings are not the tests'
    os.environ["EVPORTAL_ENV_FILE"] = os.devnull
    recovery_public = ensure_recovery_key(RECOVERY_KEY)
    os.environ["EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE"] = str(recovery_public)
    os.environ["EVPORTAL_LEDGER_MASTER_KEY_FILE"] = str(DIRECTORY / "master_keys")
    write_unsealed_master_key(DIRECTORY / "master_keys", recovery_public)  # tests with a TPM make one of their own
    os.environ["EVPORTAL_OIDC_ISSUER"] = COGNITO.issuer
    os.environ["EVPORTAL_OIDC_DOMAIN"] = COGNITO.url
    os.environ["EVPORTAL_OIDC_CLIENT_ID"] = COGNITO_CLIENT.client_id
    os.environ["EVPORTAL_OIDC_CLIENT_SECRET"] = COGNITO_CLIENT.client_secret
    os.environ["EVPORTAL_REDIS_URL"] = REDIS.url
    # Nobody here is asked under a public certificate; httpx2 would load all authorities of the world for each request.
    os.environ["SSL_CERT_DIR"] = str(DIRECTORY)
    os.environ.pop("SSL_CERT_FILE", None)  # which would count for more
    if PREPARED is not None and "PYTEST_XDIST_WORKER" not in os.environ:
        PREPARED.begin()
    if _hands_out():
        return
    REDIS.start()
    atexit.register(REDIS.stop)
    if ON_SQLITE:
        os.environ["EVPORTAL_DATABASE_URL"] = f"sqlite:///{DIRECTORY / 'test.sqlite3'}"
        return
    if PREPARED is None:
        POSTGRES.start()
    atexit.register(POSTGRES.stop)
    os.environ["EVPORTAL_DATABASE_URL"] = POSTGRES.url


atexit.register(shutil.rmtree, DIRECTORY, ignore_errors=True)
gc.disable()  # what is imported and collected stays: until then there is nothing to look for
_start()


def pytest_collection_finish() -> None:
    """From here on only what the tests make is looked through for garbage, not half a million objects each time."""
    if PREPARED is not None:
        PREPARED.wait()
        if not (POSTGRES.alive or ON_SQLITE or _hands_out()):
            POSTGRES.start()
    gc.freeze()
    gc.enable()


# Begun first, for a worker that took one of them last would keep all others waiting.
LONG = [
    "test_chaos.py",
    "portal/test_every_page.py",
    "evportal/test_migrations.py",
    "tpm/service/test_faults.py",
    "evportal/test_doubles_merged.py",
    "tpm/service/integrity/test_measured_start.py",
    "portal/charging/test_story.py",
    "ledger/operations/test_rotation_faults.py",
    "ledger/recording/test_failures.py",
    "ledger/recording/test_node_failures.py",
    "ledger/chain/test_nodes.py",
    "ledger/chain/test_old_blocks.py",
    "ledger/keys/test_custody.py",
    "ledger/keys/test_custody_commands.py",
    "ledger/keys/test_keys.py",
    "ledger/keys/test_replacing.py",
    "tpm/service/integrity/test_tampering.py",
    "ledger/repair/test_repair.py",
    "ledger/audit/test_audit_everything.py",
    "ledger/receipts/test_verify_receipt.py",
    "test_access.py",
    "portal/proof/test_public_check.py",
]
WAITING = {"dev", "ledger", "tpm"}  # packages whose tests wait for blocks, recoveries and time-outs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For pytest-xdist's workers: what takes longest first, then files that wait in turn with files that compute."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    tests = Path(__file__).parent
    waiting: dict[bool, list[Path]] = {True: [], False: []}
    for path in dict.fromkeys(item.path for item in items):
        waiting[path.relative_to(tests).parts[0] in WAITING].append(path)
    place = {path: (number + 0.5) / len(group) for group in waiting.values() for number, path in enumerate(group)}
    assert all((tests / name).exists() for name in LONG), "a file of LONG has another place now"
    place |= {tests / name: number - len(LONG) for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place[item.path])
