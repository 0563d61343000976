"""Sending the statements that wait (mail.py).

An attempt is claimed before the mail server hears of it, and two never run at once. A worker that is killed before the
server has the e-mail leaves it to the next attempt. One killed between the server's "yes" and our note of it is the
one case in which an e-mail goes out again: both carry the same Message-ID, by which mail programs drop the second.
"""

import logging
import smtplib
from datetime import timedelta

from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.models import StatementMail
from portal.statements.files import statement_name, statement_pdf
from portal.statements.mail import address_of, waiting
from portal.statements.statements import StatementPeriod, statement_of, zone_of

log = logging.getLogger(__name__)
ATTEMPTS = 10
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=6)


def statement_mails_due() -> "QuerySet[StatementMail]":
    """Those whose next attempt may begin, the longest waiting first; a clock set back makes none wait for long."""
    return waiting().filter(clock.due("retry_at", LONGEST_PAUSE)).order_by("retry_at", "id")


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
    corrected = _("Corrected charging statement for %(month)s")
    subject = corrected if mail.corrected else _("Your charging statement for %(month)s")
    context = {"statement": statement, "mail": mail, "replaced": _replaced(mail)}
    listed = {"number": statement.number, "sessions": len(statement.billed) + len(statement.not_billed)}
    StatementMail.objects.filter(pk=mail.pk).update(**listed)
    message = EmailMessage(
        subject=subject % {"month": of.title},
        body=render_to_string("portal/statements/mail.txt", context),
        to=[address],
        headers={"Message-ID": _message_id(mail)},
    )
    message.attach(statement_name(statement, "pdf"), statement_pdf(statement=statement), "application/pdf")
    return message


def _replaced(mail: StatementMail) -> StatementMail | None:
    """The newest one of the same month that was sent before."""
    sent = StatementMail.objects.filter(user=mail.user_id, first_day=mail.first_day, sent_at__isnull=False)
    return sent.exclude(number="").order_by("-id").first() if mail.corrected else None


def _message_id(mail: StatementMail) -> str:
    """The same in every attempt."""
    domain = EmailMessage().from_email.rpartition("@")[2].strip("<> ") or "localhost"
    return f"<statement.{mail.pk}.{mail.first_day:%Y-%m}@{domain}>"


def _attempt_failed(mail: StatementMail, error: Exception) -> None:
    log.warning("statement mail %d, attempt %d: %s", mail.pk, mail.attempts, error)
    if is_permanent(error) or mail.attempts >= ATTEMPTS:
        _give_up(mail, str(error))
    else:
        StatementMail.objects.filter(pk=mail.pk).update(error=str(error)[:255])
    if not is_permanent(error):
        alert_raise("statement_mail", message=f"Attempt {mail.attempts} for mail {mail.pk}: {error}"[:1000])


def is_permanent(error: Exception) -> bool:
    """The server knows this address and will never take it (RFC 5321, 5yz)."""
    if not isinstance(error, smtplib.SMTPRecipientsRefused):
        return False
    return all(500 <= code < 600 for code, _text in error.recipients.values())


def _give_up(mail: StatementMail, reason: str) -> None:
    StatementMail.objects.filter(pk=mail.pk).update(given_up_at=clock.now(), error=reason[:255])
