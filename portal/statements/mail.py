"""Statements by e-mail, until they wait: asked for with a button, or by themselves each month for those who chose that.

A StatementMail is opened here once, then tried (sending.py) until it is sent or given up:

    waiting ── attempt ──> sent
       ^          │
       └─ later ──┴──────> given up: after ten attempts, about a day; or where trying again cannot help
"""

from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from common import clock
from common.announce import announce
from ledger.errors import StatementMailRefused
from ledger.models import StatementMail, StatementSubscription
from portal.statements.statements import StatementPeriod, sessions_in, zone_of

REQUESTS_A_DAY = 20
# So that a charge over the last midnight of the month has ended, and is recorded.
AFTER_THE_MONTH = timedelta(days=1)


def address_of(user: User) -> str:
    """The e-mail address; "" where there is none that the identity provider has verified: others are never kept."""
    return user.email


# --- Asking


def statement_mail_request(*, user: User, of: StatementPeriod) -> StatementMail:
    """Send this month's statement; asked twice while it waits, it is sent once. Raises StatementMailRefused."""
    if not address_of(user):
        raise StatementMailRefused(_("There is no confirmed e-mail address in your account."))
    lately = StatementMail.objects.filter(user=user, requested_at__gte=clock.now() - timedelta(days=1))
    if lately.filter(monthly=False).count() >= REQUESTS_A_DAY:
        raise StatementMailRefused(_("You asked for many today. Download this one, or ask again tomorrow."))
    asked = {"requested_at": clock.now(), "retry_at": clock.now(), "language": translation.get_language()}
    mail = StatementMail(user=user, first_day=of.first_day, monthly=False, **asked)
    try:
        with transaction.atomic():
            mail.save()
    except IntegrityError:  # one waits already, asked for a moment ago
        return waiting().get(user=user, first_day=of.first_day)
    transaction.on_commit(lambda: statement_mail_announce(mail.pk))
    return mail


def statement_mail_announce(mail_id: int) -> None:
    """Let a worker send it now; without one, the sweep finds it within a minute."""
    announce("ledger.tasks.statement_mail", mail_id)


def statement_subscription_set(*, user: User, wanted: bool) -> None:
    """From the month on that is not over yet. Saying it again changes nothing but the language."""
    if wanted:
        StatementSubscription.objects.update_or_create(user=user, defaults={"language": translation.get_language()})
    else:
        StatementSubscription.objects.filter(user=user).delete()


def statement_mails_open() -> int:
    """Open the mails of the month that is over, for all who want them; returns how many. Repeating it is harmless."""
    settled = clock.now() - AFTER_THE_MONTH
    opened = StatementMail.objects.filter(
        user=OuterRef("user"), monthly=True, first_day=_month_before(settled.date()).first_day
    )
    wanted = StatementSubscription.objects.filter(~Exists(opened), user__is_active=True).select_related("user")
    return sum(_open_monthly(subscription, settled) for subscription in wanted.iterator(chunk_size=500))


def _month_before(day: date) -> StatementPeriod:
    return StatementPeriod.month_of(day.replace(day=1) - timedelta(days=1))


def _open_monthly(subscription: StatementSubscription, settled: datetime) -> bool:
    user, where = subscription.user, zone_of(subscription.user)
    of = _month_before(settled.astimezone(where).date())
    if not address_of(user) or of.bounds(where)[1] <= subscription.since or not sessions_in(user, of, where).exists():
        return False
    opened = {"requested_at": clock.now(), "retry_at": clock.now(), "language": subscription.language}
    mail = StatementMail(user=user, first_day=of.first_day, monthly=True, **opened)
    # ignore_conflicts: it is opened already, or asked for at this moment; then this month comes by the next time.
    StatementMail.objects.bulk_create([mail], ignore_conflicts=True)
    return True


def waiting() -> "QuerySet[StatementMail]":
    """Those that are neither sent nor given up, due or not."""
    return StatementMail.objects.filter(sent_at__isnull=True, given_up_at__isnull=True)
