"""Workers are told by the name of a task: each name is one that a worker knows, and nobody need be there to listen."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError as RedisConnectionError

from common.announce import announce, announced_forget

ROOT = Path(__file__).parents[2]
PACKAGES = ("accounts", "api", "common", "gateway", "ledger", "portal", "stations", "tpm")


def announced() -> Iterator[tuple[str, str]]:
    """(file, name) of each `announce("…")`; a constant of the same file counts as what it says."""
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        text = path.read_text()
        if "announce(" not in text:
            continue
        tree = ast.parse(text)
        constants = {
            name.id: statement.value.value
            for statement in tree.body
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant)
            for name in statement.targets
            if isinstance(name, ast.Name)
        }
        pairs = (
            zip(target.elts, statement.value.elts, strict=True)
            for statement in tree.body
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Tuple)
            for target in statement.targets
            if isinstance(target, ast.Tuple) and len(target.elts) == len(statement.value.elts)
        )
        for pair in pairs:
            constants |= {a.id: b.value for a, b in pair if isinstance(a, ast.Name) and isinstance(b, ast.Constant)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "announce":
                name = node.args[0]
                value = name.value if isinstance(name, ast.Constant) else constants[ast.unparse(name)]
                yield str(path.relative_to(ROOT)), str(value)


ANNOUNCED = sorted(set(announced()))


def test_there_is_something_to_announce() -> None:
    assert len({name for _, name in ANNOUNCED}) >= 9


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The tasks of a worker that was started as `celery worker` starts it."""
    current_app.loader.import_default_modules()
    return set(current_app.tasks)


@pytest.mark.parametrize(("file", "name"), ANNOUNCED)
def test_a_worker_knows_what_is_announced(file: str, name: str, known: set[str]) -> None:
    assert name in known


def test_a_worker_knows_what_the_beat_and_the_routes_name(known: set[str]) -> None:
    assert {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= known
    exact = {name for name in settings.CELERY_TASK_ROUTES if not name.endswith("*")}
    assert exact <= known
    for pattern in set(settings.CELERY_TASK_ROUTES) - exact:
        assert any(name.startswith(pattern[:-1]) for name in known)


@pytest.mark.parametrize("error", [OperationalError("refused"), RedisConnectionError("refused"), OSError("refused")])
def test_without_a_broker_nothing_is_lost_and_nobody_stumbles(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(current_app, "send_task", refused)
    with caplog.at_level("INFO", "common.announce"):
        announce("tpm.tasks.attest_services")
    assert "tpm.tasks.attest_services is left to the sweep" in caplog.text


def test_once_is_once_until_it_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, *_, **__: sent.append(task))
    announced_forget("a.task")
    for _ in range(3):
        announce("a.task", once_in_s=30)
    assert sent == ["a.task"]
    announced_forget("a.task")
    announce("a.task", once_in_s=30)
    announce("a.task")
    assert sent == ["a.task"] * 3
