"""Statements by e-mail, until they wait: asked for with a button, or by themselves (monthly.py).

A StatementMail is opened once, then tried (sending.py) until it is sent or given up:

    waiting ── attempt ──> sent
       ^          │
       └─ later ──┴──────> given up: after ten attempts, about a day; or where trying again cannot help
"""

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from common import clock
from common.announce import announce
from ledger.errors import StatementMailRefused
from ledger.models import StatementMail, StatementSubscription
from portal.statements.statements import StatementPeriod

REQUESTS_A_DAY = 20


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


def waiting() -> "QuerySet[StatementMail]":
    """Those that are neither sent nor given up, due or not."""
    return StatementMail.objects.filter(sent_at__isnull=True, given_up_at__isnull=True)
