"""Measuring: what lies below the roots, every kind of tampering with it, and what cannot be measured."""

import hashlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tpm.service.integrity.tampering import ALL, Tampering, Victims
from tpm.service.release.entries import Entry, event, events
from tpm.service.release.manifest import manifest_of
from tpm.service.release.measure import MAX_DEPTH, ChangedError, MeasureError, differences, measure
from tpm.service.release.pcr import PCR_START, extended, path_bytes
from tpm.service.release.strict_json import ManifestError

GROUPS = ("app", "lib", "site-packages")


@pytest.fixture
def roots(tmp_path: Path) -> list[str]:
    """Three measured directories, each with a file and a link to it in `part`, and a file beside."""
    for group in GROUPS:
        part = tmp_path / "release" / group / "part"
        part.mkdir(parents=True)
        (part / "file.py").write_text(f"# of {group}\n" * 10)
        (part / "file.py").chmod(0o644)
        (part / "link").symlink_to("file.py")
        (part.parent / "other").write_bytes(b"\0\1\2")
    (tmp_path / "outside").mkdir()
    return [str(tmp_path / "release" / group) for group in GROUPS]


def victims(roots: list[str], group: str) -> Victims:
    part = Path(roots[GROUPS.index(group)]) / "part"
    return Victims(part / "file.py", part / "link", part.parents[2] / "outside")


def pcr(entries: list[Entry]) -> bytes:
    return extended(PCR_START, events(entries))


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize(("tamper", "expected"), ALL, ids=lambda value: getattr(value, "__name__", ""))
def test_tampering_shows(roots: list[str], group: str, tamper: Tampering, expected: tuple[str, ...]) -> None:
    before = measure(roots)
    tamper(victims(roots, group))
    after = measure(roots)
    found = differences(before, after)
    assert tuple(sorted(difference.what for difference in found)) == expected
    assert all(difference.path.startswith(roots[GROUPS.index(group)]) for difference in found)
    assert pcr(after) != pcr(before)


def test_untouched_files_measure_the_same(roots: list[str]) -> None:
    before = measure(roots)
    os.utime(Path(roots[0]) / "part" / "file.py", (1, 1))
    assert measure(list(reversed(roots))) == before
    assert differences(before, measure(roots)) == []


def test_two_files_that_changed_places_show(roots: list[str]) -> None:
    before = measure(roots)
    one, other = Path(roots[0]) / "other", Path(roots[1]) / "part" / "file.py"
    content = one.read_bytes(), other.read_bytes()
    one.write_bytes(content[1])
    other.write_bytes(content[0])
    assert [difference.what for difference in differences(before, measure(roots))] == ["changed", "changed"]
    assert pcr(measure(roots)) != pcr(before)


def test_entries_say_what_was_found(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "x").write_bytes(b"abc")
    (root / "a" / "x").chmod(0o640)
    (root / "a.b").symlink_to("nowhere at all")
    (root / "empty").mkdir()
    os.mkfifo(root / "queue")
    found = measure([str(root)])
    assert [(entry.path.removeprefix(str(root)), event(entry).partition(" /")[0]) for entry in found] == [
        ("/a.b", "link:nowhere%20at%20all"),  # "." comes before "/"
        ("/a/x", f"sha256:{hashlib.sha256(b'abc').hexdigest()} 0640"),
        ("/queue", "other:fifo"),
    ]
    assert (found[1].size, found[1].mode) == (3, 0o640)
    with pytest.raises(ManifestError, match="files: expected files and symbolic links, got fifo"):
        manifest_of(version="1", created_at="2026-11-23T09:00:00Z", roots=[str(root)], entries=found)


def test_single_files_and_links_are_roots(tmp_path: Path) -> None:
    (tmp_path / "libx.so.1.0").write_bytes(b"ELF")
    (tmp_path / "libx.so.1").symlink_to("libx.so.1.0")
    (tmp_path / "liby.so.1").write_bytes(b"not measured")
    found = measure([str(tmp_path / "libx.so.1.0"), str(tmp_path / "libx.so.1")])
    assert [(entry.path, entry.link) for entry in found] == [
        (str(tmp_path / "libx.so.1"), "libx.so.1.0"),
        (str(tmp_path / "libx.so.1.0"), None),
    ]


@pytest.mark.parametrize(
    "name", [b"new\nline", b"not UTF-8 \xff\xfe", b"\xed\xa0\x80", b" ", b"x" * 255, b"\\", '"é"'.encode(), b"sha256:0"]
)
def test_names_of_any_bytes(tmp_path: Path, name: bytes) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    (tmp_path / "link-to-it").symlink_to(os.fsdecode(name))
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY)
    os.close(descriptor)
    entries = measure([str(tmp_path)])
    assert path in [path_bytes(entry.path) for entry in entries]
    assert name in [path_bytes(entry.link) for entry in entries if entry.link is not None]
    manifest = manifest_of(version="1", created_at="2026-11-23T09:00:00Z", roots=[str(tmp_path)], entries=entries)
    assert list(manifest.parse(manifest.dumps()).entries) == entries
    assert manifest.dumps().isascii()


def test_a_link_with_spaces_has_no_event_of_another_tree() -> None:
    one = Entry("/y /z", link="/x")
    other = Entry("/z", link="/x /y")
    escaped = Entry("/z", link="/x%20/y")
    assert len({event(one), event(other), event(escaped)}) == 3


def test_a_large_file(tmp_path: Path) -> None:
    """Sparse, and more than what is read at once."""
    with (tmp_path / "large").open("wb") as file:
        file.truncate(200_000_000)
        file.seek(150_000_000)
        file.write(b"somewhere")
    (found,) = measure([str(tmp_path)])
    with (tmp_path / "large").open("rb") as file:
        assert found.sha256 == hashlib.file_digest(file, "sha256").digest()
    assert found.size == 200_000_000


def test_a_device_is_never_opened() -> None:
    (found,) = measure(["/dev/zero"])  # reading it would never end
    assert event(found) == "other:character-device /dev/zero"


def test_missing_and_overlapping_roots_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "ab").mkdir()
    with pytest.raises(ChangedError, match="missing: is not there"):
        measure([str(tmp_path / "missing")])
    assert measure([str(tmp_path / "missing")], missing_ok=True) == []
    for roots in ([tmp_path / "a", tmp_path / "a" / "b"], [tmp_path / "a" / "b", tmp_path / "a"], [tmp_path] * 2):
        with pytest.raises(ManifestError, match="roots: expected paths that do not overlap"):
            measure([str(root) for root in roots])
    assert measure([str(tmp_path / "a"), str(tmp_path / "ab")]) == []
    for root in ("", "relative", "/", f"{tmp_path}/", f"{tmp_path}/a/..", f"{tmp_path}//a"):
        with pytest.raises(ManifestError, match=r"^roots"):
            measure([root])
    with pytest.raises(ManifestError, match="roots: expected at least one"):
        measure([])


def test_a_root_behind_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real" / "root").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("real")
    with pytest.raises(MeasureError, match="leads through no symbolic link"):
        measure([str(tmp_path / "alias" / "root")])


def test_directories_without_end(tmp_path: Path) -> None:
    before = Path.cwd()
    os.chdir(tmp_path)  # such a path is too long to be named at once
    try:
        for _ in range(MAX_DEPTH + 20):
            Path("x" * 50).mkdir()
            os.chdir("x" * 50)
    finally:
        os.chdir(before)
    with pytest.raises(MeasureError, match="within each other"):
        measure([str(tmp_path)])
    shutil.rmtree(tmp_path)


@pytest.fixture
def unprivileged() -> Iterator[None]:
    """Root may read everything: become somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


@pytest.mark.parametrize("what", ["file", "directory"])
def test_what_cannot_be_read_is_named(tmp_path: Path, what: str, request: pytest.FixtureRequest) -> None:
    root = tmp_path / "root"
    (root / "directory").mkdir(parents=True)
    (root / "file").write_text("secret")
    (root / what).chmod(0)
    for parent in (tmp_path, *tmp_path.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    request.getfixturevalue("unprivileged")
    with pytest.raises(MeasureError, match=f"{what}: cannot be read: Permission denied") as caught:
        measure([str(root)])
    assert (caught.value.path, caught.value.transient) == (str(root / what), False)


def test_a_file_written_to_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(30_000_000))
    ended = threading.Event()

    def write() -> None:
        with path.open("r+b", buffering=0) as file:
            while not ended.is_set():
                os.pwrite(file.fileno(), os.urandom(1), 1000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(ChangedError, match="changed while it was measured"):
            for _ in range(50):
                measure([str(tmp_path)])
    finally:
        ended.set()
        writer.join()


def test_files_that_come_and_go_while_they_are_measured(tmp_path: Path) -> None:
    """Whatever the moment: an entry, or a typed error; never a link's target, never another error."""
    secret = tmp_path / "secret"
    secret.write_text("must never be measured")
    root = tmp_path / "root"
    root.mkdir()
    path = root / "file"
    ended = threading.Event()

    def flicker() -> None:
        while not ended.is_set():
            path.write_text("regular")
            path.unlink()
            path.symlink_to(secret)
            path.unlink()
            os.mkfifo(path)
            path.unlink()
            path.mkdir()
            path.rmdir()

    worker = threading.Thread(target=flicker)
    worker.start()
    forbidden = hashlib.sha256(secret.read_bytes()).digest()
    errors = entries = 0
    try:
        deadline = time.monotonic() + 30
        while (errors < 20 or entries < 20) and time.monotonic() < deadline:
            try:
                found = measure([str(root)])
            except ChangedError:
                errors += 1
            else:
                entries += len(found)
                assert all(entry.sha256 != forbidden for entry in found)
    finally:
        ended.set()
        worker.join()
    assert errors >= 20
    assert entries >= 20


def open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_progress_may_stop_it(roots: list[str]) -> None:
    class Enough(Exception):
        pass

    def each(entry: Entry) -> None:
        seen.append(entry.path)
        if len(seen) == 3:
            raise Enough

    seen: list[str] = []
    before = open_descriptors()
    with pytest.raises(Enough):
        measure(roots, each)
    assert len(seen) == 3
    assert open_descriptors() == before


def test_no_descriptor_is_left_after_errors(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    os.mkfifo(tmp_path / "a" / "b" / "fifo")
    before = open_descriptors()
    for _ in range(100):
        measure([str(tmp_path)])
        with pytest.raises(MeasureError):
            measure([str(tmp_path / "a"), str(tmp_path / "missing")])
    assert open_descriptors() == before
