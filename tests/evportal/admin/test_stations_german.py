"""The operators' admin in German: each word that it says of a model, and what an import came to."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.exceptions import ValidationError as ModelError
from django.db.models import Model
from django.http import HttpRequest, QueryDict
from django.template import engines
from django.test import RequestFactory
from django.utils import timezone, translation
from django.utils.html import escape
from rest_framework import exceptions

from accounts.models import ApiClient, Role, User
from api.lists import row_save
from stations.errors import ImportFileError, ImportStateError
from stations.imports import tasks
from stations.imports.runs import Told, import_cancel, import_upload
from stations.models import Connector, IdToken, Site, Station, Tariff
from stations.models.imports import ImportFile, ImportRun
from tests.admin_words import english_left, inline_words, names_of, words_of
from tests.people import person
from tests.stations.test_imports_admin import row, text_of

pytestmark = pytest.mark.django_db
OURS = [model for model in admin.site._registry if model._meta.app_label == "stations"]
# The same in both languages: names of standards, units, and OCPP's codes of tokens.
SAME = {"SHA-256", "UID", "URL", "OCPP", "ISO 4217", "ISO 3166-1 alpha-3", "OCPI ConnectorType", "OCPI PowerType", "A"}
SAME |= {"kWh", "Wh", "Name", "Code", "Status", "Phase", "Import"}
SAME |= {str(label) for label in IdToken.Type.labels}
SAME |= {"CALL", "CALLRESULT", "CALLERROR", "SEND", "L1", "L2", "L3"}  # OCPP-J's message types, and phases


@pytest.fixture
def olga() -> User:
    return person("olga", Role.ADMIN)


def request_of(user: User) -> HttpRequest:
    request = RequestFactory().get("/admin/", headers={"accept-language": "de"})
    request.user = user
    user.is_verified = lambda: True  # type: ignore[attr-defined]  # as OTPMiddleware gives it
    return request


# --- words


@pytest.mark.parametrize("model", OURS, ids=lambda model: str(model._meta.model_name))
def test_every_word_of_a_model_is_german(model: type[Model], olga: User) -> None:
    page, request = admin.site._registry[model], request_of(olga)
    assert english_left(lambda: names_of(model), SAME) == {}
    assert english_left(lambda: words_of(page, request), SAME) == {}


def test_a_word_that_was_forgotten_is_found(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Station._meta.get_field("vendor"), "verbose_name", "vendor")
    page, request = admin.site._registry[Station], request_of(olga)
    found = english_left(lambda: words_of(page, request), SAME)
    assert found == {"label of vendor": "vendor", "filter AllValuesFieldListFilter": "vendor"}


def test_a_programs_sites_are_german(olga: User) -> None:
    request = request_of(olga)
    (inline,) = admin.site._registry[ApiClient].get_inline_instances(request)
    assert english_left(lambda: inline_words(inline, request), SAME) == {}


# --- pages


def page_of(owner: Any, pk: object, user: User) -> str:
    """The page of a row as a German reads it, without what Django itself puts around it."""
    with translation.override("de"):
        response = owner.change_view(request_of(user), str(pk))
        response.render()
    return " ".join(response.content.decode().split())


def read(user: User, run: ImportRun) -> str:
    page = page_of(admin.site._registry[ImportRun], run.pk, user)
    return page[page.index('<section id="import"') : page.index("</section>", page.index('<section id="import"'))]


def uploaded(user: User, content: bytes) -> ImportRun:
    return import_upload(name="januar.csv", content=content, by=user, told=Told("UTC"))


def test_what_came_of_an_import_is_german_and_what_is_stored_english(olga: User) -> None:
    with translation.override("de"):
        run = uploaded(olga, text_of(row(1), row(2, kwhTotal="=1+1")) + b"a\x00b\n")
        assert "Die Datei wird geprüft" in read(olga, run) and "0 Zeilen gelesen." in read(olga, run)
        tasks.import_sweep()  # whatever language the process was left in
    run.refresh_from_db()
    page = read(olga, run)
    for said in (
        "Geprüft: noch ist nichts gespeichert",
        "Würde importiert",
        "1 Ladevorgang aus januar.csv importieren",
        "Zeilen, die nicht importiert würden",
        "Alle 2 als CSV herunterladen",
        '<td data-name="Erwartet" lang="en">a number from 0 to 999999999</td>',
        '<td data-name="Feld">die ganze Zeile</td>',
    ):
        assert said in page
    assert [found.expected for found in run.findings.all()] == ["a number from 0 to 999999999", "text"]
    assert "a NUL byte" in run.findings.last().got  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "erwartet wird eine Kopfzeile, aber die Datei ist leer"),
        (b"GIF89a\x01\x00\x01\x00\x80", "ein Bild: exportieren Sie die Ladevorgänge als CSV, JSON oder XLSX"),
        (b"a\x00b,c\n", "Kopfzeile: erwartet: Text; gefunden: ein NUL-Byte"),
        (b"a;b\n1;2\n", "Die Datei ist CSV (;), UTF-8, mit 2 Spalten: a, b"),
        (b"x" * 20_000, "Kopfzeile: erwartet: höchstens 16384 Bytes in einer Zeile; gefunden: mehr"),
    ],
)
def test_why_a_file_cannot_be_imported_is_said_in_german(olga: User, content: bytes, reason: str) -> None:
    with translation.override("de"), pytest.raises(ImportFileError) as refused:
        uploaded(olga, content)
    assert reason in str(refused.value)


def test_what_fails_in_the_worker_is_stored_in_english(olga: User) -> None:
    run = uploaded(olga, text_of(row(1)))
    ImportFile.objects.filter(run=run).update(content=b"a,b\n1,2\n")
    with translation.override("de"):
        tasks.import_sweep()
    run.refresh_from_db()
    assert run.state == ImportRun.State.FAILED and run.reason.startswith("no format is known with these columns")
    said = escape(run.reason[0].upper() + run.reason[1:])
    assert f'<span lang="en">{said}.</span>' in read(olga, run)


def test_who_decides_too_late_hears_it_in_german(olga: User) -> None:
    run = uploaded(olga, text_of(row(1)))
    import_cancel(run=run)
    with translation.override("de"), pytest.raises(ImportStateError, match="abgebrochen; darum lässt er sich"):
        import_cancel(run=run)


def test_the_log_of_an_action_is_english_and_its_message_german(olga: User) -> None:
    IdToken.objects.create(uid="04A2B3", customer=olga)
    cards: Any = admin.site._registry[IdToken]
    request = request_of(olga)
    request.method, request.POST = "POST", QueryDict("confirmed=yes")
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    with translation.override("de"):
        assert cards.unlink(request, IdToken.objects.all()) is None
    assert [str(message) for message in request._messages] == ["Vom Kunden getrennt. (1)"]  # type: ignore[attr-defined]
    assert "Unlinked from its customer." in LogEntry.objects.get().change_message


def test_the_home_says_it_in_german(olga: User, connector: Connector) -> None:
    Station.objects.update(last_seen_at=timezone.now() - timedelta(days=3))
    ImportRun.objects.create(file_name="januar.csv", sha256="0" * 64, size=1, time_zone="UTC", uploaded_by=olga)
    template = engines["django"].from_string(
        "{% load overview %}{% sessions_overview user %}{% silent_overview %}{% imports_overview %}"
    )
    with translation.override("de"):
        page = " ".join(template.render({"user": olga}).split())
    for said in (
        "Heute",
        "Voriger Monat",
        "Lädt gerade",
        "0 Ladevorgänge",
        "die letzte Meldung ist 3",
        "von olga: wird geprüft",
    ):
        assert said in page


def test_the_rest_api_speaks_english_of_what_the_admin_says_in_german(site: Site) -> None:
    site.tariff = Tariff(code="T", name="Nacht", currency="USD")
    with translation.override("de"):
        with pytest.raises(ModelError) as in_admin:
            site.clean()
        assert "erwartet wird ein Tarif in EUR" in in_admin.value.messages[0]
        with pytest.raises(exceptions.ValidationError, match="expected a tariff in EUR"):
            row_save(site, {}, taken="")
