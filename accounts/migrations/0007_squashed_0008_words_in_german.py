"""A second one, for a circle: otp_totp's devices belong to our users, and our authenticator is one of its devices.

Its RunPython stays: a database that has all of the first one's may have authenticators already, with plain keys.
"""

import base64
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from common.sealed_text import seal_bytes, unseal_bytes

PURPOSE = "evportal authenticators"
PLAIN_CHARACTERS = 40  # 20 bytes in hexadecimal digits, as django-otp keeps them; sealed they are 64


def seal(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    devices: Any = apps.get_model("otp_totp", "TOTPDevice").objects
    for device in devices.iterator():
        if len(device.key) == PLAIN_CHARACTERS:
            sealed = seal_bytes(bytes.fromhex(device.key), purpose=PURPOSE, about=str(device.user_id))
            device.key = base64.b64encode(sealed).decode()
            device.save(update_fields=["key"])


def unseal(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    devices: Any = apps.get_model("otp_totp", "TOTPDevice").objects
    for device in devices.iterator():
        if len(device.key) != PLAIN_CHARACTERS:
            sealed = base64.b64decode(device.key)
            device.key = unseal_bytes(sealed, purpose=PURPOSE, about=str(device.user_id)).hex()
            device.save(update_fields=["key"])


class Migration(migrations.Migration):
    replaces = [("accounts", "0007_sealed_authenticators"), ("accounts", "0008_words_in_german")]

    dependencies = [
        ("accounts", "0001_squashed_0006_api_access"),
        ("otp_totp", "0003_add_timestamps"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authenticator",
            fields=[],
            options={"proxy": True},
            bases=("otp_totp.totpdevice",),
        ),
        migrations.RunPython(seal, unseal),
    ]
