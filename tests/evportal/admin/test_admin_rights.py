"""Every page of the admin, listed from its own URLconf: who may read it, who may write, and who is turned away."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from accounts.models import Role, User
from stations.models import ChargingSession
from tests.people import browser_of, log_in, person

pytestmark = pytest.mark.django_db
OURS = {"accounts", "stations", "ledger", "tpm", "admin"}
MODELS = [model for model in admin.site._registry if model._meta.app_label in OURS]
# What a look may write: the browser's session, and who looked at whom.
LOOKS = ("django_session", "accounts_accesslogentry")


@pytest.fixture
def auditor(db: None) -> Client:
    return browser_of(person("axel", Role.AUDITOR))


@pytest.fixture
def operator(db: None) -> Client:
    return browser_of(person("olga", Role.OPERATOR))


def patterns(resolver: URLResolver, route: str = "") -> Iterator[tuple[str, URLPattern]]:
    for found in resolver.url_patterns:
        if isinstance(found, URLResolver):
            yield from patterns(found, route + str(found.pattern))
        else:
            yield route + str(found.pattern), found


def addresses() -> list[str]:
    """Every address below /admin/, with the id of a row that is there or of none."""
    found = []
    for route, _ in patterns(get_resolver()):
        if route.startswith("admin/") and "admin/otp_" not in route:  # django-otp's own, for administrators alone
            filled = re.sub(r"<uuid:\w+>", "00000000-0000-4000-8000-000000000000", route)
            filled = re.sub(r"<\w+:app_label>|\(\?P<app_label>[^)]*\)", "stations", filled)
            filled = re.sub(r"<((path|str|int):)?\w+>|\(\?P<url>.*", "1", filled)
            found.append("/" + filled.replace("^", "").replace("$", "").replace("\\", ""))
    return sorted(set(found))


def writes(queries: CaptureQueriesContext) -> list[str]:
    return [
        query["sql"]
        for query in queries
        if query["sql"].lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE"))
        and not any(f'"{table}"' in query["sql"] for table in LOOKS)
    ]


def rows() -> list[tuple[str, str, Any]]:
    """(app, model, id of a row) of everything that is registered and has a row."""
    found = [(model._meta.app_label, model._meta.model_name, model._default_manager.first()) for model in MODELS]
    return [(app, str(name), row.pk) for app, name, row in found if row is not None]


def forms(address: str) -> list[dict[str, Any]]:
    """What somebody may send: nothing, a deletion, something changed, every action of the list."""
    sent: list[dict[str, Any]] = [
        {},
        {"post": "yes"},
        {"name": "changed", "reason": "because I want it", "confirmed": "yes"},
    ]
    match = re.fullmatch(r"/admin/(\w+)/(\w+)/", address)
    for model, owner in admin.site._registry.items():
        if match and (model._meta.app_label, model._meta.model_name) == match.groups():
            row = model._default_manager.first()
            names = ["delete_selected", *(getattr(act, "__name__", str(act)) for act in owner.actions or ())]
            sent += [
                {"action": name, "_selected_action": [str(row.pk if row else 1)], "confirmed": "yes"} for name in names
            ]
    return sent


def test_the_list_of_addresses_is_whole() -> None:
    found = addresses()
    assert len(found) > 90
    assert {"/admin/", "/admin/stations/importrun/1/confirm/", "/admin/stations/station/1/credential/"} <= set(found)
    assert "/admin/support/" in found and not [address for address in found if "<" in address or "(" in address]


def test_an_auditor_reads_everything(auditor: Client, everything: ChargingSession) -> None:
    assert auditor.get("/admin/").status_code == 200
    for model in MODELS:
        app, name = model._meta.app_label, model._meta.model_name
        assert auditor.get(f"/admin/{app}/{name}/").status_code == 200, name
    for app, name, pk in rows():
        for page in ("change", "history"):
            response = auditor.get(f"/admin/{app}/{name}/{pk}/{page}/")
            assert response.status_code == 200, (name, page)
            assert 'name="_save"' not in response.content.decode(), name


def test_an_auditor_changes_nothing_whatever_he_sends(auditor: Client, everything: ChargingSession) -> None:
    own = (
        *("/admin/logout/", "/admin/login/", "/admin/jsi18n/", "/admin/autocomplete/"),
        "/admin/ledger/auditrun/add/",  # an audit changes no record: tests/evportal/admin/test_admin_audits.py
    )
    real = [f"/admin/{app}/{name}/{pk}/{page}/" for app, name, pk in rows() for page in ("change", "delete")]
    real += [f"/admin/stations/chargingsession/{everything.pk}/credit/"]
    real += [f"/admin/ledger/ledgerentry/put-back/?id={everything.pk}"]
    of_no_row = re.compile(r"/admin/\w+/\w+/1/((change|delete|history)/)?")  # `real` has those of rows that are there
    for address in [*(found for found in addresses() if not of_no_row.fullmatch(found)), *real]:
        if address.startswith(own):
            continue
        for form in forms(address):
            with CaptureQueriesContext(connection) as queries:
                response = auditor.post(address, form)
            assert writes(queries) == [], (address, form)
            assert response.status_code < 500, address


def test_an_operator_changes_no_person_and_no_pinned_tpm(operator: Client, everything: ChargingSession) -> None:
    for app, name, pk in rows():
        if app in {"accounts", "admin", "tpm"}:
            assert operator.get(f"/admin/{app}/{name}/{pk}/change/").status_code == 200
            for page in (f"{pk}/change", f"{pk}/delete", "add"):
                assert operator.post(f"/admin/{app}/{name}/{page}/", {"post": "yes"}).status_code == 403, (name, page)
    site = everything.station.site
    form = {"name": "Harbour office", "time_zone": "Europe/Berlin", "currency": "EUR", "country": "DEU", "city": "Kiel"}
    response = operator.post(f"/admin/stations/site/{site.pk}/change/", form)
    site.refresh_from_db()
    assert (response.status_code, site.city) == (302, "Kiel"), response.content.decode()[:3000]


@pytest.mark.parametrize("who", ["customer", "stranger", "without the second factor"])
def test_nobody_else_sees_a_page(who: str, everything: ChargingSession, owner: User) -> None:
    client = Client()
    if who == "customer":
        log_in(client, owner)
    elif who != "stranger":
        log_in(client, person("olga", Role.OPERATOR), second_factor=False)
    for address in addresses():
        if address.startswith(("/admin/login/", "/admin/logout/", "/admin/jsi18n/")):
            continue
        for response in (client.get(address), client.post(address, {"post": "yes"})):
            assert response.status_code in {302, 403, 404, 405}, address
            assert "CP-HARBOUR-1" not in response.content.decode()
