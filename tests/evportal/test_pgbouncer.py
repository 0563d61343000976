"""The portal behind Debian's PgBouncer, which gives a session or a single transaction a connection to PostgreSQL."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from dev.parts.pgbouncer import PgBouncer
from dev.stack.layout import ROOT
from tests import databases
from tests.environment import ON_SQLITE, PREPARED

pytestmark = pytest.mark.skipif(ON_SQLITE, reason="a pooler is for PostgreSQL")

WORK = """
import threading, django
django.setup()
from django.core.management import call_command
from django.db import connection, transaction
from accounts.models import User
from stations.models import Site
Site.objects.bulk_create(Site(code=f"S{number}", name="x", time_zone="UTC") for number in range(5000))
failures = []

def work():
    try:
        for _ in range(20):
            list(User.objects.filter(username="nobody"))  # often enough to be prepared
        seen = 0
        for site in Site.objects.order_by("pk").iterator(chunk_size=100):
            seen += 1
            if seen % 500 == 0:
                Site.objects.filter(pk=site.pk).update(name="y")
        assert seen == 5000, seen
        with transaction.atomic():
            assert sum(1 for _ in Site.objects.iterator(chunk_size=100)) == 5000
    except Exception as error:
        failures.append(repr(error))
    finally:
        connection.close()

threads = [threading.Thread(target=work) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("SHOW random_page_cost")
    cost = cursor.fetchone()[0]
print(failures, connection.pooled, cost)
"""


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """A migrated database of its own."""
    assert PREPARED is not None
    server = os.environ["EVPORTAL_DATABASE_URL"]
    name = f"pooled_{uuid.uuid4().hex[:8]}"
    databases.create(server, name, template=databases.MIGRATED)
    yield databases.database_of(server, name)


def manage(url: str, *arguments: str) -> str:
    environment = os.environ | {"EVPORTAL_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "evportal.settings"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("pooling", ["session", "transaction"])
def test_everything_works_behind_a_pooler(server_url: str, tmp_path: Path, pooling: str) -> None:
    bouncer = PgBouncer(tmp_path / "bouncer", server_url, pooling=pooling)
    with bouncer.running():
        manage(
            bouncer.url,
            "-c",
            "import django; django.setup(); from stations.models import Site; Site.objects.all().delete()",
        )
        assert manage(bouncer.url, "-c", WORK).strip() == "[] True 1.1"
        manage(bouncer.url, "manage.py", "reseal")  # which begins with rows, one after the other


def test_a_direct_connection_is_known_as_one(server_url: str) -> None:
    say = "import django; django.setup(); from django.db import connection as c; c.ensure_connection(); print(c.pooled)"
    assert manage(server_url, "-c", say).strip() == "False"
    assert settings.DATABASES["default"]["ENGINE"] == "evportal.postgresql"
