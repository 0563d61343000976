"""The Redis and PostgreSQL of our own: they serve, keep what they were given, and end."""

from pathlib import Path

import psycopg
import redis

from dev.common.processes import free_port
from dev.parts.postgres import Postgres
from dev.parts.redis import Redis


def test_redis_keeps_its_data_through_a_kill(tmp_path: Path) -> None:
    server = Redis(tmp_path / "redis", free_port())
    server.start()
    with redis.Redis.from_url(server.url) as client:
        client.set("session", "42")
    server.kill()
    assert not server.alive

    server.start()
    with redis.Redis.from_url(server.url) as client:
        assert client.get("session") == b"42"
    server.stop()
    server.stop()
    assert not server.alive


def test_postgres_keeps_its_data_and_asks_for_a_password(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres")
    server.start()
    try:
        with psycopg.connect(server.url) as connection:
            connection.execute("create table charged (wh integer)")
            connection.execute("insert into charged values (7200)")
        server.stop()
        assert not server.alive
        server.start()
        with psycopg.connect(server.url) as connection:
            assert connection.execute("select wh from charged").fetchone() == (7200,)
        stranger = server.url.replace(server.url.split(":")[2].split("@")[0], "guessed")
        try:
            psycopg.connect(stranger)
        except psycopg.OperationalError as error:
            assert "password authentication failed" in str(error)
        else:
            raise AssertionError("expected a refusal of the wrong password, got a connection")
    finally:
        server.kill()
