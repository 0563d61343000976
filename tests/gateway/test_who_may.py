"""Who may speak for a station over REST, and how often."""

import base64
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from gateway.rest.throttling import StationThrottle
from stations.places.credentials import station_credential_set
from tests.gateway.problems import problem
from tests.stations.conftest import BASE, StationClient, at

pytestmark = pytest.mark.django_db


# --- Who may


def test_another_station_finds_nothing(owner: StationClient, other: StationClient) -> None:
    owner.start()
    problem(other.get("/T1"), 404, "not_found")
    problem(other.stop(), 404, "not_found")
    problem(other.post("/T1/meter-values", {"values": [{"sampled_at": at(-30), "value": 4500}]}), 404, "not_found")
    assert other.start(meter_start_wh=7).status_code == 201  # the same number is another session there
    assert owner.get("/T1").json()["meter_start_wh"] == 1000
    assert owner.get("/T1").json()["status"] == "ACTIVE"


@pytest.mark.parametrize("path", ["", "/T1", "/T1/meter-values", "/T1/stop"])
def test_a_stranger_is_told_how_to_authenticate(owner: StationClient, stranger: Client, path: str) -> None:
    owner.start()
    ask = stranger.get if path == "/T1" else stranger.post
    answer = ask(BASE + path)
    problem(answer, 401, "not_authenticated")
    assert answer["WWW-Authenticate"] == 'Basic realm="EVPortal stations", charset="UTF-8"'


def basic(text: str | bytes) -> str:
    return "Basic " + base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


@pytest.mark.parametrize(
    "header",
    [
        basic("CS-OWNER:wrong"),
        basic("CS-OWNER:"),
        basic("CS-NONE:x"),
        basic("CS-NONE:"),
        basic("CS-OWNER"),
        basic("CS-OWNER\0:x"),
        basic("CS-OWNER:\u2028"),
        basic(b"\xff\xfe:x"),
        basic("x" * 500 + ":y"),
        "Basic",
        "Basic %%%",
        "basic ====",
    ],
)
def test_wrong_credentials(owner: StationClient, stranger: Client, header: str) -> None:
    answer = stranger.get(BASE + "/T1", headers={"Authorization": header})
    problem(answer, 401, "credentials_invalid")
    assert answer["WWW-Authenticate"].startswith("Basic ")


def test_a_station_without_credential_lets_nobody_in(owner: StationClient, stranger: Client) -> None:
    owner.station.credential_hash = ""
    owner.station.save()
    for credential in ("", "x", owner.credential):
        answer = stranger.get(BASE + "/T1", headers={"Authorization": basic(f"CS-OWNER:{credential}")})
        problem(answer, 401, "credentials_invalid")


def test_a_new_credential_ends_the_old_one(owner: StationClient) -> None:
    new = station_credential_set(station=owner.station)
    problem(owner.get("/T1"), 401, "credentials_invalid")
    owner.credential = new
    problem(owner.get("/T1"), 404, "not_found")
    owner.station.refresh_from_db()
    assert new not in owner.station.credential_hash and len(new) == 20
    assert owner.station.last_seen_at is not None


def test_other_schemes_are_not_ours(stranger: Client) -> None:
    problem(stranger.get(BASE + "/T1", headers={"Authorization": "Bearer abc"}), 401, "not_authenticated")


# --- How often


def test_a_broken_station_is_slowed_and_another_is_not(
    owner: StationClient, other: StationClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StationThrottle, "limit", lambda _: 3)
    for _ in range(3):
        problem(owner.get("/T1"), 404, "not_found")
    answer = owner.get("/T1")
    problem(answer, 429, "throttled")
    assert 1 <= int(answer["Retry-After"]) <= 60
    problem(other.get("/T1"), 404, "not_found")


def test_sessions_are_taken_while_redis_is_away(owner: StationClient, settings: Any) -> None:
    backend = "django.core.cache.backends.redis.RedisCache"
    settings.CACHES = {"default": {"BACKEND": backend, "LOCATION": "redis://127.0.0.1:1/0"}}
    with pytest.raises(Exception, match="refused"):
        cache.get("anything")
    assert owner.start().status_code == 201
