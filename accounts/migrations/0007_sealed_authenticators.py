"""The keys of authenticators were plain in the database until here."""

import base64

from django.db import migrations

from common.sealed_text import seal_bytes, unseal_bytes

PURPOSE = "evportal authenticators"
PLAIN_CHARACTERS = 40  # 20 bytes in hexadecimal digits, as django-otp keeps them; sealed they are 64


def seal(apps, schema_editor):
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.iterator():
        if len(device.key) == PLAIN_CHARACTERS:
            sealed = seal_bytes(bytes.fromhex(device.key), purpose=PURPOSE, about=str(device.user_id))
            device.key = base64.b64encode(sealed).decode()
            device.save(update_fields=["key"])


def unseal(apps, schema_editor):
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.iterator():
        if len(device.key) != PLAIN_CHARACTERS:
            sealed = base64.b64decode(device.key)
            device.key = unseal_bytes(sealed, purpose=PURPOSE, about=str(device.user_id)).hex()
            device.save(update_fields=["key"])


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
