"""A station that said something over OCPP about a driver's charge, and staff who read it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import Role, User
from stations.models import ChargingSession, IdToken, OcppMessage, Station
from tests.people import browser_of, person
from tests.stations.conftest import StationClient

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
Say = Callable[..., OcppMessage]


@pytest.fixture
def say(owner: StationClient) -> Say:
    """Keep a message as the gateway does; each a second after the one before, unless told otherwise."""
    spoken = iter(range(1_000_000))

    def one(frame: Any, **changes: Any) -> OcppMessage:
        kind = {2: "CALL", 3: "RESULT", 4: "ERROR", 6: "SEND"}.get(frame[0] if isinstance(frame, list) else 0, "OTHER")
        text = frame if isinstance(frame, str) else json.dumps(frame)
        fields: dict[str, Any] = {
            "station": owner.station,
            "at": NOON + timedelta(seconds=next(spoken)),
            "direction": "OUT" if kind in ("RESULT", "ERROR") else "IN",
            "kind": kind,
            "action": frame[2] if kind in ("CALL", "SEND") else "",
            "message_id": frame[1] if kind != "OTHER" else "",
            "text": text,
        }
        return OcppMessage.objects.create(**fields | changes)

    return one


@pytest.fixture
def charge(owner: StationClient, customer: User) -> ChargingSession:
    card = IdToken.objects.create(uid="04A1B2C3", type="ISO14443", customer=customer)
    return ChargingSession.objects.create(
        station=owner.station,
        connector=owner.station.connectors.get(),
        transaction_id="7",
        customer=customer,
        id_token=card,
        started_at=NOON,
        meter_start_wh=1000,
        source="OCPP",
    )


@pytest.fixture
def operator(db: None) -> User:
    return person("olga", Role.OPERATOR)


@pytest.fixture
def staff(operator: User) -> Client:
    return browser_of(operator)


def many(station: Station, count: int, **changes: Any) -> None:
    rows = [
        OcppMessage(
            station=station,
            at=NOON + timedelta(seconds=number),
            direction="IN",
            kind="CALL",
            action="Heartbeat",
            message_id=str(number),
            text=f'[2,"{number}","Heartbeat",{{}}]',
        )
        for number in range(count)
    ]
    for row in rows:
        for name, value in changes.items():
            setattr(row, name, value)
    OcppMessage.objects.bulk_create(rows)
