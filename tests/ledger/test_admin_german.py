"""The admin of ledger and TPM services in German: every word of it, while what is stored stays English."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.admin.utils import flatten_fieldsets, label_for_field
from django.contrib.messages.storage.cookie import CookieStorage
from django.core.cache import cache
from django.http import HttpRequest
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from django.utils.translation import override
from pytest_django.fixtures import Settings

from accounts.models import User
from ledger.alerts import WHAT_TO_DO, alert_raise, what_to_do
from ledger.models import Alert, ChainTransaction, LedgerEntry
from tests.pages.conftest import MakeSession, make_session, make_transaction, opened_ago
from tpm.models import AttestationReport, TpmService
from tpm.words import age_words, step_lines

__all__ = ["make_session", "make_transaction", "opened_ago"]  # fixtures
pytestmark = pytest.mark.django_db
APPS = ("ledger", "tpm")
MODELS = [model for model in admin.site._registry if model._meta.app_label in APPS]
# Words that are the same in both languages, and exact terms of chain, webhooks and TPM.
SAME = {"ID", "URL", "TPM", "Ping"}
CODES = {str(label) for label in ChainTransaction.Status.labels}

Words = dict[str, str]


@pytest.fixture
def request_of_staff(rf: RequestFactory) -> HttpRequest:
    request = rf.get("/admin/")
    request.user = User.objects.create_user("olga", is_staff=True, is_superuser=True)
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    return request


def words_of(model: type[Any], request: HttpRequest) -> Iterator[tuple[str, str]]:
    """(where it stands, the words) of all that the admin says by itself of a model, in the active language."""
    shown, meta = admin.site._registry[model], model._meta
    yield "name", str(meta.verbose_name)
    yield "names", str(meta.verbose_name_plural)
    fields = flatten_fieldsets(shown.get_fieldsets(request))
    for name in dict.fromkeys([*fields, *shown.get_readonly_fields(request), *shown.get_list_display(request)]):
        yield f"label of {name}", str(label_for_field(name, model, shown))
    for field in meta.get_fields():
        if getattr(field, "help_text", "") and field.name in fields:
            yield f"help on {field.name}", str(field.help_text)
        for value, label in getattr(field, "choices", None) or ():
            yield f"choice {value} of {field.name}", str(label)
    for name, action in shown.get_actions(request).items():
        assert action is not None
        yield f"action {name}", str(action[2])
    for filter_spec in shown.get_changelist_instance(request).filter_specs:
        yield f"filter {type(filter_spec).__name__}", str(filter_spec.title)
    if shown.search_help_text:
        yield "help on searching", str(shown.search_help_text)


def everything(request: HttpRequest, language: str) -> Words:
    with override(language):
        found = {f"{model.__name__}: {where}": word for model in MODELS for where, word in words_of(model, request)}
        return found | {f"app {name}": str(apps.get_app_config(name).verbose_name) for name in APPS}


def test_every_word_of_the_admin_is_german(request_of_staff: HttpRequest) -> None:
    english, german = (everything(request_of_staff, language) for language in ("en", "de"))
    assert english.keys() == german.keys() and len(english) > 150
    same = {where: word for where, word in english.items() if word == german[where]}
    assert {where: word for where, word in same.items() if word not in SAME | CODES} == {}
    assert set(same.values()) == SAME | CODES  # none is excused that need not be


def rendered(tags: str) -> str:
    with override("de"):
        return " ".join(Template("{% load ledger_words tpm_words %}" + tags).render(Context()).split())


def test_the_home_is_german_but_for_what_was_stored(make_session: MakeSession, settings: Settings) -> None:
    with override("de"):  # whoever raises it: the row is for all
        alert_raise("ram", "evledger", "account evledger has insufficient ram")
    Alert.objects.update(opened_at=timezone.now() - timedelta(days=2), count=3)
    make_session(None)
    make_session("SENT")
    assert Alert.objects.get().what_to_do == WHAT_TO_DO["ram"]
    settings.LEDGER_NODES = ["http://127.0.0.1:9"]
    cache.clear()
    page = rendered("{% needs_a_person %}")
    assert "Braucht Aufmerksamkeit" in page
    assert "ram evledger</strong></a>, offen: 2 Tage, 3-mal gesehen</p>" in page
    assert '<p lang="en">account evledger has insufficient ram</p>' in page
    assert "wählen Sie dann „Noch einmal senden“" in page
    assert re.search(r"1 Ladevorgang wartet auf seine Aufzeichnung, der älteste seit \d+ s\.", page)
    assert "1 ist auf dem Weg zur Chain" in page
    assert "Die Chain antwortet nicht." in page


def test_advice_of_an_earlier_version_stays_as_it_was_written() -> None:
    with override("de"):
        assert what_to_do(Alert(code="ram", what_to_do="Buy some.")) == "Buy some."
        assert what_to_do(Alert(code="ram")) == ""


def test_tpm_services_on_the_home_are_german() -> None:
    assert "Keiner ist eingetragen, also kann nichts signiert werden." in rendered("{% tpm_services %}")
    reason = "step 11 (events): added: /app/x"
    TpmService.objects.create(name="a", url="http://a", ek_roots_pem="", state="REFUSED", reason=reason)
    page = rendered("{% tpm_services %}")
    assert "abgelehnt</span>, letzter guter Nachweis: nie</p>" in page
    assert f'<p lang="en">{reason}</p>' in page
    assert "Hardware: nein – ein Software-TPM" in page


def test_commands_and_logs_stay_english(make_session: MakeSession, request_of_staff: HttpRequest) -> None:
    service = TpmService.objects.create(name="a", url="http://a", ek_roots_pem="")
    report = AttestationReport(
        service=service, outcome="ACCEPTED", at=timezone.now(), steps=[], hardware=False, measured=True
    )
    entry = LedgerEntry.objects.get(session=make_session("CONFLICT"))
    LedgerEntry.objects.filter(pk=entry.pk).update(conflict="another digest")
    with override("de"):
        lines = "\n".join(step_lines(report))
        admin.site._registry[LedgerEntry].send_again(  # type: ignore[attr-defined]
            request_of_staff, LedgerEntry.objects.filter(pk=entry.pk)
        )
        assert str(entry) == f"Registereintrag {entry.pk}"
        assert age_words(timedelta(minutes=3)) == "vor 3 min"
    assert "a: accepted at" in lines and "no — a software TPM" in lines and "yes — against the release" in lines
    logged = LogEntry.objects.get()
    assert logged.object_repr == f"ledger entry {entry.pk}"
    assert "Sent again." in logged.change_message and "transaction 0" in json.dumps(logged.change_message)
    told = [str(message) for message in request_of_staff._messages]  # type: ignore[attr-defined]
    assert told == ["1 Eintrag wird wieder bearbeitet."]
