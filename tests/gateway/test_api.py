"""A station's day over REST: the real URLs and database."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from stations.charging.meter_digest import meter_values_sha256
from stations.errors import RecordingUnavailableError
from stations.models import ChargingSession, Connector, IdToken, MeterValue, SessionClosedError
from tests.gateway.problems import problem
from tests.stations.conftest import Ear, StationClient, at

pytestmark = pytest.mark.django_db


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
    ended = owner.stop(stopped_at=at(-61)).json()
    assert ended["stopped_at"] == ended["started_at"] and ended["flags"][-1] == "clock_wrong"
    assert owner.stop(stopped_at=at(-61)).json() == ended and ear.calls == 1


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
