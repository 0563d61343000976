"""`make test` of what is named: one file without workers, and of SQLite's half only what is among it."""

import os
import subprocess

import pytest

from dev.stack.layout import ROOT

RECORDING = "tests/ledger/recording/test_recording.py"
KEYS = "tests/ledger/keys/test_replacing.py"
IN_KEYS = f"{KEYS}::test_whoever_makes_keys_while_the_master_key_is_replaced_loses_none"


def said(*arguments: str) -> str:
    """What make would do, whatever the make did in which these tests run."""
    ours = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "WORKERS"}
    env = {name: value for name, value in os.environ.items() if name not in ours}
    command = ["make", "--dry-run", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True).stdout


def commands(arguments: str) -> dict[str, list[str]]:
    """What pytest gets in each half, for those halves that would run."""
    whole = said("test", f"ARGS={arguments}")
    found = {}
    for half in ("on-sqlite", "on-postgresql"):
        if f" {half}" in whole:
            (line,) = [line for line in said(half, f"ARGS={arguments}").splitlines() if "-m pytest" in line]
            found[half] = line.partition("-m pytest")[2].partition(">")[0].split()
    return found


def test_everything_runs_on_several_workers_and_sqlite_has_its_half() -> None:
    found = commands("-ra")
    assert {RECORDING, IN_KEYS} <= set(found["on-sqlite"])
    assert found["on-postgresql"][:2] == ["-n", "6"] and found["on-postgresql"][-1] == "-ra"


@pytest.mark.parametrize(
    ("arguments", "on_sqlite"),
    [
        ("tests/api/test_docs.py", None),
        ("tests/api/test_docs.py::test_one tests/api/test_docs.py::test_two", None),
        (f"{KEYS}::test_another", None),
        (KEYS, [IN_KEYS]),
        (IN_KEYS, [IN_KEYS]),
        (f"{RECORDING} -k one", [RECORDING, "-k", "one"]),
        (f"{RECORDING}::test_one", [f"{RECORDING}::test_one"]),
    ],
)
def test_one_file_needs_no_workers(arguments: str, on_sqlite: list[str] | None) -> None:
    found = commands(arguments)
    assert found.get("on-sqlite") == on_sqlite
    assert found["on-postgresql"] == arguments.split()


def test_a_folder_has_its_part_of_sqlite() -> None:
    found = commands("tests/ledger/keys/")
    assert (found["on-sqlite"], found["on-postgresql"][:2]) == ([IN_KEYS], ["-n", "6"])
