"""Cards and stations that stood twice in a database of before become one, and records stay what they were."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import StateApps

from ledger import record
from ledger.models import DataKey
from stations.models import ChargingSession, Connector, IdToken, LinkCode, SetAside, Station
from tests.evportal.test_migrations import Place, place, with_migrations

__all__ = ["place", "with_migrations"]
BEFORE = [("stations", "0020_canonical"), ("ledger", "0013_corrected_statements")]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Rows:
    """Rows of before, made with the models of then."""

    def __init__(self, apps: StateApps) -> None:
        self.get: Callable[[str], Any] = lambda name: apps.get_model("stations", name).objects
        self.apps = apps
        self.site = self.get("Site").create(code="S1", name="Harbour")
        self.numbers = iter(range(1, 100))

    def person(self, name: str) -> Any:
        return self.apps.get_model("accounts", "User").objects.create(username=name)

    def station(self, identity: str, **more: Any) -> Any:
        made = self.get("Station").create(identity=identity, canonical=identity.upper(), **{"site": self.site} | more)
        self.get("Connector").create(station=made)
        return made

    def token(self, uid: str, customer: Any = None) -> Any:
        return self.get("IdToken").create(uid=uid, canonical=uid.upper(), customer=customer)

    def key(self, token: Any, customer: Any) -> Any:
        keys = self.apps.get_model("ledger", "DataKey").objects
        return keys.create(key_id=bytes([next(self.numbers)]) * 16, wrapped=b"w", id_token=token, customer=customer)

    def session(self, station: Any, token: Any = None, **more: Any) -> Any:
        number = more.pop("transaction_id", f"T{next(self.numbers)}")
        outlet = self.get("Connector").get(station=station)
        common = {"station": station, "connector": outlet, "id_token": token, "customer": token and token.customer}
        common |= {"started_at": NOON + timedelta(hours=next(self.numbers)), "status": "COMPLETED", "energy_wh": 7}
        common["stopped_at"] = common["started_at"] + timedelta(minutes=9)
        common["statement_month"] = NOON.date().replace(day=1)
        made = {"transaction_id": number, "number": number.upper(), "source": "STATION"}
        return self.get("ChargingSession").create(**common | made | more)


def records() -> dict[Any, dict[str, Any]]:
    related = ("station", "connector", "id_token")
    closed = ChargingSession.objects.closed().select_related(*related)
    return {one.pk: record.record_of(one) for one in closed}


def merged(place: Place, prepare: Callable[[Rows], None], check: Callable[[], None]) -> None:
    """Rows of before, then the migration; the records are the same before and after."""

    def work() -> None:
        rows = Rows(models_of_before())
        prepare(rows)
        before = sorted(ChargingSession.objects.closed().order_by().values_list("pk", flat=True))
        told = {pk: written(rows, pk) for pk in before}
        call_command("migrate", verbosity=0)
        after = records()
        assert sorted(after) == before
        for pk, (uid, station, number) in told.items():
            assert (after[pk].get("id_token") or {}).get("uid") == uid
            assert (after[pk]["station"], after[pk]["transaction_id"]) == (station, number)
        check()

    place.migrated(lambda: MigrationExecutor(connection).migrate(BEFORE), name="before").run(work)


@cache
def models_of_before() -> StateApps:
    return MigrationExecutor(connection).loader.project_state(BEFORE).apps


def written(rows: Rows, pk: Any) -> tuple[str | None, str, str]:
    one = rows.get("ChargingSession").select_related("station", "id_token").get(pk=pk)
    return one.id_token and one.id_token.uid, one.station.identity, one.transaction_id


def test_a_card_that_stood_twice(place: Place) -> None:
    def prepare(rows: Rows) -> None:
        anna, station = rows.person("anna"), rows.station("CP-1")
        first, second = rows.token("04FFEE", anna), rows.token("04ffee")
        rows.session(station, first), rows.session(station, second)
        rows.key(first, anna), rows.key(second, None)
        rows.get("LinkCode").create(id_token=second, code_hash="h", expires_at=NOON)

    def check() -> None:
        token = IdToken.objects.get()
        assert (token.uid, str(token.customer)) == ("04FFEE", "anna")
        assert {str(one.customer) for one in ChargingSession.objects.all()} == {"anna"}
        assert {one.id_token for one in ChargingSession.objects.all()} == {token}
        anna, nobody = DataKey.objects.order_by("pk")
        assert (anna.closed_at, nobody.customer, anna.id_token, nobody.id_token) == (None, None, token, token)
        assert nobody.closed_at is not None and LinkCode.objects.get().ended_at is not None
        said = SetAside.objects.get()
        assert (said.kind, said.station, "1 sessions came along" in said.reason) == ("TWICE", None, True)

    merged(place, prepare, check)


def test_a_card_of_two_customers_is_nobodys_and_each_keeps_what_they_charged(place: Place) -> None:
    def prepare(rows: Rows) -> None:
        anna, ben, station = rows.person("anna"), rows.person("ben"), rows.station("CP-1")
        for token in (rows.token("04FFEE", anna), rows.token("04ffee", ben), rows.token("04Ffee", anna)):
            rows.session(station, token), rows.key(token, token.customer)

    def check() -> None:
        assert IdToken.objects.get().customer is None
        assert sorted(str(one.customer) for one in ChargingSession.objects.all()) == ["anna", "anna", "ben"]
        assert all("two customers" in said.reason for said in SetAside.objects.all())
        assert DataKey.objects.filter(closed_at=None).count() == 2

    merged(place, prepare, check)


def test_a_station_that_stood_twice(place: Place) -> None:
    def prepare(rows: Rows) -> None:
        first = rows.station("CP-1", credential_hash="old", last_seen_at=NOON)
        second = rows.station("cp-1", credential_hash="new", last_seen_at=NOON + timedelta(days=1))
        rows.get("Connector").create(station=second, evse_id=2)
        rows.get("Connector").filter(evse_id=2).update(max_power_w=22_000)
        rows.get("Connector").filter(station=second, evse_id=2).delete()
        rows.session(first), rows.session(second)
        same = {"transaction_id": "9", "started_at": NOON, "stopped_at": NOON}
        rows.session(first, **same), rows.session(second, **same)

    def check() -> None:
        station = Station.objects.get()
        assert (station.identity, station.credential_hash) == ("CP-1", "new")
        assert Connector.objects.get().station == station
        assert ChargingSession.objects.filter(station=station).count() == 4
        numbers = ChargingSession.objects.filter(started_at=NOON).values_list("transaction_id", flat=True)
        assert sorted(numbers) == ["9", "9~2"]
        assert {said.kind for said in SetAside.objects.all()} == {"TWICE"} and SetAside.objects.count() == 2

    merged(place, prepare, check)


def test_a_station_at_two_sites_stays_two(place: Place) -> None:
    def prepare(rows: Rows) -> None:
        rows.session(rows.station("CP-1"))
        rows.session(rows.station("cp-1", site=rows.get("Site").create(code="S2", name="Station")))

    def check() -> None:
        assert Station.objects.count() == 2
        assert Station.objects.identified("cp-1").get().identity == "CP-1"
        assert "stay two" in SetAside.objects.get().reason

    merged(place, prepare, check)


@pytest.mark.parametrize("letters", ["t1", "T1"])
def test_nothing_that_is_single_is_touched(place: Place, letters: str) -> None:
    def prepare(rows: Rows) -> None:
        rows.session(rows.station("cp-1"), rows.token("04ffee"), transaction_id=letters)

    def check() -> None:
        session = ChargingSession.objects.get()
        assert (session.written, session.transaction_id, session.number) == ({}, letters, "T1")
        assert not SetAside.objects.exists()

    merged(place, prepare, check)
