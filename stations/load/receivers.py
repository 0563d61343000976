"""A charge that starts or ends has its site looked at at once."""

from typing import Any

from django.db import transaction
from django.db.models.signals import post_save

from stations.load.hurrying import hurry_site
from stations.load.services import charging_site
from stations.models import ChargingSession


def connect() -> None:
    """Called once, when the app is ready."""
    post_save.connect(_session_saved, sender=ChargingSession, dispatch_uid="stations.load")


def _session_saved(sender: type[ChargingSession], instance: ChargingSession, created: bool, **kwargs: Any) -> None:
    """Only for charges of stations that take profiles: imports and corrections are not of now."""
    fields = kwargs.get("update_fields")
    moved = created or fields is None or "status" in fields
    if not moved or kwargs.get("raw") or instance.source != ChargingSession.Source.OCPP:
        return
    if (site_id := charging_site(instance.pk)) is not None:
        transaction.on_commit(lambda: hurry_site(site_id))
