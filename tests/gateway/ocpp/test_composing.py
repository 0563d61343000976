"""Each command in each version: what is composed obeys the official schema, and every answer means something."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import jsonschema
import pytest
from django.utils import timezone

from common import sealed_text
from gateway.ocpp.composing import Unsupported
from gateway.ocpp.v2 import composing as v2
from gateway.ocpp.v16 import composing as v16
from stations.commands.kind import Kind
from stations.commands.kinds import KINDS, params_checked
from stations.commands.params import ALL
from stations.models import Command, Connector, Station, StationVariable, Tariff
from tests.gateway.ocpp.answers import answers
from tests.stations.commands.examples import examples

COMPOSING: dict[str, Any] = {"1.6": v16, "2.0.1": v2, "2.1": v2}
FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
PAIRS = [(version, kind) for version in ALL for kind in KINDS.values() if version in kind.versions]
pytestmark = pytest.mark.django_db


@cache
def schema(version: str, action: str, suffix: str) -> dict[str, Any]:
    name = f"{action}{'' if version == '1.6' and suffix == 'Request' else suffix}.json"
    text = (resources.files("ocpp") / FOLDERS[version] / "schemas" / name).read_text(encoding="utf-8-sig")
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    return found


def valid(version: str, action: str, payload: dict[str, Any], suffix: str = "Request") -> None:
    """Judged as it leaves, numbers as decimals: binary ones are no multiples of 0.1."""
    sent = json.loads(json.dumps(payload), parse_float=Decimal)
    jsonschema.validate(sent, schema(version, action, suffix))


@pytest.fixture
def station(connector: Any) -> Station:
    Tariff.objects.create(code="DAY", name="Day", price_per_kwh="0.35", price_per_session="1", vat_percent="19")
    Connector.objects.update(tariff=Tariff.objects.get())
    found: Station = connector.station
    return found


def command_of(station: Station, version: str, kind: Kind, params: dict[str, Any]) -> Command:
    station.ocpp_version = version
    now = timezone.now()
    if "sealed" in params:
        params = {"sealed": sealed_text.seal("a-credential-of-20-c")}
    return Command.objects.create(station=station, kind=kind.name, params=params, valid_until=now)


def composed(version: str, command: Command) -> tuple[str, dict[str, Any]]:
    action, payload = COMPOSING[version].COMPOSERS[command.kind](command)
    command.action = action
    return action, payload


@pytest.mark.parametrize(("version", "kind"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_what_is_composed_obeys_the_schema(station: Station, version: str, kind: Kind) -> None:
    for params in examples(kind, version):
        if kind.name not in ("change_configuration", "set_variables"):
            assert params_checked(kind, params, version) == params
        command = command_of(station, version, kind, params)
        try:
            action, payload = composed(version, command)
        except Unsupported as error:
            assert (version, kind.name) in MAY_LACK, str(error)
        else:
            valid(version, action, payload)
            assert action in ACTIONS.get((version, kind.name), {kind.actions[version]})


# What a version has only some of; each says in words what is missing.
MAY_LACK = {
    ("1.6", "remote_start"),
    ("1.6", "set_profile"),
    ("1.6", "update_firmware"),
    ("1.6", "get_certificate_ids"),
    ("2.0.1", "customer_information"),
    ("2.1", "customer_information"),
    ("2.0.1", "set_network_profile"),
    ("2.1", "set_default_tariff"),  # the outlets of the fixture: only the whole station has one
}
ACTIONS = {
    ("1.6", "trigger_message"): {"TriggerMessage", "ExtendedTriggerMessage"},
    ("1.6", "get_log"): {"GetDiagnostics", "GetLog"},
    ("1.6", "update_firmware"): {"UpdateFirmware", "SignedUpdateFirmware"},
}


@pytest.mark.parametrize(("version", "kind"), PAIRS, ids=lambda value: getattr(value, "name", value))
def test_every_answer_means_something(station: Station, version: str, kind: Kind) -> None:
    for params in every_action(station, version, kind):
        command = command_of(station, version, kind, params)
        action, _ = composed(version, command)
        for answer in answers(schema(version, action, "Response")):
            valid(version, action, answer, "Response")
            command.state, command.words = COMPOSING[version].outcome(command, answer)
            assert command.state in (Command.State.ACCEPTED, Command.State.REJECTED)
            assert 0 < len(command.words) <= 500
            COMPOSING[version].took(command, answer)


def every_action(station: Station, version: str, kind: Kind) -> Iterator[dict[str, Any]]:
    seen = set()
    for params in examples(kind, version):
        try:
            action, _ = composed(version, command_of(station, version, kind, params))
        except Unsupported:
            continue
        if action not in seen:
            seen.add(action)
            yield params


def test_what_a_version_lacks_is_said(station: Station) -> None:
    with pytest.raises(Unsupported, match=r"OCPP 1\.6 has no message for get_variables"):
        composed("1.6", command_of(station, "1.6", KINDS["get_variables"], {}))
    long = {"id_token": {"uid": "DE-8AC-C12E46L89-X-123", "type": "eMAID"}}
    with pytest.raises(Unsupported, match="at most 20 characters, this one has 22"):
        composed("1.6", command_of(station, "1.6", KINDS["remote_start"], long))
    for kind in ("get_base_report", "set_default_tariff"):
        with pytest.raises(Unsupported, match="has no message for"):
            composed("2.0.1", command_of(station, "1.6" if kind == "get_base_report" else "2.0.1", KINDS[kind], {}))
    with pytest.raises(Unsupported, match="its parameters cannot be read: KeyError 'uid'"):
        composed("1.6", command_of(station, "1.6", KINDS["remote_start"], {"id_token": {}}))
    with pytest.raises(Unsupported, match="'abc' is none"):
        composed("1.6", command_of(station, "1.6", KINDS["remote_stop"], {"transaction_id": "abc"}))


@pytest.mark.parametrize("version", ALL)
def test_a_secret_is_sent_and_not_shown(station: Station, version: str) -> None:
    command = command_of(station, version, KINDS["set_credential"], {"sealed": ""})
    _, payload = composed(version, command)
    secret = b"a-credential-of-20-c".hex() if version == "1.6" else "a-credential-of-20-c"
    assert secret in json.dumps(payload)
    assert secret not in json.dumps(COMPOSING[version].shown(command, payload))


def test_a_tariff_is_told_without_vat(station: Station) -> None:
    _, payload = composed("2.1", command_of(station, "2.1", KINDS["set_default_tariff"], {"evse_id": 0}))
    tariff, vat = payload["tariff"], [{"type": "vat", "tax": 19.0}]
    assert (tariff["tariffId"], tariff["currency"]) == ("DAY", "EUR")
    assert tariff["energy"] == {"prices": [{"priceKwh": 0.294118}], "taxRates": vat}
    assert tariff["fixedFee"] == {"prices": [{"priceFixed": 0.840336}], "taxRates": vat}
    Connector.objects.create(station=station, evse_id=2)
    with pytest.raises(Unsupported, match="send each its own"):
        composed("2.1", command_of(station, "2.1", KINDS["set_default_tariff"], {"evse_id": 0}))


def test_what_a_station_says_of_its_configuration_is_kept(station: Station) -> None:
    read = command_of(station, "1.6", KINDS["get_configuration"], {})
    told = [
        {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
        {"key": "NumberOfConnectors", "readonly": True, "value": "1"},
        {"key": "AuthorizationKey", "readonly": False, "value": "736563726574"},
        {"key": "StopTransactionSignature", "readonly": False},
    ]
    answer = {"configurationKey": told, "unknownKey": ["Nothing"]}
    assert v16.outcome(read, answer) == ("ACCEPTED", "5 keys, unknown: Nothing")
    for _ in range(2):
        v16.took(read, answer)
    read.refresh_from_db()
    assert "736563726574" not in json.dumps(read.answer) and "300" in json.dumps(read.answer)
    change = command_of(station, "1.6", KINDS["change_configuration"], {"key": "HeartbeatInterval", "value": "60"})
    v16.took(change, {"status": "Accepted"})
    v16.took(change, {"status": "Rejected"})
    kept = StationVariable.objects.order_by("variable").values_list("variable", "value", "mutability")
    assert list(kept) == [
        ("HeartbeatInterval", "60", "ReadWrite"),
        ("NumberOfConnectors", "1", "ReadOnly"),
        ("StopTransactionSignature", "", "ReadWrite"),
    ]


def test_variables_of_2_0_1_are_kept(station: Station) -> None:
    at = {"component": {"name": "EVSE", "evse": {"id": 1}}, "variable": {"name": "Power"}}
    known = {**at, "attributeStatus": "Accepted", "attributeValue": "7400"}
    password = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
    results = [
        known,
        {**at, "attributeType": "MaxSet", "attributeStatus": "Rejected"},
        {**password, "attributeStatus": "Accepted", "attributeValue": "secret"},
    ]
    command = command_of(station, "2.0.1", KINDS["get_variables"], {"variables": []})
    assert v2.outcome(command, {"getVariableResult": results}) == ("REJECTED", "EVSE.Power: Rejected")
    v2.took(command, {"getVariableResult": results})
    (row,) = StationVariable.objects.all()
    assert (row.component, row.evse_id, row.variable, row.attribute, row.value) == (
        "EVSE",
        1,
        "Power",
        "Actual",
        "7400",
    )
    wanted = {"variables": [{"component": "EVSE", "variable": "Power", "evse_id": 1, "value": "3700"}]}
    v2.took(
        command_of(station, "2.0.1", KINDS["set_variables"], wanted),
        {"setVariableResult": [{**at, "attributeStatus": "Accepted"}]},
    )
    row.refresh_from_db()
    assert row.value == "3700"
