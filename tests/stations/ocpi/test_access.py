"""Who may ask, how, and what a wrong question is answered: always in OCPI's form, never with a 5xx."""

import base64
import uuid
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django.fixtures import Settings

from stations.models import OcpiPartner
from stations.ocpi.access import PartnerThrottle
from stations.ocpi.partners import partner_end
from tests.stations.ocpi import schema
from tests.stations.ocpi.conftest import Charge, Partner, body, data, partner_make, refused

pytestmark = pytest.mark.django_db

VERSIONS = ("2.2.1", "2.3.0")
CONFIGURATION = ("versions", *VERSIONS, *(f"{version}/credentials" for version in VERSIONS))
LISTS = ("locations", "tariffs", "sessions", "cdrs")
MODULES = tuple(f"{version}/{module}" for version in VERSIONS for module in (*LISTS, "locations/S1"))
DEEPER = ("locations/S1/x", "locations/S1/x/1", "tokens")
EVERYTHING = (*CONFIGURATION, *MODULES, *(f"{version}/{path}" for version in VERSIONS for path in DEEPER), "x")


def encoded(token: str) -> str:
    return "Token " + base64.b64encode(token.encode()).decode()


@pytest.mark.parametrize("path", EVERYTHING)
def test_a_stranger_hears_nothing_but_401(path: str, provider: Partner) -> None:
    raw = provider.token
    for header in (
        None,
        "",
        "Token",
        "Token ",
        encoded("nobody"),
        encoded(""),
        f"Token {raw}",  # not in Base64
        f"Bearer {raw}",
        "Basic " + base64.b64encode(raw.encode()).decode(),
        "Token !!!!",
        "Token " + base64.b64encode(b"\xff\x00").decode(),
        "Token " + base64.b64encode(b"x" * 500).decode(),
    ):
        answer = Client().get(f"/ocpi/{path}", headers={} if header is None else {"Authorization": header})
        refused(answer, 401, 2000)
        assert answer["WWW-Authenticate"] == "Token"


def test_a_session_of_a_person_is_no_token(client: Client, admin_user: Any) -> None:
    client.force_login(admin_user)
    refused(client.get("/ocpi/2.2.1/cdrs"), 401, 2000)


def test_a_line_end_behind_the_token_is_no_part_of_it(provider: Partner) -> None:
    """The specification's own example has one."""
    answer = provider.http.get("/ocpi/versions", headers={"Authorization": encoded(provider.token + "\n")})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", MODULES)
def test_the_token_for_registration_opens_nothing_else(path: str) -> None:
    invited = partner_make("INV", status=OcpiPartner.Status.INVITED)
    refused(invited.get(path), 401, 2000)


def test_an_ended_partner_is_a_stranger_at_its_next_request(provider: Partner) -> None:
    assert provider.get("versions").status_code == 200
    partner_end(partner=provider.row)
    refused(provider.get("versions"), 401, 2000)


def test_without_party_id_ocpi_is_not_there(provider: Partner, settings: Settings) -> None:
    settings.OCPI_PARTY_ID = ""
    for path in EVERYTHING:
        refused(provider.get(path), 404, 2003)


def test_versions_and_details(provider: Partner) -> None:
    versions = data(provider.get("versions"))
    for version in versions:
        schema.check(schema.VERSION, version)
    assert versions == [{"version": name, "url": f"http://testserver/ocpi/{name}"} for name in VERSIONS]
    details = data(provider.get("2.2.1"))
    schema.check(schema.DETAILS, details)
    modules = {one["identifier"]: (one["role"], one["url"]) for one in details["endpoints"]}
    assert set(modules) == {"credentials", "locations", "tariffs", "sessions", "cdrs"}
    assert modules["cdrs"] == ("SENDER", "http://testserver/ocpi/2.2.1/cdrs")


@pytest.mark.parametrize(
    "path", [*CONFIGURATION, *(path for path in MODULES if "sessions" not in path and "S1" not in path)]
)
def test_a_slash_at_the_end_changes_nothing(path: str, provider: Partner) -> None:
    assert data(provider.get(path)) == data(provider.get(f"{path}/"))


def test_unknown_addresses(provider: Partner) -> None:
    for path in ("2.2.1/tokens", "2.3.0/payments", "2.1.1", "2.2.1/cdrs/x", "%00", "2.2.1/locations/a/b/c/d"):
        refused(provider.get(path), 404, 2003)


@pytest.mark.parametrize("path", [*MODULES, "versions", *VERSIONS])
@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
def test_senders_are_read_only(method: str, path: str, provider: Partner) -> None:
    answer = getattr(provider.http, method)(f"/ocpi/{path}", headers=provider.headers())
    refused(answer, 405, 2000)
    assert answer["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("module", ["locations", "tariffs", "sessions", "cdrs"])
@pytest.mark.parametrize(
    "query",
    [
        *("limit=0", "limit=-1", "limit=x", "limit=1.5", "limit=", "limit=٣", f"limit={10**30}"),
        *("offset=-1", "offset=x", f"offset={2**31}"),
        *(
            "date_from=x",
            "date_from=2026-13-01T00:00:00Z",
            "date_from=2026-01-01",
            "date_to=2026-01-01T00:00:00%2B00:00",
        ),
        *("date_to=%00", "after=x", "after=2026-01-01T00:00:00Z_x", "after=2026-01-01T00:00:00Z", "after=%00"),
    ],
)
def test_a_parameter_that_is_wrong_is_named(module: str, query: str, provider: Partner) -> None:
    """The request reached OCPI's layer, so HTTP says 200 (chapter 5)."""
    since = "" if "date_from" in query else "date_from=2020-01-01T00:00:00Z&"
    message = refused(provider.get(f"2.2.1/{module}?{since}{query}"), 200, 2001)
    assert message.startswith(query.partition("=")[0] + ": expected")


def test_sessions_want_to_know_since_when(provider: Partner) -> None:
    assert "date_from" in refused(provider.get("2.2.1/sessions"), 200, 2001)


def test_ids_of_messages_come_back(provider: Partner) -> None:
    sent = {"X-Request-ID": "r-1", "X-Correlation-ID": str(uuid.uuid4())}
    for path in ("versions", "2.2.1/cdrs", "2.2.1/cdrs?limit=0", "x"):
        answer = provider.get(path, **sent)
        assert {name: answer[name] for name in sent} == sent
    assert uuid.UUID(provider.get("versions")["X-Request-ID"])
    assert uuid.UUID(provider.get("versions", **{"X-Request-ID": "a\tb"})["X-Request-ID"])


def test_routing_headers_say_who_speaks_to_whom(provider: Partner) -> None:
    sent = {
        "OCPI-to-country-code": "DE",
        "OCPI-to-party-id": "evp",
        "OCPI-from-country-code": "DE",
        "OCPI-from-party-id": "8AC",
    }
    for headers in (sent, {}):
        answer = provider.get("2.2.1/cdrs", **headers)
        assert (answer["OCPI-from-country-code"], answer["OCPI-from-party-id"]) == ("DE", "EVP")
        assert (answer["OCPI-to-country-code"], answer["OCPI-to-party-id"]) == ("DE", "8AC")
    for wrong in ({"OCPI-to-party-id": "XXX"}, {"OCPI-from-party-id": "OTH"}):
        refused(provider.get("2.2.1/cdrs", **(sent | wrong)), 200, 2001)
    assert "OCPI-from-party-id" not in provider.get("versions").headers, "configuration modules are not routed"


def test_too_many_requests_are_slowed(provider: Partner, other: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PartnerThrottle, "limit", lambda _: 2)
    answers = [provider.get("versions") for _ in range(3)]
    refused(answers[2], 429, 2000)
    assert int(answers[2]["Retry-After"]) > 0
    assert other.get("versions").status_code == 200


def test_without_the_cache_it_counts_anew_and_answers(provider: Partner, charge: Charge, settings: Settings) -> None:
    redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    settings.CACHES = {"default": redis}  # nobody listens there
    charge()
    assert provider.get("2.2.1/cdrs")["X-Total-Count"] == "1"


def test_a_database_that_is_away_is_503(provider: Partner, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr("stations.ocpi.published.cdrs", away)
    answer = provider.get("2.2.1/cdrs")
    refused(answer, 503, 3000)
    assert answer["Retry-After"] == "5"


def test_every_answer_has_the_envelope_and_is_kept_by_nobody(provider: Partner) -> None:
    answer = provider.get("2.2.1/cdrs")
    assert body(answer)["data"] == [] and answer["Cache-Control"] == "no-store"
