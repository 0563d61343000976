"""Statements by e-mail: asked for with a button, or by themselves each month for those who chose that.

A StatementMail is opened once, then tried until it is sent or given up:

    waiting ── attempt ──> sent
       ^          │
       └─ later ──┴──────> given up: after ten attempts, about a day; or where trying again cannot help

An attempt is claimed before the mail server hears of it, and two never run at once. A worker that is killed before the
server has the e-mail leaves it to the next attempt. One killed between the server's "yes" and our note of it is the
one case in which an e-mail goes out again: both carry the same Message-ID, by which mail programs drop the second.
"""

import logging
import smtplib
from datetime import date, datetime, timedelta

from django.core.mail import EmailMessage
from django.db import IntegrityError, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import User
from common import clock
from common.announce import announce
from ledger.alerts import alert_close, alert_raise
from ledger.errors import StatementMailRefused
from ledger.models import StatementMail, StatementSubscription
from portal.statements.files import statement_name, statement_pdf
from portal.statements.statements import StatementPeriod, sessions_in, statement_of, zone_of

log = logging.getLogger(__name__)
ATTEMPTS = 10
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)
REQUESTS_A_DAY = 20
# So that a charge over the last midnight of the month has ended, and is recorded.
AFTER_THE_MONTH = timedelta(days=1)


def address_of(user: User) -> str:
    """His e-mail address; "" where there is none that the identity provider has verified: others are never kept."""
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
        return _waiting().get(user=user, first_day=of.first_day)
    transaction.on_commit(lambda: statement_mail_announce(mail.pk))
    return mail


def statement_mail_announce(mail_id: int) -> None:
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


# --- Sending


def _waiting() -> "QuerySet[StatementMail]":
    return StatementMail.objects.filter(sent_at__isnull=True, given_up_at__isnull=True)


def statement_mails_due() -> "QuerySet[StatementMail]":
    return _waiting().filter(clock.due("retry_at", LONGEST_PAUSE)).order_by("retry_at", "id")


def statement_mail_send(*, mail_id: int) -> None:
    """One attempt, unless it is not due: sent already, or somebody else is at it."""
    mail = _claim(mail_id)
    if mail is None:
        return
    with translation.override(mail.user.language or mail.language):
        message = _message(mail)
        if message is None:
            return
        try:
            message.send()
        except (smtplib.SMTPException, OSError) as error:
            _attempt_failed(mail, error)
            return
    StatementMail.objects.filter(pk=mail.pk).update(sent_at=clock.now(), sent_to=message.to[0], error="")
    alert_close("statement_mail")


def _claim(mail_id: int) -> StatementMail | None:
    found = statement_mails_due().filter(pk=mail_id).select_related("user").first()
    if found is None:
        return None
    pause = min(FIRST_PAUSE * 2**found.attempts, LONGEST_PAUSE)
    mine = statement_mails_due().filter(pk=mail_id, attempts=found.attempts)
    if not mine.update(attempts=F("attempts") + 1, retry_at=clock.now() + pause):
        return None
    found.attempts += 1
    return found


def _message(mail: StatementMail) -> EmailMessage | None:
    """None where there is nobody to send to, or nothing to send any more: given up then."""
    address, of = address_of(mail.user), StatementPeriod.month_of(mail.first_day)
    statement = statement_of(mail.user, of, zone_of(mail.user)) if address else None
    if statement is None:
        _give_up(mail, "no session in this month any more" if address else "no confirmed e-mail address")
        return None
    message = EmailMessage(
        subject=_("Your charging statement for %(month)s") % {"month": of.title},
        body=render_to_string("portal/statements/mail.txt", {"statement": statement, "mail": mail}),
        to=[address],
        headers={"Message-ID": _message_id(mail)},
    )
    message.attach(statement_name(statement, "pdf"), statement_pdf(statement=statement), "application/pdf")
    return message


def _message_id(mail: StatementMail) -> str:
    """The same in every attempt."""
    domain = EmailMessage().from_email.rpartition("@")[2].strip("<> ") or "localhost"
    return f"<statement.{mail.pk}.{mail.first_day:%Y-%m}@{domain}>"


def _attempt_failed(mail: StatementMail, error: Exception) -> None:
    log.warning("statement mail %d, attempt %d: %s", mail.pk, mail.attempts, error)
    if _is_permanent(error) or mail.attempts >= ATTEMPTS:
        _give_up(mail, str(error))
    else:
        StatementMail.objects.filter(pk=mail.pk).update(error=str(error)[:255])
    if not _is_permanent(error):
        alert_raise("statement_mail", message=f"Attempt {mail.attempts} for mail {mail.pk}: {error}"[:1000])


def _is_permanent(error: Exception) -> bool:
    """The server knows this address and will never take it (RFC 5321, 5yz)."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(500 <= code < 600 for code, _text in error.recipients.values())


def _give_up(mail: StatementMail, reason: str) -> None:
    StatementMail.objects.filter(pk=mail.pk).update(given_up_at=clock.now(), error=reason[:255])
