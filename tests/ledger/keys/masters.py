"""The master key and what it opens, as the tests look at it."""

import io
import os
from pathlib import Path

from django.core.management import call_command

from accounts.models import User
from dev.parts.tpm_service import TpmStack
from ledger.keys import data_keys
from ledger.keys import file as keyfile
from ledger.keys.master_key import SealedMaster
from ledger.models import ChainTransaction, DataKey, LedgerEntry
from stations.models import ChargingSession, Connector, IdToken, Site, Station


def opened_keys() -> dict[int, bytes]:
    ring = data_keys.keyring()
    return {row.pk: ring.unwrap(row) for row in DataKey.objects.filter(wrapped__isnull=False)}


def the_master(path: Path) -> SealedMaster:
    (master,) = keyfile.read(path).masters
    assert isinstance(master, SealedMaster)
    return master


def sealed_names(stack: TpmStack) -> set[str]:
    return {item["name"] for item in stack.client()._call("GET", "/sealed")["sealed"]}


def tokens(count: int) -> list[IdToken]:
    return [IdToken.objects.create(uid=os.urandom(7).hex().upper()) for _ in range(count)]


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("ledger_keys", *arguments, stdout=out, stderr=out)
    except SystemExit as stop:
        return int(str(stop.code)), out.getvalue()
    return 0, out.getvalue()


def drop_everything() -> None:
    for model in (LedgerEntry, ChainTransaction, DataKey, ChargingSession, IdToken, Connector, Station, Site, User):
        model.objects.all().delete()
