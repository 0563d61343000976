"""Every database goes on, and all ways lead to one schema: the squashed migrations, and those that they replace."""

import itertools
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command, get_commands, load_command_class
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.questioner import MigrationQuestioner
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState, StateApps
from django.db.migrations.writer import MigrationWriter
from django.test import override_settings
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from accounts.management.wordless_migrations import FIELD_WORDS, MODEL_WORDS, WordlessAutodetector
from accounts.models import Authenticator, User
from ledger.models import DataKey
from stations.models import ChargingSession, Site
from stations.models.corrections import Correction
from tests.environment import POSTGRES
from tests.evportal.empty_databases import Database, schema

ROOT = Path(__file__).parents[2]
APPS = ("accounts", "stations", "ledger", "tpm")
Name = tuple[str, str]


@pytest.fixture(scope="module", autouse=True)
def with_migrations(django_db_setup: None) -> Iterator[None]:
    """Also where the tests' own database is made without them."""
    with override_settings(MIGRATION_MODULES={}):
        yield


# --- the tree as it was, and as it will be


class LoaderOfBefore(MigrationLoader):
    """Finds what there was before the squashed ones, and none that came after them."""

    def load_disk(self) -> None:
        super().load_disk()
        before = {key for app in APPS for key in replaced(app)}
        self.disk_migrations = {
            key: found for key, found in self.disk_migrations.items() if key in before or key[0] not in APPS
        }


class LoaderOfAfter(MigrationLoader):
    """Finds what there will be once the replaced ones are deleted."""

    def load_disk(self) -> None:
        super().load_disk()
        replaced = {key for found in self.disk_migrations.values() for key in found.replaces}
        self.disk_migrations = {key: found for key, found in self.disk_migrations.items() if key not in replaced}


@cache
def replaced(app: str) -> list[Name]:
    """The app's migrations of before, in their order."""
    found = MigrationLoader(None, replace_migrations=False).disk_migrations.values()
    return sorted(key for migration in found for key in migration.replaces if key[0] == app)


@cache
def later() -> list[str]:
    """Those that came after the squashed ones."""
    found = MigrationLoader(None, replace_migrations=False).disk_migrations
    before = {key for app in APPS for key in replaced(app)}
    ours = [key for key, migration in found.items() if key[0] in APPS and not migration.replaces]
    return sorted(".".join(key) for key in ours if key not in before)


def until(**numbers: int) -> list[Name]:
    return [replaced(app)[number - 1] for app, number in numbers.items()]


def migrate_as_before(targets: list[Name]) -> StateApps:
    """What `migrate` of an older release did; returns the models of then."""
    executor = MigrationExecutor(connection)
    executor.loader = LoaderOfBefore(connection)
    return executor.migrate(targets).apps


def migrate() -> list[str]:
    """Migrate as of now; returns what there was to do for our apps."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    said = StringIO()
    call_command("migrate", stdout=said)
    assert "not yet reflected" not in said.getvalue()
    return [str(migration) for migration, _ in plan if migration.app_label in APPS]


def recorded() -> set[Name]:
    return {key for key in MigrationRecorder(connection).applied_migrations() if key[0] in APPS}


# --- whole databases


class Place:
    """Where databases of one engine are made."""

    def __init__(self, engine: str, directory: Path) -> None:
        self.engine, self._directory = engine, directory
        self._migrated: dict[str, str] = {}

    def empty(self) -> Database:
        return self._database(self._make())

    def migrated(self, migrate_there: Callable[[], object], *, name: str) -> Database:
        """A copy of the one, made once under that name, in which this was done; migrating takes seconds."""
        if name not in self._migrated:
            made = self._make()
            self._database(made).run(migrate_there)
            self._migrated[name] = made
        return self._database(self._make(self._migrated[name]))

    def _make(self, template: str = "") -> str:
        name = f"migrations_{uuid.uuid4().hex}"
        if self.engine == "postgresql":
            sql = f"CREATE DATABASE {name}" + (template and f" TEMPLATE {template}")
            Database(POSTGRES.url).run(lambda: connection.cursor().execute(sql))
        elif template:
            shutil.copy(self._file(template), self._file(name))
        return name

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.sqlite3"

    def _database(self, name: str) -> Database:
        if self.engine == "sqlite":
            return Database(f"sqlite:///{self._file(name)}")
        return Database(POSTGRES.url.rpartition("/")[0] + f"/{name}")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Place]:
    if request.config.getoption("nomigrations"):
        pytest.skip("without migrations: these run them many times")
    started = request.param == "postgresql" and not POSTGRES.alive  # all other tests may be on SQLite
    if started:
        POSTGRES.start()
    with django_db_blocker.unblock():
        yield Place(request.param, tmp_path_factory.mktemp("migrations"))
    if started:
        POSTGRES.stop()


@pytest.fixture(scope="module")
def fresh(place: Place) -> tuple[list[str], list[str]]:
    """What was done in an empty database, and the schema that it has then."""
    return place.empty().run(lambda: (migrate(), schema()))


def test_an_empty_database_gets_the_squashed_ones_alone(fresh: tuple[list[str], list[str]]) -> None:
    squashed = [
        "accounts.0001_squashed_0006_api_access",
        "accounts.0007_squashed_0008_words_in_german",
        "ledger.0001_squashed_0011_restored_seals",
        "stations.0001_squashed_0016_corrections_sealed",
        "tpm.0001_squashed_0002_words_in_german",
    ]
    assert sorted(fresh[0]) == sorted([*squashed, *later()])


def test_a_database_of_before_has_only_later_ones_to_do(place: Place, fresh: tuple[list[str], list[str]]) -> None:
    def work() -> None:
        migrate_as_before(LoaderOfBefore(connection).graph.leaf_nodes())
        before = recorded()
        assert sorted(migrate()) == later()
        assert schema() == fresh[1]
        assert {name for _, name in recorded() - before} == {name.partition(".")[2] for name in fresh[0]}
        some_day = MigrationExecutor(connection)
        some_day.loader = LoaderOfAfter(connection)
        some_day.loader.check_consistent_history(connection)
        assert some_day.migration_plan(some_day.loader.graph.leaf_nodes()) == [], "the old ones may go some day"

    place.empty().run(work)


# --- half way, with rows


def plain_rows(models: StateApps) -> None:
    person = models.get_model("accounts", "User").objects.create(username="anna")
    models.get_model("otp_totp", "TOTPDevice").objects.create(user_id=person.pk, name="a", key="ab" * 20)


def card_rows(models: StateApps) -> None:
    person = models.get_model("accounts", "User").objects.create(username="anna")
    token = models.get_model("stations", "IdToken").objects.create(uid="04A2", customer=person)
    models.get_model("ledger", "DataKey").objects.create(key_id=b"k" * 16, wrapped=b"w", id_token=token)


def corrected_rows(models: StateApps) -> None:
    site = models.get_model("stations", "Site").objects.create(code="S1", name="Harbour")
    station = models.get_model("stations", "Station").objects.create(site=site, identity="CP-1")
    connector = models.get_model("stations", "Connector").objects.create(station=station)
    sessions: Any = models.get_model("stations", "ChargingSession").objects
    common = {"station": station, "connector": connector, "started_at": timezone.now(), "stopped_at": timezone.now()}
    session = sessions.create(transaction_id="1", status="COMPLETED", energy_wh=7, **common)
    credit = sessions.create(
        transaction_id="2", status="COMPLETED", energy_wh=-7, credit=True, credit_reference=session, **common
    )
    models.get_model("stations", "Correction").objects.create(session=session, credit=credit, reason="wrong")


def charge_rows(models: StateApps) -> None:
    """Around midnight of 1 November, of a driver with a zone of her own, one without, and nobody; one still charges."""
    people = models.get_model("accounts", "User").objects
    nina, otto = people.create(username="nina", time_zone="America/New_York"), people.create(username="otto")
    site = models.get_model("stations", "Site").objects.create(code="S1", name="Harbour")
    station = models.get_model("stations", "Station").objects.create(site=site, identity="CP-1")
    connector = models.get_model("stations", "Connector").objects.create(station=station)
    at = datetime(2026, 10, 31, 23, 30, tzinfo=UTC)
    common = {"station": station, "connector": connector, "started_at": at, "stopped_at": at, "energy_wh": 7}
    berlin = {"time_zone": "Europe/Berlin"}
    for number, (customer, place, status) in enumerate(
        [
            (nina, berlin, "COMPLETED"),
            (otto, berlin, "COMPLETED"),
            (otto, {"time_zone": "Etc/GMT+11"}, "INVALID"),
            (None, {"time_zone": "no/zone"}, "COMPLETED"),
            (None, {"time_zone": None}, "COMPLETED"),
            (None, {}, "COMPLETED"),
            (otto, berlin, "ACTIVE"),
        ]
    ):
        models.get_model("stations", "ChargingSession").objects.create(
            transaction_id=str(number), customer=customer, location=place, status=status, **common
        )


def test_charges_of_before_are_in_a_statement_each(place: Place) -> None:
    def work() -> None:
        charge_rows(migrate_as_before(until(accounts=8, stations=16, ledger=11, tpm=2)))
        migrate()
        months = ChargingSession.objects.order_by("transaction_id").values_list("statement_month", flat=True)
        october, november = date(2026, 10, 1), date(2026, 11, 1)
        assert list(months) == [october, november, october, october, october, october, None]

    place.empty().run(work)


def test_authenticators_with_plain_keys_are_sealed(place: Place, fresh: tuple[list[str], list[str]]) -> None:
    """All that the first squashed one replaces is there, so the second begins in a database with rows."""

    def work() -> None:
        plain_rows(migrate_as_before([*until(accounts=6), ("otp_totp", "0003_add_timestamps")]))
        assert "accounts.0007_squashed_0008_words_in_german" in migrate()
        assert Authenticator.objects.get().bin_key == b"\xab" * 20
        assert schema() == fresh[1]

    place.empty().run(work)


def test_the_first_release_goes_on(place: Place, fresh: tuple[list[str], list[str]]) -> None:
    def work() -> None:
        card_rows(migrate_as_before(until(accounts=1, stations=1, ledger=2)))
        assert "ledger.0004_data_keys_of_holders" in migrate()
        assert DataKey.objects.get().customer == User.objects.get()
        assert schema() == fresh[1]

    place.empty().run(work)


def test_bf29850_goes_on(place: Place, fresh: tuple[list[str], list[str]]) -> None:
    def work() -> None:
        corrected_rows(migrate_as_before(until(accounts=8, stations=13, ledger=7, tpm=2)))
        assert len(migrate()) == 7 + len(later())
        assert Correction.objects.get().is_sealed()
        assert schema() == fresh[1]
        assert migrate() == []

    place.empty().run(work)


# --- every point, without a database


def points() -> Iterator[set[Name]]:
    """What a database of before can have: each combination of our apps in which nothing lacks what it needs."""
    graph = LoaderOfBefore(None).graph
    needed = {key: set(graph.forwards_plan(key)) for app in APPS for key in replaced(app)}
    for numbers in itertools.product(*(range(len(replaced(app)) + 1) for app in APPS)):
        ours = {key for app, number in zip(APPS, numbers, strict=True) for key in replaced(app)[:number]}
        has = ours.union(*(needed[key] for key in ours))
        if {key for key in has if key[0] in APPS} == ours:
            yield has


def test_whatever_a_database_has_the_rest_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MigrationLoader(None, replace_migrations=False).disk_migrations
    everything = {key for app in APPS for key in replaced(app)}
    monkeypatch.setattr(MigrationLoader, "load_disk", lambda loader: prepare(loader, disk))
    count = 0
    for has in points():
        monkeypatch.setattr(MigrationRecorder, "applied_migrations", lambda _, has=has: dict.fromkeys(has))
        executor = MigrationExecutor(connection)
        executor.loader.check_consistent_history(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        done = [key for step, _ in plan for key in step.replaces or [(step.app_label, step.name)]]
        assert len(done) == len(set(done)) and not has & set(done), has
        assert everything <= has | set(done), has
        count += 1
    assert count > 100


def prepare(loader: MigrationLoader, disk: dict[Name, Any]) -> None:
    loader.disk_migrations = dict(disk)
    loader.migrated_apps, loader.unmigrated_apps = {app for app, _ in disk}, set()


# --- words


@pytest.mark.django_db
def test_another_word_makes_no_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    status, code = ChargingSession._meta.get_field("status"), Site._meta.get_field("code")
    monkeypatch.setattr(status, "choices", [("ACTIVE", "Plugged in")])
    for name in ("verbose_name", "_verbose_name", "help_text"):
        monkeypatch.setattr(code, name, "another word")
    for name in MODEL_WORDS:
        monkeypatch.setitem(Site._meta.original_attrs, name, "another word")
    call_command("makemigrations", check_changes=True, verbosity=0)


@pytest.mark.django_db
def test_another_column_makes_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(Site._meta.get_field("code"), "max_length", 37)
    with pytest.raises(SystemExit):
        call_command("makemigrations", check_changes=True)
    assert "Alter field code on site" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["makemigrations", "migrate"])
def test_both_commands_compare_alike(name: str) -> None:
    command: Any = load_command_class(str(get_commands()[name]), name)
    assert command.autodetector is WordlessAutodetector


WORDS = re.compile(rf"\b({'|'.join(FIELD_WORDS | MODEL_WORDS)})\b")


@pytest.mark.parametrize("app", APPS)
def test_migrations_hold_no_words(app: str) -> None:
    for path in (ROOT / app / "migrations").glob("*.py"):
        assert not WORDS.search(path.read_text()), (
            f"{path}: expected no words (accounts/management/wordless_migrations.py)"
        )


def test_no_words_are_written() -> None:
    """If all our models were new, `makemigrations` would write this."""
    all_new = MigrationQuestioner(specified_apps=set(APPS))
    detector = WordlessAutodetector(ProjectState(), ProjectState.from_apps(apps), all_new)
    changes = detector.changes(graph=MigrationGraph())
    for app in APPS:
        for migration in changes[app]:
            assert not WORDS.search(MigrationWriter(migration).as_string())
