"""The keys of authenticators were plain in the database until here."""

from importlib import import_module

from django.db import migrations

squashed = import_module("accounts.migrations.0007_squashed_0008_words_in_german")
seal, unseal = squashed.seal, squashed.unseal


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_api_access"),
        ("otp_totp", "0003_add_timestamps"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authenticator",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("otp_totp.totpdevice",),
        ),
        migrations.RunPython(seal, unseal),
    ]
