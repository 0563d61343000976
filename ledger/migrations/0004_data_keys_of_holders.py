from django.db import migrations
from django.db.models import OuterRef, Subquery


def holders_set(apps, schema_editor):
    """Until now a token's sessions went with it to its next holder, so the key of a token is its holder's."""
    tokens = apps.get_model("stations", "IdToken").objects.filter(pk=OuterRef("id_token_id"))
    living = apps.get_model("ledger", "DataKey").objects.filter(id_token__isnull=False, destroyed_at__isnull=True)
    living.update(customer_id=Subquery(tokens.values("customer_id")[:1]))


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_data_key_a_holder"), ("stations", "0006_link_codes")]

    operations = [migrations.RunPython(holders_set, migrations.RunPython.noop)]
