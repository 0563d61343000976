"""Whatever the admin says of accounts, its log and other packages' rows, it says in German to those who read German."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import models
from django.http import HttpRequest
from django.test import RequestFactory
from django.urls import reverse
from django.utils import translation

from accounts.models import AccessLogEntry, Erasure, Role, SignIn, User
from common.admin_log import Logged
from common.change_log import Line, change_lines, changes_between, message_of
from tests.admin_words import english_left, names_of, words_of
from tests.people import browser_of, person

pytestmark = pytest.mark.django_db

# Whose words have tests of their own.
OTHERS = {"stations", "ledger", "tpm"}
# The same in both languages, letter by letter.
SAME = {"English", "Deutsch"}


def models_here() -> list[type[models.Model]]:
    registered = [model for model in admin.site._registry if model._meta.app_label not in OTHERS]
    return sorted({*apps.get_app_config("accounts").get_models(), *registered}, key=lambda model: model._meta.label)


@pytest.fixture
def request_of_admin(rf: RequestFactory) -> HttpRequest:
    request = rf.get("/admin/")
    request.user = person("otto", Role.ADMIN)
    return request


@pytest.mark.parametrize("model", models_here(), ids=lambda model: model._meta.label)
def test_models_and_their_pages_have_german_words(model: type[models.Model], request_of_admin: HttpRequest) -> None:
    assert english_left(lambda: names_of(model), SAME) == {}
    if page := admin.site._registry.get(model):
        assert english_left(lambda: words_of(page, request_of_admin), SAME) == {}


def test_apps_and_the_index_have_german_words() -> None:
    names = {app.verbose_name for app in apps.get_app_configs() if app.label == "accounts"}
    said = [*names, admin.site.index_title]
    assert english_left(lambda: (("app or index", word) for word in said), SAME) == {}


def test_a_forgotten_word_is_found(request_of_admin: HttpRequest) -> None:
    """The tests above would not see one if the words were looked at in one language alone."""

    class Forgotten(admin.ModelAdmin):  # type: ignore[type-arg]  # a generic in the stubs alone
        list_display = ("at", "left_in_english")
        search_help_text = "A hint that nobody translated"
        actions = ("forgotten",)

        @admin.display(description="a label that nobody translated")
        def left_in_english(self, row: SignIn) -> str:
            return ""

        @admin.action(description="An action that nobody translated")
        def forgotten(self, request: HttpRequest, queryset: object) -> None: ...

    page = Forgotten(SignIn, admin.site)
    assert english_left(lambda: words_of(page, request_of_admin), SAME) == {
        "label of left_in_english": "a label that nobody translated",
        "action forgotten": "An action that nobody translated",
        "hint of the search": "A hint that nobody translated",
    }


# --- what is stored is English, what is shown is not


def german(user: User, address: str) -> str:
    page = browser_of(user).get(address, headers={"Accept-Language": "de"}).content.decode()
    assert '<html lang="de"' in page
    return " ".join(page.split())


def test_the_change_log_is_stored_in_english_and_shown_in_the_readers_language(owner: User) -> None:
    changes = changes_between(owner, {"is_active": True, "password": "a"}, {"is_active": False, "password": "b"})
    with translation.override("de"):
        otto = person("otto", Role.ADMIN)
        LogEntry.objects.log_actions(
            otto.pk, [owner], action_flag=2, change_message=message_of(changes, words="Locked."), single_object=True
        )
        entry = LogEntry.objects.get()
        assert "is_active" in entry.change_message and "(not shown)" in entry.change_message
        assert set(change_lines(entry)) == {
            Line("Locked.", "en"),
            Line("Passwort: (nicht gezeigt) → (nicht gezeigt)"),
            Line("aktiv: True → False"),
        }
    page = german(otto, reverse("admin:accounts_user_history", args=[owner.pk]))
    assert '<div class="ev-change" lang="en">Locked.</div>' in page
    assert '<div class="ev-change">aktiv: True → False</div>' in page
    listed = german(otto, reverse("admin:admin_logentry_changelist"))
    assert "geändert" in listed and '<div class="ev-change" lang="en">Locked.</div>' in listed


def test_names_of_rows_are_stored_in_english(owner: User, rf: RequestFactory) -> None:
    """Some rows are called by words, which may be translated."""
    request = rf.get("/")
    request.user = owner
    row = Erasure.objects.create(customer=owner, pseudonym="erased-1")
    with translation.override("de"):
        assert str(row) == "Löschung von erased-1"
        entry = Logged(Erasure, admin.site).log_change(request, row, "Asked for.")
    assert entry.object_repr == "erasure of erased-1"


def test_a_row_that_was_added_beside_another_is_said_in_german() -> None:
    message = '[{"added": {"name": "API client", "object": "fleet"}}, {"changed": {"fields": ["Created at"]}}]'
    entry = LogEntry(action_flag=2, change_message=message)
    with translation.override("de"):
        assert change_lines(entry) == [Line("API-Client fleet: hinzugefügt"), Line("geändert: Erstellt am")]


def test_the_access_log_is_stored_in_english(owner: User, other_customer: User) -> None:
    otto = person("otto", Role.ADMIN)
    german(otto, reverse("admin:accounts_user_change", args=[owner.pk]))
    german(otto, reverse("admin:accounts_user_changelist"))
    assert set(AccessLogEntry.objects.filter(customer=owner).values_list("subject", flat=True)) == {
        f"user {owner.pk}",
        "users",
    }
    page = german(otto, reverse("admin:accounts_accesslogentry_changelist"))
    assert "eine Seite der Verwaltung" in page and '<span lang="en">users</span>' in page


def test_what_an_erasure_waits_for_is_marked_as_english(owner: User) -> None:
    Erasure.objects.create(customer=owner, pseudonym="erased-1", waits_for="a charge is running")
    page = german(person("otto", Role.ADMIN), reverse("admin:accounts_erasure_changelist"))
    assert '<span lang="en">a charge is running</span>' in page


def test_the_pages_about_one_person_are_german(owner: User) -> None:
    otto = person("otto", Role.ADMIN)
    for name, words in (
        ("accounts_user_second_factor", "Zweiten Faktor von anna zurücksetzen?"),
        ("accounts_user_erase", "anna für immer löschen?"),
        ("accounts_user_change", "Diesen Kunden löschen …"),
    ):
        page = german(otto, reverse(f"admin:{name}", args=[owner.pk]))
        assert words in page
        for english in ("Home", "Users", "Keep everything", "Reason", "Erase", "Reset", "told", "Why"):
            assert f">{english}" not in page and f'"{english}' not in page, english


def test_scripts_say_their_words_in_german(owner: User) -> None:
    page = german(person("otto", Role.ADMIN), reverse("admin:accounts_apiclient_add"))
    assert 'data-date="Datum" data-time="Uhrzeit" data-none="keine"' in page
    assert "ausschalten, um es bei der nächsten Anfrage abzuweisen" in page
