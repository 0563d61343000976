"""Every route of the API, as the URLconf lists them: the owner, another customer, a stranger, an auditor."""

from typing import Any

import pytest

from accounts.login.roles import roles_set
from accounts.models import AccessLogEntry, Role, User
from evportal import urls_api
from ledger.models import Webhook
from ledger.webhooks.delivery import secret_make
from ledger.webhooks.outbox import ping
from stations.commands.asking import command_ask
from stations.models import ChargingSession, Connector, IdToken, Station, Tariff
from tests.api.conftest import BASE, Caller, caller_for, problem
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db

ROUTES = [str(route.pattern) for route in urls_api.urlpatterns]
PUBLIC = {"openapi.json", "docs"}
EVERYBODY = {"me", "statements", "ledger"}  # about the caller, or about nobody
# What stations say, of all who charge there: for staff, and for programs of the site.
STAFF = {f"stations/<row_name:identity>/{kind}" for kind in ("messages", "events", "variables")}
STAFF |= {"sites/<row_name:code>/limit"}
METHODS = ("get", "post", "put", "patch", "delete", "options")


@pytest.fixture
def owned(owner: User, make_session: MakeSession, site: Any) -> dict[str, Any]:
    """The names under which an address may ask for the owner's things."""
    tariff = Tariff.objects.create(code="HARBOUR", name="Harbour")
    site.tariff = tariff
    site.save()
    hook = Webhook(user=owner, url="https://example.com/hook")
    secret_make(hook=hook)
    hook.save()
    ping(hook=hook)
    session, station = make_session(), Station.objects.get()
    command = command_ask(station=station, kind="remote_stop", params={"transaction_id": "1"}, user=owner)
    return {"session": session, "hook": hook, "token": IdToken.objects.get(), "station": station, "command": command}


def address(route: str, owned: dict[str, Any]) -> str:
    kind = route.partition("/")[0]
    numbered = {"connectors": Connector.objects.get(), "commands": owned["command"]}
    number = numbered.get(kind, owned["token"]).pk
    names = {
        "<uuid:id>": owned["hook"].pk if kind == "webhooks" else owned["session"].pk,
        "<row_number:number>": number,
        "<row_name:code>": "HARBOUR" if kind == "tariffs" else "S1",
        "<row_name:identity>": owned["station"].identity,
    }
    for part, name in names.items():
        route = route.replace(part, str(name))
    return route


@pytest.mark.parametrize("route", ROUTES)
def test_a_stranger_sees_nothing(route: str, owned: dict[str, Any], stranger: Caller) -> None:
    where = address(route, owned)
    if route in PUBLIC:
        assert stranger.get(where).status_code == 200
        return
    for method in METHODS:
        answer = stranger.ask(method, where)
        assert answer.status_code == 401 or (answer.status_code == 405 and method == "options")
        assert answer["WWW-Authenticate"] == 'Bearer realm="EVPortal"'


@pytest.mark.parametrize("route", [route for route in ROUTES if route not in PUBLIC])
def test_the_owner_sees_his_own_and_another_customer_does_not(
    route: str, owned: dict[str, Any], api: Caller, other_api: Caller
) -> None:
    where = address(route, owned)
    mine, his = api.get(where), other_api.get(where)
    if mine.status_code == 405:
        problem(other_api.post(where), 404, "not_found")
    elif route in STAFF:
        problem(mine, 404, "not_found")
        problem(his, 404, "not_found")
    elif "<" in route:
        assert mine.status_code == 200, mine.content
        problem(his, 404, "not_found")
        for method in ("patch", "delete", "post"):
            if other_api.ask(method, where, {}, If_Match="*").status_code != 405:
                assert other_api.ask(method, where, {}, If_Match="*").status_code in {403, 404}
    elif route not in EVERYBODY:
        assert mine.json()["results"] and his.json()["results"] == []
    else:
        assert (mine.status_code, his.status_code) == (200, 200)
    assert not AccessLogEntry.objects.exists()  # one's own looks are nobody's business


def test_an_operator_reads_all_and_his_looks_are_noted(owned: dict[str, Any], operator_api: Caller) -> None:
    session: ChargingSession = owned["session"]
    assert operator_api.get(f"sessions/{session.pk}").status_code == 200
    look = AccessLogEntry.objects.get()
    assert (look.viewer_name, look.customer, look.subject) == ("olga", session.customer, str(session.pk))


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("post", "sites", {"code": "S2", "name": "x"}),
        ("patch", "sites/S1", {"name": "x"}),
        ("post", "stations", {"identity": "CP-2", "site": "S1"}),
        ("patch", "stations/CP-HARBOUR-1", {"vendor": "x"}),
        ("post", "connectors", {"station": "CP-HARBOUR-1", "evse_id": 9}),
        ("post", "tariffs", {"code": "T", "name": "x"}),
        ("patch", "tariffs/HARBOUR", {"name": "x"}),
    ],
)
def test_only_operators_write(
    method: str, path: str, body: Any, owned: Any, api: Caller, auditor_api: Caller, operator_api: Caller
) -> None:
    problem(api.ask(method, path, body, If_Match="*"), 403, "permission_denied")
    problem(auditor_api.ask(method, path, body, If_Match="*"), 403, "permission_denied")
    assert operator_api.ask(method, path, body, If_Match="*").status_code in {200, 201}


def test_a_role_that_is_taken_away_is_gone_at_the_next_request(owned: Any, person: Any) -> None:
    olga = person("olga", Role.OPERATOR)
    api = caller_for(olga)
    assert len(api.get("sessions").json()["results"]) == 1
    roles_set(user=olga, roles=[])
    assert api.get("sessions").json()["results"] == []
    problem(api.post("sites", {"code": "S2", "name": "x"}), 403, "permission_denied")


@pytest.mark.parametrize("path", ["nothing", "sites/", "sessions/1", "sessions/x/y", "../v2", "tokens/" + "9" * 5000])
def test_what_is_not_there_is_a_problem_too(api: Caller, path: str) -> None:
    problem(api.get(path), 404, "not_found")
    problem(Caller().get(f"/api/{path}"), 404, "not_found")
    problem(Caller().post("/api/v2/sites"), 404, "not_found")


def test_bad_requests_are_problems(api: Caller, operator_api: Caller) -> None:
    problem(api.get("sites", Accept="text/html"), 406, "not_acceptable")
    answer = api.ask("put", "sites")
    assert problem(answer, 405, "method_not_allowed") and answer["Allow"]
    http, bearer = operator_api.http, {"Authorization": f"Bearer {operator_api.token}"}
    for body, media, status, code in (
        (b"{", "application/json", 400, "invalid_json"),
        (b"\xff", "application/json", 400, "invalid_json"),
        (b'{"code": "S9", "name": "a\\u0000b"}', "application/json", 400, "invalid_request"),
        (b'{"code": "S9", "name": NaN}', "application/json", 400, "invalid_json"),
        (b'{"code": "S9", "code": "S9", "name": "x"}', "application/json", 400, "invalid_json"),
        (b"[" * 5000, "application/json", 400, "invalid_json"),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413, "request_too_large"),
        (b"code=S9", "application/x-www-form-urlencoded", 415, "unsupported_media_type"),
    ):
        problem(http.post(f"{BASE}/sites", body, content_type=media, headers=bearer), status, code)
    huge = {"station": "CP", "evse_id": 10**400}
    problem(operator_api.post("connectors", huge), 400, "invalid_request")
