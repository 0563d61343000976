"""`make fresh`: what runs in a room ends with it, mounts are seen by nobody else, and nothing is deleted by mistake."""

import os
import time
from pathlib import Path

import pytest

from dev.common.processes import ProcessError, wait_until
from dev.common.steps import StackError
from dev.trials.fresh import main
from dev.trials.fresh.room import Room, command_line, lived_in

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="making rooms needs root")


def mounts() -> list[str]:
    """Where a room mounts something; elsewhere others of this machine may do so meanwhile (an engine of containers)."""
    points = {"/", "/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/run", "/tmp"}
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4] in points]


def runs(command: str) -> bool:
    return any(command_line(int(path.name)) == command for path in Path("/proc").glob("[0-9]*"))


def say(room: Room, command: str, log: Path) -> str:
    return room.run(command, folder="/", log=log, timeout_s=30)


@as_root
def test_what_runs_in_a_room_ends_with_it(tmp_path: Path) -> None:
    """The room is this very system, seen from within."""
    log = tmp_path / "log"
    before = mounts()
    with lived_in(Path("/"), log=log, environment={"COLOUR": "green"}) as room:
        assert say(room, "echo $COLOUR", log) == "green\n"
        assert room.processes() == []
        pid = int(say(room, "setsid sleep 4321 > /dev/null 2>&1 & echo $!", log))
        assert pid < 100, "pids are the room's own"
        # The process is there before it has become what it was started as.
        assert wait_until(lambda: room.processes() == ["sleep 4321"], timeout_s=30), room.processes()
        assert runs("sleep 4321")
        assert mounts() == before
    assert not runs("sleep 4321")
    assert mounts() == before


@as_root
def test_who_ended_in_a_room_is_gone(tmp_path: Path) -> None:
    """Orphans are taken by the first process: `kill -0` of one that ended must fail, as on any system."""
    log = tmp_path / "log"
    with lived_in(Path("/"), log=log, environment={}) as room:
        pid = say(room, "sh -c 'sleep 0.1 > /dev/null 2>&1 & echo $!'", log).strip()
        time.sleep(0.5)
        assert say(room, f"kill -0 {pid} 2> /dev/null || echo gone", log) == "gone\n"


@as_root
def test_a_command_that_fails_is_reported_with_its_last_words(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with lived_in(Path("/"), log=log, environment={}) as room, pytest.raises(StackError, match="no such wheel"):
        say(room, "echo no such wheel; exit 3", log)


def test_a_folder_that_is_no_system_is_no_room(tmp_path: Path) -> None:
    with pytest.raises(ProcessError), lived_in(tmp_path, log=tmp_path / "log", environment={}):
        pass


def test_a_folder_with_a_mount_in_it_is_not_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc is one: whoever looked into a kept Debian may have mounted things there."""
    monkeypatch.setattr(main, "run", lambda *_, **__: pytest.fail("it would be deleted"))
    with pytest.raises(StackError, match="umount /"):
        main.remove(Path("/proc"))


def test_a_suite_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main.main(["sid"])
    assert "invalid choice: 'sid' (choose from" in capsys.readouterr().err
