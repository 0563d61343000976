"""One row an identifier, however it is written. What stood twice was made one before (ledger 0014, run_before)."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("stations", "0020_canonical")]

    operations = [
        migrations.AddConstraint(
            model_name="chargingsession",
            constraint=models.UniqueConstraint(
                fields=("station", "number", "started_at"), name="session_unique_on_station"
            ),
        ),
        migrations.AddConstraint(
            model_name="idtoken",
            constraint=models.UniqueConstraint(fields=("canonical", "type"), name="id_token_unique_canonical"),
        ),
        migrations.AddConstraint(
            model_name="station",
            constraint=models.UniqueConstraint(fields=("canonical",), name="station_unique_canonical"),
        ),
    ]
