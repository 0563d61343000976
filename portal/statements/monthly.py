"""Statements that come by themselves to those who chose that: each month once, and again where it has changed.

A month comes when it is over, whenever its first charge is known. What was late for it, was credited, or came along
with a card that was linked later, comes with a corrected statement, which names the number of the one that it replaces.
So each charge is in the newest statement that was sent of one month, and in none of another.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count

from common import clock
from ledger.models import StatementMail, StatementSubscription
from portal.statements.mail import address_of, waiting
from portal.statements.statements import StatementPeriod, zone_of
from stations.models import ChargingSession

# So that a charge over the last midnight of the month has ended, and is recorded.
A_DAY = timedelta(days=1)
AFTER_THE_MONTH = A_DAY
LOOKED_BACK = timedelta(days=800)  # two years and a bit: what is later still is a case for people
READERS_AT_ONCE = 500


@dataclass(frozen=True)
class Sent:
    """What is known of the mails of one month: whether it came by itself, and what the newest paper had listed."""

    monthly: bool
    waits: bool
    sessions: int | None


NOTHING = Sent(monthly=False, waits=False, sessions=None)


def statement_mails_open() -> int:
    """Open what is due to come by itself; returns how many. Repeating it is harmless."""
    wanted = StatementSubscription.objects.filter(user__is_active=True).select_related("user")
    subscriptions = [one for one in wanted.iterator(chunk_size=READERS_AT_ONCE) if address_of(one.user)]
    starts = range(0, len(subscriptions), READERS_AT_ONCE)
    return sum(_open(subscriptions[start : start + READERS_AT_ONCE]) for start in starts)


def _open(subscriptions: Sequence[StatementSubscription]) -> int:
    oldest = (clock.now() - LOOKED_BACK).date()
    users = [one.user_id for one in subscriptions]
    charged, sent = _charged(users, oldest), _sent(users, oldest)
    mails = []
    for subscription in subscriptions:
        for month, sessions in charged[subscription.user_id].items():
            known = sent.get((subscription.user_id, month), NOTHING)
            if not known.waits and _is_wanted(subscription, month, sessions, known):
                mails.append(_mail(subscription, month, corrected=known.monthly))
    # ignore_conflicts: it is opened already, or asked for at this moment; then this month comes by the next time.
    StatementMail.objects.bulk_create(mails, ignore_conflicts=True)
    return len(mails)


def _charged(users: Sequence[int], oldest: date) -> Mapping[int, dict[date, int]]:
    """How many sessions each month has, by customer; the months in their order."""
    found = ChargingSession.objects.filter(customer__in=users, statement_month__gte=oldest).closed().order_by()
    counted: dict[int, dict[date, int]] = defaultdict(dict)
    rows = found.values_list("customer", "statement_month").annotate(Count("pk")).order_by("statement_month")
    for customer, month, sessions in rows:
        counted[customer][month] = sessions
    return counted


def _sent(users: Sequence[int], oldest: date) -> dict[tuple[int, date], Sent]:
    found: dict[tuple[int, date], Sent] = {}
    mails = StatementMail.objects.filter(user__in=users, first_day__gte=oldest).order_by("id")
    waits = set(waiting().filter(user__in=users).values_list("pk", flat=True))
    for mail in mails.iterator(chunk_size=READERS_AT_ONCE):
        before = found.get((mail.user_id, mail.first_day), NOTHING)
        sessions = before.sessions if mail.sessions is None else mail.sessions
        found[mail.user_id, mail.first_day] = Sent(
            before.monthly or mail.monthly, before.waits or mail.pk in waits, sessions
        )
    return found


def _is_wanted(subscription: StatementSubscription, month: date, sessions: int, known: Sent) -> bool:
    """Whether it never came, or what came lists others; not before it is over, and not from before it was chosen."""
    if known.monthly:
        return known.sessions is not None and known.sessions != sessions
    of, settled = StatementPeriod.month_of(month), clock.now() - AFTER_THE_MONTH
    if not (subscription.since - A_DAY).date() <= of.day_after <= (settled + A_DAY).date():  # in no zone
        return False
    return subscription.since < of.bounds(zone_of(subscription.user))[1] <= settled


def _mail(subscription: StatementSubscription, month: date, *, corrected: bool) -> StatementMail:
    opened = {"requested_at": clock.now(), "retry_at": clock.now(), "language": subscription.language}
    return StatementMail(user=subscription.user, first_day=month, monthly=not corrected, corrected=corrected, **opened)
