"""What is published of this ledger beside its receipts: keys, pins and nodes, and the command that checks with them."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from ledger.models import ChainTransaction, LedgerEntry, SigningKey
from ledger.receipts import certification
from ledger.receipts.pins import Pins
from stations.models import MeterPublicKey
from tpm.register import gate


def published_pins(public_key: str, ak: str | None) -> Pins:
    """What is published of this ledger beside the receipts, for records that this key signed."""
    return Pins(
        public_key=public_key,
        chain_id=settings.LEDGER_CHAIN_ID,
        ak=ak,
        account=settings.LEDGER_ACCOUNT,
        code_hash=settings.LEDGER_CODE_HASH or None,
        code_updated=settings.LEDGER_CODE_UPDATED or None,
    )


def published_key(content: Mapping[str, Any]) -> str:
    """The key published elsewhere than the receipt: ours, where the receipt names one we signed with."""
    named = str(content.get("public_key", ""))
    if ChainTransaction.objects.filter(public_key=named, status=ChainTransaction.Status.IRREVERSIBLE).exists():
        return named
    newest = ChainTransaction.objects.filter(status=ChainTransaction.Status.IRREVERSIBLE).order_by("-id").first()
    return newest.public_key if newest else ""


def public_nodes() -> list[str]:
    """The nodes that readers are told to ask, and that their browsers reach."""
    return list(settings.LEDGER_PUBLIC_NODES or settings.LEDGER_NODES)


def published_keys() -> dict[str, str]:
    """Each key that signs our records or did (PUB_R1_…), newest first, with the fingerprint of its TPM's AK or ""."""
    newest = ChainTransaction.objects.filter(status=ChainTransaction.Status.IRREVERSIBLE).order_by("-id")
    keys = list(newest.values_list("public_key", flat=True)[:1])  # also after a restoration into an empty database
    known = SigningKey.objects.exclude(status=SigningKey.Status.COMING).exclude(public_key="").order_by("-id")
    keys += known.values_list("public_key", flat=True)
    return {key: published_ak(key) or "" for key in dict.fromkeys(keys) if key}


def published_ak(public_key: str) -> str | None:
    """The fingerprint of the AK in whose TPM our register says that the key was made; None where it knows of none."""
    found = gate.certification_of(public_key)
    return certification.fingerprint(bytes(found.ak_public)) if found else None


def pins_of(entry: LedgerEntry | None) -> Pins | None:
    """What is published for whoever checks this entry's record; None where it is not signed yet."""
    key = entry.transaction.public_key if entry and entry.transaction else ""
    return published_pins(key, published_ak(key)) if key else None


def published_meter_key(content: Mapping[str, Any]) -> tuple[str, ...]:
    """The key of the receipt's meter, where a person has confirmed it here; else none: the record's own is used."""
    record = content.get("record")
    key = record.get("meter_public_key") if isinstance(record, Mapping) else None
    if not isinstance(key, str) or not re.fullmatch("[0-9a-f]+", key):
        return ()
    return (key,) if MeterPublicKey.objects.filter(public_key=key, confirmed_at__isnull=False).exists() else ()


def check_command(file: str, key: str, meter_key: str = "") -> str:
    """How anybody checks this file without us; at least two nodes, the second to be filled in where we publish one."""
    nodes = [*public_nodes(), "URL_OF_A_SECOND_NODE"][: max(2, len(public_nodes()))]
    pins = published_pins(key, published_ak(key))
    parts = [
        f"python3 verify_receipt.py {file}",
        *(f"--node {node}" for node in nodes),
        f"--chain-id {pins.chain_id}",
        f"--account {pins.account}",
        f"--key {key}",
        *([f"--meter-key {meter_key}"] if meter_key else []),
        *([f"--ak {pins.ak}"] if pins.ak else []),
        *([f"--code-hash {pins.code_hash}"] if pins.code_hash else []),
        *([f"--code-updated {pins.code_updated}"] if pins.code_updated else []),
    ]
    return " \\\n    ".join(parts)
