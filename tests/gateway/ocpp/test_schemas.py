"""Compiled by jsonschema-rs the official schemas say what Python's jsonschema says of them, message by message."""

import json
import random
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft6Validator, ValidationError, validators

from dev.trials.fuzz.ocpp_messages import VERSIONS, made, spoiled
from gateway.ocpp.schemas import FOLDERS, knows, violation

EACH = 6  # messages of each schema, of which half are spoiled


def exact_multiple(validator: Any, step: float, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Of floats Python's jsonschema asks the binary fractions, and refuses 6.1 as no multiple of 0.1."""
    if validator.is_type(instance, "number") and Decimal(str(instance)) % Decimal(str(step)):
        yield ValidationError(f"{instance} is no multiple of {step}")


@cache
def judge(version: str, name: str) -> Any:
    text = (resources.files("ocpp") / FOLDERS[version] / "schemas" / f"{name}.json").read_text("utf-8-sig")
    schema = json.loads(text)
    kind = validators.validator_for(schema, default=Draft6Validator)
    return validators.extend(kind, {"multipleOf": exact_multiple})(schema), schema


def names(version: str) -> list[str]:
    folder = resources.files("ocpp") / FOLDERS[version] / "schemas"
    return sorted(file.name.removesuffix(".json") for file in folder.iterdir() if file.name.endswith(".json"))


@pytest.mark.parametrize("version", VERSIONS)
def test_both_judge_alike(version: str) -> None:
    chance = random.Random(version)
    refused = 0
    for name in names(version):
        answer, action = name.endswith("Response"), name.removesuffix("Response").removesuffix("Request")
        official, schema = judge(version, name)
        for number in range(EACH):
            payload = made(schema, chance)
            if number % 2:
                payload = spoiled(payload, chance)
            if not isinstance(payload, dict):
                continue
            ours = violation(version, action, payload, answer=answer)
            assert (ours is None) == official.is_valid(payload), (name, payload, ours)
            refused += ours is not None
    assert refused > 50, "spoiled messages are refused"


def test_all_tenths_are_multiples_of_a_tenth() -> None:
    assert not [tenths for tenths in range(1, 1001) if limit_refused(tenths / 10)]
    assert limit_refused(0.15)


def limit_refused(limit: float) -> bool:
    period = {"startPeriod": 0, "limit": limit}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    profile = {
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule,
    }  # fmt: skip
    return violation("1.6", "SetChargingProfile", {"connectorId": 1, "csChargingProfiles": profile}) is not None


def test_names_that_are_none_are_not_looked_up_in_files() -> None:
    assert knows("1.6", "Heartbeat") and not knows("1.6", "HeartbeatResponse/../Heartbeat") and not knows("2.1", "")


def test_a_response_is_no_request() -> None:
    assert not knows("1.6", "HeartbeatResponse") and not knows("2.1", "HeartbeatResponse")
