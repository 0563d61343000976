"""A charge that starts or ends has its site looked at at once."""

from functools import partial
from typing import Any

from django.db import transaction

from stations.load.hurrying import hurry_site
from stations.load.services import limited_sites
from stations.models import ChargingSession
from stations.signals import sessions_closed, sessions_opened


def connect() -> None:
    """Called once, when the app is ready."""
    for signal in (sessions_opened, sessions_closed):
        signal.connect(_sessions_moved, sender=ChargingSession, dispatch_uid="stations.load")


def _sessions_moved(sender: type[ChargingSession], sessions: list[ChargingSession], **kwargs: Any) -> None:
    """Only for charges of stations that take profiles: imports and corrections are not of now."""
    stations = {one.station_id for one in sessions if one.source == ChargingSession.Source.OCPP}
    if stations:
        for site_id in limited_sites(stations):
            transaction.on_commit(partial(hurry_site, site_id))
