"""gateway_vs_peers: our gateway's answers a second over those of a peer that stores, too.

The peer: PyPI `arthexis` 2.0.0, a central system on Django, channels and daphne, in a virtualenv of its own below
var/parts. It runs as its documentation says: `arthexis migrate`, `arthexis seed`, `daphne … arthexis.asgi:application`,
one process, at /ws/ocpp/IDENTITY/ with HTTP Basic, cards unknown to it accepted ("open"). Of the ways to run it the
fastest was taken: SQLite in WAL mode with synchronous=NORMAL, where a power cut may lose what was answered, three times
as fast as SQLite as it is shipped (five commits a message, each waiting for the disk) and twice as fast as PostgreSQL;
ours has PostgreSQL with fsync on. Its stations stand in its table before, their credentials hashed in one round:
connecting is not measured.

Method: in turns, the same load (load.py, as in answers.py) asks the peer and ours; each in the time in which the
answers came, however long they took. Beside the ratio stand answers a second, p99 and CPU time an answer of both.
"""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.gateway.answers import STARTS_WITHIN_S, Serving, gateway, loaded, make_stations, serving, turns
from bench.stage import Measured, in_portal, perform
from dev.chain.wheels import COMPLETE, PARTS, complete
from dev.common.processes import free_port
from dev.trials.portal_stack import PortalStack

PEER = "arthexis==2.0.0"
SETTINGS = """
from arthexis.settings import *
DATABASES["default"]["OPTIONS"] = {
    "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
}
"""
ADMIT = """
import json, sys
import django
django.setup()
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.utils.timezone import now
from apps.ocpp.models import Charger
dates = {"enrolled_at": now(), "authority_cutover_at": now()}
for one in json.load(open(sys.argv[1])):
    hashed = PBKDF2PasswordHasher().encode(one["credential"], "salt", iterations=1)
    Charger.objects.create(identity=one["identity"], connection_token_hash=hashed, **dates)
"""


def programs() -> Path:
    """The `bin` of a virtualenv with the peer; made where it is not there."""
    target = PARTS / PEER.replace("==", "-")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(target.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete(target):
            shutil.rmtree(target, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(target)], check=True)
            subprocess.run([str(target / "bin" / "pip"), "install", "--quiet", PEER], check=True)
            (target / COMPLETE).touch()
    return target / "bin"


@contextmanager
def peer(stations: Path, count: int) -> Iterator[Serving]:
    """It, with an empty database but for so many of these stations."""
    found, port = programs(), free_port()
    with tempfile.TemporaryDirectory(prefix="evp-peer-") as name:
        directory = Path(name)
        (directory / "measured.py").write_text(SETTINGS)
        known = directory / "stations.json"
        known.write_text(json.dumps(json.loads(stations.read_text())[:count]))
        own = {"ARTHEXIS_DATA_DIR": name, "DJANGO_SETTINGS_MODULE": "measured", "PYTHONPATH": name}
        environment = {word: os.environ[word] for word in ("PATH", "HOME") if word in os.environ} | own
        for arguments in (
            ["arthexis", "migrate", "-v", "0"],
            ["arthexis", "seed"],
            ["python", "-c", ADMIT, str(known)],
        ):
            command = [str(found / arguments[0]), *arguments[1:]]
            subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
        daphne = [str(found / "daphne"), "-v", "0", "-b", "127.0.0.1", "-p", str(port)]
        daphne += ["--websocket_connect_timeout", str(STARTS_WITHIN_S), "arthexis.asgi:application"]
        with serving(daphne, port, "/ws/ocpp/{}/", environment) as one:
            yield one


def measure(stack: PortalStack, chosen: Namespace) -> Measured:
    stack.node.stop()
    stations = stack.directory / "stations.json"
    make_stations(stations, chosen.count)
    ratios: list[float] = []
    beside: dict[str, float] = {}
    for _ in range(chosen.turns):
        with peer(stations, chosen.count) as theirs:
            first = loaded(theirs, stations, count=chosen.count, seconds=chosen.seconds)
        with gateway() as ours:
            second = loaded(ours, stations, count=chosen.count, seconds=chosen.seconds)
        ratios.append(second["per_s"] / first["per_s"])
        for name, said in (("peer", first), ("gateway", second)):
            beside |= {f"{name}_{key}": said[key] for key in ("per_s", "p99_ms", "cpu_ms")}
    return {"gateway_vs_peers": ratios}, beside


if __name__ == "__main__":
    perform(turns(__doc__), in_portal(measure))
