"""What a receipt has since /3: where its record is in the log, and the chain's part, from a node or from before."""

from typing import Any

from django.core.cache import cache
from django.db.models import Count, Q

from ledger.chain.antelope import AntelopeError
from ledger.chain.node import chain_for_pages
from ledger.errors import ChainError
from ledger.log import proofs
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint
from ledger.receipts.chain_part import chain_part_of
from ledger.receipts.note import LOG_TYPE, WITNESS_TYPE, LogError, VerifierKey
from ledger.receipts.parts import WITNESSES_MAX

NEWEST = 20  # checkpoints among which the one with most signatures is taken
KEPT_S, MISSING_S = 30 * 86_400, 60  # of a chain part: a block never changes; a node may be back soon
CHAIN_CHARACTERS_MAX = 700_000  # a receipt has at most 1 MiB


def checkpoint_of(entry: LedgerEntry) -> LogCheckpoint | None:
    """The published checkpoint that holds the entry, of the newest the one that most witnesses signed; None: none."""
    if entry.log_index is None:
        return None
    published = LogCheckpoint.objects.filter(published_at__isnull=False, size__gt=entry.log_index).exclude(note="")
    newest = list(published.order_by("-size").values_list("pk", flat=True)[:NEWEST])
    signed = Count("cosignatures", filter=Q(cosignatures__witness__enabled=True))
    counted = LogCheckpoint.objects.filter(pk__in=newest).annotate(signed=signed)
    return counted.order_by("-signed", "-size").first()


def log_key_of(checkpoint: LogCheckpoint) -> str:
    """The key that signed it, as PUB_R1_…; raises LogError."""
    return VerifierKey.parse(checkpoint.vkey, LOG_TYPE).antelope


def log_part_of(entry: LedgerEntry, checkpoint: LogCheckpoint, attestation: Any) -> dict[str, Any]:
    """The member `log`; `attestation` is of the log's key, or None."""
    assert entry.log_index is not None
    note = checkpoint.note
    witnesses: list[dict[str, Any]] = []
    cosignatures = checkpoint.cosignatures.filter(witness__enabled=True).select_related("witness")
    for one in cosignatures.order_by("witness__name"):
        try:
            key = VerifierKey.parse(one.witness.vkey, WITNESS_TYPE)
        except LogError:
            continue  # a witness that C2SP allows, and whose name is more than ASCII
        if len(witnesses) < WITNESSES_MAX:
            witnesses.append({"name": key.name, "key": key.text, "ak_certificate": None})
            note += f"{one.line}\n"
    return {
        "index": entry.log_index,
        "proof": [one.hex() for one in proofs.inclusion(entry.log_index, checkpoint.size)],
        "checkpoint": note,
        "key": checkpoint.vkey,
        "key_attestation": attestation,
        "witnesses": witnesses,
    }


def chain_part(row: ChainTransaction) -> dict[str, Any] | None:
    """The member `chain`; None where no node that answers still has the block, or has it otherwise."""
    key = f"ledger:chain-part:{row.transaction_id}:{row.block_id}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        found = _asked(row) or {}
        cache.set(key, found, KEPT_S if found else MISSING_S)
    return found or None


def _asked(row: ChainTransaction) -> dict[str, Any] | None:
    try:
        node = chain_for_pages()
        block = node.read("get_raw_block", {"block_num_or_id": row.block_num})
        keys = _keys(node.read("get_producer_schedule"), block.get("producer"))
        part = chain_part_of(block, row.transaction_id or "", keys)
    except (ChainError, AntelopeError, KeyError, TypeError, AttributeError):  # the latter: JSON of another shape
        return None
    size = sum(len(text) for text in part.values() if isinstance(text, str))
    return part if size <= CHAIN_CHARACTERS_MAX else None


def _keys(schedule: dict[str, Any], producer: object) -> list[str]:
    """The producer's keys in the schedule that counts now."""
    named = [one for one in schedule["active"]["producers"] if one["producer_name"] == producer]
    return [key["key"] for one in named for key in one["authority"][1]["keys"]]
