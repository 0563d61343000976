"""What runs is measured or named: modules, libraries, and what of environment and command line decides about both."""

import base64
import ctypes
import importlib.util
import os
import queue
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.parts.tpm_service import TpmStack
from tests.tpm.verifier.forger import Forger, failed, judged
from tpm.client import TpmClient, TpmUnavailable
from tpm.service.integrity import loaded
from tpm.service.integrity.drift import Watcher
from tpm.service.release.manifest import Release
from tpm.service.release.pcr import PCR_START, extended, path_bytes
from tpm.service.release.release_key import load_private_key
from tpm.verifier.steps import reason

TIMEOUT_S = 60
SHADOW = """
from pathlib import Path
Path({witness!r}).touch()
exec(compile(Path({real!r}).read_text(), {real!r}, "exec"))
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    stack = TpmStack(tmp_path_factory.mktemp("l"))
    try:
        stack.start()
        stack.client().key_create("ledger", policy="release")
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def stack(running: TpmStack) -> Iterator[TpmStack]:
    """The service, stopped; afterwards its environment and command line are as they were."""
    env, argv = dict(running.service.env or {}), list(running.service.argv)
    running.kill_service()
    yield running
    running.service.env, running.service.argv = env, argv
    running.kill_service()


def started(stack: TpmStack, **environment: str) -> TpmClient:
    stack.service.env = {**(stack.service.env or {}), **environment}
    stack.start_service()
    return stack.client()


def named(client: TpmClient) -> str:
    """What the evidence names, after it was made sure that nothing is signed and that the TPM holds it."""
    assert client.health()["integrity"] == "failed"
    with pytest.raises(TpmUnavailable) as refused:
        client.sign("ledger", bytes(32))
    assert refused.value.code == "integrity_failed"
    evidence = client.attest(bytes(32), [8])
    assert base64.b64decode(evidence["pcrs"]["8"]) == extended(PCR_START, evidence["event_log"])
    (event,) = (event for event in evidence["event_log"] if event.startswith("drift:"))
    return str(event)


def shadow(directory: Path, module: str, real: Path) -> tuple[str, Path]:
    """Make a module that says that it ran and then is the real one; returns its directory and the witness."""
    evil, witness = directory / "evil", directory / "ran"
    evil.mkdir()
    (evil / f"{module}.py").write_text(SHADOW.format(witness=str(witness), real=str(real)))
    return str(evil.resolve()), witness


def test_what_is_released_runs_alone(stack: TpmStack) -> None:
    client = started(stack)
    assert client.health() == {"live": True, "tpm": "ok", "integrity": "verified"}
    client.sign("ledger", bytes(32))


def test_a_module_that_shadows_another_is_named(stack: TpmStack, tmp_path: Path) -> None:
    """By PYTHONPATH, in front of all. It ran, everything works as before, and health said `verified`."""
    evil, witness = shadow(tmp_path, "inotify_simple", stack.release_dir / "site-packages" / "inotify_simple.py")
    path = (stack.service.env or {})["PYTHONPATH"]
    assert named(started(stack, PYTHONPATH=f"{evil}:{path}")) == "drift:environment PYTHONPATH"
    assert witness.exists()
    assert "'PYTHONPATH' is set, and decides what code is loaded" in stack.service.log_tail()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PYTHONPATH", ""),
        ("PYTHONSTARTUP", "{evil}/startup.py"),
        ("PYTHONPYCACHEPREFIX", "{evil}"),
        ("PYTHONINSPECT", "1"),
        ("PYTHONWARNINGS", "ignore::evil.Warned"),
        ("LD_PRELOAD", "libBrokenLocale.so.1"),
        ("LD_LIBRARY_PATH", "{evil}:{lib}"),
        ("LD_AUDIT", "/nowhere.so"),
        ("GUNICORN_CMD_ARGS", "--pythonpath {evil}"),
        ("OPENSSL_CONF", "{evil}/openssl.cnf"),
        ("GCONV_PATH", "{evil}"),
    ],
)
def test_what_of_the_environment_decides_what_is_loaded(stack: TpmStack, tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "startup.py").write_text("")
    before = (stack.service.env or {}).get(name, "")
    value = value.format(evil=tmp_path.resolve(), lib=stack.release_dir / "lib")
    if name == "PYTHONPATH":
        value = f"{before}:{tmp_path.resolve()}"  # behind all, with nothing in it
    assert named(started(stack, **{name: value})) == f"drift:environment {name}"


def test_nothing_decisive_is_handed_on_to_a_release(
    stack: TpmStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a developer's shell has it."""
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stack._build_release()
    assert started(stack).health()["integrity"] == "verified"


def without_s(argv: list[str], evil: Path) -> list[str]:
    return [word for word in argv if word != "-S"]


def another_configuration(argv: list[str], evil: Path) -> list[str]:
    conf = Path(argv[argv.index("-c") + 1])
    (evil / "conf.py").write_text(conf.read_text())
    return [str(evil / "conf.py") if word == str(conf) else word for word in argv]


def code_in_words(argv: list[str], evil: Path) -> list[str]:
    run = "import runpy, sys; sys.argv = ['gunicorn', *sys.argv[1:]]; runpy.run_module('gunicorn', run_name='__main__')"
    at = argv.index("-m")
    return [*argv[:at], "-c", run, *argv[at + 2 :]]


def another_cache(argv: list[str], evil: Path) -> list[str]:
    return [argv[0], "-X", f"pycache_prefix={evil}", *argv[1:]]


def another_path(argv: list[str], evil: Path) -> list[str]:
    return [*argv, "--pythonpath", str(evil)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (without_s, "-S is missing: .pth files and sitecustomize ran"),
        (another_configuration, "-c"),
        (code_in_words, "-c"),
        (another_cache, "-X"),
        (another_path, "--pythonpath"),
    ],
)
def test_what_of_the_command_line_decides_what_is_loaded(
    stack: TpmStack, tmp_path: Path, change: Callable[[list[str], Path], list[str]], what: str
) -> None:
    stack.service.argv = change(list(stack.service.argv), tmp_path)
    assert named(started(stack)) == f"drift:arguments {what}"


def test_a_sitecustomize_of_the_user_is_named(stack: TpmStack, tmp_path: Path) -> None:
    """Without -S: it ran before everything else."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    place = tmp_path / ".local" / "lib" / version / "site-packages"
    place.mkdir(parents=True)
    (place / "evil.pth").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()\n")
    stack.service.argv = without_s(list(stack.service.argv), tmp_path)
    stack.service.env = {name: value for name, value in (stack.service.env or {}).items() if name != "PYTHONNOUSERSITE"}
    assert named(started(stack, HOME=str(tmp_path))).startswith("drift:arguments -S is missing")
    assert (tmp_path / "ran").exists()


def test_all_that_the_worker_maps_was_measured(stack: TpmStack) -> None:
    """74 files of a worker lay in no measured root: python, its library, libc, ld-linux."""
    assert started(stack).health()["integrity"] == "verified"
    children = Path(f"/proc/{stack.service.pid}/task/{stack.service.pid}/children").read_text()
    maps = Path(f"/proc/{children.split()[0]}/maps").read_text().splitlines()
    mapped = {path[0] for path in (line.split(maxsplit=5)[5:] for line in maps) if path and path[0].startswith("/")}
    release = Release.load(stack.release_dir / "release", load_private_key(stack.release_key).public_key())
    assert mapped - {entry.path for entry in release.manifest.entries} <= {"/dev/zero (deleted)"}
    for name in ("/libc.so.6", "/ld-linux", "/libtss2-esys.so", "/libcrypto.so", "/bin/python3"):
        assert any(name in path for path in mapped), name


# --- what the look finds, in this process


@pytest.fixture
def measured() -> set[bytes]:
    """All that is loaded here already."""
    return {*loaded._mapped_files(), *(path_bytes(os.path.realpath(path)) for path in loaded._module_files())}


def looked(measured: set[bytes]) -> list[tuple[str, str]]:
    return list(loaded.unmeasured(measured, [str(top) for top in Path("/").iterdir()]))


def test_a_module_that_is_loaded_later_is_found(measured: set[bytes], tmp_path: Path) -> None:
    assert looked(measured) == []
    file = tmp_path / "late.py"
    file.write_text("x = 1")
    spec = importlib.util.spec_from_file_location("late", file)
    assert spec is not None
    sys.modules["late"] = importlib.util.module_from_spec(spec)
    try:
        assert looked(measured) == [("unmeasured", str(file.resolve()))]
    finally:
        del sys.modules["late"]


def test_a_library_that_is_loaded_later_is_found_also_when_its_file_is_gone(
    measured: set[bytes], tmp_path: Path
) -> None:
    copied = tmp_path / "libcopied.so"
    shutil.copyfile(next(path for path in loaded._mapped_files() if b"/libz.so" in path), copied)
    ctypes.CDLL(str(copied))
    assert looked(measured) == [("unmeasured", str(copied.resolve()))]
    copied.unlink()
    assert looked(measured) == [("unmeasured", f"{copied.resolve()} (deleted)")]


def test_a_place_where_nobody_looked_yet_is_found(
    measured: set[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    roots = [place for place in sys.path if place and place != str(tmp_path)]
    assert ("unmeasured", str(tmp_path.resolve())) in list(loaded.unmeasured(measured, roots))


def test_the_slow_pass_looks_as_well(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    reports: queue.Queue[tuple[str, str]] = queue.Queue()
    late: list[tuple[str, str]] = []
    watcher = Watcher([str(tmp_path)], full_pass_s=0.05)
    watcher.measure()
    watcher.start(lambda what, path: reports.put((what, path)), look=lambda: late)
    with pytest.raises(queue.Empty):
        reports.get(timeout=0.5)
    late.append(("unmeasured", "/evil.so"))
    assert reports.get(timeout=TIMEOUT_S) == ("unmeasured", "/evil.so")
    watcher.stop()


def test_a_process_that_cannot_look_at_itself_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loaded, "ENVIRON", "/proc/self/no-such-thing")
    assert list(loaded.found((), ["/"])) == [("unreadable", "/proc/self/no-such-thing")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PYTHONSTARTUP", True),
        ("PYTHONHOME", True),
        ("LD_PRELOAD", True),
        ("LD_NEW_IN_SOME_LIBC", True),
        ("GUNICORN_CMD_ARGS", True),
        ("PYTHONUNBUFFERED", False),
        ("PYTHON_VERSION", False),
        ("LANG", False),
        ("TPM_TCTI", False),
    ],
)
def test_what_is_decisive(name: str, expected: bool) -> None:
    assert loaded.decisive(name) == expected


# --- what the portal says of it


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ("drift:unmeasured /evil/json.py", "runs without having been measured: /evil/json.py"),
        (
            "drift:environment LD_PRELOAD",
            "started with LD_PRELOAD in its environment, which decides what code is loaded",
        ),
        ("drift:arguments -c", "started by a command line that decides what code is loaded: -c"),
    ],
)
def test_the_portal_names_it(event: str, words: str) -> None:
    honest = Forger()
    steps = judged(Forger(ak=honest.ak, log=(*honest.events, event), integrity="failed"), pinned=honest.pinned())
    assert "events" in failed(steps)
    assert words in reason([step for step in steps if step.name == "events"])
