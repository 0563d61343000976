"""Who waits for whom: a station first, then tokens, then sessions. Each to the end of the transaction."""

from accounts.models import User
from stations.models import ChargingSession, Station


def station_lock(station: Station) -> None:
    """Whoever changes which sessions of a station are open waits here for whoever does it now."""
    list(Station.objects.filter(pk=station.pk).select_for_update(no_key=True).values_list("pk"))


def station_locked(station: Station) -> Station:
    """The station as it is now, with its site. Who opens or ends charges there waits here, as at station_lock."""
    rows = Station.objects.select_related("site").select_for_update(of=("self",), no_key=True)
    return rows.get(pk=station.pk)


def session_locked(session: ChargingSession) -> ChargingSession:
    """The row as it is now, locked to the end of the transaction.

    PostgreSQL locks the row; on SQLite the IMMEDIATE transaction around this already holds the only write lock.
    """
    rows = ChargingSession.objects.select_related("connector", "id_token")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=session.pk)


def charges_running(*, customer: User) -> list[ChargingSession]:
    """Their charges that go on, locked to the end of the transaction: one that is just closing is waited for."""
    rows = ChargingSession.objects.filter(customer=customer, status=ChargingSession.Status.ACTIVE).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))
