"""A monitor finds out each way in which a log, its chain or its witnesses can lie; of an honest one nothing."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from dev.common.processes import free_port
from ledger.log import tree
from ledger.log.monitor.state import StateError, load, save
from tests.ledger.log.operator import LogKey, WitnessKey, leaves, root_of
from tests.ledger.log.world import World, world

__all__ = ["world"]
ROOT = Path(__file__).parents[3]


# --- an honest log


def test_an_honest_log_is_followed(world: World) -> None:
    for size in (1, 7, 256, 300, 300, 1000):
        world.grow(size)
        status, text = world.look()
        assert (status, text.count("all is well")) == (0, 1), text
        assert f"log: {size} entries" in text
    assert "goes on from 300" in text and "has signed 1000 entries" in text and "up to block 900" in text
    saved = json.loads(world.state.read_text())
    assert saved["size"] == 1000 and saved["ids"] == [[1, 1000]] and saved["uncompared"] == []
    assert [path.name for path in world.folder.iterdir()] == ["state.json"]


def test_chain_and_witnesses_may_be_ahead_and_behind(world: World) -> None:
    world.grow(10)
    world.node.checkpoint(leaves(12))
    world.node.record(leaves(13))
    ahead = world.log.key.note_of(leaves(12))
    world.witness.status = {"logs": [{"checkpoint": ahead}]}
    assert world.look(late=60)[0] == 0
    world.grow(12)
    world.witness.status = {"logs": [{"checkpoint": world.log.key.note_of(leaves(5))}]}  # never seen here: by the tiles
    world.log.lines = ""
    assert world.look(late=60)[0] == 0
    saved = json.loads(world.state.read_text())
    assert saved["later"] == [] and list(saved["unlogged"]) == ["13"]


def test_a_log_without_chain_or_witnesses(world: World) -> None:
    world.grow(5)
    out = StringIO()
    args = ["--log", world.log.url, "--log-key", world.log.key.vkey, "--state", str(world.state)]
    call_command("ledger_monitor", *args, "--once", stdout=out)
    assert "all is well" in out.getvalue()


def test_what_was_pruned_is_not_missed(world: World) -> None:
    world.grow(10)
    for number in (1, 2, 3):
        del world.node.rows[number]
    world.node.floor = 3
    assert world.look()[0] == 0


def test_a_chain_that_is_away_is_made_up_for(world: World) -> None:
    world.grow(10)
    world.node.away = True
    status, text = world.look()
    assert status == 1 and "chain_away" in text
    world.node.away = False
    world.grow(20)
    world.node.rows[4] = b"\1" * 32
    status, text = world.look()
    assert status == 3 and "record_invented 4" in text


# --- lies

Lie = Callable[[World], None]
LIES: dict[str, Lie] = {}


def lie(code: str) -> Callable[[Lie], Lie]:
    def name(function: Lie) -> Lie:
        LIES[f"{code} {function.__name__}"] = function
        return function

    return name


@lie("log_fork")
def another_tree(world: World) -> None:
    """The operator signs two trees, and shows us the second one."""
    world.log.entries = leaves(20, "other")
    world.log.note = world.log.key.note_of(world.log.entries)


@lie("log_fork")
def another_tree_of_the_same_size(world: World) -> None:
    world.log.entries = leaves(10, "other")
    world.log.note = world.log.key.note_of(world.log.entries)


@lie("log_fork")
def another_tree_of_a_size_before(world: World) -> None:
    world.grow(12)
    world.look()
    world.log.entries = leaves(10, "other")
    world.log.note = world.log.key.note_of(world.log.entries)


@lie("log_fork")
def another_tree_for_the_witness(world: World) -> None:
    world.witness.status = {"logs": [{"checkpoint": world.log.key.note_of(leaves(10, "other"))}]}


@lie("log_fork")
def another_tree_that_a_witness_kept_as_evidence(world: World) -> None:
    notes = [world.log.key.note_of(leaves(3)), world.log.key.note_of(leaves(3, "other"))]
    world.witness.status = {"logs": [{"checkpoint": None, "evidence": [{"time": 1, "reason": "x", "notes": notes}]}]}


@lie("log_fork")
def another_tree_that_we_meet_later(world: World) -> None:
    world.witness.status = {"logs": [{"checkpoint": world.log.key.note_of(leaves(12, "other"))}]}
    assert world.look(late=60)[0] == 0
    world.grow(14)


@lie("log_files")
def entries_that_are_not_the_trees(world: World) -> None:
    world.grow(20)
    world.log.entries_shown = [*leaves(19), leaves(20, "other")[-1]]


@lie("log_files")
def entries_that_are_withheld(world: World) -> None:
    world.grow(20)
    world.log.entries_shown = leaves(15)


@lie("log_files")
def entries_of_another_length(world: World) -> None:
    world.grow(20)
    world.log.twist = lambda path, content: content[:-1] if "entries" in path else content


@lie("log_key")
def another_key(world: World) -> None:
    world.log.note = LogKey().note_of(leaves(10))


@lie("chain_fork")
def another_root_on_the_chain(world: World) -> None:
    assert world.node.log is not None
    world.node.log["root"] = root_of(leaves(10, "other")).hex()


@lie("record_invented")
def a_leaf_that_is_no_record(world: World) -> None:
    world.grow(20)
    del world.node.rows[17]


@lie("record_invented")
def a_leaf_with_another_digest(world: World) -> None:
    world.grow(20)
    world.node.rows[17] = b"\2" * 32


@lie("record_missing")
def a_record_that_is_no_leaf(world: World) -> None:
    world.node.record([tree.leaf(11, b"\3" * 32)])
    world.node.head = 890
    world.look(late=60)


@lie("record_doubled")
def a_record_twice(world: World) -> None:
    entries = [*leaves(10), leaves(4)[-1]]
    world.log.entries, world.log.note = entries, world.log.key.note_of(entries)
    world.node.checkpoint(entries)


@pytest.mark.parametrize("name", LIES)
def test_a_lie_is_found_out(world: World, name: str) -> None:
    world.grow(10)
    assert world.look()[0] == 0
    LIES[name](world)
    status, text = world.look()
    code = name.split()[0]
    assert status == 3 and f"CONTRADICTION {code} " in text, text
    if code in ("log_fork", "chain_fork", "log_key"):  # it stays so, whatever is shown later
        notes = json.loads(world.state.read_text())["found"][0]["notes"]
        assert code == "chain_fork" or (all("\u2014" in note for note in notes) and notes)


@pytest.mark.parametrize("size", [1, 9])
def test_what_was_found_stays_until_somebody_settles_it(world: World, size: int) -> None:
    world.grow(10)
    world.look()
    another_tree(world)
    assert world.look()[0] == 3
    world.grow(20 + size)
    status, text = world.look()
    assert status == 3 and "log_fork" in text and f"{20 + size} entries" in text
    status, text = world.look("--forget")
    assert status == 0 and "all is well" in text


# --- away


def test_a_log_that_does_not_answer(world: World) -> None:
    world.grow(10)
    world.log.gone = 502
    status, text = world.look()
    assert status == 1 and "AWAY log_away" in text and "HTTP 502" in text
    world.log.gone = 0
    world.log.note = "<html>\n"
    status, text = world.look()
    assert status == 1 and "AWAY log_unreadable" in text
    world.log.note = None
    assert world.look()[0] == 0
    world.log.server.server_close()
    world.log.server.shutdown()
    assert world.look()[0] == 1


def test_a_witness_that_stopped(world: World) -> None:
    world.grow(10)
    assert world.look()[0] == 0
    world.grow(20)
    world.log.lines, world.witness.status = "", {"logs": []}
    assert world.look(late=60)[0] == 0
    status, text = world.look()
    assert (
        status == 1 and "witness_stopped witness.test/w1" in text and "signed 10 entries last, the log has 20" in text
    )
    world.witness.status = None
    status, text = world.look()
    assert status == 1 and "witness_away" in text
    world.grow(21)
    assert world.look()[0] == 0


def test_an_older_state_of_the_log(world: World) -> None:
    world.grow(10)
    world.look()
    world.log.note = world.log.key.note_of(leaves(8))
    assert world.look(late=60)[0] == 0
    status, text = world.look()
    assert status == 1 and "log_older" in text and "log_not_shown" not in text


def test_records_that_do_not_come_into_the_log(world: World) -> None:
    world.grow(10)
    world.node.record(leaves(15))
    status, text = world.look()
    assert status == 1 and "log_stands_still" in text and "5 for 0 s" in text


def test_a_chain_without_the_log(world: World) -> None:
    world.grow(10)
    world.node.log = None
    status, text = world.look()
    assert status == 1 and "chain_without_log" in text


def test_a_log_that_hides_what_others_know(world: World) -> None:
    world.grow(10)
    world.witness.status = {"logs": [{"checkpoint": world.log.key.note_of(leaves(12))}]}
    status, text = world.look()
    assert status == 1 and "log_not_shown" in text and "knows 12 entries" in text


# --- the command


def test_metrics(world: World) -> None:
    world.grow(10)
    _, text = world.look("--metrics", "-")
    assert "evportal_log_verified_size 10.0" in text and "evportal_monitor_severity 0.0" in text
    assert 'evportal_witness_signed_size{witness="witness.test/w1"} 10.0' in text
    assert f'evportal_chain_log_size{{node="{world.node.url}"}} 10.0' in text
    file = world.folder / "monitor.prom"
    another_tree(world)
    assert world.look("--metrics", str(file))[0] == 3
    assert 'evportal_monitor_findings{code="log_fork",severity="contradiction"} 1.0' in file.read_text()


def test_it_runs_without_a_database_until_it_is_ended(world: World) -> None:
    """As a process, with a database that is nowhere; it tells what is new, and serves its metrics."""
    world.grow(10)
    port = free_port()
    args = ["--log", world.log.url, "--log-key", world.log.key.vkey, "--state", str(world.state)]
    args += ["--node", world.node.url, "--every", "0.1", "--late", "0", "--listen", f"127.0.0.1:{port}"]
    environment = {**os.environ, "EVPORTAL_DATABASE_URL": "postgres://nobody@127.0.0.1:9/none"}
    with subprocess.Popen(
        [sys.executable, "manage.py", "ledger_monitor", *args],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def line_with(words: str) -> str:
            assert process.stdout is not None
            return next(line for line in process.stdout if words in line)

        line_with("all is well")
        world.grow(20)
        assert "goes on from 10" in line_with("20 entries")
        another_tree(world)
        world.log.entries = leaves(25, "other")
        world.log.note = world.log.key.note_of(world.log.entries)
        line_with("CONTRADICTION log_fork")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert b"evportal_log_verified_size 20.0" in answer.read()
        process.terminate()
    assert process.returncode == 3


def test_the_state_is_whole_or_refused(world: World) -> None:
    world.grow(10)
    world.look()
    state = load(world.state, log_key=world.log.key.vkey, account="evledger")
    save(state, world.state)
    text = world.state.read_text()
    for broken in (
        "",
        text[:-20],
        "[]",
        "{}",
        text.replace("evportal-monitor/1", "x"),
        text.replace('"size": 10', '"size": 11'),
    ):
        world.state.write_text(broken)
        with pytest.raises(StateError):
            load(world.state, log_key=world.log.key.vkey, account="evledger")
        with pytest.raises(CommandError) as refused:
            world.look()
        assert refused.value.returncode == 2 and world.state.read_text() == broken
    world.state.write_text(text)
    with pytest.raises(StateError, match="another log"):
        load(world.state, log_key=LogKey().vkey, account="evledger")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--log-key", "x"], "--log-key"),
        (["--witness", "x"], "--witness"),
        (["--log-key", WitnessKey("w").vkey], "wrong way round"),
        (["--listen", "nowhere"], "ADDRESS:PORT"),
    ],
)
def test_wrong_use_is_told(world: World, options: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why) as refused:
        world.look(*options)
    assert refused.value.returncode == 2
