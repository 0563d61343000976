"""`kill -9` of a gateway at each step of a message: what was answered is committed, and nothing is lost or doubled."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest
from django.db import connection

from dev.common.processes import Child, free_port, port_open
from dev.stack.layout import ROOT
from dev.stations.by_hand import ByHand, by_hand
from dev.trials.chaos.books import problems
from stations.models import ChargingSession
from tests import databases
from tests.gateway.ocpp.conftest import Make
from tests.gateway.ocpp.dying import EARLY, STEPS
from tests.waiting import PATIENCE_S, until

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGES = {"1.6": ("StartTransaction", "MeterValues", "StopTransaction"), "2.1": ("Started", "Updated", "Ended")}
Plan = list[tuple[str, str]]


@contextmanager
def dying(directory: Path, plan: Plan) -> Iterator[str]:
    """A gateway at the tests' database that dies by this plan; all of it must have happened in the end."""
    port, name = free_port(), str(connection.settings_dict["NAME"])
    url = f"sqlite:///{name}"
    if connection.vendor == "postgresql":
        url = databases.database_of(os.environ["EVPORTAL_DATABASE_URL"], name)
    command = [sys.executable, "-m", "tests.gateway.ocpp.dying", str(port), json.dumps(plan)]
    environment = os.environ | {"EVPORTAL_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "evportal.settings"}
    child = Child("gateway", command, log=directory / "gateway.log", cwd=ROOT, env=environment)
    child.start()
    try:
        child.wait_ready(lambda: port_open(port), timeout_s=PATIENCE_S)
        yield f"ws://127.0.0.1:{port}/ocpp"
        died = child.log.read_text().count("died: ")
        assert died == len(plan), f"died {died} times of {len(plan)}\n{child.log_tail()}"
    finally:
        child.stop()


def charge(cp: ByHand) -> None:
    """A whole charge; the gateway may die at any time."""
    until(lambda: cp.start("35897499"), what="it charges")
    quiet(cp)
    cp.meter(after_s=15)
    quiet(cp)
    cp.stop()
    quiet(cp)


def quiet(cp: ByHand) -> None:
    until(lambda: cp.station.ready.is_set() and not cp.state.queue, what="all was answered")


@pytest.mark.parametrize("version", MESSAGES)
def test_killed_at_any_step_it_loses_and_doubles_nothing(version: str, charger_row: Make, tmp_path: Path) -> None:
    station, credential = charger_row()
    plan = [(message, step) for step in STEPS for message in MESSAGES[version]]
    reach = (station.identity, credential, version)
    with dying(tmp_path, plan) as url, by_hand(url, *reach, state=tmp_path / "state.json", books=True) as cp:
        for _ in STEPS:
            charge(cp)
        # The last one dies once it has answered: the station knows its answer before.
        told = tmp_path / "gateway.log"
        until(lambda: told.read_text().count("died: ") == len(plan), what="it has died as often as planned")
        state = asdict(cp.state)
    assert len(state["books"]["charges"]) == len(STEPS)
    assert problems({station.identity: state}, {station.identity: version}) == []
    assert ChargingSession.objects.filter(energy_wh__gt=0).count() == len(STEPS)


@pytest.mark.parametrize(
    ("version", "message", "found"),
    [("1.6", "StartTransaction", "lost: 1"), ("2.1", "Ended", "ACTIVE: 1")],
)
def test_an_answer_before_the_commit_would_be_found(
    version: str, message: str, found: str, charger_row: Make, tmp_path: Path
) -> None:
    station, credential = charger_row()
    reach = (station.identity, credential, version)
    with dying(tmp_path, [(message, EARLY)]) as url, by_hand(url, *reach, books=True) as cp:
        charge(cp)
        state = asdict(cp.state)
    wrong = problems({station.identity: state}, {station.identity: version})
    assert any(line.startswith(found) for line in wrong), wrong


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a file is never away")
def test_a_gateway_that_starts_before_its_database_waits_and_ends_when_told(tmp_path: Path) -> None:
    nowhere = {"EVPORTAL_DATABASE_URL": f"postgresql://u:p@127.0.0.1:{free_port()}/d"}
    command = [sys.executable, "manage.py", "gateway", "--port", str(free_port())]
    child = Child("gateway", command, log=tmp_path / "gateway.log", cwd=ROOT, env=os.environ | nowhere)
    child.start()
    try:
        child.wait_ready(lambda: child.log.read_text().count("the database is away") >= 2, timeout_s=PATIENCE_S)
    finally:
        child.stop(timeout_s=PATIENCE_S)
    assert child.returncode == 0, child.log_tail()
