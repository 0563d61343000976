"""Programs with Cognito's client credentials, at a provider of Cognito's shape: what they see, and what is refused."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jwt
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts import pool_keys as module
from accounts.models import AccessLogEntry, ApiClient
from accounts.pool_keys import pool_keys
from dev.cognito import Provider, access_claims, sign_token
from dev.common.processes import free_port
from stations.models import Connector, Site, Station, Tariff
from tests.api.conftest import Caller, problem
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db
Claims = dict[str, Any]
Sign = Callable[..., Caller]


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    directory = tmp_path_factory.mktemp("cognito")
    provider = Provider(directory / "pool", free_port(), log=directory / "log")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def issuer(provider: Provider, settings: Settings) -> str:
    settings.API_TOKEN_ISSUER, settings.API_TOKEN_JWKS_URL = provider.issuer, provider.jwks_url
    pool_keys.cache_clear()
    return provider.issuer


@pytest.fixture
def program(issuer: str) -> ApiClient:
    return ApiClient.objects.create(client_id="partner", name="Partner", all_sites=True)


@pytest.fixture
def sign(provider: Provider, issuer: str) -> Sign:
    """A caller with a token of the provider's own key; named claims differ, None leaves one out."""

    def make(scope: str = "evportal/sessions.read evportal/stations.read", **changes: Any) -> Caller:
        claims = access_claims(issuer=issuer, client_id="partner", scope=scope) | changes
        wanted = {name: value for name, value in claims.items() if value is not None}
        return Caller(sign_token(provider.pool.signing_key(), wanted))

    return make


def test_a_program_gets_a_token_and_reads(provider: Provider, issuer: str, make_session: MakeSession) -> None:
    import httpx2

    client = provider.pool.ensure_client("partner", ["evportal/sessions.read", "evportal/profile.read"])
    ApiClient.objects.create(client_id=client.client_id, name="Partner", all_sites=True)
    secret = (client.client_id, client.client_secret)
    answer = httpx2.post(provider.token_url, data={"grant_type": "client_credentials"}, auth=secret)
    api, session = Caller(answer.json()["access_token"]), make_session()
    assert [row["id"] for row in api.get("sessions").json()["results"]] == [str(session.pk)]
    me = api.get("me").json()
    assert (me["kind"], me["name"], me["scopes"]) == ("program", "Partner", ["sessions.read", "profile.read"])
    look = AccessLogEntry.objects.get()
    assert (look.viewer, look.viewer_name, look.customer) == (None, "program Partner", session.customer)


def test_a_program_with_chosen_sites_sees_those(program: ApiClient, sign: Sign, make_session: MakeSession) -> None:
    session = make_session()
    elsewhere = Site.objects.create(code="S2", name="Elsewhere")
    Connector.objects.create(station=Station.objects.create(site=elsewhere, identity="CP-2"))
    ApiClient.objects.update(all_sites=False)
    api = sign("evportal/sessions.read evportal/stations.read evportal/stations.write evportal/tokens.read")
    for path in ("sessions", "sites", "stations", "connectors", "tokens"):
        assert api.get(path).json()["results"] == []
    problem(api.get(f"sessions/{session.pk}"), 404, "not_found")
    program.sites.add(elsewhere)
    assert [row["code"] for row in api.get("sites").json()["results"]] == ["S2"]
    assert api.get("sessions").json()["results"] == api.get("tokens").json()["results"] == []
    problem(api.post("sites", {"code": "S3", "name": "x"}), 403, "permission_denied")
    problem(api.post("stations", {"identity": "CP-3", "site": "S1"}), 400, "invalid_request")
    assert api.post("stations", {"identity": "CP-3", "site": "S2"}).status_code == 201
    program.sites.add(Site.objects.get(code="S1"))
    assert len(api.get("sessions").json()["results"]) == len(api.get("tokens").json()["results"]) == 1


def test_a_program_with_chosen_sites_changes_no_price_elsewhere(program: ApiClient, sign: Sign, site: Site) -> None:
    tariff = Tariff.objects.create(code="T1", name="Shared", price_per_kwh="0.30")
    elsewhere = Site.objects.create(code="S2", name="Elsewhere", tariff=tariff)
    Site.objects.filter(pk=site.pk).update(tariff=tariff)
    ApiClient.objects.update(all_sites=False)
    program.sites.add(site)
    api = sign("evportal/tariffs.read evportal/tariffs.write")
    body = {"price_per_kwh": "0.99"}
    problem(api.patch("tariffs/T1", body, If_Match="*"), 403, "permission_denied")
    Site.objects.filter(pk=elsewhere.pk).update(tariff=None)
    assert api.patch("tariffs/T1", body, If_Match="*").status_code == 200


def test_unknown_and_inactive_clients_are_refused(program: ApiClient, sign: Sign) -> None:
    assert sign().get("sites").status_code == 200
    problem(sign(client_id="other", sub="other").get("sites"), 403, "client_unknown")
    ApiClient.objects.update(is_active=False)
    problem(sign().get("sites"), 403, "client_unknown")


def test_scopes_of_others_open_nothing(program: ApiClient, sign: Sign) -> None:
    for scope in ("", "tpm/sessions.read", "sessions.read", "evportal/sessions.write"):
        problem(sign(scope).get("sessions"), 403, "insufficient_scope")
    problem(sign("evportal/statements.read").get("statements"), 403, "permission_denied")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": int(time.time()) - 60}, "token_expired"),
        ({"iss": "https://elsewhere.example"}, "token_invalid"),
        ({"token_use": "id"}, "token_invalid"),
        ({"sub": "a-person"}, "token_invalid"),
        ({"nbf": int(time.time()) + 86_400}, "token_invalid"),  # longer than the tests take
        *(({name: None}, "token_invalid") for name in ("exp", "iss", "sub", "token_use", "client_id")),
    ],
)
def test_a_token_that_says_otherwise_is_refused(program: ApiClient, sign: Sign, changes: Claims, code: str) -> None:
    problem(sign(**changes).get("sites"), 401, code)


def test_forged_tokens_are_refused(provider: Provider, issuer: str, program: ApiClient) -> None:
    claims = access_claims(issuer=issuer, client_id="partner", scope="evportal/stations.read")
    key = provider.pool.signing_key()
    none = jwt.encode(claims, "", algorithm="none", headers={"kid": key.kid})
    public = key.as_pem(private=False)
    hmac = jwt.api_jws.PyJWS().encode(b"{}", b"x" * 32, algorithm="HS256", headers={"kid": key.kid})
    unknown = jwt.encode(claims, key.as_pem(private=True), algorithm="RS256", headers={"kid": "nobody"})
    good = sign_token(key, claims)
    altered = good[:-8] + ("AAAAAAAA" if good[-8:] != "AAAAAAAA" else "BBBBBBBB")
    for token in (none, hmac, unknown, altered, good.rpartition(".")[0] + ".", "eyJhbGciOiJSUzI1NiJ9.e30.x"):
        problem(Caller(token).get("sites"), 401, "token_invalid")
    assert public and Caller(good).get("sites").status_code == 200


def test_many_unknown_keys_cost_one_question(
    provider: Provider, issuer: str, program: ApiClient, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FETCH_EVERY_S", 3600.0)
    assert sign().get("sites").status_code == 200
    asked = provider.asked("jwks.json")
    claims = access_claims(issuer=issuer, client_id="partner", scope="evportal/stations.read")
    pem = provider.pool.signing_key().as_pem(private=True)
    for number in range(5):
        token = jwt.encode(claims, pem, algorithm="RS256", headers={"kid": str(number)})
        problem(Caller(token).get("sites"), 401, "token_invalid")
    assert provider.asked("jwks.json") == asked


def test_a_pool_that_rotates_its_key_makes_nobody_wait(
    provider: Provider, issuer: str, program: ApiClient, sign: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However lately its keys were read: the new one is asked for at once, and once."""
    monkeypatch.setattr(module, "FETCH_EVERY_S", 0.0)
    assert sign().get("sites").status_code == 200
    asked = provider.asked("jwks.json")
    provider.pool.rotate_key()
    assert sign().get("sites").status_code == 200
    assert sign().get("sites").status_code == 200
    assert provider.asked("jwks.json") == asked + 1
    provider.pool.rotate_key(withdraw_old=True)
    with ThreadPoolExecutor(4) as threads:
        kid = str(provider.pool.signing_key().kid)
        found = threads.map(lambda _: pool_keys(provider.jwks_url).get(kid).key_id, range(8))
        assert set(found) == {kid}


def test_the_pool_is_away(program: ApiClient, sign: Sign, settings: Settings) -> None:
    """Keys that are known go on; without any, 503 says to come back, and personal tokens work all the same."""
    api = sign()
    assert api.get("sites").status_code == 200
    kept = pool_keys(settings.API_TOKEN_JWKS_URL)
    kept._url = "http://127.0.0.1:9/jwks.json"
    kept._next_fetch = kept._old_at = 0  # they are old now
    assert api.get("sites").status_code == 200
    settings.API_TOKEN_JWKS_URL = "http://127.0.0.1:9/jwks.json"
    answer = api.get("sites")
    problem(answer, 503, "identity_unavailable")
    assert answer["Retry-After"]


def test_without_a_pool_only_people_call(db: None, settings: Settings) -> None:
    settings.API_TOKEN_ISSUER = ""
    problem(Client().get("/api/v1/me", headers={"Authorization": "Bearer a.b.c"}), 401, "token_invalid")


def test_a_program_asks_stations_of_its_sites(program: ApiClient, sign: Sign, connector: Connector) -> None:
    elsewhere = Site.objects.create(code="S2", name="Elsewhere")
    Station.objects.create(site=elsewhere, identity="CP-2")
    ApiClient.objects.update(all_sites=False)
    connector.station.site.api_clients.add(program)
    api, body = sign("evportal/stations.command"), {"kind": "reset", "params": {"type": "soft"}}
    answer = api.post("stations/CP-HARBOUR-1/commands", body)
    assert answer.status_code == 202 and answer.json()["by"] == "PROGRAM"
    problem(api.post("stations/CP-2/commands", body), 404, "not_found")
    reads = sign("evportal/stations.read evportal/stations.write")
    problem(reads.post("stations/CP-HARBOUR-1/commands", body), 403, "insufficient_scope")
    problem(reads.get("stations/CP-HARBOUR-1/commands"), 403, "insufficient_scope")
