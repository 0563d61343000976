"""`kill -9` while stations charge, and while sessions are recorded, with ill nodes, a wrong clock and older backups."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from dev.parts.tpm_service import ROOT
from dev.trials.chaos import books
from dev.trials.chaos.books import Charge
from dev.trials.chaos.check import differences

DIGESTS = {number: bytes([number]) * 32 for number in (1, 2, 3)}


@pytest.mark.node
@pytest.mark.tpm
@pytest.mark.provider
@pytest.mark.timeout(960)
def test_40_kills_while_500_sessions_are_recorded() -> None:
    """A shorter `make chaos`: its exit status is the verdict, its last lines say what was killed or is wrong."""
    command = [sys.executable, "-m", "dev.trials.chaos.main", "--sessions", "500", "--kills", "40"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr[-5000:]}"
    assert "500 sessions, each once on the chain" in done.stdout


def test_what_stands_on_the_chain_once_is_well() -> None:
    assert differences(DIGESTS, list(DIGESTS.items())) == []


@pytest.mark.parametrize(
    ("recorded", "told"),
    [
        ([(1, DIGESTS[1]), (2, DIGESTS[2])], ["lost: 1, as [3]"]),
        ([*DIGESTS.items(), (1, DIGESTS[1])], ["ids twice: 1, as [1]", "digests twice: 1"]),
        ([*DIGESTS.items(), (4, DIGESTS[1])], ["not ours: 1, as [4]", "digests twice: 1"]),
        ([(1, DIGESTS[1]), (2, DIGESTS[2]), (3, bytes(32))], ["other digest: 1, as [3]"]),
    ],
)
def test_the_check_finds_what_is_lost_twice_or_wrong(recorded: list[tuple[int, bytes]], told: list[str]) -> None:
    found = differences(DIGESTS, recorded)
    assert len(found) == len(told)
    assert all(line.startswith(start) for line, start in zip(found, told, strict=True))


AT = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
CHARGE = Charge("CP-1", 1, AT, AT + timedelta(minutes=9), 100_000, 101_234, 1234, "04AA", "7")


@pytest.mark.parametrize(
    ("database", "told"),
    [
        ([CHARGE], []),
        ([], ["lost: 1"]),
        ([CHARGE, CHARGE], ["doubled: 1"]),
        ([CHARGE, replace(CHARGE, evse_id=2)], ["of nobody: 1"]),
        ([replace(CHARGE, energy_wh=1233)], ["otherwise (station, database): 1"]),
        ([replace(CHARGE, meter_stop_wh=101_235)], ["otherwise (station, database): 1"]),
        ([replace(CHARGE, number="8")], ["otherwise (station, database): 1"]),
        ([replace(CHARGE, ended=None)], ["otherwise (station, database): 1"]),
    ],
)
def test_the_check_finds_what_is_not_as_in_the_stations_books(database: list[Charge], told: list[str]) -> None:
    found = books.differences([CHARGE], database)
    assert [line.partition(", as ")[0] for line in found] == told


def test_a_number_that_the_station_never_learnt_is_any() -> None:
    assert books.differences([replace(CHARGE, number="")], [CHARGE]) == []
