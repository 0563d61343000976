"""Celery tasks: fetch, call a service, nothing else. The broker only hurries things; `sweep` finds whatever is left."""

import logging
import time
from datetime import timedelta

from celery import shared_task
from celery.signals import task_prerun
from django.conf import settings
from django.core.cache import cache
from django.utils import translation
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from accounts.models import User
from api.idempotency import answers_prune
from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.audit import runs
from ledger.audit import watch as audit_watcher
from ledger.errors import ChainError
from ledger.keys import data_keys
from ledger.models import ChainTransaction, LedgerEntry, Webhook
from ledger.operations.clock_watch import clock_watch
from ledger.operations.node_watch import nodes_watch
from ledger.recording import hold, settlement, transactions
from ledger.recording.settlement import View
from ledger.signing import permissions
from ledger.webhooks import outbox
from portal.statements import mail, statements
from portal.statements.files import statement_pdf_keep
from portal.statements.statements import StatementPeriod
from tpm.client import TpmError

log = logging.getLogger(__name__)
S = ChainTransaction.Status
BATCHES_AT_ONCE = 4  # signed in one request to the TPM service
AUDIT_TURN_S = 10.0
ANCHOR_TURN_S = 5.0  # then the worker is free for confirmations, which have a queue of their own
CONFIRM_EVERY_S = 0.3
CLOCK_EVERY_S = 10.0
MAILS_A_SWEEP = 500
CONFIRMING, CONFIRM_ANNOUNCED = "ledger:confirming", "ledger:confirm_announced"


def anchor_soon(count: int) -> None:
    """After commit: record at 100 entries or after one second, whichever is first.

    Without Redis nobody is hurried, and nothing is lost: the sweep comes by.
    """
    key, limit = "ledger:announced", settings.LEDGER_FLUSH_AT
    try:
        if cache.add(key, count, timeout=settings.LEDGER_FLUSH_AFTER_S):
            total = count
            if total < limit:
                anchor.apply_async(countdown=settings.LEDGER_FLUSH_AFTER_S)
        else:
            total = cache.incr(key, count)
        if total >= limit > total - count:
            anchor.apply_async()
    except (RedisError, OperationalError, OSError, ValueError) as error:  # ValueError: the counter ended just now
        log.info("nobody could be told of %d new ledger entries: %s", count, error)


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
        if not rows or not _sign_and_send(rows):
            break
        if time.monotonic() > end:
            _anchor_again()
            break
    _confirm_soon()


def _anchor_again() -> None:
    try:
        anchor.apply_async()
    except (OperationalError, RedisError, OSError) as error:
        log.info("the rest is left to the sweep: %s", error)


def _sign_and_send(rows: list[ChainTransaction]) -> bool:
    if not transactions.transactions_sign(transactions=rows):
        return False
    for row in rows:
        if row.status == S.SIGNED:
            transactions.transaction_send(row=row)
    return True


@shared_task(name="ledger.tasks.confirm", time_limit=300)
def confirm() -> None:
    """Look at all that was sent, again and again until nothing is open."""
    try:
        cache.delete(CONFIRM_ANNOUNCED)
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
    """Announce one confirmation, unless one is announced already (it forgets that after a while: workers die)."""
    try:
        if cache.add(CONFIRM_ANNOUNCED, 1, timeout=3):
            confirm.apply_async(countdown=CONFIRM_EVERY_S, expires=30)
    except (OperationalError, RedisError, OSError) as error:
        log.info("confirmation is left to the sweep: %s", error)


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


def resume_batched() -> bool:
    """Sign what was batched and left; one at a time, so that a TPM that is away is asked once a sweep."""
    free = clock.free(timedelta(seconds=settings.LEDGER_CLAIM_S))
    for row in ChainTransaction.objects.filter(free, transactions.retry_due(), status=S.BATCHED).order_by("id"):
        if transactions.halted():
            break
        if transactions.claim(row) and not _sign_and_send([row]):
            return False
    return True


def resume_waiting() -> None:
    """Send again, or settle, what is signed or deferred and whose time has come."""
    due = ChainTransaction.objects.filter(transactions.retry_due(), status__in=[S.SIGNED, S.DEFERRED])
    view = View()
    try:
        settlement.for_each(due.order_by("id"), lambda row: _resume(row, view))
    except ChainError as error:
        alert_raise(error.alert, message=str(error))


def _resume(row: ChainTransaction, view: View) -> None:
    if not transactions.claim(row):
        return
    if row.expires_at is not None and view.info.lib_time > row.expires_at:
        settlement.transaction_settle(row=row, view=view)
    else:
        transactions.transaction_send(row=row)


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


# --- audits


def audit_soon(run_id: int) -> None:
    """After commit: begin at once; without Redis the beat comes by."""
    try:
        audit_continue.apply_async((run_id,))
    except (OperationalError, RedisError, OSError) as error:
        log.info("audit %d is left to the beat: %s", run_id, error)


@shared_task(name="ledger.tasks.audit_continue", time_limit=300)
def audit_continue(run_id: int) -> None:
    """Go on with an audit that was asked for; after some seconds the rest is left to another turn."""
    end = time.monotonic() + AUDIT_TURN_S
    try:
        if runs.audit_advance(run_id=run_id, go_on=lambda: time.monotonic() < end):
            audit_soon(run_id)
    except ChainError as error:
        alert_raise("audit_waits", message=str(error))
    else:
        alert_close("audit_waits")


@shared_task(name="ledger.tasks.audit_watch", time_limit=300)
def audit_watch() -> None:
    """Compare the newest and a slice of everything; take up what was asked for and a killed worker left."""
    audit_watcher.watch()
    for run_id in runs.audits_due():
        audit_soon(run_id)


# --- webhooks


def webhooks_soon() -> None:
    """After commit: send at once; without Redis the sweep comes by."""
    try:
        if cache.add("ledger:webhooks_announced", 1, timeout=1):
            webhooks_sweep.apply_async()
    except (OperationalError, RedisError, OSError) as error:
        log.info("webhooks are left to the sweep: %s", error)


@shared_task(name="ledger.tasks.webhooks_sweep", time_limit=60)
def webhooks_sweep() -> None:
    """Find what is due. Each webhook is a task of its own: one that hangs holds up no other webhook."""
    for pk in outbox.due_webhooks():
        webhook_deliver.apply_async((str(pk),), expires=60)


@shared_task(name="ledger.tasks.webhook_deliver", time_limit=180)
def webhook_deliver(webhook_id: str) -> None:
    hook = Webhook.objects.filter(pk=webhook_id, is_active=True).first()
    if hook and outbox.webhook_deliver(hook=hook):
        webhook_deliver.apply_async((webhook_id,), expires=60)


@shared_task(name="ledger.tasks.api_prune", time_limit=300)
def api_prune() -> None:
    """Forget old deliveries, and the answers that are kept for repeated requests."""
    outbox.deliveries_prune()
    answers_prune()


# --- Statements


@shared_task(name="ledger.tasks.statement_make", time_limit=600)
def statement_make(user_id: int, period: str, language: str) -> None:
    """Make a long statement for a reader who waits for it."""
    user = User.objects.get(pk=user_id)
    with translation.override(language):
        statement = statements.statement_of(user, StatementPeriod.parse(period), statements.zone_of(user))
        if statement:
            statement_pdf_keep(statement=statement)


@shared_task(
    name="ledger.tasks.statement_mail", time_limit=240
)  # less than mailing.FIRST_PAUSE: no second attempt begins while one runs
def statement_mail(mail_id: int) -> None:
    mail.statement_mail_send(mail_id=mail_id)


@shared_task(name="ledger.tasks.statement_mails", time_limit=300)
def statement_mails() -> None:
    """Send what waits, and what a worker left behind."""
    for mail_id in mail.statement_mails_due().values_list("pk", flat=True)[:MAILS_A_SWEEP]:
        statement_mail.apply_async((mail_id,))


@shared_task(name="ledger.tasks.statement_mails_open", time_limit=1800)
def statement_mails_open() -> None:
    """Each hour: whose month is over by now?"""
    mail.statement_mails_open()
