from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("stations", "0004_updated_at_filled")]

    operations = [
        migrations.AlterField(
            model_name="tariff",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AlterField(
            model_name="site",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AlterField(
            model_name="station",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AlterField(
            model_name="connector",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AlterField(
            model_name="chargingsession",
            name="updated_at",
            field=models.DateTimeField(auto_now=True),
        ),
        migrations.AddIndex(
            model_name="chargingsession",
            index=models.Index(fields=["updated_at", "id"], name="session_updated"),
        ),
    ]
