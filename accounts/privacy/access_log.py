"""Who looked at whose data: one row for each look of staff or of a program, read by the customer and by auditors.

Whoever shows a customer's data to somebody else calls `access_note` (or `access_note_all` for lists and exports)
before it is shown: what cannot be noted is not shown. A customer's own looks are not noted.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zlib import crc32

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import AccessLogEntry, User

Look = AccessLogEntry.Look
# Reloading a page, or reading its parts, is one look. The clock's own windows, so that the database sees a repetition.
WINDOW = timedelta(minutes=10)
_ROWS_AT_ONCE = 1000


def access_note(
    *, viewer: User | AnonymousUser | str, customer: User | int | None, what: str, subject: str = "", reason: str = ""
) -> None:
    """Note that `viewer` (a user, or the label of a program: "partner ABC") looks at data of `customer`.

    `customer` may be given by its id; None (nobody's data) and the viewer's own are not noted. `what` is one of
    `Look`; `subject` names the thing looked at (a session's id). The same look again within ten minutes, with the same
    reason, is the same row; the first subject stays.
    """
    access_note_all(viewer=viewer, customers=[customer], what=what, subject=subject, reason=reason)


def access_note_all(
    *,
    viewer: User | AnonymousUser | str,
    customers: Iterable[User | int | None],
    what: str,
    subject: str = "",
    reason: str = "",
) -> None:
    """As `access_note`, for each customer of a list or an export."""
    person = viewer if isinstance(viewer, User) else None
    ids = {customer.pk if isinstance(customer, User) else customer for customer in customers}
    ids -= {None, person.pk if person else None}
    now = timezone.now()
    rows = (
        AccessLogEntry(
            at=now,
            window=_window(now) + _place(what, subject),
            viewer=person,
            viewer_name=str(viewer)[:150],
            customer_id=customer_id,
            what=what,
            subject=subject[:64],
            reason=reason[:255],
        )
        for customer_id in sorted(customer_id for customer_id in ids if customer_id is not None)
    )
    # ignore_conflicts: the unique constraint says which looks are the same, also between processes
    AccessLogEntry.objects.bulk_create(rows, ignore_conflicts=True, batch_size=_ROWS_AT_ONCE)


def _place(what: str, subject: str) -> timedelta:
    """Each page of the support view is a look of its own: it gets a moment of its own within the ten minutes."""
    if what != Look.SUPPORT:
        return timedelta()
    return timedelta(microseconds=crc32(subject[:64].encode()) % (WINDOW // timedelta(microseconds=1)))


def _window(moment: datetime) -> datetime:
    """The start of the ten minutes that this moment is in."""
    start = datetime(2000, 1, 1, tzinfo=UTC)
    return moment - (moment - start) % WINDOW


def access_log_prune() -> int:
    """Delete what is older than the retention says; returns how many rows. Nothing else deletes any."""
    oldest = timezone.now() - timedelta(days=settings.ACCESS_LOG_KEEP_DAYS)
    return AccessLogEntry.objects.filter(at__lt=oldest).delete()[0]
