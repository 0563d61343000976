"""An import taken back as a whole, while nothing of it is recorded on the chain."""

from django.db import transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext

from accounts.models import User
from common import clock
from stations.errors import ImportStateError
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.models.imports import ImportRun
from stations.signals import sessions_taken_back

State = ImportRun.State
OVER = (State.DONE, State.FAILED)
CHUNK = 1_000


@transaction.atomic
def import_take_back(*, run: ImportRun, by: User | None) -> int:
    """Delete the sessions that an import brought, and the places and tokens that it made and nobody else uses.

    Returns how many sessions. All or nothing: raises ImportStateError where the import is not over, was taken back
    already, or where a session of it is recorded, being recorded, or corrected.
    """
    now = clock.now()
    fields = {"state": State.UNDONE, "taken_back_by": by, "taken_back_at": now}
    if not ImportRun.objects.filter(pk=run.pk, state__in=OVER).update(**fields):
        run.refresh_from_db()
        words = gettext("import %(number)d is %(state)s, so it cannot be taken back now")
        raise ImportStateError(words % {"number": run.pk, "state": run.get_state_display()})
    run.refresh_from_db()
    sessions = ChargingSession.objects.filter(import_run=run)
    count = 0
    while several := list(sessions.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        sessions_taken_back.send(sender=ChargingSession, session_ids=several)
        try:
            ChargingSession.objects.filter(pk__in=several).delete()
        except ProtectedError as error:
            raise ImportStateError(_used(run)) from error
        count += len(several)
    _places_delete(run.made)
    return count


def _used(run: ImportRun) -> str:
    words = gettext("import %(number)d cannot be taken back: a session of it was credited or corrected")
    return words % {"number": run.pk}


def _places_delete(made: dict[str, list[str]]) -> None:
    """What the import made and nothing else refers to; what somebody has changed meanwhile to be used stays."""
    stations = Station.objects.filter(
        identity__in=made.get("station", []), sessions__isnull=True, credential_hash="", last_seen_at__isnull=True
    )
    ids = list(stations.values_list("pk", flat=True))
    Connector.objects.filter(station__in=ids).delete()
    Station.objects.filter(pk__in=ids).delete()
    sites = Site.objects.filter(code__in=made.get("site", []), stations__isnull=True)
    for site in sites.filter(data_keys__isnull=True, api_clients__isnull=True, tariff__isnull=True):
        site.delete()
    tokens = IdToken.objects.filter(uid__in=made.get("token", []), sessions__isnull=True, customer__isnull=True)
    tokens.filter(link_codes__isnull=True).delete()
