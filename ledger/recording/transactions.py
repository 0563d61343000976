"""The steps of the chain copy, one function a step, each guarded by the status that it expects.

open -> batch -> sign -> send -> (settlement.py) confirm, settle. Every step is committed before the next begins, so a
worker may be killed anywhere: whoever comes next finds what is left by its status. Slow I/O (TPM, node) happens
outside database transactions; the conditional update after it decides who was first.
docs/architecture.md draws the states, and says what happens when something fails.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import accumulate

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Length

from common import clock
from ledger.alerts import alert_raise, alerts_close
from ledger.chain.node import Unsigned, chain
from ledger.errors import (
    AssertionFailed,
    BadReferenceBlock,
    BlockUnavailable,
    ChainError,
    CpuExceeded,
    DatabaseBehind,
    DuplicateTransaction,
    MasterKeyMissing,
    NetExceeded,
    OutcomeUnknown,
    RamExceeded,
    TransactionExpired,
    Unauthorized,
    WrongChain,
)
from ledger.models import ChainTransaction, LedgerEntry
from ledger.recording import batch_data, hold
from ledger.signing import keys as signing_keys
from ledger.signing.signer import signer
from tpm.client import TpmError
from tpm.register import gate

log = logging.getLogger(__name__)
Status = ChainTransaction.Status

RESEND_AFTER = timedelta(seconds=3)  # a node that knows nothing of a sent transaction after this gets it again
DEFERRED_FOR = timedelta(seconds=60)
BACKOFF_MAX_S = 30
# Of records in one transaction; by default chains take 512 KiB, and each record has 150 bytes of its own beside it.
BATCH_BYTES_MAX = 400_000
SEND_ALERTS = ("chain_unreachable", "wrong_chain", "cpu", "ram", "net", "authority", "refused")


# --- open


# --- claim


def claim(row: ChainTransaction) -> bool:
    """Take this row for a while; False where another worker has it or its status has moved on."""
    longest = timedelta(seconds=settings.LEDGER_CLAIM_S)
    until = clock.now() + longest
    if not ChainTransaction.objects.filter(clock.free(longest), pk=row.pk, status=row.status).update(
        claimed_until=until
    ):
        return False
    row.claimed_until = until
    return True


def move(row: ChainTransaction, *, expected: Sequence[str], to: str, **fields: object) -> bool:
    """Change the status if it is still one of `expected`; ends the claim unless told otherwise.

    The row in hand is brought up to date: from what was written, not by reading 60 kB of packed bytes again.
    """
    written = {"status": to, "claimed_until": None, **fields}
    changed = ChainTransaction.objects.filter(pk=row.pk, status__in=expected).update(**written)
    if not changed:
        row.refresh_from_db()
        return False
    for name, value in written.items():
        setattr(row, name, value)
    return True


def halted() -> bool:
    """The account lacks something or the chain refuses us: only the waiting transaction probes, no hot loop."""
    return ChainTransaction.objects.filter(~retry_due(), status=Status.DEFERRED).exists()


def retry_due() -> Q:
    """Transactions that may be sent again now."""
    return clock.due("retry_at", longest_wait())


def longest_wait() -> timedelta:
    """No transaction waits longer for its next try."""
    return max(DEFERRED_FOR, timedelta(seconds=settings.LEDGER_EXPIRATION_S))


# --- batch


@transaction.atomic
def transaction_batch() -> ChainTransaction | None:
    """Give up to LEDGER_BATCH_MAX ready entries to a new transaction; None where there are none."""
    ready = LedgerEntry.objects.ready().order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        # Several batchers at once each take other rows. SQLite's IMMEDIATE transaction is alone anyway.
        ready = ready.select_for_update(skip_locked=True)
    sized = ready.annotate(size=Length("canonical")).values_list("id", "size")
    ids = _fitting(list(sized[: settings.LEDGER_BATCH_MAX]))
    if not ids:
        return None
    now = clock.now()
    until = now + timedelta(seconds=settings.LEDGER_CLAIM_S)
    row = ChainTransaction.objects.create(claimed_until=until, retry_at=now)
    LedgerEntry.objects.filter(pk__in=ids, transaction__isnull=True).update(transaction=row)
    return row


def _fitting(sized: Sequence[tuple[int, int | None]]) -> list[int]:
    """The first of these entries that a transaction has room for, at least one: copies are never longer than records.

    What meters sign is long, and a transaction that is too large for the chain would hold up all that come after it.
    """
    sums = accumulate(size or 0 for _, size in sized)
    return [pk for (pk, _), total in zip(sized, sums, strict=True) if total <= BATCH_BYTES_MAX or pk == sized[0][0]]


def transactions_batch(*, limit: int) -> list[ChainTransaction]:
    found: list[ChainTransaction] = []
    while len(found) < limit and (row := transaction_batch()):
        found.append(row)
    return found


# --- sign


def transactions_sign(*, transactions: Sequence[ChainTransaction]) -> bool:
    """Build and sign claimed BATCHED transactions, all in one request to the TPM service.

    False where TPM or chain cannot do it now: they stay BATCHED, an alert is open, a later sweep tries again.
    There is no software key to fall back on.
    """
    try:
        built, transactions = _built(transactions)
        if not transactions:
            return True
        key = signer()
        public_key = key.to_public()
        signatures = key.sign_many([unsigned.digest for unsigned in built])
    except TpmError as error:
        _postpone(transactions, _tpm_alert(error), error.code, error)
    except MasterKeyMissing as error:
        _postpone(transactions, "master_key", "master_key", error)
    except DatabaseBehind as error:
        _postpone(transactions, "database_behind", "database_behind", error, subject=error.subject)
    except ChainError as error:
        _postpone(transactions, error.alert, error.alert, error)
    else:
        alerts_close("tpm_unavailable", "tpm_not_attested", "tpm_not_certified", "master_key", BlockUnavailable.alert)
        signed = list(zip(transactions, built, signatures, strict=True))
        return _signed(signed, key_name=key.key, public_key=public_key)
    return False


def _built(rows: Sequence[ChainTransaction]) -> tuple[list[Unsigned], list[ChainTransaction]]:
    """What is to be signed, and the rows that it is of: all but those that would collide with what the chain has."""
    info, state = chain().info(), chain().state()
    hold.check(state)
    free = []
    for row in rows:
        try:
            if hold.collisions_end(row, state):
                free.append(row)
        except DatabaseBehind as error:
            _postpone([row], "database_behind", "database_behind", error, subject=error.subject)
    built = [batch_data.transaction_of(row, info=info, state=state) for row in free]
    return built, free


@transaction.atomic
def _signed(signed: Sequence[tuple[ChainTransaction, Unsigned, str]], *, key_name: str, public_key: str) -> bool:
    """Commit bytes and signatures; False where the key was rotated meanwhile: the next sweep signs with the new one."""
    if not signing_keys.hold(name=key_name, public_key=public_key):
        rows = [row.pk for row, _, _ in signed]
        ChainTransaction.objects.filter(pk__in=rows, status=Status.BATCHED).update(claimed_until=None)
        return False
    now = clock.now()
    for row, unsigned, signature in signed:
        # Only one worker's bytes are committed, and only committed bytes are ever sent.
        move(
            row,
            expected=[Status.BATCHED],
            to=Status.SIGNED,
            claimed_until=row.claimed_until,  # until it is sent
            packed=unsigned.packed,
            signature=signature,
            public_key=public_key,
            transaction_id=unsigned.transaction_id,
            expires_at=unsigned.expires_at,
            ref_block_num=unsigned.ref_block_num,
            signed_at=now,
            retry_at=now,
            error_code="",
            error_message="",
        )
    return True


def _tpm_alert(error: TpmError) -> str:
    """Which alert is it? A service that says that it was tampered with is attested at once, not in minutes."""
    if error.code == "integrity_failed":
        gate.attest_soon(settings.TPM_SERVICE_URL)
    return f"tpm_{error.code}" if error.code in gate.NOT_TRUSTED else "tpm_unavailable"


def tpm_watch() -> None:
    """Open or close the alert about the TPM service before there is anything to sign."""
    try:
        gate.require_attested(settings.TPM_SERVICE_URL)
    except TpmError as error:
        alert_raise("tpm_not_attested", message=str(error))
    else:
        alerts_close("tpm_not_attested")


def _postpone(rows: Sequence[ChainTransaction], alert: str, code: str, error: Exception, *, subject: str = "") -> None:
    alert_raise(alert, subject, str(error))
    for row in rows:
        attempts = row.attempts + 1
        ChainTransaction.objects.filter(pk=row.pk, status=Status.BATCHED).update(
            attempts=attempts,
            retry_at=_backoff(attempts),
            claimed_until=None,
            error_code=code,
            error_message=str(error)[:1000],
        )


def _backoff(attempts: int) -> datetime:
    return clock.now() + timedelta(seconds=min(2 ** min(attempts, 10) / 2, BACKOFF_MAX_S))


# --- send


def transaction_send(*, row: ChainTransaction) -> None:
    """Send the committed bytes; every answer of the node has its reaction (docs/architecture.md, the failure table)."""
    assert row.packed is not None
    try:
        chain().send(bytes(row.packed), row.signature)
    except DuplicateTransaction:
        _sent(row)  # it is known already: a success so far
    except OutcomeUnknown as error:
        alert_raise(error.alert, message=str(error))
        _sent(row, error_code="outcome_unknown", error=error)
    except (TransactionExpired, BadReferenceBlock, AssertionFailed) as error:
        _wait_for_expiry(row, error)
    except CpuExceeded as error:
        _cpu_exceeded(row, error)
    except RamExceeded as error:
        _defer(row, "ram", error)
    except NetExceeded as error:
        _defer(row, "net", error)
    except Unauthorized as error:
        _defer(row, "authority", error)
    except WrongChain as error:
        _defer(row, error.alert, error)
    except ChainError as error:
        _defer(row, "refused", error)
    else:
        _sent(row)
        alerts_close(*SEND_ALERTS)


_BEFORE_BLOCK = (Status.SIGNED, Status.SENT, Status.DEFERRED)


def _sent(row: ChainTransaction, *, error_code: str = "", error: Exception | str = "") -> None:
    attempts = row.attempts + 1 if error_code else 0
    move(
        row,
        expected=_BEFORE_BLOCK,
        to=Status.SENT,
        sent_at=row.sent_at or clock.now(),
        attempts=attempts,
        retry_at=_backoff(attempts) if error_code else clock.now() + RESEND_AFTER,
        error_code=error_code,
        error_message=str(error)[:1000],
    )


def _wait_for_expiry(row: ChainTransaction, error: ChainError) -> None:
    """These bytes will hardly get in any more, but a node may hold them: decide once the chain's time is past them."""
    if isinstance(error, AssertionFailed):
        log.warning("transaction %s: the contract refused: %s", row.transaction_id, error)
    move(
        row,
        expected=_BEFORE_BLOCK,
        to=row.status,
        retry_at=max(clock.now() + timedelta(seconds=1), row.expires_at or clock.now()),
        error_code=str(error.code),
        error_message=str(error)[:1000],
    )


def _cpu_exceeded(row: ChainTransaction, error: ChainError) -> None:
    """A busy node: the same bytes later. An account without CPU: a person must see to it."""
    try:
        left_us = chain().cpu_left_us()
    except ChainError:
        left_us = None
    if left_us is not None and left_us < settings.LEDGER_CPU_RESERVE_US:
        _defer(row, "cpu", error)
        return
    attempts = row.attempts + 1
    move(
        row,
        expected=_BEFORE_BLOCK,
        to=row.status,
        attempts=attempts,
        retry_at=_backoff(attempts),
        error_code="cpu",
        error_message=str(error)[:1000],
    )


def _defer(row: ChainTransaction, alert: str, error: ChainError) -> None:
    alert_raise(alert, message=str(error))
    move(
        row,
        expected=_BEFORE_BLOCK,
        to=Status.DEFERRED,
        attempts=row.attempts + 1,
        retry_at=clock.now() + DEFERRED_FOR,
        error_code=alert,
        error_message=str(error)[:1000],
    )


# --- by hand
