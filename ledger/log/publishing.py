"""The life of a checkpoint: made, signed, on its way to the chain, published. One at a time.

Each step is committed before the next begins, so a worker may be killed anywhere: whoever comes next finishes the
checkpoint that is there, with the size and the root that it has. Signing and sending come after a look at the chain:
where its log is larger than ours, or another one, nothing is signed.
"""

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction

from common import clock
from ledger.alerts import alert_close, alert_raise, alerts_close
from ledger.chain.node import chain
from ledger.chain.view import View
from ledger.errors import ChainError, ChainUnreachable, DatabaseBehind
from ledger.log import building, keys
from ledger.log.newest import newest, publish, wait_s
from ledger.log.note import Checkpoint
from ledger.models import ChainTransaction, LogCheckpoint
from ledger.recording import checkpoints, settlement, transactions
from ledger.recording.resuming import sign_and_send
from ledger.signing import permissions
from tpm.client import TpmError
from tpm.register import gate

log = logging.getLogger(__name__)
S = ChainTransaction.Status
SUBJECT = checkpoints.SUBJECT
SIGNING_ALERTS = ("tpm_unavailable", "tpm_not_attested", "tpm_not_certified")


def advance() -> bool:
    """Take the steps that can be taken now; True where a checkpoint's transaction is on its way after them."""
    try:
        return _advance()
    except DatabaseBehind as error:
        alert_raise(error.code, error.subject, str(error))
    except TpmError as error:
        alert_raise(_tpm_alert(error), SUBJECT, str(error))
    except ChainError as error:
        alert_raise(error.alert, message=str(error))
    return False


def _tpm_alert(error: TpmError) -> str:
    return f"tpm_{error.code}" if error.code in gate.NOT_TRUSTED else "tpm_unavailable"


def _advance() -> bool:
    last = newest()
    if last is None or last.published_at is not None:
        if last is not None and not last.note:
            sign(last)  # it was restored from the chain
        if wait_s() > 0:
            return False
        last = next_one(last)
    if last is None:
        return False
    if not last.note:
        sign(last)
    if last.transaction is None:
        send(last)
    elif last.transaction.status == S.IRREVERSIBLE:
        publish(last.transaction)  # whoever said so did not hear of the log
        return False
    return last.published_at is None and last.transaction is not None


def next_one(last: LogCheckpoint | None) -> LogCheckpoint | None:
    """Make the checkpoint after this one, which is published; None where there is nothing new."""
    lib_num = chain().info().lib_num  # before the database is read
    if not building.is_anything_new():
        return None
    look(last)
    return building.build(last, lib_num)


def look(last: LogCheckpoint | None) -> None:
    """Raise DatabaseBehind or LogDiffers unless the chain's log is the published one that we have."""
    found = chain().log()
    if last is None:
        if found.size:
            text = f"the chain's log has {found.size} leaves, and the database has none"
            raise DatabaseBehind(text, SUBJECT)
    elif not checkpoints.chain_has(last, found):
        text = f"the chain's log has {found.size} leaves as a node says, and had {last.size} already"
        raise ChainUnreachable(text)
    alert_close("database_behind", SUBJECT)
    alert_close("log_differs", SUBJECT)


def sign(checkpoint: LogCheckpoint) -> None:
    """Have the log's key sign it, and commit the note; what somebody else committed meanwhile stays."""
    checkpoints.chain_has(checkpoint, chain().log())  # raises where the chain's log is another one
    text = Checkpoint(settings.LOG_ORIGIN, checkpoint.size, bytes(checkpoint.root)).text
    log.info("signing the log of %d leaves with root %s", checkpoint.size, bytes(checkpoint.root).hex())
    note, vkey = keys.sign(text)
    now = clock.now()
    LogCheckpoint.objects.filter(pk=checkpoint.pk, note="", root=checkpoint.root).update(
        note=note, vkey=vkey, signed_at=now
    )
    checkpoint.refresh_from_db()
    for code in SIGNING_ALERTS:
        alert_close(code, SUBJECT)


def send(checkpoint: LogCheckpoint) -> None:
    """Give it a transaction, sign and send that; where the chain has it already, it is tied to the one that did it."""
    if transactions.halted():
        return
    view = View()
    found = view.chain.log()
    if checkpoints.chain_has(checkpoint, found):
        settlement.adopt_checkpoint(checkpoint, found, view)
        checkpoint.refresh_from_db()
        return
    obstacles = list(permissions.log_obstacles(view.chain.account_info()))
    if obstacles:
        alert_raise("log_not_on_chain", message="; ".join(obstacles))
        return
    row = carry(checkpoint)
    if row is not None:
        alerts_close("log_not_on_chain")
        sign_and_send([row])
    checkpoint.refresh_from_db()


@transaction.atomic
def carry(checkpoint: LogCheckpoint) -> ChainTransaction | None:
    """A new transaction for it, claimed by us; None where another worker was first."""
    now = clock.now()
    row = ChainTransaction.objects.create(claimed_until=now + timedelta(seconds=settings.LEDGER_CLAIM_S), retry_at=now)
    free = LogCheckpoint.objects.filter(pk=checkpoint.pk, transaction__isnull=True, published_at__isnull=True)
    if free.exclude(note="").update(transaction=row):
        return row
    row.delete()
    return None
