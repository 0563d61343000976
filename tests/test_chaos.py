"""`kill -9`, ill nodes, a wrong clock and older backups while sessions are recorded: nothing lost, nothing twice."""

import subprocess
import sys

import pytest

from dev.parts.tpm_service import ROOT
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
