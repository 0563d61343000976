from typing import Any

from django.db import migrations
from django.db.models.functions import Coalesce
from django.utils import timezone


def fill(apps: Any, schema_editor: Any) -> None:
    """A session last changed when it stopped; of the rest nothing is known, so it is told anew."""
    sessions = apps.get_model("stations", "ChargingSession").objects.filter(updated_at__isnull=True)
    sessions.update(updated_at=Coalesce("stopped_at", "started_at"))
    for name in ("Tariff", "Site", "Station", "Connector"):
        apps.get_model("stations", name).objects.filter(updated_at__isnull=True).update(updated_at=timezone.now())


class Migration(migrations.Migration):

    dependencies = [("stations", "0003_ocpi_fields")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
