"""One of each table of commands."""

from django.utils import timezone

from stations.commands.asking import command_ask
from stations.models import ChargingSession, Command, LocalList, Reservation


def asked(session: ChargingSession) -> Command:
    """A command about this charge, and a reservation and a list of cards at its station."""
    station = session.station
    command = command_ask(station=station, kind="remote_stop", params={"transaction_id": "1"}, session=session)
    Reservation.objects.create(station=station, number=command.pk, expires_at=timezone.now())
    LocalList.objects.create(station=station, version=command.pk, entries={"ISO14443 04A1": ["Accepted", "", ""]})
    return command
