"""Celery tasks of statements: made for who waits, sent to who asked."""

from celery import shared_task
from django.utils import translation

from accounts.models import User
from portal.statements import mail, monthly, sending, statements
from portal.statements.files import statement_pdf_keep
from portal.statements.statements import StatementPeriod

MAILS_A_SWEEP = 500


@shared_task(name="ledger.tasks.statement_make", time_limit=600)
def statement_make(user_id: int, period: str, language: str) -> None:
    """Make a long statement for a reader who waits for it."""
    user = User.objects.get(pk=user_id)
    with translation.override(language):
        statement = statements.statement_of(user, StatementPeriod.parse(period), statements.zone_of(user))
        if statement:
            statement_pdf_keep(statement=statement)


# Less than sending.FIRST_PAUSE: no second attempt begins while one runs.
@shared_task(name="ledger.tasks.statement_mail", time_limit=240)
def statement_mail(mail_id: int) -> None:
    """One attempt; the sweep makes the next one."""
    sending.statement_mail_send(mail_id=mail_id)


@shared_task(name="ledger.tasks.statement_mails", time_limit=300)
def statement_mails() -> None:
    """Send what waits, and what a worker left behind."""
    for mail_id in sending.statement_mails_due().values_list("pk", flat=True)[:MAILS_A_SWEEP]:
        mail.statement_mail_announce(mail_id)


@shared_task(name="ledger.tasks.statement_mails_open", time_limit=1800)
def statement_mails_open() -> None:
    """Each hour: whose month is over by now, or has other charges than were sent?"""
    monthly.statement_mails_open()
