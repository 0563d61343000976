"""Records that were erased before erasures were sealed are sealed as they stand now (ledger/keys/seals.py)."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

from ledger.record import LOOKUPS, SECOND, Recorded

LATER = {"written", *SECOND}  # columns that came afterwards


def seal(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    from ledger.keys import seals  # not at import: it names today's models

    entries: Any = apps.get_model("ledger", "LedgerEntry").objects
    erased = entries.filter(erased_at__isnull=False, erasure_seal__isnull=True, data_key__destroyed_at__isnull=False)
    columns = ("pk", "digest", "data_key__key_id", "erased_at", *(f"session__{name}" for name in LOOKUPS if name not in LATER))
    for pk, digest, key_id, erased_at, *session in list(erased.values_list(*columns)):
        made = seals.erasure_seal(
            ledger_id=pk,
            digest=bytes(digest),
            key_id=bytes(key_id),
            erased_at=erased_at,
            figures=seals.figures_of(Recorded(*session)) if session[0] else b"",
        )
        entries.filter(pk=pk).update(erasure_seal=made)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0008_audits")]

    operations = [migrations.RunPython(seal, migrations.RunPython.noop)]
