"""Corrections that were made before they were sealed are sealed as they stand now."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from common import sealed_text


def seal(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    from stations.models.corrections import PURPOSE, seal_about  # not at import: it names today's models

    corrections: Any = apps.get_model("stations", "Correction").objects
    for row in list(corrections.filter(seal__isnull=True)):
        made = sealed_text.seal_bytes(b"", purpose=PURPOSE, about=seal_about(row))
        corrections.filter(pk=row.pk).update(seal=made)


class Migration(migrations.Migration):
    dependencies = [("stations", "0015_correction_seals")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
