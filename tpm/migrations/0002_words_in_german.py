"""It changed words only, and migrations hold none any more."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('tpm', '0001_initial'),
    ]

    operations = []
