"""Does a session still equal what was recorded? From the row alone (no I/O), with the chain, and as a receipt."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from ledger import record
from ledger.audit.audit import entry_check
from ledger.chain import antelope
from ledger.errors import ChainError, NotRecordedYet, RecordError
from ledger.kept import kept_record
from ledger.models import ChainTransaction, LedgerEntry
from ledger.receipts import certification, receipt
from ledger.receipts.link import receipt_fragment
from ledger.receipts.node_reader import readers
from ledger.receipts.published import published_ak, published_key, published_meter_key, published_pins
from ledger.receipts.receipt import ReceiptError
from stations.models import ChargingSession
from tpm.register import gate
from tpm.verifier.certification import Certification


def receipt_for(session: ChargingSession, *, attested: bool = True) -> dict[str, Any]:
    """The receipt (`evportal-receipt/2`) of a recorded session: of what was recorded, whatever the row says today.

    Without `attested` it says nothing of the TPM and costs a query less. Raises NotRecordedYet where there is none,
    also where the kept record no longer gives the digest that was recorded; ReceiptError.
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
        attestation=attestation_of(row.public_key) if attested else None,
        credited_by=_credit_marked(entry),
    )


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
    """The twelve steps for any receipt of this ledger, with what is published of it.

    A receipt from before the key was certified says nothing of a TPM, and is as good as it was.
    """
    public_key = published_key(content)
    ak = published_ak(public_key) if content.get("attestation") else None
    pins = replace(published_pins(public_key, ak), meter_keys=published_meter_key(content))
    return receipt.verify(content, readers(), pins)
