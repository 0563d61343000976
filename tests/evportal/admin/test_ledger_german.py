"""The admin of ledger and TPM services in German: every word of it, while what is stored stays English."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
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
from tests.admin_words import Word, alike, names_of, words_of
from tests.portal.conftest import MakeSession, make_session, make_transaction, opened_ago
from tpm.models import AttestationReport, TpmService
from tpm.register.words import age_words, step_lines

__all__ = ["make_session", "make_transaction", "opened_ago"]  # fixtures
pytestmark = pytest.mark.django_db
APPS = ("ledger", "tpm")
MODELS = [model for model in admin.site._registry if model._meta.app_label in APPS]
# Words that are the same in both languages, and exact terms of chain, webhooks and TPM.
SAME = {"ID", "URL", "TPM", "Ping"}
CODES = {"READY", *map(str, [*ChainTransaction.Status.labels, *ChainTransaction.Status.values])}


@pytest.fixture
def request_of_staff(rf: RequestFactory) -> HttpRequest:
    request = rf.get("/admin/")
    request.user = User.objects.create_user("olga", is_staff=True, is_superuser=True)
    request._messages = CookieStorage(request)  # type: ignore[attr-defined]
    return request


def everything(request: HttpRequest) -> Iterator[Word]:
    for model in MODELS:
        for where, word in (*names_of(model), *words_of(admin.site._registry[model], request)):
            yield f"{model.__name__}: {where}", word
    yield from ((f"app {name}", apps.get_app_config(name).verbose_name) for name in APPS)


def test_every_word_of_the_admin_is_german(request_of_staff: HttpRequest) -> None:
    assert len(list(everything(request_of_staff))) > 150
    same = alike(lambda: everything(request_of_staff))
    assert {where: word for where, word in same.items() if word not in SAME | CODES} == {}
    assert set(same.values()) == SAME | CODES  # none is excused that need not be


def rendered(tags: str) -> str:
    with override("de"):
        return " ".join(Template("{% load ledger_admin tpm_words %}" + tags).render(Context()).split())


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
