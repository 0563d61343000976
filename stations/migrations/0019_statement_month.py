"""The month of whose statement a charge is was computed at each look until here, and is kept from here on.

Rows of before get what a look would have said for most: by the driver"s own zone, else by the zone of the place where it
was charged (it was that of the driver"s newest charge, which is another one only for those who charge in several zones).
A statement for each zone, however many rows.
"""

from datetime import datetime
from datetime import timezone as fixed_zone
from typing import Any

from django.conf import settings
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps
from django.db.models.functions import Trunc

from stations.zones import zone_named


def month_in(name: str) -> Trunc:
    where: Any = zone_named(name)
    offset = datetime(2000, 1, 1, tzinfo=where).utcoffset()
    if where.key.startswith("Etc/GMT") and offset is not None:
        where = fixed_zone(offset)  # of which databases think otherwise
    return Trunc("started_at", "month", output_field=models.DateField(), tzinfo=where)


def fill(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    sessions = apps.get_model("stations", "ChargingSession").objects.filter(statement_month__isnull=True)
    closed = sessions.exclude(status="ACTIVE").order_by()
    people = apps.get_model("accounts", "User").objects.exclude(time_zone="")
    for name in people.order_by().values_list("time_zone", flat=True).distinct():
        own = people.filter(time_zone=name).values("pk")
        closed.filter(customer__in=own).update(statement_month=month_in(name))
    for name in list(closed.values_list("location__time_zone", flat=True).distinct()):
        if isinstance(name, str):
            closed.filter(location__time_zone=name).update(statement_month=month_in(name))
    closed.update(statement_month=month_in("UTC"))


class Migration(migrations.Migration):

    dependencies = [
        ("stations", "0018_import_sources"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="chargingsession",
            name="statement_month",
            field=models.DateField(blank=True, editable=False, null=True),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name="chargingsession",
            index=models.Index(fields=["customer", "statement_month"], name="session_statement"),
        ),
        migrations.AddConstraint(
            model_name="chargingsession",
            constraint=models.CheckConstraint(condition=models.Q(("status", "ACTIVE"), ("statement_month__isnull", False), _connector="OR"), name="session_closed_has_month"),
        ),
    ]
