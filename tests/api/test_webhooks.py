"""Webhooks: written with the record, signed, sent until they arrived, to public addresses only, for one's own alone."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import ApiClient, User
from common.outgoing.addresses import AddressRefused, resolve, url_check
from ledger.models import ChainTransaction, LedgerEntry, Webhook, WebhookDelivery
from ledger.recording import settlement
from ledger.signals import transactions_recorded
from ledger.webhooks import delivery, tasks
from stations.models import ChargingSession, IdToken
from tests.api.conftest import Caller, problem
from tests.conftest import CloseSessions
from tests.portal.conftest import MakeTransaction

pytestmark = pytest.mark.django_db


class Receiver:
    """A program that takes webhooks, on a port of this machine."""

    def __init__(self) -> None:
        self.status, self.heard, self.drips = 204, list[tuple[dict[str, str], str]](), False
        self.refuses = dict[str, int]()  # answers by session
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
                while receiver.drips:
                    try:
                        self.wfile.write(b"H")
                    except OSError:
                        return
                    time.sleep(0.05)
                about = str(json.loads(body)["data"].get("session"))
                self.send_response(receiver.refuses.get(about, receiver.status))
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook?x=1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW_LOCAL = True
    receiver = Receiver()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def record(close_sessions: CloseSessions, make_transaction: MakeTransaction) -> Callable[..., list[ChargingSession]]:
    """Sessions that become recorded by the ledger's own step; only the chain's answers are stand-ins."""

    def make(count: int = 1, **fields: Any) -> list[ChargingSession]:
        sessions = close_sessions(count, **fields)
        row = make_transaction("SENT", block_num=7)
        LedgerEntry.objects.filter(session__in=sessions).update(transaction=row)
        finalize(row)
        return sessions

    return make


def finalize(row: ChainTransaction) -> bool:
    digests = dict(row.entries.values_list("id", "digest"))
    rows = {ledger_id: bytes(digest) for ledger_id, digest in digests.items()}
    found = {row.transaction_id: SimpleNamespace(status="executed")}
    block = SimpleNamespace(transactions=found, id="b" * 64, time=timezone.now())
    chain = SimpleNamespace(rows=lambda first, last: rows, state=lambda: {"floor": 0})
    view: Any = SimpleNamespace(block=lambda num: block, chain=chain)
    return settlement._finalize(row, 7, view)


def deliver() -> None:
    for pk in delivery.due_webhooks():
        tasks.webhook_deliver(str(pk))


def later() -> None:
    Webhook.objects.update(held_until=None)
    WebhookDelivery.objects.update(next_attempt_at=timezone.now())


def test_a_recorded_session_is_told_signed_and_logged(api: Caller, receiver: Receiver, record: Any) -> None:
    hook = api.post("webhooks", {"url": receiver.url, "description": "mine"}).json()
    (session,) = record()
    deliver()
    deliver()
    ((headers, body),) = receiver.heard
    told = json.loads(body)
    assert (told["type"], told["data"]["session"]) == ("session.recorded", str(session.pk))
    assert told["data"]["block_num"] == 7 and datetime.fromisoformat(told["timestamp"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    key = base64.b64decode(hook["secret"].removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["host"] == receiver.url.split("/")[2] and "authorization" not in headers
    (logged,) = api.get(f"webhooks/{hook['id']}/deliveries").json()["results"]
    assert (logged["id"], logged["status"], logged["attempts"]) == (headers["webhook-id"], "delivered", 1)
    assert logged["response_status"] == 204 and logged["session"] == str(session.pk)
    assert "secret" not in api.get(f"webhooks/{hook['id']}").json()
    assert hook["secret"] not in Webhook.objects.get().secret


def test_each_hears_of_what_he_may_see(
    api: Caller, other_api: Caller, operator_api: Caller, receiver: Receiver, record: Any, other_customer: User
) -> None:
    token = IdToken.objects.create(uid="BEN", customer=other_customer)
    for caller in (api, other_api, operator_api):
        caller.post("webhooks", {"url": receiver.url})
    partner = ApiClient.objects.create(client_id="partner", name="Partner")
    for client in (partner, ApiClient.objects.create(client_id="elsewhere", name="Elsewhere")):
        hook = Webhook(client=client, url=receiver.url)
        delivery.secret_make(hook=hook)
        hook.save()
    (mine,) = record()
    mine.station.site.api_clients.add(partner)
    (his,) = record(token=token)
    (nobodys,) = record(token=None)
    hooks = Webhook.objects.all()
    told = {str(hook.user or hook.client): {d.session_id for d in hook.deliveries.all()} for hook in hooks}
    everything = {mine.pk, his.pk, nobodys.pk}
    of_people = {"anna": {mine.pk}, "ben": {his.pk}, "olga": everything}
    assert told == of_people | {"Partner": everything - {mine.pk}, "Elsewhere": set()}


def test_an_event_is_written_with_the_record_or_not_at_all(
    api: Caller, receiver: Receiver, close_sessions: CloseSessions, make_transaction: MakeTransaction
) -> None:
    api.post("webhooks", {"url": receiver.url})
    row = make_transaction("SENT", block_num=7)
    LedgerEntry.objects.filter(session__in=close_sessions()).update(transaction=row)
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        assert finalize(row)
        raise KeyboardInterrupt  # as if the worker were killed before the commit
    row.refresh_from_db()
    assert row.status == "SENT" and not WebhookDelivery.objects.exists()
    assert finalize(row)
    transactions_recorded.send(sender=ChainTransaction, row=row)  # and whoever finds it recorded once more
    assert WebhookDelivery.objects.count() == 1


@pytest.mark.parametrize("status", [301, 400, 500])
def test_what_did_not_arrive_is_sent_again(api: Caller, receiver: Receiver, record: Any, status: int) -> None:
    hook = api.post("webhooks", {"url": receiver.url}).json()["id"]
    record()
    receiver.status = status
    deliver()
    deliver()
    assert len(receiver.heard) == 1  # the next one is due later
    (logged,) = api.get(f"webhooks/{hook}/deliveries").json()["results"]
    assert (logged["status"], logged["response_status"], logged["attempts"]) == ("pending", status, 1)
    assert api.get(f"webhooks/{hook}").json()["failing_since"]
    receiver.status = 200
    later()
    deliver()
    assert receiver.heard[0][0]["webhook-id"] == receiver.heard[1][0]["webhook-id"]
    assert receiver.heard[0][1] == receiver.heard[1][1]
    assert WebhookDelivery.objects.get().status == "delivered"
    assert api.get(f"webhooks/{hook}").json()["failing_since"] is None


def test_an_answer_that_drips_holds_nobody_up(
    api: Caller, receiver: Receiver, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte would begin the time-out of a read anew; the attempt ends all the same."""
    monkeypatch.setattr(delivery, "PATIENCE", replace(delivery.PATIENCE, whole_s=0.5))
    receiver.drips = True
    api.post("webhooks", {"url": receiver.url})
    record()
    deliver()
    sent = WebhookDelivery.objects.get()
    assert (sent.status, sent.attempts) == ("pending", 1) and sent.error.startswith("no answer: ")


def test_a_killed_worker_has_used_up_one_attempt(
    api: Caller, receiver: Receiver, record: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("webhooks", {"url": receiver.url})
    record()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(delivery, "_post", lambda *args: (_ for _ in ()).throw(KeyboardInterrupt))
        deliver()
    assert WebhookDelivery.objects.get().attempts == 1
    later()
    deliver()
    assert (len(receiver.heard), WebhookDelivery.objects.get().attempts) == (1, 2)


def test_two_workers_make_one_attempt(api: Caller, receiver: Receiver, record: Any) -> None:
    api.post("webhooks", {"url": receiver.url})
    record()
    one, other = WebhookDelivery.objects.get(), WebhookDelivery.objects.get()
    hook = Webhook.objects.get()
    assert delivery.delivery_send(delivery=one, hook=hook)
    assert not delivery.delivery_send(delivery=other, hook=hook)
    assert len(receiver.heard) == 1


def test_a_receiver_in_trouble_is_not_flooded_and_at_last_left_alone(
    api: Caller, receiver: Receiver, record: Any
) -> None:
    hook = api.post("webhooks", {"url": receiver.url}).json()["id"]
    record(3)
    receiver.status = 503
    deliver()
    assert len(receiver.heard) == 1 and delivery.due_webhooks() == []
    Webhook.objects.update(failing_since=timezone.now() - timedelta(days=3, seconds=1))
    later()
    deliver()
    shown = api.get(f"webhooks/{hook}").json()
    assert not shown["active"] and "nothing arrived since" in shown["disabled_reason"]
    later()
    assert delivery.due_webhooks() == []
    receiver.status = 200
    version = api.get(f"webhooks/{hook}")["ETag"]
    assert api.patch(f"webhooks/{hook}", {"active": True}, If_Match=version).json()["disabled_reason"] == ""
    deliver()
    assert WebhookDelivery.objects.filter(status="delivered").count() == 3


def test_one_delivery_is_given_up_after_ten_attempts(api: Caller, receiver: Receiver, record: Any) -> None:
    api.post("webhooks", {"url": receiver.url})
    record()
    receiver.status = 500
    WebhookDelivery.objects.update(attempts=delivery.ATTEMPTS_MAX - 1)
    deliver()
    assert WebhookDelivery.objects.get().status == "failed"


def test_gone_means_gone(api: Caller, receiver: Receiver, record: Any) -> None:
    api.post("webhooks", {"url": receiver.url})
    record()
    receiver.status = 410
    deliver()
    assert "410" in Webhook.objects.get().disabled_reason and not Webhook.objects.get().is_active


def test_a_disabled_person_is_told_nothing(api: Caller, receiver: Receiver, record: Any, owner: User) -> None:
    api.post("webhooks", {"url": receiver.url})
    record()
    User.objects.filter(pk=owner.pk).update(is_active=False)
    deliver()
    record()
    assert receiver.heard == [] and WebhookDelivery.objects.count() == 1


def test_an_auditor_has_nothing_sent_elsewhere(auditor_api: Caller, receiver: Receiver, record: Any) -> None:
    problem(auditor_api.post("webhooks", {"url": receiver.url}), 403, "permission_denied")
    hook = Webhook(user=User.objects.get(username="audrey"), url=receiver.url)  # of when she was an operator
    delivery.secret_make(hook=hook)
    hook.save()
    record()
    assert not hook.deliveries.exists()
    for path, body in ((f"webhooks/{hook.pk}/ping", None), (f"webhooks/{hook.pk}/secret", None)):
        problem(auditor_api.post(path, body), 403, "permission_denied")
    problem(auditor_api.patch(f"webhooks/{hook.pk}", {"active": True}, If_Match="*"), 403, "permission_denied")
    assert auditor_api.get(f"webhooks/{hook.pk}").status_code == 200
    assert auditor_api.delete(f"webhooks/{hook.pk}").status_code == 204


def test_ping_and_a_new_secret(api: Caller, receiver: Receiver) -> None:
    hook = api.post("webhooks", {"url": receiver.url}).json()
    answer = api.post(f"webhooks/{hook['id']}/ping")
    assert (answer.status_code, answer.json()["event"], answer.json()["status"]) == (202, "ping", "pending")
    secret = api.post(f"webhooks/{hook['id']}/secret").json()["secret"]
    deliver()
    headers, body = receiver.heard[0]
    message_id, timestamp = headers["webhook-id"], int(headers["webhook-timestamp"])
    old, new = (
        delivery.signature(of, message_id=message_id, timestamp=timestamp, body=body) for of in (hook["secret"], secret)
    )
    assert headers["webhook-signature"] == new != old


def test_a_webhook_is_removed_with_its_log(api: Caller) -> None:
    hook = api.post("webhooks", {"url": "https://example.com/"}).json()["id"]
    api.post(f"webhooks/{hook}/ping")
    assert api.delete(f"webhooks/{hook}").status_code == 204
    problem(api.get(f"webhooks/{hook}"), 404, "not_found")
    assert not WebhookDelivery.objects.exists()


def test_one_may_have_ten(api: Caller) -> None:
    for _ in range(10):
        assert api.post("webhooks", {"url": "https://example.com/"}).status_code == 201
    problem(api.post("webhooks", {"url": "https://example.com/"}), 409, "too_many")


PRIVATE = [
    *("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "10.0.0.1", "172.16.5.5"),
    "0.0.0.0",  # noqa: S104
    *("192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "255.255.255.255", "[::1]", "[fe80::1]"),
    *("192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.9", "240.0.0.1"),
    *("168.63.129.16", "[fec0::1]", "[feff::1]", "[3fff::]", "[3fff:fff::1]", "[3ffe::1]", "[2001:db8::1]"),
    *("[2001::1]", "[2001:10::1]", "[2001:1ff::1]", "[2002:808:808::1]", "[5f00::1]", "[100::1]", "[100:0:0:1::1]"),
    *("[64:ff9b:1::1]", "[64:ff9b::8.8.8.8]", "[::ffff:8.8.8.8]", "[::8.8.8.8]", "[ff0e::1]", "[4000::1]", "[fc00::1]"),
    *("[fd00:ec2::254]", "[2606:4700::1%25eth0]"),
    *("[fd00::1]", "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[2002:7f00:1::]", "[::]", "[64:ff9b::7f00:1]"),
]


@pytest.mark.parametrize("host", PRIVATE)
def test_addresses_inside_a_network_are_refused(api: Caller, host: str) -> None:
    problem(api.post("webhooks", {"url": f"https://{host}/"}), 400, "invalid_request")
    with pytest.raises(AddressRefused):
        resolve(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "https://user:pw@example.com/",
            "https://example.com/#x",
        ),
        *(
            "https://example.com:0/",
            "https://example.com:99999/",
            "https://exa mple.com/",
            "https://exämple.com/",
            "x",
            "",
        ),
        *("https://example.com/\n", "https://example.com\\@127.0.0.1/", "https://[::1", "http://localhost/", 5, None),
        "https://example.com/" + "x" * 500,
    ],
)
def test_what_is_no_address_is_refused(api: Caller, url: Any) -> None:
    problem(api.post("webhooks", {"url": url}), 400, "invalid_request")


PUBLIC = ["8.8.8.8", "192.0.1.1", "[2606:4700::1111]", "[2a00:1450:4001::1]", "[2001:4860::8888]"]


@pytest.mark.parametrize("host", PUBLIC)
def test_public_addresses_are_taken(host: str) -> None:
    assert resolve(f"https://{host}/").host == host.strip("[]")


def test_a_name_is_checked_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the public internet cannot be resolved here: what the resolver says is put in its mouth."""
    url_check("https://rebind.example/")

    def answers(*addresses: str) -> Any:
        return lambda host, port, type: [(2, type, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("socket.getaddrinfo", answers("93.184.215.14", "10.0.0.7"))
    with pytest.raises(AddressRefused, match="inside a network"):
        resolve("https://rebind.example/")
    monkeypatch.setattr("socket.getaddrinfo", answers("93.184.215.14"))
    target = resolve("https://rebind.example/hook?x=1")
    assert (target.url, target.host) == ("https://93.184.215.14:443/hook?x=1", "rebind.example")
