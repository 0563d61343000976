"""Which witnesses have not signed the newest checkpoint yet, since when, and when each is asked again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from common import clock
from ledger.log.newest import published
from ledger.models import LogCheckpoint, LogCosignature, LogWitness

SOONEST, LATEST = timedelta(seconds=1), timedelta(minutes=5)
# While a worker waits for an answer nobody else asks: longer than that may take, as one that is killed says nothing
AT_IT, AT_IT_FOR = "no answer yet", timedelta(seconds=60)


@dataclass(frozen=True)
class Owing:
    """A witness without a signature under the newest checkpoint; `since` it was there to be signed."""

    witness: LogWitness
    checkpoint: LogCheckpoint
    since: datetime

    @property
    def wait(self) -> timedelta:
        """From one question to the next: as long as it took up to that one, so each wait is twice the last."""
        asked = self.witness.last_asked_at
        soonest = AT_IT_FOR if self.witness.last_error == AT_IT else SOONEST
        return soonest if asked is None else min(max(asked - self.since, soonest), LATEST)

    @property
    def is_due(self) -> bool:
        asked = self.witness.last_asked_at
        return asked is None or clock.is_due(asked + self.wait, LATEST)

    @property
    def is_late(self) -> bool:
        """Whether somebody should know."""
        return clock.now() - self.since >= timedelta(seconds=settings.LOG_WITNESS_LATE_S)


def owing(only: int | None = None) -> list[Owing]:
    """Each enabled witness that owes a signature; `only`: none but that of this key."""
    newest = published()
    if newest is None:
        return []
    witnesses = LogWitness.objects.filter(enabled=True, **({} if only is None else {"pk": only}))
    signed = LogCosignature.objects.filter(checkpoint=newest)
    found = witnesses.exclude(pk__in=signed.values("witness"))
    return [Owing(witness, newest, _since(witness, newest)) for witness in found]


def _since(witness: LogWitness, newest: LogCheckpoint) -> datetime:
    """When the first checkpoint was published that it has not seen, but not before it was a witness."""
    unseen = LogCheckpoint.objects.filter(published_at__isnull=False, size__gt=witness.last_size)
    first = unseen.order_by("size").first() or newest
    assert first.published_at is not None
    return max(first.published_at, witness.added_at)
