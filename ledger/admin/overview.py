"""What the admin's home shows of the ledger: what waits, and where the chain is."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.utils import timezone

from ledger.chain.node import chain_for_pages
from ledger.errors import ChainError
from ledger.models import ChainTransaction, LedgerEntry
from stations.remembering import remembered

CHAIN_FOR_S = 5
STANDS_STILL_AFTER = timedelta(seconds=30)


@dataclass(frozen=True)
class Backlog:
    """How many sessions wait, and since when the oldest does."""

    count: int
    oldest: datetime | None

    @property
    def age(self) -> timedelta | None:
        """How long the oldest has waited; None where nothing waits."""
        return timezone.now() - self.oldest if self.oldest else None


def backlog_ready() -> Backlog:
    """What no transaction has taken yet (partial index ledger_entry_ready)."""
    return Backlog(**LedgerEntry.objects.ready().aggregate(count=Count("pk"), oldest=Min("opened_at")))


def backlog_on_its_way() -> Backlog:
    """What is in transactions that are not irreversible yet (partial index chain_transaction_open)."""
    unfinished = ChainTransaction.objects.filter(status__in=ChainTransaction.UNFINISHED)
    return Backlog(**unfinished.aggregate(count=Count("entries"), oldest=Min("entries__opened_at")))


@dataclass(frozen=True)
class ChainState:
    """Where the chain was when it was asked; `reason` says why that is not known."""

    asked_at: datetime
    head: int = 0
    head_time: datetime | None = None
    irreversible: int = 0
    reason: str = ""

    @property
    def lag(self) -> timedelta | None:
        """How old its newest block was; clocks may differ by a little."""
        return max(self.asked_at - self.head_time, timedelta()) if self.head_time else None

    @property
    def behind(self) -> int:
        """Blocks that are not irreversible yet."""
        return self.head - self.irreversible

    @property
    def stands_still(self) -> bool:
        """Whether the newest block is older than a chain at work lets it become."""
        return self.lag is not None and self.lag > STANDS_STILL_AFTER


def chain_state() -> ChainState:
    """Asked with little patience, and remembered for some seconds: also that nobody answered."""
    return remembered("overview:chain", CHAIN_FOR_S, _chain_asked)


def _chain_asked() -> ChainState:
    try:
        info = chain_for_pages().info()
    except ChainError as error:
        return ChainState(timezone.now(), reason=str(error))
    return ChainState(timezone.now(), info.head_block_num, info.head_block_time, info.lib_num)
