"""It changed words only, and migrations hold none any more."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_sealed_authenticators'),
    ]

    operations = []
