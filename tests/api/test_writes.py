"""Writes: versions (If-Match), repeats (Idempotency-Key), and what is refused without a trace."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import IdempotentAnswer, User
from api.idempotency import answers_prune
from stations.models import Connector, Site, Station
from tests.api.conftest import Caller, caller_for, problem

pytestmark = pytest.mark.django_db

SITE = {"code": "S9", "name": "Market hall", "time_zone": "Europe/Vienna", "currency": "EUR", "country": "AUT"}


def test_an_operator_makes_and_changes_a_station(operator_api: Caller) -> None:
    made = operator_api.post("sites", SITE)
    assert made.status_code == 201 and made["Location"].endswith("/api/v1/sites/S9")
    assert operator_api.post("stations", {"identity": "CP-9", "site": "S9", "vendor": "ACME"}).status_code == 201
    outlet = operator_api.post("connectors", {"station": "CP-9", "max_power_w": 22_000, "power_type": "AC_3_PHASE"})
    assert outlet.status_code == 201
    where = outlet["Location"]
    assert operator_api.get(where)["ETag"] == outlet["ETag"]
    changed = operator_api.patch(where, {"max_power_w": 11_000}, If_Match=outlet["ETag"])
    assert changed.json() == outlet.json() | {"max_power_w": 11_000}
    assert operator_api.get(where)["ETag"] == changed["ETag"] != outlet["ETag"]
    problem(operator_api.post("sites", SITE), 409, "already_exists")
    problem(operator_api.post("connectors", {"station": "CP-9"}), 409, "already_exists")
    assert (Site.objects.count(), Station.objects.count(), Connector.objects.count()) == (1, 1, 1)


def test_a_tariff_is_exact(operator_api: Caller) -> None:
    body = {"code": "T1", "name": "Tariff", "price_per_kwh": "0.2549", "valid_from": "2026-01-01T00:00:00+01:00"}
    made = operator_api.post("tariffs", body).json()
    assert (made["price_per_kwh"], made["price_per_session"]) == ("0.2549", "0")
    assert made["valid_from"] == "2025-12-31T23:00:00Z"
    for wrong in ({"price_per_kwh": 0.25}, {"price_per_kwh": "-1"}, {"price_per_kwh": "0.12345"}, {"currency": "eur"}):
        problem(operator_api.patch("tariffs/T1", wrong, If_Match="*"), 400, "invalid_request")


def test_a_change_needs_the_version_that_was_read(operator_api: Caller) -> None:
    first = operator_api.post("sites", SITE)["ETag"]
    problem(operator_api.patch("sites/S9", {"name": "x"}), 428, "precondition_required")
    second = operator_api.patch("sites/S9", {"name": "One"}, If_Match=first)["ETag"]
    problem(operator_api.patch("sites/S9", {"name": "Two"}, If_Match=first), 412, "precondition_failed")
    problem(operator_api.patch("sites/S9", {"name": "Two"}, If_Match="nonsense"), 412, "precondition_failed")
    assert Site.objects.get().name == "One"
    assert operator_api.patch("sites/S9", {"name": "Two"}, If_Match=f"{first}, {second}").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"code": "S1"},
        *({"name": value} for value in (5, True, None, "", "x" * 256, "a\nb", ["x"])),
        *({"time_zone": value} for value in ("Mars/Olympus", "../etc/passwd", 1)),
        *({"currency": value} for value in ("euro", "EU", 978)),
        {"nonsense": 1},
        *([], '"text"', 5, "null", None),
    ],
)
def test_a_body_that_cannot_be_meant_changes_nothing(operator_api: Caller, site: Site, wrong: Any) -> None:
    problem(operator_api.patch("sites/S1", wrong, If_Match="*"), 400, "invalid_request")
    kept = Site.objects.get()
    assert (kept.code, kept.name, kept.time_zone) == ("S1", "Harbour office", "Europe/Berlin")


def test_a_repeated_write_gets_the_same_answer_and_happens_once(operator_api: Caller) -> None:
    first = operator_api.post("sites", SITE, Idempotency_Key="k-1")
    again = operator_api.post("sites", SITE, Idempotency_Key="k-1")
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, SITE | first.json())
    assert (again["Location"], again["ETag"]) == (first["Location"], first["ETag"])
    assert again["Idempotency-Replayed"] == "true" and "Idempotency-Replayed" not in first
    problem(operator_api.post("sites", SITE | {"name": "x"}, Idempotency_Key="k-1"), 422, "idempotency_key_reused")
    problem(operator_api.post("stations", SITE, Idempotency_Key="k-1"), 400, "invalid_request")
    assert Site.objects.count() == 1


def test_keys_of_others_and_refused_writes_are_not_kept(operator_api: Caller, person: Any) -> None:
    problem(operator_api.patch("sites/S9", {"name": "x"}, Idempotency_Key="k"), 404, "not_found")
    operator_api.post("sites", SITE)
    problem(operator_api.post("sites", SITE, Idempotency_Key="k"), 409, "already_exists")
    assert operator_api.post("sites", SITE | {"code": "S8"}, Idempotency_Key="k").status_code == 201
    second = caller_for(person("otto", "operator"))
    problem(second.post("sites", SITE | {"code": "S8"}, Idempotency_Key="k"), 409, "already_exists")
    for key in ("", "ä", "a b", "k" * 129):
        problem(operator_api.post("sites", SITE | {"code": "S7"}, Idempotency_Key=key), 400, "invalid_request")


def test_an_answer_is_kept_for_a_day_and_encrypted(api: Caller) -> None:
    made, again = (api.post("webhooks", {"url": "https://example.com/"}, Idempotency_Key="k") for _ in range(2))
    assert made.json() == again.json()
    assert made.json()["secret"] not in IdempotentAnswer.objects.get().answer
    assert answers_prune() == 0
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert api.post("webhooks", {"url": "https://example.com/"}, Idempotency_Key="k").json()["id"] != made.json()["id"]
    IdempotentAnswer.objects.update(created_at=timezone.now() - timedelta(days=1, seconds=1))
    assert answers_prune() == 1


@pytest.mark.django_db(transaction=True)
def test_the_same_write_at_once_happens_once(operator_api: Caller) -> None:
    def write(_: int) -> int:
        try:
            status: int = Caller(operator_api.token).post("sites", SITE, Idempotency_Key="k").status_code
            return status
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(write, range(4))) == {201}
    assert Site.objects.count() == 1


def test_a_person_sets_his_zone(api: Caller, owner: User) -> None:
    version = api.get("me")["ETag"]
    assert api.patch("me", {"time_zone": "Europe/Paris"}, If_Match=version).json()["time_zone"] == "Europe/Paris"
    owner.refresh_from_db()
    assert owner.time_zone == "Europe/Paris"
    assert api.patch("me", {"language": "de"}, If_Match="*").json()["language"] == "de"
    problem(api.patch("me", {"time_zone": "Mars/Olympus"}, If_Match="*"), 400, "invalid_request")
    problem(api.patch("me", {"roles": ["admin"]}, If_Match="*"), 400, "invalid_request")
