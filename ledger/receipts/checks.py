"""Does a session still equal what was recorded? From the row alone (no I/O), with the chain, and as a receipt."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from ledger import record
from ledger.audit.audit import entry_check
from ledger.chain import antelope
from ledger.chain.antelope import AntelopeError
from ledger.chain.node import chain_for_pages
from ledger.errors import ChainError, NotRecordedYet, RecordError
from ledger.kept import kept_record
from ledger.log import proofs
from ledger.log.witnesses.certificates import certificate_for
from ledger.models import ChainTransaction, LedgerEntry, LogCheckpoint
from ledger.receipts import certification, receipt
from ledger.receipts.chain_part import chain_part_of
from ledger.receipts.link import receipt_fragment
from ledger.receipts.node_reader import readers
from ledger.receipts.note import LOG_TYPE, WITNESS_TYPE, LogError, VerifierKey
from ledger.receipts.parts import WITNESSES_MAX
from ledger.receipts.published import (
    published_ak,
    published_key,
    published_log_key,
    published_meter_key,
    published_pins,
)
from ledger.receipts.receipt import ReceiptError
from stations.models import ChargingSession
from tpm.register import gate
from tpm.verifier.certification import Certification

NEWEST = 20  # checkpoints among which the one with most signatures is taken
KEPT_S, MISSING_S = 30 * 86_400, 60  # of a chain part: a block never changes; a node may be back soon
CHAIN_CHARACTERS_MAX = 700_000  # a receipt has at most 1 MiB


def receipt_for(session: ChargingSession, *, attested: bool = True) -> dict[str, Any]:
    """The receipt of a recorded session: of what was recorded, whatever the row says today.

    It is an `evportal-receipt/3` where a published checkpoint of the log holds the record, else /2. Without `attested`
    it has no proofs beside the record: nothing of the TPM, the log and the chain. Raises NotRecordedYet where there is
    none, also where the kept record no longer gives the digest that was recorded; ReceiptError.
    """
    entry = _recorded_entry(session)
    if kept_record(entry) is None or entry.canonical is None:
        raise NotRecordedYet("the kept record was altered: it no longer gives the digest that was recorded")
    return _receipt(entry, bytes(entry.canonical), attested=attested)


def _recorded_entry(session: ChargingSession) -> LedgerEntry:
    """With `credit_pk`, the ledger id of a recorded credit of the session, None where it stands."""
    credits = LedgerEntry.objects.filter(session__credit=True, session__credit_reference=OuterRef("session"))
    final = credits.filter(transaction__status=ChainTransaction.Status.IRREVERSIBLE).values("pk")[:1]
    found = LedgerEntry.objects.annotate(credit_pk=Subquery(final)).select_related("transaction")
    entry = found.filter(session=session).first()
    if entry is None:
        raise NotRecordedYet("this session has no ledger entry")
    if entry.state != ChainTransaction.Status.IRREVERSIBLE:
        raise NotRecordedYet(f"this session is {entry.state}, not yet IRREVERSIBLE")
    if entry.salt is None:
        raise NotRecordedYet("the contents of this record were erased with their customer")
    return entry


def _receipt(entry: LedgerEntry, canonical: bytes, *, attested: bool) -> dict[str, Any]:
    row = entry.transaction
    assert row is not None and row.transaction_id is not None and row.block_num is not None and entry.salt is not None
    made = attestation_of(row.public_key) if attested else None
    return receipt.build(
        canonical=canonical,
        salt=bytes(entry.salt),
        digest=bytes(entry.digest),
        ledger_id=entry.pk,
        chain_id=settings.LEDGER_CHAIN_ID,
        account=settings.LEDGER_ACCOUNT,
        transaction_id=row.transaction_id,
        block_num=row.block_num,
        block_id=row.block_id,
        public_key=row.public_key,
        attestation=made,
        credited_by=_credit_marked(entry),
        **(_proofs(entry, row, made) if attested else {}),
    )


def _proofs(entry: LedgerEntry, row: ChainTransaction, made: dict[str, Any] | None) -> dict[str, Any]:
    """Log part and chain part; {} where the record is in no published checkpoint yet.

    Neither where the log's key was made in another TPM than the record's: who pins the AK of the one would find the
    other wrong.
    """
    checkpoint = checkpoint_of(entry)
    if checkpoint is None:
        return {}
    try:
        attestation = attestation_of(log_key_of(checkpoint))
    except LogError:
        return {}  # an origin that C2SP allows, and that is more than ASCII
    if made is not None and (attestation is None or attestation["ak"] != made["ak"]):
        return {}
    return {"log": log_part_of(entry, checkpoint, attestation), "chain": chain_part_for(row)}


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
            looked = certificate_for(one.witness.ak_certificates, attestation)
            witnesses.append({"name": key.name, "key": key.text, "ak_certificate": looked})
            note += f"{one.line}\n"
    return {
        "index": entry.log_index,
        "proof": [one.hex() for one in proofs.inclusion(entry.log_index, checkpoint.size)],
        "checkpoint": note,
        "key": checkpoint.vkey,
        "key_attestation": attestation,
        "witnesses": witnesses,
    }


def chain_part_for(row: ChainTransaction) -> dict[str, Any] | None:
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


def _credit_marked(entry: LedgerEntry) -> int | None:
    """The ledger id of the credit that took the session back, where the chain can be asked for it; else None.

    A credit that was recorded before the contract knew of marks has none: its receipt would contradict the chain.
    """
    pk: int | None = entry.credit_pk  # type: ignore[attr-defined]  # annotated
    row = ChainTransaction.objects.filter(entries=pk).first() if pk else None
    if row is None or row.packed is None or entry.salt is None:
        return None
    try:
        actions = antelope.Transaction.unpack(bytes(row.packed)).actions
        marks = [mark for action in actions for mark in antelope.unpack_record_data(action.data).marks]
    except antelope.AntelopeError:
        return None
    return pk if (pk, record.credit_mark(bytes(entry.salt), bytes(entry.digest))) in marks else None


def check_fragment(session: ChargingSession) -> str:
    """What stands behind the # of the public check's address for this session; "" where there is no receipt."""
    try:
        return receipt_fragment(receipt_for(session, attested=False))
    except (NotRecordedYet, RecordError, ReceiptError):
        return ""


def attestation_of(public_key: str) -> dict[str, str | None] | None:
    """What a receipt says of the TPM in which this key was made; None where the key was never certified."""
    found = gate.certification_of(public_key)
    if found is None:
        return None
    certified = Certification(bytes(found.public), bytes(found.attest), bytes(found.signature))
    ek_certificate = None if found.ek_certificate is None else bytes(found.ek_certificate)
    return certification.content(certified, ak_public=bytes(found.ak_public), ek_certificate=ek_certificate)


def verify_session(session: ChargingSession) -> receipt.Check:
    """Is the session, as the database has it now, what was recorded? What the nodes say now is kept on the entry.

    Unlike `receipt_for` of the row today: one that was changed fails step 1.
    """
    entry = _recorded_entry(session)
    check = verify_receipt(_receipt(entry, record.canonical(record.record_of(session)), attested=True))
    failed = next((step for step in check.steps if step.outcome == "failed"), None)
    if failed:
        mismatch = f"step {failed.number} of the check failed: {failed.title}"
        LedgerEntry.objects.filter(session=session).update(mismatch=mismatch[:255], checked_at=timezone.now())
    elif check.verdict == "VERIFIED":
        with suppress(ChainError):  # what is no part of a receipt may differ yet: meter values, holders
            entry_check(entry=entry)
    return check


def verify_receipt(content: dict[str, Any]) -> receipt.Check:
    """The steps for any receipt of this ledger, with what is published of it; of the log its key.

    A receipt from before the key was certified says nothing of a TPM, and is as good as it was.
    """
    public_key = published_key(content)
    ak = published_ak(public_key) if content.get("attestation") else None
    pins = replace(published_pins(public_key, ak), meter_keys=published_meter_key(content))
    pins = replace(pins, log_key=published_log_key(content) or None)
    return receipt.verify(content, readers(), pins)
