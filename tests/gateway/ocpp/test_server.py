"""The server itself: who gets in, frames that are none, one connection a station, and what is kept of it all."""

import json

import pytest
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from dev.common.processes import wait_until
from stations.models import OcppMessage, Station, StationRefusal
from stations.places.credentials import credential_hash
from tests.gateway.ocpp.client import Charger, basic
from tests.gateway.ocpp.conftest import Make, Plug, Running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_heartbeat_is_answered_and_both_frames_are_kept(plug: Plug, version: str) -> None:
    charger = plug(version)
    assert charger.call("Heartbeat", id="one")["currentTime"].endswith("Z")
    rows = list(OcppMessage.objects.order_by("id").values_list("direction", "kind", "action", "message_id"))
    assert rows == [("IN", "CALL", "Heartbeat", "one"), ("OUT", "RESULT", "Heartbeat", "one")]
    assert OcppMessage.objects.order_by("id")[0].text == '[2, "one", "Heartbeat", {}]'
    station = Station.objects.get()
    assert (station.ocpp_version, bool(station.connection), bool(station.last_seen_at)) == (version, True, True)


def test_the_best_version_that_both_know_is_chosen(gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    offered = [Subprotocol(name) for name in ("ocpp1.6", "ocpp2.0.1", "ocpp9")]
    with Charger(gateway.url, station.identity, credential, subprotocols=offered) as charger:
        assert charger.socket.subprotocol == "ocpp2.0.1"


def test_without_a_version_that_both_know_it_is_closed_with_the_reason(gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    charger = Charger(gateway.url, station.identity, credential, subprotocols=[Subprotocol("ocpp9")])
    code, reason = charger.closed()
    assert code == 1002 and "ocpp1.6" in reason and "ocpp9" in reason
    assert StationRefusal.objects.get().reason == "SUBPROTOCOL"


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"identity": "CP-other"}, 404, "UNKNOWN"),
        ({"password": b"wrong"}, 401, "CREDENTIAL"),
        ({"password": None}, 401, "CREDENTIAL"),
        ({"enabled": False}, 403, "DISABLED"),
        ({"security_profile": 2}, 403, "TLS"),
    ],
)
def test_who_may_not_connect_leaves_a_row(
    gateway: Running, charger_row: Make, change: dict[str, object], status: int, reason: str
) -> None:
    station, credential = charger_row()
    fields = {name: value for name, value in change.items() if name not in ("identity", "password")}
    if fields:
        Station.objects.update(**fields)
    identity = str(change.get("identity", station.identity))
    password = change.get("password", credential.encode())
    headers = {} if password is None else basic(identity, bytes(password))  # type: ignore[call-overload]
    for _ in range(2):
        with pytest.raises(InvalidStatus) as refused:
            Charger(gateway.url, identity, credential, additional_headers=headers)
        assert refused.value.response.status_code == status
    row = StationRefusal.objects.get()
    assert (row.reason, row.count, row.identity, row.address) == (reason, 2, identity, "127.0.0.1")


def test_the_password_may_be_the_bytes_of_its_hexadecimal_form(gateway: Running, charger_row: Make) -> None:
    station, _ = charger_row()
    password = bytes(range(20))
    Station.objects.update(credential_hash=credential_hash(password.hex()))
    with Charger(gateway.url, station.identity, "", additional_headers=basic(station.identity, password)) as charger:
        assert charger.call("Heartbeat")


@pytest.mark.parametrize(
    ("text", "id", "code"),
    [
        ("hello", "-1", "FormationViolation"),
        ('{"a": 1}', "-1", "FormationViolation"),
        ('[2, "x"]', "x", "FormationViolation"),
        ('[9, "x", "Heartbeat", {}]', "x", "ProtocolError"),
        ('[2, 7, "Heartbeat", {}]', "-1", "FormationViolation"),
        ('[2, "x", "Heartbeat", []]', "x", "FormationViolation"),
        ('[2, "x", "Heartbeat", {"a": ' + "[" * 40 + "]" * 40 + "}]", "x", "FormationViolation"),
        ('[2, "x", "NoSuchAction", {}]', "x", "NotImplemented"),
        ('[2, "x", "Reset", {"type": "Hard"}]', "x", "NotSupported"),
        ('[2, "x", "Heartbeat", {"unknown": 1}]', "x", "FormationViolation"),
        (b"\x00\x01", "-1", "FormationViolation"),
        ('[2, "x", "../../Heartbeat", {}]', "x", "NotImplemented"),
    ],
)
def test_what_is_no_message_is_answered_with_a_call_error(plug: Plug, text: str | bytes, id: str, code: str) -> None:
    charger = plug()
    charger.send(text)
    assert charger.receive()[:3] == [4, id, code]
    assert charger.call("Heartbeat"), "it goes on"


def test_a_station_that_says_nonsense_without_end_is_thrown_out(plug: Plug) -> None:
    charger = plug()
    for _ in range(10):
        charger.send("nonsense")
    assert charger.closed()[0] == 1008
    assert StationRefusal.objects.get().reason == "MISBEHAVED"


def test_a_message_that_is_too_large_ends_the_connection_and_no_other(plug: Plug) -> None:
    large, small = plug(identity="CP-large"), plug(identity="CP-small")
    large.send(json.dumps([2, "x", "DataTransfer", {"vendorId": "x", "data": "x" * 300_000}]))
    assert large.closed()[0] == 1009
    assert small.call("Heartbeat")


def test_of_two_connections_the_newer_wins_and_both_are_told(plug: Plug, charger_row: Make) -> None:
    known = charger_row()
    older = plug(known=known)
    assert older.call("Heartbeat")
    newer = plug(known=known)
    assert older.closed()[0] == 4000
    assert newer.call("Heartbeat")
    assert StationRefusal.objects.get().reason == "REPLACED"
    assert Station.objects.get().connection, "the end of the older is not the end of the newer"


def test_of_two_processes_the_newer_connection_wins(plug: Plug, charger_row: Make) -> None:
    known = charger_row()
    older = plug(known=known)
    assert older.call("Heartbeat")
    second = Running()
    try:
        with Charger(second.url, known[0].identity, known[1]) as newer:
            assert newer.call("Heartbeat")
            assert older.closed()[0] == 4000
            assert newer.call("Heartbeat")
    finally:
        second.stop()


def test_a_station_that_leaves_is_no_longer_connected(plug: Plug) -> None:
    charger = plug()
    charger.call("Heartbeat")
    charger.close()
    assert wait_until(lambda: not Station.objects.get().connection, timeout_s=20)
    assert Station.objects.get().connected_at is None


def test_send_is_of_2_1_alone(plug: Plug) -> None:
    old = plug("2.0.1", identity="CP-201")
    old.send('[6, "x", "NotifyPeriodicEventStream", {}]')
    assert old.receive()[:3] == [4, "x", "MessageTypeNotSupported"]
