"""Identifiers get their canonical form (stations/identifiers.py); 0021 makes it unique, once doubles are one."""

from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Upper

from stations.identifiers import contract_canonical, letters, token_canonical


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Sessions in one statement, however many; those few that are not of ASCII one by one, as databases differ."""
    sessions: Any = apps.get_model("stations", "ChargingSession").objects
    sessions.update(number=Upper("transaction_id"))
    for session in sessions.exclude(transaction_id__regex=r"^[ -~]*$").order_by().only("transaction_id"):
        sessions.filter(pk=session.pk).update(number=letters(session.transaction_id))
    tokens: Any = apps.get_model("stations", "IdToken").objects
    for token in tokens.order_by("pk").iterator():
        forms = {"canonical": token_canonical(token.uid, token.type)}
        forms["contract_canonical"] = contract_canonical(token.contract_id)
        tokens.filter(pk=token.pk).update(**forms)
    stations: Any = apps.get_model("stations", "Station").objects
    for station in stations.order_by("pk"):
        stations.filter(pk=station.pk).update(canonical=letters(station.identity))


def canonical(**more: Any) -> Any:
    return models.CharField(default="", editable=False, max_length=48, **more)


class Migration(migrations.Migration):
    dependencies = [
        ("stations", "0019_statement_month"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="chargingsession", name="session_unique_on_station"),
        migrations.RemoveConstraint(model_name="idtoken", name="id_token_unique"),
        migrations.AddField(model_name="chargingsession", name="number", field=canonical()),
        migrations.AddField(
            model_name="chargingsession",
            name="written",
            field=models.JSONField(blank=True, default=dict, editable=False),
        ),
        migrations.AddField(model_name="idtoken", name="canonical", field=canonical()),
        migrations.AddField(model_name="idtoken", name="contract_canonical", field=canonical(db_index=True)),
        migrations.AddField(model_name="station", name="canonical", field=canonical()),
        migrations.AlterField("chargingsession", "transaction_id", models.CharField(max_length=40)),
        migrations.AlterField("station", "identity", models.CharField(max_length=48)),
        migrations.AlterField(
            model_name="setaside",
            name="station",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="set_aside",
                to="stations.station",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
