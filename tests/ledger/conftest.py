"""Driving the ledger's steps by hand: no worker runs in these tests, the tests decide what happens when."""

import time
from collections.abc import Callable

import pytest

from ledger.models import Alert, ChainTransaction, LedgerEntry
from ledger.recording import settlement, tasks


def drive(until: Callable[[], bool], *, timeout_s: float = 120) -> None:
    """Let the sweep come by, as the beat does, until `until` holds."""
    end = time.monotonic() + timeout_s
    while not until():
        if time.monotonic() > end:
            states = list(ChainTransaction.objects.values_list("id", "status", "error_code", "error_message"))
            raise AssertionError(f"not reached in {timeout_s} s: transactions {states}")
        tasks.sweep()
        time.sleep(0.2)  # a block comes every half second


def all_recorded() -> bool:
    open_entries = LedgerEntry.objects.exclude(transaction__status=ChainTransaction.Status.IRREVERSIBLE)
    return not open_entries.exists()


def open_alerts() -> set[str]:
    return set(Alert.objects.filter(closed_at__isnull=True).values_list("code", flat=True))


@pytest.fixture
def record_all() -> Callable[[], None]:
    return lambda: drive(all_recorded)


__all__ = ["all_recorded", "drive", "open_alerts", "settlement"]
