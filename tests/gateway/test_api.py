"""A station's day over REST: the real URLs and database."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import OperationalError, connection
from django.test import Client

from gateway.rest.throttling import StationThrottle
from stations.charging.meter_digest import meter_values_sha256
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession, Connector, IdToken, MeterValue, SessionClosedError
from stations.places.credentials import station_credential_set
from tests.stations.conftest import BASE, Ear, StationClient, at, start_message

pytestmark = pytest.mark.django_db


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """Assert that the answer is this problem, in the form that all have."""
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/problem+json"), answer.content
    body: dict[str, Any] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, "about:blank")
    assert body["title"] and body["detail"]
    return body


# --- The good way


def test_a_session_from_start_to_stop(owner: StationClient, ear: Ear) -> None:
    begun = owner.start()
    assert begun.status_code == 201
    assert begun.json() == {
        "id": begun.json()["id"],
        "transaction_id": "T1",
        "evse_id": 1,
        "connector_id": 1,
        "id_token": {"uid": "04A1", "type": "ISO14443"},
        "status": "ACTIVE",
        "started_at": at(-60),
        "stopped_at": None,
        "meter_start_wh": 1000,
        "meter_stop_wh": None,
        "energy_wh": None,
        "cost_minor": None,
        "currency": "",
        "tariff": {},
        "stop_reason": "",
        "flags": ["start_reported_late"],
    }
    values = [
        {"sampled_at": at(-30), "value": 4500},
        {"sampled_at": at(-30), "value": "230.5", "measurand": "Voltage", "unit": "V", "phase": "L1"},
    ]
    assert owner.post("/T1/meter-values", {"values": values}).json() == {"accepted": 2, "repeated": 0}
    ended = owner.stop(stop_reason="Local")
    assert ended.status_code == 200
    closed = {
        "status": "COMPLETED",
        "stopped_at": at(0),
        "meter_stop_wh": 8000,
        "energy_wh": 7000,
        "stop_reason": "Local",
    }
    assert ended.json() == begun.json() | closed
    assert owner.get("/T1").json() == ended.json()
    assert [str(session.pk) for session in ear.heard] == [begun.json()["id"]]


def test_a_closed_session_covers_its_meter_values(owner: StationClient) -> None:
    owner.start(), owner.start("T2")
    volts = {"sampled_at": at(-30), "value": "-0", "measurand": "Voltage", "unit": "V", "phase": "L1"}
    owner.post("/T1/meter-values", {"values": [volts, {"sampled_at": at(-10), "value": 5000}]})
    owner.stop(), owner.stop("T2")
    session = ChargingSession.objects.get(transaction_id="T1")
    assert [str(value.value) for value in session.meter_values.all()] == ["0.0000", "5000.0000"]
    assert meter_values_sha256(session.meter_values.all()) == session.meter_values_sha256 != ""
    session.meter_values.filter(value=5000).update(value=5001)
    assert meter_values_sha256(session.meter_values.all()) != session.meter_values_sha256
    assert ChargingSession.objects.get(transaction_id="T2").meter_values_sha256 == ""


def test_the_place_is_kept_as_it_was_at_the_start(owner: StationClient) -> None:
    owner.start()
    site = owner.station.site
    site.name = "Renamed"
    site.save()
    owner.stop()
    expected = {"id": "SITE-1", "name": "Harbour", "country": "DEU", "time_zone": "Europe/Berlin"}
    assert ChargingSession.objects.get().location == expected


def test_without_a_token_and_with_an_offset(owner: StationClient) -> None:
    moment = datetime.fromisoformat(at(-60)).astimezone(tz=None)
    offset = (moment + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.0000000+02:00")
    answer = owner.start(id_token=None, started_at=offset)
    assert answer.status_code == 201
    assert (answer.json()["started_at"], answer.json()["id_token"]) == (at(-60), None)


def test_a_linked_token_brings_its_customer(owner: StationClient, customer: Any) -> None:
    IdToken.objects.create(uid="04A1", customer=customer)
    owner.start()
    assert ChargingSession.objects.get().customer == customer


# --- Repeats


def test_each_message_may_be_repeated(owner: StationClient, ear: Ear) -> None:
    first, again = owner.start(), owner.start()
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.content == again.content
    values = {"values": [{"sampled_at": at(-30), "value": 4500}] * 2}
    assert owner.post("/T1/meter-values", values).json() == {"accepted": 1, "repeated": 1}
    assert owner.post("/T1/meter-values", values).json() == {"accepted": 0, "repeated": 2}
    assert owner.stop().content == owner.stop().content
    assert ear.calls == 1


def test_all_messages_again_after_the_stop(owner: StationClient, ear: Ear) -> None:
    values = {"values": [{"sampled_at": at(-30), "value": 4500}]}
    owner.start(), owner.post("/T1/meter-values", values)
    ended = owner.stop()
    assert owner.start(offline=True).content == ended.content
    assert owner.post("/T1/meter-values", values).json() == {"accepted": 0, "repeated": 1}
    assert owner.stop().content == ended.content
    assert (ear.calls, MeterValue.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"meter_start_wh": 1001},
        {"started_at": at(-59)},
        {"id_token": None},
        {"id_token": {"uid": "04A2"}},
        {"evse_id": 2},
    ],
)
def test_a_start_repeated_with_other_content_changes_nothing(owner: StationClient, change: dict[str, Any]) -> None:
    Connector.objects.create(station=owner.station, evse_id=2)
    owner.start()
    stored = owner.get("/T1").content
    problem(owner.start(**change), 409, "session_conflict")
    assert owner.get("/T1").content == stored
    assert not IdToken.objects.filter(uid="04A2").exists()


@pytest.mark.parametrize("change", [{"meter_stop_wh": 8001}, {"stopped_at": at(-1)}, {"stop_reason": "Remote"}])
def test_a_stop_repeated_with_other_content_changes_nothing(
    owner: StationClient, ear: Ear, change: dict[str, Any]
) -> None:
    owner.start()
    stored = owner.stop().content
    problem(owner.stop(**change), 409, "session_conflict")
    assert owner.get("/T1").content == stored
    assert ear.calls == 1


def test_a_meter_value_with_another_value_stores_none_of_its_message(owner: StationClient) -> None:
    owner.start()
    owner.post("/T1/meter-values", {"values": [{"sampled_at": at(-30), "value": 4500}]})
    values = {"values": [{"sampled_at": at(-20), "value": 5000}, {"sampled_at": at(-30), "value": 4501}]}
    body = problem(owner.post("/T1/meter-values", values), 409, "session_conflict")
    assert "stored 4500 Wh, got 4501 Wh" in body["detail"]
    assert MeterValue.objects.count() == 1


# --- Late and out of order


def test_meter_values_after_the_stop(owner: StationClient) -> None:
    owner.start(), owner.stop()
    answer = owner.post("/T1/meter-values", {"values": [{"sampled_at": at(-30), "value": 4500}]})
    problem(answer, 409, "session_closed")
    assert not MeterValue.objects.exists()


def test_a_stop_before_the_start(owner: StationClient, ear: Ear) -> None:
    owner.start()
    problem(owner.stop(stopped_at=at(-61)), 422, "stop_before_start")
    assert owner.get("/T1").json()["status"] == "ACTIVE" and not ear.calls


def test_what_never_started_is_not_there(owner: StationClient) -> None:
    problem(owner.stop(), 404, "not_found")
    problem(owner.post("/T1/meter-values", {"values": []}), 404, "not_found")


def test_a_connector_that_the_station_does_not_have(owner: StationClient) -> None:
    problem(owner.start(connector_id=2), 422, "connector_unknown")
    assert not ChargingSession.objects.exists() and not IdToken.objects.exists()


# --- Implausible figures


@pytest.mark.parametrize(
    ("start", "samples", "stop", "flags"),
    [
        ({"meter_start_wh": 9000}, [], {}, ["meter_backwards", "start_reported_late"]),
        ({}, [998], {}, ["meter_backwards", "start_reported_late"]),
        ({}, [8002], {}, ["meter_backwards", "start_reported_late"]),
        ({}, [], {"meter_stop_wh": 40_000}, ["power_exceeded", "start_reported_late"]),
        ({"meter_start_wh": 0}, [], {}, ["zero_start_reported_late", "start_reported_late"]),
        (
            {"meter_start_wh": 0, "started_at": at(-1), "offline": True},
            [],
            {"meter_stop_wh": 300},
            ["zero_start_reported_late", "start_reported_late"],
        ),
    ],
)
def test_implausible_figures_are_never_billed(
    owner: StationClient, ear: Ear, start: Any, samples: list[int], stop: Any, flags: list[str]
) -> None:
    owner.start(**start)
    for value in samples:
        owner.post("/T1/meter-values", {"values": [{"sampled_at": at(-30), "value": value}]})
    answer = owner.stop(**stop)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["energy_wh"]) == ("INVALID", None)
    assert answer.json()["flags"] == flags
    session = ChargingSession.objects.get()
    assert (session.cost_minor, session.energy_wh) == (None, None)
    assert ear.calls == 1  # what was refused is recorded too


def test_a_start_of_zero_that_was_reported_at_once_is_believed(owner: StationClient) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # the run may have started long ago
    owner.start(meter_start_wh=0, started_at=at(-1, since=now))
    answer = owner.stop(meter_stop_wh=300, stopped_at=at(0, since=now))
    assert (answer.json()["status"], answer.json()["energy_wh"], answer.json()["flags"]) == ("COMPLETED", 300, [])


# --- The signal and the transaction


@pytest.mark.parametrize("refusal", [OperationalError("it cannot"), RecordingUnavailableError("no key yet")])
def test_a_receiver_that_raises_rolls_the_closing_back(owner: StationClient, ear: Ear, refusal: Exception) -> None:
    owner.start()
    ear.refuse = refusal
    answer = owner.stop()
    problem(answer, 503, "unavailable")
    assert int(answer["Retry-After"]) > 0
    assert owner.get("/T1").json()["status"] == "ACTIVE"
    ear.refuse = None
    assert owner.stop().json()["status"] == "COMPLETED"
    assert ear.calls == 2


def test_the_signal_comes_inside_the_transaction(owner: StationClient, ear: Ear) -> None:
    seen: list[Any] = []
    original = ear.__class__.__call__

    def look(self: Ear, sessions: list[ChargingSession], **kwargs: Any) -> None:
        seen.append((connection.in_atomic_block, ChargingSession.objects.get(pk=sessions[0].pk).status))

    ear.__class__.__call__ = look  # type: ignore[method-assign]
    try:
        owner.start(), owner.stop()
    finally:
        ear.__class__.__call__ = original  # type: ignore[method-assign]
    assert seen == [(True, "COMPLETED")]


def test_a_closed_session_refuses_to_be_saved(owner: StationClient) -> None:
    owner.start(), owner.stop()
    session = ChargingSession.objects.get()
    session.energy_wh = 1
    with pytest.raises(SessionClosedError):
        session.save()


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
    assert new not in owner.station.credential_hash and len(new) == 40
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


# --- What cannot be meant


WRONG_VALUES: dict[str, list[Any]] = {
    "meter_start_wh": [1.0, 1.5, True, "12", None, [], {}, -1, 10**12 + 1, 10**300],
    "evse_id": [0, -1, 2**31, "1", None, 1.0],
    "started_at": [
        "2026-01-01T00:00:00",
        "2026-01-01",
        "2026-01-01 00:00:00Z",
        "20260101T000000Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T24:00:01Z",
        "2026-01-01T00:00:00+99:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "1970-01-01T00:00:00Z",
        at(60 * 24 * 2),
        at(-60 * 24 * 367),
        at(0) + "\n",
        "٢٠٢٦-01-01T00:00:00Z",
        1_700_000_000,
        None,
        "",
    ],
    "transaction_id": ["", "a" * 37, "a/b", "../x", "a b", "a\0b", "\ud800", "é", 5, None, ["a"], "a\n"],
    "id_token": ["04A1", [], 1, {"uid": "04A1", "customer": 1}],
    "offline": ["yes", 1, None],
}
WRONG_UIDS: list[Any] = ["", "a" * 37, "\0", None, 4, "x;y", "'--"]
WRONG_STARTS: list[tuple[dict[str, Any], str]] = [
    *[({field: value}, field) for field, values in WRONG_VALUES.items() for value in values],
    *[({"id_token": {"uid": uid}}, "id_token.uid") for uid in WRONG_UIDS],
    ({"id_token": {}}, "id_token.uid"),
    ({"id_token": {"uid": "04A1", "type": "iso14443"}}, "id_token.type"),
    ({"customer": 1}, ""),
    ({"status": "COMPLETED"}, ""),
    ({"meterStart": 5}, ""),
    ({"\ud800": 5}, ""),
]


@pytest.mark.parametrize(
    ("change", "field"), WRONG_STARTS, ids=[f"{number}-{name}" for number, (_, name) in enumerate(WRONG_STARTS)]
)
def test_wrong_starts(owner: StationClient, change: dict[str, Any], field: str) -> None:
    body = problem(owner.start(**change), 400, "invalid_request")
    assert [error["field"] for error in body["errors"]] == [field]
    assert not ChargingSession.objects.exists()


@pytest.mark.parametrize("missing", ["transaction_id", "started_at", "meter_start_wh"])
def test_missing_members(owner: StationClient, missing: str) -> None:
    message = {name: value for name, value in start_message().items() if name != missing}
    body = problem(owner.post("", message), 400, "invalid_request")
    assert body["errors"] == [{"field": missing, "message": "This field is required."}]


@pytest.mark.parametrize("values", [[], None, {}, "x", [[]], [None], [{"sampled_at": at(-30), "value": 1}] * 201])
def test_wrong_lists_of_samples(owner: StationClient, values: Any) -> None:
    owner.start()
    problem(owner.post("/T1/meter-values", {"values": values}), 400, "invalid_request")


@pytest.mark.parametrize(
    "change", [{"meter_stop_wh": 8000.0}, {"stop_reason": "Bored"}, {"energy_wh": 1}, {"stopped_at": "x"}]
)
def test_wrong_stops(owner: StationClient, ear: Ear, change: dict[str, Any]) -> None:
    owner.start()
    problem(owner.stop(**change), 400, "invalid_request")
    assert not ear.calls


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"meter_start_wh": NaN}',
        b'{"meter_start_wh": Infinity}',
        b'{"a": 1, "a": 2}',
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"meter_start_wh": ' + b"9" * 5000 + b"}",
        b'"\xff"',
        b"\x00",
        "{}".encode("utf-16"),
    ],
    ids=lambda body: ascii(body[:20]),
)
def test_bodies_that_are_not_json(owner: StationClient, body: bytes) -> None:
    answer = owner.http.post(BASE, body, content_type="application/json", headers=owner.headers())
    assert answer.status_code == 400
    assert answer.json()["code"] in {"invalid_json", "invalid_request"}
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("body", ["[]", '"x"', "5", "null", "true"])
def test_json_that_is_no_object(owner: StationClient, body: str) -> None:
    answer = owner.http.post(BASE, body, content_type="application/json", headers=owner.headers())
    problem(answer, 400, "invalid_request")


def test_other_content_types_methods_and_sizes(owner: StationClient) -> None:
    headers = owner.headers()
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        problem(owner.http.post(BASE, b"{}", content_type=content_type, headers=headers), 415, "unsupported_media_type")
    problem(owner.http.get(BASE, headers=headers), 405, "method_not_allowed")
    problem(owner.http.delete(BASE + "/T1", headers=headers), 405, "method_not_allowed")
    problem(owner.post("", {"x": "y" * 70_000}), 413, "request_too_large")


def test_numbers_that_are_no_transaction_id_never_reach_the_database(owner: StationClient) -> None:
    for path in ("/a%00b", "/%ff", "/" + "a" * 37, "/a/b/stop", "/%2e%2e"):
        assert owner.get(path).status_code == 404
