"""Whether a site's limit is held, by what its stations measure: they may disobey, or know no charging profiles."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal

from stations.models import LimitedOutlet, SiteLimit

EXCEEDED_FOR = timedelta(minutes=3)  # stations take a moment to obey, and cars longer
OLD_AFTER = timedelta(minutes=15)  # what was measured before that says nothing of now
# Meters are not exact to the ampere, and cars not either.
TOLERANCE_A, TOLERANCE_PERCENT = Decimal(1), 5


def on_fullest(outlets: Iterable[tuple[str, Decimal | int | None]]) -> Decimal:
    """The sum on the phase that carries most, of (lines, amperes); a car on one line counts on that alone."""
    sums = dict.fromkeys("123", Decimal(0))
    for lines, amperes in outlets:
        for line in lines or sums:
            sums[line] += amperes or 0
    return max(sums.values())


def exceeded_note(limit: SiteLimit, rows: Iterable[LimitedOutlet], allowed_a: int, now: datetime) -> None:
    """Keep since when more is drawn than is allowed, and how much; a look that finds nothing new writes nothing."""
    fresh = [row for row in rows if row.drawn_at is not None and now - row.drawn_at <= OLD_AFTER]
    drawn_a = on_fullest((row.lines, row.drawn_a) for row in fresh)
    is_over = drawn_a > allowed_a + max(TOLERANCE_A, Decimal(allowed_a) * TOLERANCE_PERCENT / 100)
    found = (limit.exceeded_since or now, drawn_a) if is_over else (None, None)
    if found != (limit.exceeded_since, limit.exceeded_a):
        limit.exceeded_since, limit.exceeded_a = found
        limit.save(update_fields=["exceeded_since", "exceeded_a"])


def limits_exceeded(now: datetime) -> list[SiteLimit]:
    """Those in force that have not been held for some minutes."""
    rows = SiteLimit.objects.filter(enabled=True, exceeded_since__lte=now - EXCEEDED_FOR)
    return list(rows.select_related("site").order_by("site_id"))
