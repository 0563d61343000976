"""Celery tasks: fetch, call a service, nothing else. The broker only hurries things; `sweep` finds whatever is left."""

import logging
import time

from celery import shared_task
from celery.signals import task_prerun
from django.core.cache import cache
from redis.exceptions import RedisError

from common import clock
from common.announce import announce, announced_forget
from ledger.chain.clock_watch import clock_watch
from ledger.chain.node_watch import nodes_watch
from ledger.errors import ChainError
from ledger.keys import data_keys
from ledger.load_watch import load_watch
from ledger.models import ChainTransaction, LedgerEntry
from ledger.recording import hold, settlement, transactions
from ledger.recording.resuming import resume_batched, resume_waiting, sign_and_send
from ledger.signing import permissions
from tpm.client import TpmError

log = logging.getLogger(__name__)
S = ChainTransaction.Status
BATCHES_AT_ONCE = 4  # signed in one request to the TPM service
ANCHOR_TURN_S = 5.0  # then the worker is free for confirmations, which have a queue of their own
CONFIRM_EVERY_S = 0.3
CLOCK_EVERY_S = 10.0
CONFIRM, CONFIRMING = "ledger.tasks.confirm", "ledger:confirming"


@task_prerun.connect
def clock_check(**_: object) -> None:
    """What a task writes is for others, too: its clock is known before."""
    if not clock.measured_within(CLOCK_EVERY_S):
        clock_watch()


@shared_task(name="ledger.tasks.anchor", time_limit=300)
def anchor() -> None:
    """Batch, sign and send what is ready; after some seconds the rest is left to another turn."""
    end = time.monotonic() + ANCHOR_TURN_S
    while not transactions.halted():
        rows = transactions.transactions_batch(limit=BATCHES_AT_ONCE)
        if not rows or not sign_and_send(rows):
            break
        if time.monotonic() > end:
            announce("ledger.tasks.anchor")
            break
    _confirm_soon()


@shared_task(name="ledger.tasks.confirm", time_limit=300)
def confirm() -> None:
    """Look at all that was sent, again and again until nothing is open."""
    try:
        announced_forget(CONFIRM)
        if not cache.add(CONFIRMING, 1, timeout=10):
            return  # another worker is at it, and goes on
        try:
            still_open = settlement.confirm_open()
        finally:
            cache.delete(CONFIRMING)
    except RedisError:
        return
    if still_open:
        _confirm_soon()


def _confirm_soon() -> None:
    """Announce one confirmation, unless one is announced already (that is forgotten after a while: workers die)."""
    announce(CONFIRM, countdown=CONFIRM_EVERY_S, expires=30, once_in_s=3)


@shared_task(name="ledger.tasks.sweep", time_limit=300)
def sweep() -> None:
    """Finish whatever is left: claims of killed workers, what waits for its time, entries that nobody announced."""
    clock_watch()
    nodes_watch()
    data_keys.master_key_upkeep()
    if resume_batched():
        resume_waiting()
    if LedgerEntry.objects.ready().exists():
        anchor()
    else:
        confirm()


@shared_task(name="ledger.tasks.watch_load", time_limit=60)
def watch_load() -> int:
    """Sites that draw more than their limits allow."""
    return load_watch()


@shared_task(name="ledger.tasks.watch_tpm", time_limit=60)
def watch_tpm() -> None:
    """Raise an alarm when the TPM service is not attested, also while nothing waits to be signed."""
    transactions.tpm_watch()


@shared_task(name="ledger.tasks.watch_permissions", time_limit=60)
def watch_permissions() -> None:
    """Raise an alarm when the account is not as it was pinned, or the database is older than the chain."""
    try:
        permissions.check()
        hold.watch()
    except (ChainError, TpmError) as error:
        log.info("the account could not be read: %s", error)
