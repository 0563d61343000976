"""Sending what waits for recipients: the question whether they want it, and a month's statement.

Claimed, tried and given up as the drivers' own e-mails are (portal/statements/sending.py). A month whose charges are
still being recorded waits for the next attempt: what is sent is complete.
"""

import smtplib

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import F, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.receipts.checks import receipt_for
from portal.employer.files import ReceiptMissingError, file_name, statement_pdf, statement_zip
from portal.employer.recipients import token_of
from portal.employer.statement import EVERYWHERE, HOME, VehicleStatement, statement_of
from portal.statements.sending import ATTEMPTS, FIRST_PAUSE, LONGEST_PAUSE, is_permanent
from portal.statements.statements import StatementPeriod, check_address
from stations.models import StatementDelivery, StatementRecipient


def deliveries_due() -> "QuerySet[StatementDelivery]":
    """Those whose next attempt may begin, the longest waiting first."""
    waiting = StatementDelivery.objects.filter(sent_at=None, given_up_at=None)
    return waiting.filter(clock.due("retry_at", LONGEST_PAUSE)).order_by("retry_at", "id")


def delivery_send(*, delivery_id: int) -> None:
    """One attempt, unless it is not due: sent already, or somebody else is at it."""
    delivery = _claim(delivery_id)
    if delivery is None:
        return
    with translation.override(delivery.recipient.language):
        try:
            message = _message(delivery)
            message.send()
        except _NothingToSend as reason:
            _give_up(delivery, str(reason))
            return
        except (smtplib.SMTPException, OSError, ReceiptMissingError) as error:
            _attempt_failed(delivery, error)
            return
    StatementDelivery.objects.filter(pk=delivery.pk).update(sent_at=clock.now(), sent_to=message.to[0], error="")
    alert_close("statement_mail")


def _claim(delivery_id: int) -> StatementDelivery | None:
    related = ("recipient__user", "recipient__vehicle__owner")
    found = deliveries_due().filter(pk=delivery_id).select_related(*related).first()
    if found is None:
        return None
    pause = min(FIRST_PAUSE * 2**found.attempts, LONGEST_PAUSE)
    mine = deliveries_due().filter(pk=delivery_id, attempts=found.attempts)
    if not mine.update(attempts=F("attempts") + 1, retry_at=clock.now() + pause):
        return None
    found.attempts += 1
    return found


class _NothingToSend(Exception):
    """It is not wanted any more, or there is nothing left to send: given up, with the reason for staff."""


def _message(delivery: StatementDelivery) -> EmailMessage:
    recipient = delivery.recipient
    if not recipient.user.is_active or recipient.stopped_at is not None:
        raise _NothingToSend("not wanted any more")
    if delivery.first_day is None:
        if recipient.confirmed_at is not None:
            raise _NothingToSend("confirmed already")
        return _question(recipient)
    if recipient.confirmed_at is None:
        raise _NothingToSend("never confirmed")
    of = StatementPeriod.month_of(delivery.first_day)
    statement = statement_of(recipient.vehicle, HOME if recipient.home_only else EVERYWHERE, of)
    if statement is None:
        raise _NothingToSend("no charge in this month any more")
    if statement.waiting and delivery.attempts < ATTEMPTS:
        raise ReceiptMissingError(f"{len(statement.waiting)} charges have no receipt yet")
    return _monthly(delivery, statement)


def _link(recipient: StatementRecipient) -> str:
    return f"{settings.PUBLIC_URL}{reverse('recipient', args=[token_of(recipient)])}"


def _question(recipient: StatementRecipient) -> EmailMessage:
    context = {"recipient": recipient, "driver": _driver(recipient), "link": _link(recipient)}
    return EmailMessage(
        subject=_("Do you want charging statements of %(vehicle)s?") % {"vehicle": _one_line(str(recipient.vehicle))},
        body=render_to_string("portal/employer/question.txt", context),
        to=[recipient.address],
    )


def _monthly(delivery: StatementDelivery, statement: VehicleStatement) -> EmailMessage:
    recipient = delivery.recipient
    words = {"month": statement.period.title, "vehicle": _one_line(str(recipient.vehicle))}
    context = {"statement": statement, "driver": _driver(recipient), "link": _link(recipient)}
    StatementDelivery.objects.filter(pk=delivery.pk).update(number=statement.number)
    message = EmailMessage(
        subject=_("Charging statement for %(month)s, %(vehicle)s") % words,
        body=render_to_string("portal/employer/monthly.txt", context | {"check_address": check_address()}),
        to=[recipient.address],
        headers={"Message-ID": f"<vehicle-statement.{delivery.pk}@{_domain()}>"},  # the same in every attempt
    )
    zipped = statement_zip(statement=statement, receipt_for=receipt_for)
    message.attach(file_name(statement, "pdf"), statement_pdf(statement=statement), "application/pdf")
    message.attach(file_name(statement, "zip"), zipped, "application/zip")
    return message


def _driver(recipient: StatementRecipient) -> str:
    return recipient.user.get_full_name() or recipient.user.get_username()


def _one_line(text: str) -> str:
    """Names were checked when they were typed; a header is nothing to rely on that for."""
    return " ".join(text.split())


def _domain() -> str:
    return EmailMessage().from_email.rpartition("@")[2].strip("<> ") or "localhost"


def _attempt_failed(delivery: StatementDelivery, error: Exception) -> None:
    if is_permanent(error) or delivery.attempts >= ATTEMPTS:
        _give_up(delivery, str(error))
    else:
        StatementDelivery.objects.filter(pk=delivery.pk).update(error=str(error)[:255])
    if not is_permanent(error) and not isinstance(error, ReceiptMissingError):
        words = f"Attempt {delivery.attempts} for delivery {delivery.pk}: {error}"
        alert_raise("statement_mail", message=words[:1000])


def _give_up(delivery: StatementDelivery, reason: str) -> None:
    StatementDelivery.objects.filter(pk=delivery.pk).update(given_up_at=clock.now(), error=reason[:255])
