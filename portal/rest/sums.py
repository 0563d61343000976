"""Sums that the REST API tells: a person's months, and how recording on the chain goes."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db.models import Count, Q
from redis.exceptions import RedisError

from accounts.models import User
from ledger.chain.node import chain
from ledger.errors import ChainError
from ledger.models import Alert, ChainTransaction, LedgerEntry
from portal.statements import statements
from portal.statements.statements import Sums

HEAD_KEPT_S = 2


def months_of(user: User) -> tuple[ZoneInfo, list[dict[str, Any]]]:
    """The zone in which a person reads, and the sums of each month's statement, the newest first."""
    where = statements.zone_of(user)
    months = [month for year in statements.years_of(user) for month in year.months]
    return where, [_month(month) for month in months]


def _month(month: Sums) -> dict[str, Any]:
    totals = month.totals
    costs = [{"cost_minor": minor, "currency": currency} for minor, currency in totals.costs]
    sums = {"month": str(month.period), "sessions": totals.sessions, "energy_wh": totals.energy_wh, "costs": costs}
    return {**sums, "differing": totals.differing, "left_out": totals.left_out}


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
