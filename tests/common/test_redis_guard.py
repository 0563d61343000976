"""A frozen Redis holds up the first who asks it, and nobody for some seconds; what it holds is ours or nothing."""

import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import current_app
from django.core.cache import cache, caches
from pytest_django.fixtures import Settings

from common.announce import UNREACHABLE, announce
from common.redis_guard import guard
from dev.common.processes import free_port
from dev.parts.redis import Redis
from ledger.models import LedgerEntry
from tests.conftest import CloseSessions


@pytest.fixture
def own_redis(tmp_path: Path, settings: Settings) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis", free_port(), appendonly=False)
    with server.running():
        settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": server.url}}
        yield server
        os.kill(server.pid, signal.SIGCONT)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that something really asks Redis, as cache or as broker."""
    seen: list[str] = []
    real = redis.Redis.execute_command

    def execute(self: Any, *args: Any, **options: Any) -> Any:
        seen.append(str(args[0]))
        return real(self, *args, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(redis.Redis, "execute_command", execute)
    monkeypatch.setattr(current_app, "send_task", lambda task, *args, **options: seen.append(task))
    return seen


@pytest.mark.django_db(transaction=True)
def test_closes_go_on_while_redis_is_frozen(
    own_redis: Redis, asked: list[str], close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.redis_guard.QUIET_S", 3600.0)  # longer than the test takes
    close_sessions()
    assert asked == ["SET", "ledger.tasks.anchor"]
    os.kill(own_redis.pid, signal.SIGSTOP)
    asked.clear()
    for _ in range(20):
        close_sessions()
    assert LedgerEntry.objects.count() == 21
    assert len(asked) == 1  # the first of them waited for a second, nobody else
    os.kill(own_redis.pid, signal.SIGCONT)
    guard.quiet_until = 0.1  # the hour is over
    close_sessions()
    assert guard.quiet_until == 0.0 and len(asked) > 1


def test_one_tries_again_while_the_others_go_on(own_redis: Redis, asked: list[str]) -> None:
    os.kill(own_redis.pid, signal.SIGSTOP)
    with pytest.raises(UNREACHABLE):
        cache.get("a")
    with pytest.raises(UNREACHABLE):
        cache.get("a")
    announce("tests.nobody")
    assert asked == ["GET"]
    guard.quiet_until = 0.1
    with pytest.raises(UNREACHABLE):
        cache.get("a")
    with pytest.raises(UNREACHABLE):
        cache.get("a")
    assert asked == ["GET", "GET"]


def test_a_broker_that_does_not_answer_is_left_alone_too(
    own_redis: Redis, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        asked.append("broker")
        raise OSError("no broker")

    monkeypatch.setattr(current_app, "send_task", refuse)
    for _ in range(3):
        announce("tests.nobody")
    assert asked == ["broker"]


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('run')",)


@pytest.mark.parametrize(
    "value", [b"", b"x", b"x" * 100, pickle.dumps(Evil()), b"0" * 32 + pickle.dumps(Evil()), b"\xff"]
)
def test_what_somebody_else_wrote_is_not_there(own_redis: Redis, value: bytes) -> None:
    cache.set("ours", {"a": (1, b"2", None)})
    assert cache.get("ours") == {"a": (1, b"2", None)}
    redis.Redis.from_url(own_redis.url).set(cache.make_key("theirs"), value)
    assert cache.get("theirs") is None
    cache.set("theirs", "made")
    assert cache.get("theirs") == "made"


def test_another_secret_key_finds_nothing(own_redis: Redis, settings: Settings) -> None:
    cache.set("ours", [1])
    settings.SECRET_KEY = "another"
    del caches["default"]
    assert cache.get("ours") is None


def test_numbers_are_counted_by_redis(own_redis: Redis) -> None:
    assert cache.add("n", 1) and cache.incr("n", 2) == 3 and cache.get("n") == 3
