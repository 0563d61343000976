"""Roots to be watched, and watchers whose reports are kept."""

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tpm.service.integrity.drift import Watcher

GROUPS = ("app", "lib", "site-packages")
TIMEOUT_S = 60
QUIET_S = 0.3
Reported = tuple[str, str]


@pytest.fixture
def roots(tmp_path: Path) -> list[str]:
    """Two directories and, for libraries, a file and a link as roots of their own."""
    for group in GROUPS:
        part = tmp_path / "release" / group / "part"
        part.mkdir(parents=True)
        (part / "file.py").write_text(f"# of {group}\n" * 10)
        (part / "file.py").chmod(0o644)
        (part / "link").symlink_to("file.py")
    (tmp_path / "outside").mkdir()
    single = tmp_path / "release" / "lib" / "part"
    directories = [str(tmp_path / "release" / group) for group in ("app", "site-packages")]
    return [*directories, str(single / "file.py"), str(single / "link")]


class Watch:
    """A watcher whose reports are kept."""

    def __init__(self, roots: list[str], *, full_pass_s: float = 300) -> None:
        self.reports: queue.Queue[Reported] = queue.Queue()
        self.watcher = Watcher(roots, full_pass_s=full_pass_s)
        self.entries = self.watcher.measure()

    def start(self) -> "Watch":
        self.watcher.start(kept_in(self.reports))
        return self

    def report(self) -> Reported:
        return self.reports.get(timeout=TIMEOUT_S)

    def ended(self) -> bool:
        """Tell whether the thread ends and there was no second report."""
        assert self.watcher._thread is not None
        self.watcher._thread.join(TIMEOUT_S)
        return not self.watcher._thread.is_alive() and self.reports.empty()

    def quiet(self) -> bool:
        try:
            self.reports.get(timeout=QUIET_S)
        except queue.Empty:
            return True
        return False


MakeWatch = Callable[..., Watch]


def kept_in(reports: queue.Queue[Reported]) -> Callable[[str, str], None]:
    return lambda what, path: reports.put((what, path))


@pytest.fixture
def watch(roots: list[str]) -> Iterator[MakeWatch]:
    made: list[Watch] = []

    def make(*, full_pass_s: float = 300, roots: list[str] = roots) -> Watch:
        made.append(Watch(roots, full_pass_s=full_pass_s))
        return made[-1]

    yield make
    for one in made:
        one.watcher.stop()
    assert "tpm-drift" not in [thread.name for thread in threading.enumerate()]
