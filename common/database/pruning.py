"""Old rows are deleted in batches: locks are short, and what was done stays done."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet

BATCH_ROWS = 5000


def rows_prune(old: QuerySet[Any], *, go_on: Callable[[], bool] = lambda: True) -> int:
    """Delete these rows, by their order, while `go_on()`; returns how many."""
    keys, count = old.values_list("pk", flat=True), 0
    while go_on():
        rows = list(keys[:BATCH_ROWS])
        old.model._default_manager.filter(pk__in=rows).delete()
        count += len(rows)
        if len(rows) < BATCH_ROWS:
            break
    return count
