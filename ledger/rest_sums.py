"""Sums that the REST API tells: a person's months, and how recording on the chain goes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncMonth
from redis.exceptions import RedisError

from accounts.models import User
from ledger import history
from ledger.chain import chain
from ledger.errors import ChainError
from ledger.history import Totals
from ledger.models import Alert, ChainTransaction, LedgerEntry
from stations.models import ChargingSession

HEAD_KEPT_S = 2


def months_of(user: User) -> tuple[ZoneInfo, list[dict[str, Any]]]:
    """The zone in which a person's months begin, and the sums of each month with charges, the newest first."""
    own = ChargingSession.objects.filter(customer=user)
    where = history.reading_zone(user, history.newest(own))
    groups = own.closed().annotate(month=TruncMonth("started_at", tzinfo=where)).order_by("-month", "currency")
    sums = {"sessions": Count("pk"), "energy": Sum("energy_wh"), "cost": Sum("cost_minor")}
    found = groups.values("month", "currency").annotate(**sums)
    return where, [_month(month, list(rows)) for month, rows in groupby(found, key=lambda row: f"{row['month']:%Y-%m}")]


def _month(month: str, groups: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    totals = Totals()
    for group in groups:
        totals.add(group)
    costs = [{"cost_minor": minor, "currency": currency} for minor, currency in totals.costs]
    return {"month": month, "sessions": totals.sessions, "energy_wh": totals.energy_wh, "costs": costs}


def ledger_now(now: datetime) -> dict[str, Any]:
    """What waits, and how far the chain is; counts only what is open, which indexes know."""
    unfinished = ChainTransaction.objects.filter(status__in=ChainTransaction.UNFINISHED)
    by_status = dict(unfinished.order_by().values_list("status").annotate(Count("pk")))
    waiting = LedgerEntry.objects.filter(Q(transaction__in=unfinished) | Q(transaction__isnull=True, conflict=""))
    oldest = waiting.order_by("id").values_list("opened_at", flat=True).first()
    return {
        "chain_id": settings.LEDGER_CHAIN_ID,
        "account": settings.LEDGER_ACCOUNT,
        "backlog": waiting.count(),
        "oldest_open_s": int((now - oldest).total_seconds()) if oldest else None,
        "transactions": by_status,
        **_head(now),
        "alerts": Alert.objects.filter(closed_at__isnull=True).count(),
    }


def _head(now: datetime) -> dict[str, int | None]:
    """Asked of a node once in two seconds, however many ask us."""
    try:
        return cache.get_or_set("ledger:head", lambda: _head_asked(now), timeout=HEAD_KEPT_S) or {}
    except (RedisError, OSError):
        return _head_asked(now)


def _head_asked(now: datetime) -> dict[str, int | None]:
    try:
        info = chain().info()
    except ChainError:
        return {"head_block_num": None, "lib_block_num": None, "lag_s": None}
    lag = max(0, int((now - info.lib_time).total_seconds()))
    return {"head_block_num": info.head_block_num, "lib_block_num": info.lib_num, "lag_s": lag}
