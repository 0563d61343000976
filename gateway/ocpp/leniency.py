"""PURE: what of a message may be left out, so that the energy in it is not lost over one word.

A station that is refused says the same again, and at last gives up: then a whole charge is lost over the unit "Hertz".
So in messages that carry energy, what breaks a rule and can be spared is taken out, and set aside; elsewhere a message
is taken whole or not at all. Whole numbers may be written with a point (1500.0), as JSON knows no difference.
"""

import copy
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.ocpp.handling import V16
from gateway.ocpp.schemas import Violation, violation
from stations.charging.asides import Aside

CARRY_ENERGY = {"StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"}
LEFT_OUT_MAX = 200
METER = re.compile(r"\d{1,12}(\.\d{1,9})?", re.ASCII)
TOKEN_MAX = 36  # of OCPP 2.0.1, and of our column; 1.6 says 20
SIGNED = "signedMeterValue"
SAMPLES, VALUES = "sampledValue", ("meterValue", "transactionData")


def understood(
    version: str, action: str, payload: dict[str, Any]
) -> tuple[dict[str, Any], list[Aside], Violation | None]:
    """The payload that obeys the schema, what was left out of it, and the first violation that cannot be spared."""
    asides: list[Aside] = []
    broken = violation(version, action, payload)
    if broken is None:
        return payload, asides, None
    payload = _meters(_whole(copy.deepcopy(payload)))
    with _signed_apart(payload):
        return _spared_of(version, action, payload, asides)


def _spared_of(
    version: str, action: str, payload: dict[str, Any], asides: list[Aside]
) -> tuple[dict[str, Any], list[Aside], Violation | None]:
    for _ in range(LEFT_OUT_MAX):
        broken = violation(version, action, payload)
        if broken is None or action not in CARRY_ENERGY:
            return payload, asides, broken
        if version == V16 and broken.path == ("idTag",) and len(str(payload["idTag"])) <= TOKEN_MAX:
            if (rest := violation(version, action, {**payload, "idTag": payload["idTag"][:20]})) is None:
                return payload, asides, None
            broken = rest
        if asides and broken.words.endswith('"meterValue" is a required property'):
            return {**payload, "meterValue": []}, asides, None  # nothing is left: taken, so that it is not said again
        if not _leave_out(payload, broken, asides):
            return payload, asides, broken
    return payload, asides, broken


@contextmanager
def _signed_apart(payload: dict[str, Any]) -> Iterator[None]:
    """Meanwhile nothing stands where 2.x has what a meter signed: stations leave out members, and some are long.

    It is read for itself (stations/metering/received.py), and must cost no value.
    """
    apart = []
    for meter_value in payload.get("meterValue") or ():
        for sampled in (meter_value.get(SAMPLES) if isinstance(meter_value, dict) else None) or ():
            if isinstance(sampled, dict) and SIGNED in sampled:
                apart.append((sampled, sampled.pop(SIGNED)))
    try:
        yield
    finally:
        for sampled, signed in apart:
            sampled[SIGNED] = signed


def _whole(value: Any) -> Any:
    """The same with whole numbers as integers; of sampled values 1.6 has texts, and 2.x takes both."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _meters(payload: dict[str, Any]) -> dict[str, Any]:
    """With the meter at start and end (1.6) in whole Wh, where it was told with a fraction or as a text."""
    for name in ("meterStart", "meterStop"):
        said = payload.get(name)
        if isinstance(said, str) and METER.fullmatch(said.strip()):
            said = float(said)
        if isinstance(said, float) and abs(said) < 2**53:
            payload[name] = math.floor(said + 0.5)
    return payload


def _leave_out(payload: dict[str, Any], broken: Violation, asides: list[Aside]) -> bool:
    """Take out the smallest part around what is broken that can be spared; False where nothing can."""
    path = list(broken.path)
    if SAMPLES in path and (at := path.index(SAMPLES)) + 1 < len(path):
        path = path[: at + 2]  # the one sampled value
    elif SAMPLES in path or (path and path[0] in VALUES and len(path) > 1):
        path = path[:2]  # the one meterValue
    elif broken.keyword == "additionalProperties" and (extra := _extra(payload, broken)):
        path = [*path, extra]
    elif path and broken.keyword == "required":
        path = path[:1]  # a part that lacks something is worth nothing
    elif not path:
        return False
    if len(path) == 1 and not _spared(payload, broken, path[0]):
        return False
    container: Any = payload
    for step in path[:-1]:
        container = container[step]
    said = container[path[-1]]
    del container[path[-1]]
    asides.append(Aside(f"{path[0]} {broken.keyword}"[:60], broken.words, said))
    _drop_empty(payload)
    return True


def _spared(payload: dict[str, Any], broken: Violation, name: str | int) -> bool:
    """Not what says which charge it is, when, and how much: taken out, they would be missed at once."""
    needed = {"connectorId", "idTag", "meterStart", "meterStop", "timestamp", "transactionId"}
    needed |= {"eventType", "seqNo", "transactionInfo", "triggerReason", "evseId", *VALUES}
    return name not in needed or (name in VALUES and not payload[name])


def _extra(payload: dict[str, Any], broken: Violation) -> str | None:
    """The name of the member that should not be there, as the words have it."""
    inside: Any = payload
    for step in broken.path:
        inside = inside[step]
    return next((name for name in inside if f"'{name}'" in broken.words), None)


def _drop_empty(payload: dict[str, Any]) -> None:
    """Lists that became empty go, or the schema would miss their items."""
    for name in VALUES:
        rows = payload.get(name)
        if isinstance(rows, list):
            kept = [row for row in rows if not (isinstance(row, dict) and row.get(SAMPLES) == [])]
            if kept:
                payload[name] = kept
            elif rows:
                del payload[name]
