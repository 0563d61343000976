"""It changed words only, and migrations hold none any more."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('stations', '0011_silence'),
    ]

    operations = []
