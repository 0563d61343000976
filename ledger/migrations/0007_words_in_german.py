"""It changed words only, and migrations hold none any more."""

from django.conf import settings
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0007_sealed_authenticators'),
        ('ledger', '0006_statement_mails'),
        ('stations', '0012_labels'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = []
