"""The state on the disk, the key's file, and the configuration: nothing is begun anew by itself."""

from pathlib import Path

import pytest

from tests.witness.a_log import ALog
from tests.witness.conftest import Watched
from witness.config import CONFIG_FILE, EXAMPLE, read_config
from witness.errors import Contradiction, FormError, SetupError
from witness.keys import SigningKey, read_key
from witness.ranges import Ranges
from witness.state import State, make_state


def test_only_one_witness_runs_on_a_state(watched: Watched) -> None:
    with pytest.raises(SetupError, match="another witness runs"):
        State(watched.directory, watched.key.verifier.text)


def test_a_state_that_is_gone_is_not_begun_anew(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="must not go on with that key"):
        State(tmp_path / "nothing", "vkey")


def test_another_witness_state(tmp_path: Path) -> None:
    make_state(tmp_path / "state", "mine")
    with pytest.raises(SetupError, match="the state of another witness"):
        State(tmp_path / "state", "yours")
    with pytest.raises(SetupError, match="cannot be made"):
        make_state(tmp_path / "state", "yours")


@pytest.mark.parametrize("damage", ["", "{", "{}", "[]", '{"size": 1}'])
def test_a_damaged_file_stops_it(watched: Watched, a_log: ALog, damage: str) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 5))
    (path,) = (watched.directory / "origins").glob("*.json")
    path.write_text(damage)
    with pytest.raises(SetupError, match="put it back from a backup"):
        watched.again()
    path.unlink()


def test_a_file_that_lies_under_another_name_stops_it(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 5))
    (path,) = (watched.directory / "origins").glob("*.json")
    path.write_text(path.read_text().replace(a_log.origin, "other.example"))
    with pytest.raises(SetupError, match="expected the state of"):
        watched.again()


def test_what_was_not_finished_is_swept_away(watched: Watched, a_log: ALog) -> None:
    watched.witness.add_checkpoint(a_log.request(0, 5))
    (path,) = (watched.directory / "origins").glob("*.json")
    new = path.with_name(f"{path.name}.new")
    new.write_text("{half")
    watched.again()
    assert not new.exists()
    assert watched.witness.status()["logs"][0]["size"] == 5


def test_the_key_is_nobody_elses(tmp_path: Path) -> None:
    path, key = tmp_path / "key", SigningKey.new("witness.example/w")
    key.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_key(path).verifier == key.verifier
    with pytest.raises(SetupError, match="a key already"):
        SigningKey.new("witness.example/w").write(path)
    path.chmod(0o640)
    with pytest.raises(SetupError, match="mode 600"):
        read_key(path)


@pytest.mark.parametrize("damage", ["", "PRIVATE+KEY+a+b+c", "PRIVATE+KEY+a+00000000+" + "B" + "A" * 43])
def test_what_is_no_key(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "key"
    path.touch(mode=0o600)
    path.write_text(damage)
    with pytest.raises(SetupError):
        read_key(path)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "zeuge.example/ü"])
def test_names_that_a_witness_cannot_have(name: str) -> None:
    with pytest.raises(FormError):
        SigningKey.new(name)


def test_a_key_under_another_name_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    SigningKey.new("witness.example/w").write(path)
    path.write_text(path.read_text().replace("witness.example/w", "witness.example/x"))
    with pytest.raises(SetupError, match="do not belong together"):
        read_key(path)


def test_the_example_is_a_configuration(tmp_path: Path) -> None:
    path = tmp_path / CONFIG_FILE
    path.write_text(EXAMPLE.format(path=path, listen="[::1]:8400"))
    found = read_config(path)
    assert (found.host, found.port, dict(found.logs), found.key) == ("::1", 8400, {}, tmp_path / "witness.key")


def test_what_is_no_configuration(tmp_path: Path, a_log: ALog) -> None:
    path, good = tmp_path / CONFIG_FILE, f'vkey = "{a_log.vkey.text}"\n'
    key = SigningKey.new("witness.example/w").verifier.text
    wrong = [
        "what",
        "what = 1",
        "listen = 1",
        'listen = "8400"',
        'listen = "a:b"',
        "log = [1]",
        '[[log]]\nvkey = "x"',
        f'[[log]]\nvkey = "{key}"',
        f"[[log]]\n{good}[[log]]\n{good}",
        f'[[log]]\n{good}portal = "ftp://x"',
        f"[[log]]\n{good}nodes = [1]",
        f'[[log]]\n{good}nodes = ["http://127.0.0.1:1"]',
        f'[[log]]\n{good}nodes = ["http://127.0.0.1:1"]\naccount = "evledger"\nchain_id = "00"',
        f'[[log]]\n{good}nods = ["http://127.0.0.1:1"]',
    ]
    for each in wrong:
        path.write_text(each)
        with pytest.raises(SetupError):
            read_config(path)
    with pytest.raises(SetupError, match="cannot be read"):
        read_config(tmp_path / "nothing")


def test_ranges() -> None:
    found = Ranges().plus([3, 1, 2, 7]).plus([5, 4])
    assert (found.pairs, found.last) == (((1, 5), (7, 7)), 7)
    assert [found.count_above(floor) for floor in (0, 2, 5, 7)] == [6, 4, 1, 0]
    assert Ranges().last is None
    for again in ([3], [7], [8, 8], [6, 7]):
        with pytest.raises(Contradiction, match="twice"):
            found.plus(again)
    with pytest.raises(ValueError, match="ascending"):
        Ranges([(1, 2), (3, 4)])
