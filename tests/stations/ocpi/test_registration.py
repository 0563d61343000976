"""The handshake with a real platform on the other side, over real HTTP; and what goes wrong in it."""

import base64
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from django.conf import settings as django_settings
from django.db import connections
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from common.sealed_text import SealedTextError
from stations.models import OcpiPartner
from stations.ocpi.credentials import credentials_read
from stations.ocpi.errors import Invalid, PeerUnusable
from stations.ocpi.partners import partner_end, partner_invite, token_hash
from stations.ocpi.peer import get
from stations.ocpi.secrets import unseal
from tests.stations.ocpi import schema
from tests.stations.ocpi.conftest import Charge
from tests.stations.ocpi.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def partner(transactional_db: None) -> OcpiPartner:
    return OcpiPartner.objects.create(name="Eight volts", country_code="DE", party_id="8AC")


@pytest.fixture
def versions(live_server: LiveServer) -> str:
    return f"{live_server.url}/ocpi/versions"


@pytest.fixture
def credentials(live_server: LiveServer) -> str:
    return f"{live_server.url}/ocpi/2.2.1/credentials"


def refused(answer: Any, http: int, code: int) -> str:
    assert (answer.status_code, answer.json()["status_code"]) == (http, code), answer.text
    return str(answer.json()["status_message"])


# --- The good way


def test_from_the_token_to_the_last_cdr(
    versions: str, credentials: str, partner: OcpiPartner, receiver: Receiver, charge: Charge
) -> None:
    rows = [charge() for _ in range(7)]
    token_a = partner_invite(partner=partner)
    endpoints = receiver.register(versions, token_a)
    assert set(receiver.heard) == {receiver.token_b}, "it was asked with token B"
    for module, expected in (("locations", 1), ("tariffs", 1), ("cdrs", 7)):
        found = [one for page in receiver.pages(f"{endpoints[module]}?limit=3") for one in page]
        assert len(found) == expected
        for one in found:
            schema.check(schema.OBJECTS[module], one)
    assert [one["id"] for one in found] == [str(row.pk) for row in rows]

    partner.refresh_from_db()
    assert (partner.status, partner.url) == ("REGISTERED", f"{receiver.address}/versions")
    assert [one["identifier"] for one in partner.endpoints] == ["credentials", "cdrs"]
    refused(receiver.call("GET", credentials, token_a), 401, 2000)


def test_tokens_are_not_stored_as_they_are(versions: str, partner: OcpiPartner, receiver: Receiver) -> None:
    receiver.register(versions, partner_invite(partner=partner))
    partner.refresh_from_db()
    assert partner.token_hash == token_hash(receiver.token_c)
    sealed = bytes(partner.token_sealed)
    assert receiver.token_b.encode() not in sealed and unseal(sealed) == receiver.token_b
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(django_settings, "SECRET_KEY", "another key")
        with pytest.raises(SealedTextError):
            unseal(sealed)


def test_credentials_are_read_changed_and_ended(
    versions: str, credentials: str, partner: OcpiPartner, receiver: Receiver
) -> None:
    receiver.register(versions, partner_invite(partner=partner))
    old = receiver.token_c
    ours = receiver.data("GET", credentials, old)
    schema.check(schema.CREDENTIALS, ours)
    details = {"name": "Harbour charging"}
    role = {"role": "CPO", "country_code": "DE", "party_id": "EVP", "business_details": details}
    assert ours == {"token": old, "url": versions, "roles": [role]}

    receiver.token_b = "b-new"
    receiver.token_c = receiver.data("PUT", credentials, old, receiver.credentials())["token"]
    refused(receiver.call("GET", credentials, old), 401, 2000)
    partner.refresh_from_db()
    assert unseal(bytes(partner.token_sealed)) == "b-new"

    assert receiver.data("DELETE", credentials, receiver.token_c) is None
    refused(receiver.call("GET", credentials, receiver.token_c), 401, 2000)
    partner.refresh_from_db()
    assert (partner.status, partner.token_hash, bytes(partner.token_sealed)) == ("ENDED", "", b"")


def test_a_new_token_ends_the_connection_and_begins_another(
    versions: str, credentials: str, partner: OcpiPartner, receiver: Receiver
) -> None:
    receiver.register(versions, partner_invite(partner=partner))
    before = receiver.token_c
    again = partner_invite(partner=partner)
    refused(receiver.call("GET", credentials, before), 401, 2000)
    receiver.register(versions, again)
    assert receiver.token_c != before


def test_nothing_is_missed_while_sessions_end(
    versions: str, partner: OcpiPartner, receiver: Receiver, charge: Charge
) -> None:
    """Sixty sessions end in three threads while the partner leafs; then it asks for what came since."""
    for _ in range(30):
        charge()
    endpoints = receiver.register(versions, partner_invite(partner=partner))
    stations = [threading.Thread(target=closing, args=(charge,)) for _ in range(3)]
    seen: dict[str, str] = {}
    pages = receiver.pages(f"{endpoints['cdrs']}?limit=7")
    for number, page in enumerate(pages):
        if number == 0:
            for station in stations:
                station.start()
        seen |= {one["id"]: one["last_updated"] for one in page}
    for station in stations:
        station.join()
    since = max(seen.values())
    for page in receiver.pages(f"{endpoints['cdrs']}?limit=7&date_from={since}"):
        seen |= {one["id"]: one["last_updated"] for one in page}
    assert len(seen) == 90


def closing(charge: Charge) -> None:
    try:
        for _ in range(20):
            charge()
    finally:
        connections.close_all()


# --- What goes wrong


def test_in_the_wrong_order_is_405(credentials: str, versions: str, partner: OcpiPartner, receiver: Receiver) -> None:
    token_a = partner_invite(partner=partner)
    refused(receiver.call("PUT", credentials, token_a, receiver.credentials()), 405, 2000)
    refused(receiver.call("DELETE", credentials, token_a), 405, 2000)
    refused(receiver.call("PATCH", credentials, token_a, {}), 405, 2000)
    receiver.register(versions, token_a)
    refused(receiver.call("POST", credentials, receiver.token_c, receiver.credentials()), 405, 2000)


def test_a_party_that_was_not_agreed_is_refused(credentials: str, partner: OcpiPartner, receiver: Receiver) -> None:
    """Or a partner would read another provider's sessions by calling itself so."""
    token_a = partner_invite(partner=partner)
    role = receiver.credentials()["roles"][0]
    answer = receiver.call("POST", credentials, token_a, receiver.credentials(roles=[role | {"party_id": "OTH"}]))
    assert "expected DE 8AC among them" in refused(answer, 200, 2001)
    partner.refresh_from_db()
    assert partner.status == "INVITED" and not receiver.heard


ROLE = {"role": "EMSP", "country_code": "DE", "party_id": "8AC", "business_details": {"name": "n"}}
NO_ROLES: list[Any] = [None, [], {}, "x", [7], [ROLE] * 51]
BAD: list[tuple[str, Any]] = [
    *(("token", value) for value in (None, "", 7, "a b", "é", "x" * 65, ["x"])),
    *(("url", value) for value in (None, "", "ftp://x", "x", "http://" + "x" * 250, "http://a b", 7)),
    *(("roles", value) for value in NO_ROLES),
    *(("roles", [ROLE | {"role": value}]) for value in (None, "cpo", "X")),
    *(("roles", [ROLE | {"country_code": value}]) for value in (None, "D", "DEU", "1A", 49)),
    *(("roles", [ROLE | {"party_id": value}]) for value in (None, "8A", "8ACX", "8A*")),
    *(("roles", [ROLE | {"business_details": value}]) for value in (None, {}, {"name": ""}, {"name": "a\x00"})),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_malformed_credentials_are_named(name: str, value: Any) -> None:
    good = {"token": "t", "url": "https://example.org/versions", "roles": [ROLE]}
    assert credentials_read(good | {"more": 1}).roles[0].party == ("DE", "8AC")
    with pytest.raises(Invalid, match=f"^{name}"):
        credentials_read(good | {name: value})


def test_malformed_credentials_change_nothing(credentials: str, partner: OcpiPartner, receiver: Receiver) -> None:
    token_a = partner_invite(partner=partner)
    bodies: list[Any] = [[], "x", None, receiver.credentials(token="a b")]
    for body in bodies:
        refused(receiver.call("POST", credentials, token_a, body), 200, 2001)
    partner.refresh_from_db()
    assert partner.status == "INVITED" and not receiver.heard


def test_what_is_no_json_is_400(client: Any, partner: OcpiPartner, receiver: Receiver) -> None:
    token = base64.b64encode(partner_invite(partner=partner).encode()).decode()
    for raw, kind, http in (
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b"[" * 40_000, "application/json", 400),
        (b"x" * 70_000, "application/json", 413),
        (b"token=x", "application/x-www-form-urlencoded", 415),
    ):
        headers = {"Authorization": f"Token {token}"}
        answer = client.post("/ocpi/2.2.1/credentials", raw, content_type=kind, headers=headers)
        assert (answer.status_code, answer.json()["status_code"] // 1000) == (http, 2)


def test_a_platform_that_does_not_answer_as_it_should(
    credentials: str, partner: OcpiPartner, receiver: Receiver
) -> None:
    """3001, 3002, 3003 in the answer to the POST; the token stays good for another try."""
    token_a = partner_invite(partner=partner)

    def post(**changes: Any) -> Any:
        return receiver.call("POST", credentials, token_a, receiver.credentials(**changes))

    good = dict(receiver.answers)
    bad: list[tuple[dict[str, Any], int]] = [
        ({"/versions": []}, 3002),
        ({"/versions": [{"version": "2.2.1"}]}, 3002),
        ({"/versions": {"version": "2.2.1"}}, 3001),
        ({"/versions": ["2.2.1"]}, 3001),
        ({"/versions": [{"version": "2.2.1", "url": "http://127.0.0.1:1/"}]}, 3001),
        ({"/versions": [{"version": "2.2.1", "url": "file:///etc/passwd"}]}, 3001),
        ({"/2.2.1": []}, 3001),
        ({"/2.2.1": {"endpoints": []}}, 3003),
        ({"/2.2.1": None}, 3001),
    ]
    for answers, code in bad:
        receiver.answers = good | answers
        refused(post(), 200, code)
    receiver.answers = good
    for receiver.status, receiver.raw in ((500, b""), (302, b""), (200, b"<html>"), (200, b"[" * 40_000)):
        refused(post(), 200, 3001)
    receiver.status, receiver.raw = 200, b" " * 300_000
    assert "at most 262144 bytes" in refused(post(), 200, 3001)
    receiver.raw = b""
    refused(post(url="http://127.0.0.1:1/versions"), 200, 3001)
    refused(post(token="another-token"), 200, 3001)
    assert post().json()["status_code"] == 1000


def test_two_registrations_with_one_token_let_one_in(
    credentials: str, partner: OcpiPartner, receiver: Receiver
) -> None:
    token_a = partner_invite(partner=partner)
    answers: list[Any] = []

    def post() -> None:
        answers.append(receiver.call("POST", credentials, token_a, receiver.credentials()))

    works = [threading.Thread(target=post) for _ in range(4)]
    for work in works:
        work.start()
    for work in works:
        work.join()
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    (good,) = (answer for answer in answers if answer.status_code == 200)
    assert receiver.data("GET", credentials, good.json()["data"]["token"])


def test_an_ended_partner_cannot_come_back_by_a_registration_under_way(
    partner: OcpiPartner, receiver: Receiver, credentials: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stations.ocpi import peer

    def ended_meanwhile(**told: Any) -> list[dict[str, str]]:
        partner_end(partner=partner)
        return []

    token_a = partner_invite(partner=partner)
    monkeypatch.setattr(peer, "endpoints_fetch", ended_meanwhile)
    refused(receiver.call("POST", credentials, token_a, receiver.credentials()), 401, 2000)
    partner.refresh_from_db()
    assert partner.status == "ENDED"


PRIVATE = (
    "http://example.org/versions",
    "https://127.0.0.1/versions",
    "https://localhost/versions",
    "https://[::1]/versions",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/versions",
    "https://[::ffff:127.0.0.1]/versions",
    "https://2130706433/versions",
    "https://0/versions",
    "https://:443/",
    "https://[/",
)


@pytest.mark.parametrize("url", PRIVATE)
def test_nobody_makes_the_portal_ask_its_own_network(url: str, settings: Settings) -> None:
    settings.OCPI_PARTNER_URLS = "public"
    with pytest.raises(PeerUnusable, match=r"interface at .*: expected an? "):
        get(url, "token")


def test_the_address_that_was_checked_is_the_one_that_is_called(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere a moment later (DNS rebinding) gains nothing: it is resolved once."""
    settings.OCPI_PARTNER_URLS = "public"
    answers = iter(["93.184.215.14", "127.0.0.1"])
    monkeypatch.setattr(
        "common.outgoing.addresses.socket.getaddrinfo",
        lambda host, port, type: [(2, type, 6, "", (next(answers), port))],
    )
    called: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        called.append(request)
        return httpx2.Response(200, stream=httpx2.ByteStream(b'{"status_code": 1000, "data": []}'))

    real = httpx2.Client
    monkeypatch.setattr(
        "common.outgoing.asking.httpx2.Client",
        lambda **options: real(transport=httpx2.MockTransport(answer), **options),
    )
    assert get("https://rebind.example/versions?x=1", "token") == []
    (request,) = called
    assert str(request.url) == "https://93.184.215.14/versions?x=1"
    assert request.headers["Host"] == "rebind.example"
    assert request.extensions["sni_hostname"] == "rebind.example"
