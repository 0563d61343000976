"""Charges at chosen times for the tests of statements, closed as stations close them: the ledger hears of it."""

import itertools
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from accounts.models import User
from stations.charging.sessions import location_of
from stations.models import ChargingSession, Connector, IdToken
from stations.signals import sessions_closed

Charge = Callable[..., ChargingSession]


@pytest.fixture
def charge(connector: Connector, id_token: IdToken) -> Charge:
    """One finished charge of the owner, of 45 minutes; other names are the session's fields."""
    numbers = itertools.count(1)

    def make(
        started_at: datetime, *, energy_wh: int = 7_780, customer: User | None = None, **fields: object
    ) -> ChargingSession:
        usual = {"id_token": id_token, "location": location_of(connector.station.site), "status": "COMPLETED"}
        session = ChargingSession(
            station=connector.station,
            connector=connector,
            transaction_id=f"S{next(numbers)}",
            customer=customer or id_token.customer,
            started_at=started_at,
            stopped_at=started_at + timedelta(minutes=45),
            energy_wh=energy_wh,
            source=ChargingSession.Source.STATION,
            **usual | {"cost_minor": 312, "currency": "EUR"} | fields,
        )
        with transaction.atomic():
            session.save()
            sessions_closed.send(sender=ChargingSession, sessions=[session])
        return session

    return make
