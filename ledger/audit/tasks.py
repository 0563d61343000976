"""Celery tasks of audits: fetch, call a service, nothing else."""

import time

from celery import shared_task

from ledger.alerts import alert_close, alert_raise
from ledger.audit import runs
from ledger.audit import watch as audit_watcher
from ledger.errors import ChainError

AUDIT_TURN_S = 10.0


@shared_task(name="ledger.tasks.audit_continue", time_limit=300)
def audit_continue(run_id: int) -> None:
    """Go on with an audit that was asked for; after some seconds the rest is left to another turn."""
    end = time.monotonic() + AUDIT_TURN_S
    try:
        if runs.audit_advance(run_id=run_id, go_on=lambda: time.monotonic() < end):
            runs.audit_announce(run_id)
    except ChainError as error:
        alert_raise("audit_waits", message=str(error))
    else:
        alert_close("audit_waits")


@shared_task(name="ledger.tasks.audit_watch", time_limit=300)
def audit_watch() -> None:
    """Compare the newest and a slice of everything; take up what was asked for and a killed worker left."""
    audit_watcher.watch()
    for run_id in runs.audits_due():
        runs.audit_announce(run_id)
