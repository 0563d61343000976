"""The alarm on this worker's clock. It harms nobody (common/clock.py), so nobody would notice it."""

import socket
from datetime import timedelta

from celery import current_task

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.chain.node import chain
from ledger.errors import ChainError
from ledger.models import Alert

CODE = "clock"
GONE_AFTER = timedelta(minutes=2)  # a worker that ended while its clock was wrong


def clock_watch() -> None:
    """Measure, and open or close the alert of this worker; close those of workers that are gone."""
    off, name = clock.measure(), worker_name()
    ahead_of_us = _chain_ahead()
    if off or (ahead_of_us or timedelta()) > clock.TOLERANCE:
        alert_raise(CODE, name, _words(name, off, ahead_of_us))
    else:
        alert_close(CODE, name)
    gone = Alert.objects.filter(code=CODE, closed_at__isnull=True, last_seen_at__lt=clock.now() - GONE_AFTER)
    gone.update(closed_at=clock.now())


def worker_name() -> str:
    """As Celery calls it, which has the host's name in it; outside of a task the host's name."""
    request = getattr(current_task, "request", None)
    return str(getattr(request, "hostname", None) or socket.gethostname())[:100]


def _chain_ahead() -> timedelta | None:
    """How far the chain's newest block is ahead of the time that we work with; None where nobody tells."""
    try:
        return chain().info().head_block_time - clock.now()
    except ChainError:
        return None


def _words(name: str, off: timedelta, ahead_of_us: timedelta | None) -> str:
    told = "; the chain does not answer"
    if ahead_of_us is not None:
        told = f", and {_gap(off - ahead_of_us)} the chain's newest block"
    return f"worker {name}: its clock is {_gap(off)} the database's{told}"


def _gap(ahead: timedelta) -> str:
    if abs(ahead) <= clock.TOLERANCE:
        return "equal to"
    return f"{abs(ahead).total_seconds():.0f} s {'ahead of' if ahead > timedelta() else 'behind'}"
