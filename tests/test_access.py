"""Who may see what: every address of the URLconf, asked by those who may not.

The list comes from the URLconf (tests/url_walk.py), so a page or route that is added is asked here by itself. What is
open to everybody stands below, by name: whoever adds to it, means it.
"""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache as shared_cache
from django.db import connection, transaction
from django.test import Client

from accounts.models import SignIn, User
from ledger.models import AuditRun
from stations.models import ChargingSession, Connector, IdToken, MeterValue, Site
from tests.people import log_in
from tests.url_walk import Address, addresses

pytestmark = pytest.mark.django_db

# Open to everybody: the way in, how one reads, and what checks receipts without us.
PUBLIC = {
    *("login", "login_start", "login_callback", "theme", "standalone_script", "standalone_page", "public_check"),
    *("standalone_verify_meter", "standalone_verify_statement"),
    *("meter_keys", "meter_keys_file"),  # published, as the ledger's keys are
    *("station_roots", "station_crl", "station_crl_of"),  # certificates and lists that are there to be shown
    *("privacy", "imprint"),  # what is kept of people, and who runs this
    "recipient",  # behind a link that nobody guesses
    "deleted",  # what is said to somebody who has no account any more
    *("api-openapi", "api-docs"),  # the interface for programs, described
}
# Where a stranger reads another page than who is logged in (@for_strangers): the first one.
INSTEAD = {"history"}
# Open with name and password alone: showing or setting up the second factor, and logging out.
FIRST_FACTOR = {"second_factor", "second_factor_enrol", "second_factor_recovery", "logout"}
OWN_PREFIXES = ("/api/", "/ocpi/")  # they know no sessions: a token or 401
DOCUMENTED = ("schema", "docs", "openapi", "versions", "redoc")  # what an API says of itself may be read
PAGE_METHODS = ("get", "post")  # a browser has no others
API_METHODS = (*PAGE_METHODS, "put", "patch", "delete")
BUSINESS = ("stations", "ledger", "tpm")
TIME_OF_DAY = re.compile(r"T\d\d:\d\d:\d\d(\.\d+)?Z")
ADDRESSES = addresses()


@pytest.fixture
def owners(owner: User, connector: Connector, close_sessions: Any) -> dict[str, Any]:
    """The owner's things, by all the names under which an address may ask for them."""
    (session,) = close_sessions()
    MeterValue.objects.create(session=session, sampled_at=session.started_at, value=41_234_567)
    SignIn.objects.create(user=owner, outcome=SignIn.Outcome.LOGGED_IN)
    ids: dict[str, Any] = {"uuid": session.pk, "session_id": session.pk, "int": 1, "pk": 1}
    ids |= {"transaction_id": session.transaction_id, "app_label": "stations", "content_type_id": 1}
    ids |= {"format": "json", "url": "nothing/", "month": "2026-03", "year": 2026}
    for model in apps.get_models():
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            ids[model._meta.label_lower] = row.pk
    return ids


def secrets_of(owner: User) -> list[str]:
    """What no page may say to somebody else."""
    session, token, site = ChargingSession.objects.get(), IdToken.objects.get(), Site.objects.get()
    return [str(session.pk), session.transaction_id + "<", token.uid, site.name, "CP-HARBOUR-1", "7.78", "41234567"]


def is_api(path: str) -> bool:
    return path.startswith(OWN_PREFIXES)


def asked(client: Client, method: str, path: str) -> Any:
    """A request as such a client would make it, with a body where there is one."""
    body: dict[str, Any] = {} if method == "get" else {"data": json.dumps({}), "content_type": "application/json"}
    if method == "post" and not is_api(path):
        body = {"data": {}}
    return getattr(client, method)(path, **body)


def is_well(one: "Asked") -> bool:
    """No failure of ours; but the way to the provider, which does not run here, says so."""
    return bool(one.response.status_code < 500 or one.address.name == "login_start")


def read(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return str(content.decode(errors="replace"))


def is_refused(response: Any, path: str, lead: str) -> bool:
    """404 or 405, 401 of an API, or led to where somebody shows who they are."""
    if is_api(path):
        return response.status_code in (401, 404, 405)
    return response.status_code in (404, 405) or response.headers.get("Location", "").startswith(lead)


def test_the_list_is_the_whole_urlconf() -> None:
    names = {address.name for address in ADDRESSES}
    assert {"history", "session", "receipt", "login", "station-sessions", "admin:index"} <= names
    assert {"admin:stations_chargingsession_change", "admin:accounts_user_second_factor"} <= names
    assert len(ADDRESSES) > 80


@dataclass(frozen=True)
class Asked:
    """One request and what came of it."""

    address: Address
    method: str
    path: str
    response: Any

    @property
    def text(self) -> str:
        return read(self.response)

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({self.address.name}): {self.response.status_code}"


def every_request(
    ids: dict[str, Any], user: User | None, *, second_factor: bool = True, reading: bool = True
) -> Iterator[Asked]:
    """Each method at every address, each address as somebody who has just come, and undone before the next.

    One login serves them all: what was done to its session is undone too, and the browser has its cookie again.
    """
    client = Client()
    if user is not None:
        log_in(client, user, second_factor=second_factor)
    cookies = client.cookies
    for address in ADDRESSES:
        path = address.path(ids)
        methods = API_METHODS if is_api(path) else PAGE_METHODS
        shared_cache.clear()
        client.cookies = deepcopy(cookies)
        with transaction.atomic():
            for method in methods if reading else methods[1:]:
                yield Asked(address, method, path, asked(client, method, path))
            transaction.set_rollback(True)


def test_a_stranger_is_told_nothing(owners: dict[str, Any], owner: User) -> None:
    secrets, wrong = secrets_of(owner), []
    for one in every_request(owners, None):
        public = one.address.name in PUBLIC | INSTEAD or is_documentation(one)
        right = is_well(one) if public else is_refused(one.response, one.path, "/login")
        if not right or said(secrets, one):
            wrong.append(str(one))
    assert wrong == []


def test_a_stolen_password_shows_nothing(owners: dict[str, Any], owner: User) -> None:
    """The owner's own session, in the hands of somebody without the second factor."""
    secrets, wrong = secrets_of(owner), []
    for one in every_request(owners, owner, second_factor=False):
        open_to_him = one.address.name in PUBLIC | FIRST_FACTOR or is_documentation(one)
        refused = any(is_refused(one.response, one.path, lead) for lead in ("/second-factor", "/login"))
        if not (open_to_him or refused) or said(secrets, one):
            wrong.append(str(one))
    assert wrong == []


def test_another_customer_sees_and_changes_nothing_of_it(
    owners: dict[str, Any], owner: User, other_customer: User
) -> None:
    """With the owner's ids in the address: what has one is 404; lists and pages of one's own are without it."""
    secrets, before, wrong = secrets_of(owner), business(), []
    for one in every_request(owners, other_customer):
        right = is_well(one)
        if one.address.route.startswith("admin/"):
            right = one.response.status_code in (302, 403, 404, 405)
        elif any(kind == "uuid" for _, kind in one.address.parameters):
            right = one.response.status_code in (401, 404, 405)
        if not right or said(secrets, one) or (one.method != "get" and business() != before):
            wrong.append(str(one))
    assert wrong == []


def test_an_auditor_changes_nothing(owners: dict[str, Any], owner: User) -> None:
    auditor = User.objects.create_user("axel", is_staff=True, roles=["auditor"])
    before, wrong = business(), []
    for one in every_request(owners, auditor, reading=False):
        right = is_well(one)
        if one.address.name == "admin:ledger_auditrun_add":  # what auditors are for: it compares, and changes no record
            right = one.response.status_code == (200 if one.method == "get" else 302)
            AuditRun.objects.filter(started_by=auditor).delete()
        elif one.address.app_model and one.address.name.endswith(("_add", "_change", "_delete", "_second_factor")):
            right = one.response.status_code in (403, 404)
        if not right or business() != before:
            wrong.append(str(one))
    assert wrong == []


def said(secrets: list[str], one: Asked) -> list[str]:
    """What was told that must not be, but for what stood in the question, and for the time of day (…:47.780Z)."""
    text = TIME_OF_DAY.sub("", one.text)
    return [secret for secret in secrets if secret in text and secret not in one.path]


def is_documentation(one: Asked) -> bool:
    return is_api(one.path) and any(word in one.address.route for word in DOCUMENTED)


def business() -> list[list[Any]]:
    """All that stations, ledger and TPM have in the database, as it lies there."""
    found = []
    with connection.cursor() as cursor:
        for query in every_row():
            cursor.execute(query)
            found.append(cursor.fetchall())
    return found


@cache
def every_row() -> list[str]:
    """One query for each table, made once: the walks ask them after every request."""
    models = [model for label in BUSINESS for model in apps.get_app_config(label).get_models(include_auto_created=True)]
    return [str(model._base_manager.order_by("pk").values_list().query) for model in models]


def test_an_auditor_sees_what_everybody_did(owners: dict[str, Any]) -> None:
    """The walk above would pass for somebody who sees nothing."""
    auditor = User.objects.create_user("axel", is_staff=True, roles=["auditor"])
    client = Client()
    log_in(client, auditor)
    assert "Harbour office" in read(client.get("/"))
    assert client.get(f"/sessions/{owners['session_id']}").status_code == 200
    assert client.get(f"/admin/stations/chargingsession/{owners['session_id']}/change/").status_code == 200


def test_the_owner_sees_it(owners: dict[str, Any], owner: User) -> None:
    client = Client()
    log_in(client, owner)
    assert str(owners["session_id"]) in read(client.get("/"))
