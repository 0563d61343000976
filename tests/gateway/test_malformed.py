"""What cannot be meant over REST: wrong values, bodies, media types and sizes are refused, and nothing is stored."""

from typing import Any

import pytest

from stations.models import ChargingSession
from tests.gateway.problems import problem
from tests.stations.conftest import BASE, Ear, StationClient, at, start_message

pytestmark = pytest.mark.django_db

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
