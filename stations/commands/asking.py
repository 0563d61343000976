"""Something is asked of a station: written down first, then the gateway is hurried."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import ApiClient, User
from stations.commands.hurrying import hurry
from stations.models import ChargingSession, Command, Station


def command_ask(
    *,
    station: Station,
    kind: str,
    params: dict[str, Any] | None = None,
    by: str = Command.By.PORTAL,
    user: User | None = None,
    client: ApiClient | None = None,
    session: ChargingSession | None = None,
    valid_for: Any = Command.VALID_FOR,
) -> Command:
    """The command, waiting; it is sent when the station is there, within `valid_for` (timedelta).

    `params` as stations/commands/kinds.py has them for `kind`; they were checked by whoever read them.
    """
    now = timezone.now()
    command = Command.objects.create(
        station=station,
        kind=kind,
        params=params or {},
        by=by,
        user=user,
        client=client,
        session=session,
        asked_at=now,
        valid_until=now + valid_for,
    )
    transaction.on_commit(lambda: hurry(station.pk))
    return command


def commands_ask(*, stations: Sequence[Station], kind: str, params: dict[str, Any], valid_for: timedelta) -> None:
    """The same of several stations at once, as the portal's own."""
    now = timezone.now()
    told: dict[str, Any] = {"kind": kind, "params": params, "asked_at": now, "valid_until": now + valid_for}
    Command.objects.bulk_create([Command(station=station, **told) for station in stations])
    for station in stations:
        transaction.on_commit(partial(hurry, station.pk))
