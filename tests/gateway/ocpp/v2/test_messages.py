"""What 2.0.1 and 2.1 stations say besides charges: each message is answered by the schema, and kept where it tells."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from gateway.ocpp.handling import V21, V201
from gateway.ocpp.schemas import knows
from gateway.ocpp.v2.handlers import HANDLERS_21, HANDLERS_201, MANY
from stations.certificates import authority
from stations.models import (
    CertificateRequest,
    Command,
    Connector,
    IdToken,
    Reservation,
    Site,
    Station,
    StationEvent,
    StationVariable,
)
from tests.gateway.ocpp.v2.stories import CARD, Story, at, register, story_make
from tests.stations.certificates.asking import csr_pem, key_make

pytestmark = pytest.mark.django_db
BOOT = {"reason": "PowerUp", "chargingStation": {"model": "Box", "vendorName": "Maker", "firmwareVersion": "1.2"}}
HASH = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "01"}
OCSP = HASH | {"responderURL": "http://ocsp.example.com"}


@pytest.fixture(params=[V201, V21])
def story(request: pytest.FixtureRequest, db: None) -> Story:
    return story_make(request.param)


@pytest.fixture
def newer(db: None) -> Story:
    return story_make(V21)


def asked(story: Story, kind: str, **params: Any) -> Command:
    times = {"valid_until": timezone.now(), "sent_at": timezone.now()}
    return Command.objects.create(station=story.station, kind=kind, params=params, state="ACCEPTED", **times)


def only_event() -> StationEvent:
    return StationEvent.objects.get()


def test_only_messages_that_the_version_has() -> None:
    assert all(knows(V201, action) for action in HANDLERS_201) and all(knows(V21, action) for action in HANDLERS_21)
    assert set(MANY) <= set(HANDLERS_201)


# --- Provisioning


def test_it_starts(story: Story) -> None:
    answers = [story.say("BootNotification", BOOT) for _ in range(2)]
    assert answers[0]["status"] == "Accepted" and answers[0]["interval"] == 300
    station = Station.objects.get()
    assert (station.vendor, station.model, station.firmware_version) == ("Maker", "Box", "1.2")
    assert station.booted_at is not None and station.ocpp_version == story.version
    assert only_event().kind == "BOOT"


def test_one_that_is_switched_off_is_told_so(story: Story) -> None:
    Station.objects.update(enabled=False)
    assert story.say("BootNotification", BOOT)["status"] == "Rejected"


def test_the_time(story: Story) -> None:
    assert story.say("Heartbeat")["currentTime"].endswith("Z")


def test_the_state_of_an_outlet(story: Story) -> None:
    for minutes, status in ((-10, "Occupied"), (-5, "Faulted"), (-20, "Available")):
        told = {"timestamp": at(minutes), "connectorStatus": status, "evseId": 1, "connectorId": 1}
        assert story.say("StatusNotification", told) == {}
    connector = Connector.objects.get()
    assert (connector.status, connector.ocpp_status) == ("FAULTED", "Faulted")  # the oldest came last
    assert only_event().severity == "CRITICAL"
    told = {"timestamp": at(-1), "connectorStatus": "Available", "evseId": 2, "connectorId": 0}
    story.say("StatusNotification", told)
    assert Connector.objects.get(evse_id=2).connector_id == 1


def test_an_event_that_tells_the_state_of_an_outlet(story: Story) -> None:
    story.say("NotifyEvent", events(actualValue="Occupied"))
    assert Connector.objects.get().status == "OCCUPIED" and not StationEvent.objects.exists()


def events(**changes: Any) -> dict[str, Any]:
    event = {
        "eventId": 1,
        "timestamp": at(-1),
        "trigger": "Delta",
        "actualValue": "true",
        "eventNotificationType": "CustomMonitor",
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
        "variable": {"name": "AvailabilityState"},
    }
    return {"generatedAt": at(0), "seqNo": 0, "eventData": [event | changes]}


@pytest.mark.parametrize(
    "changes, severity",
    [
        ({"variable": {"name": "Problem"}}, "CRITICAL"),
        ({"variable": {"name": "Problem"}, "cleared": True}, "INFO"),
        ({"variable": {"name": "Temperature"}, "trigger": "Alerting", "actualValue": "90"}, "WARNING"),
        ({"variable": {"name": "Temperature"}, "actualValue": "20"}, "INFO"),
    ],
)
def test_an_event_of_a_monitor(story: Story, changes: dict[str, Any], severity: str) -> None:
    for _ in range(2):
        story.say("NotifyEvent", events(**changes))
    assert only_event().severity == severity and only_event().kind == "MONITOR"


def test_the_severity_is_told_in_2_1(newer: Story) -> None:
    for level, severity in ((0, "CRITICAL"), (5, "WARNING"), (8, "INFO")):
        newer.say("NotifyEvent", events(variable={"name": "X"}, severity=level, eventId=level))
        assert StationEvent.objects.latest("id").severity == severity


def test_a_report_in_parts(story: Story) -> None:
    command = asked(story, "get_base_report", report="FullInventory")

    def variable(name: str, value: str, **more: Any) -> dict[str, Any]:
        attribute = {"value": value, "mutability": "ReadWrite", **more}
        kind = {"dataType": "integer", "supportsMonitoring": False, "unit": "s"}
        component = {"name": "OCPPCommCtrlr", "evse": {"id": 1}}
        return {
            "component": component,
            "variable": {"name": name},
            "variableAttribute": [attribute, {"type": "MaxSet", "value": "900"}],
            "variableCharacteristics": kind,
        }

    parts = [
        {"seqNo": 1, "reportData": [variable("BasicAuthPassword", "secret", mutability="WriteOnly")], "tbc": False},
        {"seqNo": 0, "reportData": [variable("HeartbeatInterval", "300")], "tbc": True},
    ]
    for part in [*parts, parts[1]]:
        assert story.say("NotifyReport", {"requestId": command.pk, "generatedAt": at(0), **part}) == {}
    told = StationVariable.objects.get(variable="HeartbeatInterval", attribute="Actual")
    assert (told.value, told.evse_id, told.data_type, told.unit) == ("300", 1, "integer", "s")
    assert StationVariable.objects.count() == 4
    assert StationVariable.objects.get(variable="BasicAuthPassword", attribute="Actual").value == ""
    command.refresh_from_db()
    assert command.progress == "Reported"
    odd = variable("x\x00y", "1\x00") | {"component": {"name": "\x00", "evse": {"id": 2**40}}}
    story.say("NotifyReport", {"requestId": 2**40, "generatedAt": at(0), "seqNo": 0, "reportData": [odd]})
    assert StationVariable.objects.get(variable="x y", attribute="Actual").evse_id == 0


# --- Cards


def test_a_card_is_known(story: Story) -> None:
    until = timezone.now() + timedelta(days=3)
    IdToken.objects.update(expires_at=until, group="FLEET")
    info = story.say("Authorize", {"idToken": CARD})["idTokenInfo"]
    assert info["status"] == "Accepted" and info["groupIdToken"] == {"idToken": "FLEET", "type": "Central"}
    assert info["cacheExpiryDateTime"] == f"{until:%Y-%m-%dT%H:%M:%SZ}"
    assert story.say("Authorize", {"idToken": CARD | {"idToken": "04a1b2"}})["idTokenInfo"]["status"] == "Accepted"


@pytest.mark.parametrize(
    "change, status",
    [({"blocked": True}, "Blocked"), ({"expires_at": timezone.now() - timedelta(days=1)}, "Expired")],
)
def test_a_card_that_may_not(story: Story, change: dict[str, Any], status: str) -> None:
    IdToken.objects.update(**change)
    assert story.say("Authorize", {"idToken": CARD})["idTokenInfo"]["status"] == status


def test_a_card_that_nobody_knows(story: Story) -> None:
    other = {"idToken": "FFFF", "type": "ISO14443"}
    assert story.say("Authorize", {"idToken": other})["idTokenInfo"] == {"status": "Unknown"}
    Site.objects.update(unknown_cards=True)
    story.station.refresh_from_db()
    assert story.say("Authorize", {"idToken": other})["idTokenInfo"] == {"status": "Accepted"}
    assert not IdToken.objects.filter(uid="FFFF").exists()  # asking stores nothing


def test_a_contract_whose_certificate_nobody_here_can_check(story: Story) -> None:
    IdToken.objects.create(uid="DE8ACC12E46L89", type="eMAID")
    contract = {"idToken": "DE*8AC*C12E46L89", "type": "eMAID"}
    answer = story.say("Authorize", {"idToken": contract, "certificate": "-----BEGIN CERTIFICATE-----"})
    assert answer == {"idTokenInfo": {"status": "Invalid"}, "certificateStatus": "CertChainError"}
    answer = story.say("Authorize", {"idToken": contract, "iso15118CertificateHashData": [OCSP]})
    assert answer == {"idTokenInfo": {"status": "Accepted"}}


# --- Certificates and security


def test_what_would_have_to_be_asked_of_others_fails(story: Story) -> None:
    exi = {"iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef", "action": "Install", "exiRequest": "AA=="}
    assert story.say("Get15118EVCertificate", exi)["status"] == "Failed"
    assert story.say("GetCertificateStatus", {"ocspRequestData": OCSP})["status"] == "Failed"


def test_the_status_of_a_chain(newer: Story) -> None:
    one = {"certificateHashData": HASH, "source": "OCSP", "urls": ["http://ocsp.example.com"]}
    answer = newer.say("GetCertificateChainStatus", {"certificateStatusRequests": [one, one]})
    assert [status["status"] for status in answer["certificateStatus"]] == ["Failed", "Failed"]


def test_a_request_for_a_certificate_is_taken_once(story: Story) -> None:
    request = {"csr": csr_pem(key_make(), story.station.identity, authority.organization())}
    request["certificateType"] = "ChargingStationCertificate"
    assert [story.say("SignCertificate", request) for _ in range(2)] == [{"status": "Accepted"}] * 2
    assert CertificateRequest.objects.get().state == "WAITING"


def test_a_request_for_a_certificate_that_is_none(story: Story) -> None:
    answer = story.say("SignCertificate", {"csr": "x", "certificateType": "ChargingStationCertificate"})
    assert answer["status"] == "Rejected"


@pytest.mark.parametrize(
    "type, severity",
    [("TamperDetectionActivated", "CRITICAL"), ("StartupOfTheDevice", "INFO"), ("MakersOwn", "WARNING")],
)
def test_security_events(story: Story, type: str, severity: str) -> None:
    for _ in range(2):
        story.say("SecurityEventNotification", {"type": type, "timestamp": at(-3), "techInfo": "lid"})
    assert (only_event().severity, only_event().words) == (severity, f"{type}: lid")


# --- Upkeep


@pytest.mark.parametrize(
    "action, kind, status, severity",
    [
        ("FirmwareStatusNotification", "update_firmware", "Installing", "INFO"),
        ("FirmwareStatusNotification", "update_firmware", "InstallationFailed", "WARNING"),
        ("FirmwareStatusNotification", "update_firmware", "InvalidSignature", "CRITICAL"),
        ("PublishFirmwareStatusNotification", "publish_firmware", "Downloading", "INFO"),
        ("LogStatusNotification", "get_log", "UploadFailure", "WARNING"),
    ],
)
def test_how_it_goes(story: Story, action: str, kind: str, status: str, severity: str) -> None:
    command = asked(story, kind)
    for _ in range(2):
        assert story.say(action, {"status": status, "requestId": command.pk}, id="same") == {}
    command.refresh_from_db()
    assert command.progress == status and only_event().severity == severity


def test_nothing_goes_on(story: Story) -> None:
    story.say("FirmwareStatusNotification", {"status": "Idle"}), story.say("LogStatusNotification", {"status": "Idle"})
    assert not StationEvent.objects.exists()


def test_a_reservation_ends(story: Story) -> None:
    more = {"evse_id": 1, "expires_at": timezone.now()}
    first, second = (asked(story, "reserve").pk for _ in range(2))
    for number in (first, second):
        Reservation.objects.create(station=story.station, number=number, **more)
    story.say("ReservationStatusUpdate", {"reservationId": first, "reservationUpdateStatus": "Expired"})
    evse = {"id": 1, "connectorId": 1}
    story.event("Started", -1, evse=evse, idToken=CARD, reservationId=second, meterValue=[register(1, -1)])
    states = dict(Reservation.objects.values_list("number", "state"))
    assert states == {first: "EXPIRED", second: "USED"}


SCHEDULE = {
    "id": 1,
    "chargingRateUnit": "A",
    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.1}],
}
PROFILE = {
    "id": 1,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [SCHEDULE],
}
NEEDS = {"requestedEnergyTransfer": "DC"}
KEPT: list[tuple[str, dict[str, Any], str]] = [
    ("NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "SO", "isGridCritical": True}}, "limited by SO"),
    ("ClearedChargingLimit", {"chargingLimitSource": "SO", "evseId": 1}, "no longer limited by SO, EVSE 1"),
    ("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": NEEDS}, "what the vehicle needs, EVSE 1"),
    (
        "NotifyEVChargingSchedule",
        {"timeBase": at(0), "evseId": 1, "chargingSchedule": SCHEDULE},
        "what the vehicle plans, EVSE 1",
    ),
    (
        "ReportChargingProfiles",
        {"requestId": 1, "chargingLimitSource": "CSO", "evseId": 0, "chargingProfile": [PROFILE]},
        "charging profiles of CSO: 1",
    ),
    ("NotifyMonitoringReport", {"requestId": 1, "seqNo": 0, "generatedAt": at(0)}, "monitors, part 0: 0"),
    ("NotifyDisplayMessages", {"requestId": 1}, "messages of its display: 0"),
    ("DataTransfer", {"vendorId": "org.example", "messageId": "Hi", "data": {"camelCase": "A"}}, "org.example Hi"),
]


@pytest.mark.parametrize("action, payload, words", KEPT, ids=[action for action, *_ in KEPT])
def test_what_is_kept(story: Story, action: str, payload: dict[str, Any], words: str) -> None:
    answers = [story.say(action, payload, id="same") for _ in range(2)]
    assert answers[0] == answers[1] and only_event().words == words


def test_what_a_station_knows_of_a_customer_is_no_event(story: Story) -> None:
    said = {"requestId": 1, "seqNo": 0, "generatedAt": at(0), "data": "Anna, card 04A1B2"}
    story.say("NotifyCustomerInformation", said)
    assert "Anna" not in f"{only_event().words}{only_event().data}"


# --- 2.1


NEWER: list[tuple[str, dict[str, Any], str, str]] = [
    (
        "NotifyDERAlarm",
        {"controlType": "FreqDroop", "gridEventFault": "OverFrequency", "timestamp": at(0)},
        "FreqDroop: OverFrequency",
        "WARNING",
    ),
    ("NotifyDERStartStop", {"controlId": "C1", "started": True, "timestamp": at(0)}, "control C1 began", "INFO"),
    ("ReportDERControl", {"requestId": 1}, "controls of the grid", "INFO"),
    (
        "NotifyPriorityCharging",
        {"transactionId": "TX-1", "activated": True},
        "priority asked for, transaction TX-1",
        "INFO",
    ),
    (
        "BatterySwap",
        {
            "eventType": "BatteryIn",
            "requestId": 3,
            "idToken": CARD,
            "batteryData": [{"evseId": 1, "serialNumber": "B1", "soC": 20, "soH": 99}],
        },
        "BatteryIn, request 3: B1",
        "INFO",
    ),
    (
        "NotifyPeriodicEventStream",
        {"id": 4, "pending": 0, "basetime": at(0), "data": [{"t": 0.5, "v": "1"}]},
        "stream 4, which was not asked for",
        "INFO",
    ),
]


@pytest.mark.parametrize("action, payload, words, severity", NEWER, ids=[action for action, *_ in NEWER])
def test_what_is_kept_of_2_1(newer: Story, action: str, payload: dict[str, Any], words: str, severity: str) -> None:
    assert [newer.say(action, payload, id="same") for _ in range(2)] == [{}, {}]
    assert (only_event().words, only_event().severity) == (words, severity)
    assert "04A1B2" not in str(only_event().data)


def test_what_is_rejected_of_2_1(newer: Story) -> None:
    stream = {"id": 1, "variableMonitoringId": 2, "params": {"interval": 5}}
    assert newer.say("OpenPeriodicEventStream", {"constantStreamData": stream})["status"] == "Rejected"
    assert newer.say("ClosePeriodicEventStream", {"id": 1}) == {}
    assert newer.say("PullDynamicScheduleUpdate", {"chargingProfileId": 1})["status"] == "Rejected"
    answer = newer.say("VatNumberValidation", {"vatNumber": "DE1", "evseId": 1})
    assert (answer["status"], answer["vatNumber"], answer["evseId"]) == ("Rejected", "DE1", 1)


@pytest.mark.parametrize("amount, severity", [(3.3, "INFO"), (3.31, "WARNING")])
def test_a_payment_at_the_terminal(ledger_apart: None, amount: float, severity: str) -> None:
    story = story_make(V21, tariff=True)
    story.event("Started", -60, evse={"id": 1, "connectorId": 1}, meterValue=[register(1000, -60)])
    story.event("Ended", -5, meterValue=[register(8000, -5)])
    said = {"transactionId": "TX-1", "pspRef": "P-1", "status": "Settled", "settlementTime": at(-4)}
    for _ in range(2):
        assert story.say("NotifySettlement", said | {"settlementAmount": amount, "vatNumber": "DE1"}) == {}
    assert story.last is not None and story.last.session_id == story.charge().pk
    assert only_event().severity == severity and only_event().data["settlementAmount"] == amount
    assert "DE1" not in str(only_event().data)
