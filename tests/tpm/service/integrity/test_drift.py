"""Watching the measured files: all kinds of tampering at once, the pass for what inotify does not tell, clean ends."""

import mmap
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tpm.service.integrity.conftest import GROUPS, TIMEOUT_S, MakeWatch, Reported, kept_in
from tests.tpm.service.integrity.tampering import ALL, Tampering, Victims
from tpm.service.integrity.drift import Watcher, WatchError
from tpm.service.release.measure import ChangedError


def victims(tmp_path: Path, group: str) -> Victims:
    part = tmp_path / "release" / group / "part"
    return Victims(part / "file.py", part / "link", tmp_path / "outside")


def in_a_directory(tamper: Tampering) -> bool:
    """Tell whether it shows where only the file and the link are watched, and not their directory."""
    return tamper.__name__ in ("added", "added_in_a_new_directory", "added_link", "added_hard_link", "moved_in")


CASES = [
    pytest.param(group, tamper, id=f"{tamper.__name__}-{group}")
    for group in GROUPS
    for tamper, _ in ALL
    if not (group == "lib" and in_a_directory(tamper))
]


@pytest.mark.parametrize(("group", "tamper"), CASES)
def test_tampering_is_drift_at_once(watch: MakeWatch, tmp_path: Path, group: str, tamper: Tampering) -> None:
    watching = watch().start()
    tamper(victims(tmp_path, group))
    if group == "lib" and tamper.__name__ == "directory_replaced_by_a_link":
        assert watching.quiet()  # the library has not moved, but its directory: for the pass to find
        return
    what, path = watching.report()
    assert what in ("added", "removed", "moved", "changed", "mode", "link", "type")
    assert path.startswith(str(tmp_path / "release" / group))
    assert watching.ended(), "only the first drift is reported"


@pytest.mark.parametrize(("group", "tamper"), CASES)
def test_the_pass_finds_it_without_inotify(watch: MakeWatch, tmp_path: Path, group: str, tamper: Tampering) -> None:
    watching = watch(full_pass_s=0.01)
    for number in watching.watcher._watched:
        watching.watcher._inotify.rm_watch(number)
    list(watching.watcher._inotify.read(timeout=0))  # the kernel's farewell to each watch
    tamper(victims(tmp_path, group))
    watching.start()
    what, path = watching.report()
    assert what in ("added", "removed", "changed", "mode", "link", "type")
    assert path.startswith(str(tmp_path / "release" / group))


def test_kind_and_path_are_named(watch: MakeWatch, tmp_path: Path, roots: list[str]) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    steps: list[tuple[str, Callable[[], object]]] = [
        ("mode", lambda: file.chmod(0o600)),
        ("changed", lambda: file.write_text("x")),
        ("moved", lambda: file.rename(file.with_name("y"))),
        ("added", file.mkdir),
        ("removed", file.rmdir),
        ("added", lambda: file.symlink_to("y")),
    ]
    for what, tamper in steps:
        watching = watch(roots=roots[:1]).start()
        tamper()
        assert watching.report() == (what, str(file))


def test_writing_the_same_content_is_drift(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    watching = watch().start()
    file.write_bytes(file.read_bytes())
    assert watching.report() == ("changed", str(file))


def test_opening_for_writing_is_drift(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    watching = watch().start()
    with file.open("ab"):
        pass
    assert watching.report() == ("changed", str(file))


def test_reading_and_touching_are_no_drift(watch: MakeWatch, tmp_path: Path) -> None:
    part = tmp_path / "release" / "app" / "part"
    watching = watch(full_pass_s=0.05).start()
    for path in part.iterdir():
        path.read_bytes()
        os.utime(path)
        os.utime(path, follow_symlinks=False)
    (part / "file.py").chmod(0o644)
    part.chmod(0o700)
    os.utime(part)
    assert watching.quiet()


def test_a_write_through_a_hard_link_is_found_by_the_pass(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    (tmp_path / "outside" / "same").hardlink_to(file)
    watching = watch(full_pass_s=0.05).start()
    (tmp_path / "outside" / "same").write_text("changed behind the directory's back")
    assert watching.report() == ("changed", str(file))


def test_a_write_through_a_memory_map_is_found(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), 0) as mapped:
        watching = watch(full_pass_s=0.05).start()
        mapped[0] ^= 1
        assert watching.report() == ("changed", str(file))


def test_what_happens_before_the_start_is_reported(watch: MakeWatch, tmp_path: Path) -> None:
    """Between measure() and start() the service extends and unseals; that takes seconds."""
    file = tmp_path / "release" / "app" / "part" / "file.py"
    watching = watch()
    file.write_text("changed meanwhile")
    watching.start()
    assert watching.report() == ("changed", str(file))


def test_nothing_slips_while_the_watches_are_set(tmp_path: Path) -> None:
    """A file that changes all the time: whenever it is measured, a later change is reported."""
    root = tmp_path / "root"
    for number in range(20):
        (root / f"{number}" / "deep").mkdir(parents=True)
        (root / f"{number}" / "deep" / "file").write_text("0")
    written = threading.Event()
    for attempt in range(20):
        file = root / f"{attempt}" / "deep" / "file"
        delay_s = attempt * 0.0002

        def write(file: Path = file, delay_s: float = delay_s, attempt: int = attempt) -> None:
            time.sleep(delay_s)
            file.write_text(f"written in attempt {attempt}")
            written.set()

        written.clear()
        before = file.read_bytes()
        reports: queue.Queue[Reported] = queue.Queue()
        watcher = Watcher([str(root)])
        writer = threading.Thread(target=write)
        writer.start()
        try:
            entries = watcher.measure()
            written.wait(TIMEOUT_S)
            watcher.start(kept_in(reports))
            measured_new = next(e for e in entries if e.path == str(file)).size != len(before)
            if not measured_new:
                assert reports.get(timeout=TIMEOUT_S) == ("changed", str(file))
        except ChangedError:
            pass  # written to just as it was read
        finally:
            writer.join()
            watcher.stop()


def overflow(path: Path) -> None:
    """Make more events than the kernel keeps, all of them harmless."""
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for _ in range(most // 2 + 1):  # the same event twice in a row would be one
        os.utime(path)
        os.utime(path.parent)


def test_lost_events_bring_a_pass_at_once(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    (tmp_path / "outside" / "same").hardlink_to(file)
    watching = watch()
    (tmp_path / "outside" / "same").write_text("no event tells of this")
    overflow(file)
    watching.start()
    assert watching.report() == ("changed", str(file))


def test_lost_events_alone_are_no_drift(watch: MakeWatch, tmp_path: Path) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    watching = watch()
    overflow(file)
    watching.start()
    assert watching.quiet()
    file.unlink()
    assert watching.report() == ("removed", str(file))


def test_a_root_that_moves_away_is_drift(watch: MakeWatch, tmp_path: Path) -> None:
    app = tmp_path / "release" / "app"
    watching = watch().start()
    app.rename(tmp_path / "outside" / "app")
    assert watching.report() == ("moved", str(app))


def test_a_root_whose_parent_moves_away_is_found_by_the_pass(watch: MakeWatch, tmp_path: Path) -> None:
    watching = watch(full_pass_s=0.05).start()
    (tmp_path / "release").rename(tmp_path / "elsewhere")
    what, path = watching.report()
    assert (what, path) == ("changed", str(tmp_path / "release" / "app"))


def test_a_file_that_cannot_be_read_any_more_is_drift(watch: MakeWatch, tmp_path: Path) -> None:
    """For root everything can be read, so the directories get too deep to be measured."""
    part = tmp_path / "release" / "app" / "part"
    watching = watch(full_pass_s=0.01)
    for number in watching.watcher._watched:
        watching.watcher._inotify.rm_watch(number)
    list(watching.watcher._inotify.read(timeout=0))
    (part / Path(*["d"] * 120)).mkdir(parents=True)
    watching.start()
    what, path = watching.report()
    assert what == "unreadable"
    assert path.startswith(str(part / "d"))


def test_a_lack_of_descriptors_is_no_drift(tmp_path: Path) -> None:
    """The service may be out of descriptors for a while: the pass is made again. In a process of its own."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "file").write_text("x")
    script = """
import os, resource, sys, time
from tpm.service.integrity import drift
drift.RETRY_S = 0.05
reports = []
watcher = drift.Watcher([sys.argv[1]], full_pass_s=0.05)
watcher.measure()
watcher.start(lambda what, path: reports.append((what, path)))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
time.sleep(0.5)
for descriptor in held:
    os.close(descriptor)
assert reports == [], reports
os.link(sys.argv[1] + "/file", sys.argv[1] + "/../name")
with open(sys.argv[1] + "/../name", "w") as file:
    file.write("other")
deadline = time.monotonic() + 50
while not reports and time.monotonic() < deadline:
    time.sleep(0.01)
assert reports == [("changed", sys.argv[1] + "/file")], reports
watcher.stop()
"""
    argv = [sys.executable, "-c", script, str(tmp_path / "root")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[4])
    assert done.returncode == 0, done.stderr
    assert "could not all be read" in done.stderr


def test_a_thread_that_fails_is_drift(watch: MakeWatch, monkeypatch: pytest.MonkeyPatch, roots: list[str]) -> None:
    watching = watch(full_pass_s=0.01)

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("tpm.service.integrity.drift.measure", broken)
    monkeypatch.setattr(threading, "excepthook", lambda failure: None)
    watching.start()
    assert watching.report() == ("unwatched", roots[0])


def test_missing_roots_are_errors_at_the_start(tmp_path: Path, roots: list[str]) -> None:
    watcher = Watcher([*roots, str(tmp_path / "missing")])
    with pytest.raises(WatchError, match="missing cannot be watched: No such file or directory"):
        watcher.measure()
    watcher.stop()
    watcher = Watcher(roots)
    with pytest.raises(WatchError, match=r"expected measure\(\) before start\(\)"):
        watcher.start(print)
    watcher.stop()


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("max_inotify_watches", "cannot be watched: fs.inotify.max_user_watches is too low"),
        ("max_inotify_instances", "inotify: Too many open files"),
    ],
)
def test_the_kernels_limits_are_errors_at_the_start(roots: list[str], limit: str, message: str) -> None:
    """In a user namespace of its own, where the limit can be lowered."""
    script = "import sys; from tpm.service.integrity.drift import Watcher; Watcher(sys.argv[1:]).measure()"
    lowered = f'echo 0 > /proc/sys/user/{limit} && exec "$0" "$@"'
    argv = ["unshare", "--user", "--map-root-user", "sh", "-c", lowered, sys.executable, "-c", script, *roots]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[4])
    if "unshare:" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.returncode == 1
    assert "WatchError" in done.stderr.splitlines()[-1]
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("full_pass_s", [1e12, float("inf")])
def test_the_pass_may_be_never(watch: MakeWatch, tmp_path: Path, full_pass_s: float) -> None:
    file = tmp_path / "release" / "app" / "part" / "file.py"
    watching = watch(full_pass_s=full_pass_s).start()
    assert watching.quiet()
    file.unlink()
    assert watching.report() == ("removed", str(file))


def test_stop_may_come_twice_from_the_report_and_without_a_start(roots: list[str], tmp_path: Path) -> None:
    before = sum(1 for _ in Path("/proc/self/fd").iterdir())
    for _ in range(20):
        Watcher(roots).stop()
        watcher = Watcher(roots)
        watcher.measure()
        watcher.stop()
        watcher.stop()
    ended = threading.Event()
    watcher = Watcher(roots)
    watcher.measure()

    def on_drift(what: str, path: str) -> None:
        watcher.stop()
        ended.set()

    watcher.start(on_drift)
    (tmp_path / "release" / "app" / "new").write_text("x")
    assert ended.wait(TIMEOUT_S)
    watcher.stop()
    assert sum(1 for _ in Path("/proc/self/fd").iterdir()) == before


def test_stopping_during_a_pass(watch: MakeWatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass over 1,000 files takes 100 s at this pace; nobody waits for its end."""
    monkeypatch.setattr("tpm.service.integrity.drift.PACE_MS", 100)
    root = tmp_path / "root"
    root.mkdir()
    for number in range(1000):
        (root / str(number)).touch()
    watching = watch(roots=[str(root)], full_pass_s=0.001).start()
    time.sleep(0.05)
    started = time.monotonic()
    watching.watcher.stop()
    assert time.monotonic() - started < 20
