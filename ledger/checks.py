"""Does a session still equal what was recorded? From the row alone (no I/O), with the chain, and as a receipt."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import timezone

from ledger import certification, receipt, record
from ledger.alerts import alert_close, alert_raise
from ledger.chain import chain, readers
from ledger.errors import NotRecordedYet, RecordError
from ledger.models import ChainTransaction, LedgerEntry, SigningKey
from ledger.receipt import ReceiptError, Step
from ledger.receipt_link import receipt_fragment
from stations.meter import meter_values_sha256
from stations.models import ChargingSession
from tpm import register
from tpm.certification import Certification

ABSENT = "(absent)"


@dataclass(frozen=True)
class Check:
    """The outcome of comparing one entry with the chain; `reason` says in one sentence what differs."""

    ok: bool
    reason: str


def differences(entry: LedgerEntry) -> list[str]:
    """Names of the fields in which the session row differs from its record; [] when they are equal.

    ["digest"] where the kept record itself was altered, ["session"] where the row is gone. Erased entries have
    nothing left to compare.
    """
    if entry.erased_at:
        return []
    if entry.session is None or entry.salt is None or entry.canonical is None:
        return ["session"]
    try:
        fields = record.record_of(entry.session)
        kept = bytes(entry.canonical)
        now = kept if record.is_known_form(fields, kept) else record.canonical(fields)
    except RecordError:
        return ["status"]
    if record.digest(bytes(entry.salt), now) == bytes(entry.digest):
        return []
    return [name for name, _, _ in changed_fields(bytes(entry.canonical), now)] or ["digest"]


def meter_values_differ(session: ChargingSession) -> bool:
    """Are the meter values others than those that were there when the session closed?

    None at all is no alteration: they are not in the sealed copy, so a restored session has none.
    """
    values = list(session.meter_values.all())
    return bool(values) and meter_values_sha256(values) != session.meter_values_sha256


def changed_fields(recorded: bytes, now: bytes) -> Iterator[tuple[str, str, str]]:
    """(field, recorded value, value now) of two canonical records."""
    try:
        before: Mapping[str, Any] = json.loads(recorded)
        after: Mapping[str, Any] = json.loads(now)
    except ValueError:
        return
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, str(before.get(name, ABSENT)), str(after.get(name, ABSENT))


def entry_check(*, entry: LedgerEntry) -> Check:
    """Compare row, entry and chain; keep the finding on the entry, open or close the alert. Raises ChainError."""
    reason = _mismatch(entry)
    LedgerEntry.objects.filter(pk=entry.pk).update(mismatch=reason[:255], checked_at=timezone.now())
    if reason:
        alert_raise("mismatch", f"entry {entry.pk}", reason)
        return Check(False, reason)
    alert_close("mismatch", f"entry {entry.pk}")
    recorded = entry.state == ChainTransaction.Status.IRREVERSIBLE
    return Check(True, "equal to the record on the chain" if recorded else "not recorded yet; the row equals its entry")


def _mismatch(entry: LedgerEntry) -> str:
    fields = differences(entry)
    if not fields and entry.session and meter_values_differ(entry.session):
        fields = ["meter_values"]
    if fields:
        return f"changed since it was recorded: {', '.join(fields)}"
    if entry.state != ChainTransaction.Status.IRREVERSIBLE:
        return ""
    row = chain().row(entry.pk)
    return row_mismatch(entry, row, floor=0 if row else chain().state().floor, recorded=recorded_in_block)


def row_mismatch(
    entry: LedgerEntry, row: bytes | None, *, floor: int, recorded: Callable[[LedgerEntry], bytes | None]
) -> str:
    """What is wrong between an IRREVERSIBLE entry and its row; "" where nothing is.

    A row at or below the floor was pruned: then the block has the digest still.
    """
    if row is None and entry.pk <= floor:
        row = recorded(entry)
    if row is None:
        return f"missing on the chain: expected a row with id {entry.pk}"
    if row != bytes(entry.digest):
        return f"another digest is on the chain: expected {bytes(entry.digest).hex()}, found {row.hex()}"
    return ""


def recorded_in_block(entry: LedgerEntry) -> bytes | None:
    """The digest of a pruned row, from the block that recorded it."""
    from ledger.settlement import records_in

    row = entry.transaction
    if row is None or row.block_num is None or row.transaction_id is None:
        return None
    found = chain().block(row.block_num).transactions.get(row.transaction_id)
    records = records_in(found, settings.LEDGER_ACCOUNT) if found else []
    return next((digest for ledger_id, digest, _ in records if ledger_id == entry.pk), None)


def receipt_for(session: ChargingSession, *, attested: bool = True) -> dict[str, Any]:
    """The receipt (`evportal-receipt/1`) of a recorded session, made from the session as the database has it now.

    So a row that was changed after the fact gives a receipt that fails. Without `attested` it says nothing of the TPM
    and costs a query less. Raises NotRecordedYet, RecordError, ReceiptError.
    """
    entry = LedgerEntry.objects.select_related("transaction").filter(session=session).first()
    if entry is None:
        raise NotRecordedYet("this session has no ledger entry")
    row = entry.transaction
    if row is None or row.status != ChainTransaction.Status.IRREVERSIBLE:
        raise NotRecordedYet(f"this session is {entry.state}, not yet IRREVERSIBLE")
    if entry.salt is None:
        raise NotRecordedYet("the contents of this record were erased with their customer")
    assert row.transaction_id is not None and row.block_num is not None
    return receipt.build(
        canonical=record.canonical(record.record_of(session)),
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
    )


def check_fragment(session: ChargingSession) -> str:
    """What stands behind the # of the public check's address for this session; "" where there is no receipt."""
    try:
        return receipt_fragment(receipt_for(session, attested=False))
    except (NotRecordedYet, RecordError, ReceiptError):
        return ""


def attestation_of(public_key: str) -> dict[str, str | None] | None:
    """What a receipt says of the TPM in which this key was made; None where the key was never certified."""
    found = register.certification_of(public_key)
    if found is None:
        return None
    certified = Certification(bytes(found.public), bytes(found.attest), bytes(found.signature))
    ek_certificate = None if found.ek_certificate is None else bytes(found.ek_certificate)
    return certification.content(certified, ak_public=bytes(found.ak_public), ek_certificate=ek_certificate)


def verify_session(session: ChargingSession) -> list[Step]:
    """The receipt's ten steps now, asked of the nodes of the settings, and what they say kept on the entry."""
    steps = verify_receipt(receipt_for(session))
    verdict = receipt.verdict(steps)
    if verdict != "NOT DECIDED":
        failed = next((step for step in steps if step.outcome == "failed"), None)
        mismatch = f"step {failed.number} of the check failed: {failed.title}" if failed else ""
        LedgerEntry.objects.filter(session=session).update(mismatch=mismatch[:255], checked_at=timezone.now())
    return steps


def verify_receipt(content: dict[str, Any]) -> list[Step]:
    """The ten steps for any receipt of this ledger, with the pinned chain id, the published key and its TPM's AK.

    A receipt from before the key was certified says nothing of a TPM, and is as good as it was.
    """
    public_key = published_key(content)
    ak = published_ak(public_key) if content.get("attestation") else None
    return list(receipt.verify(content, readers(), chain_id=settings.LEDGER_CHAIN_ID, public_key=public_key, ak=ak))


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
    found = register.certification_of(public_key)
    return certification.fingerprint(bytes(found.ak_public)) if found else None
