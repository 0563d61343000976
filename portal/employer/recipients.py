"""Who gets a vehicle's statement each month besides its driver: an address, as of an employer, that has said yes.

The driver names the address. A question goes there first, with a link that nobody can guess; whoever opens it there
says yes, or no, and later, that it is enough. Nothing else is ever sent to an address that has not said yes.

    asked ── "yes" behind the link ──> confirmed ── "stop" behind the same link, or by the driver ──> stopped
"""

from collections.abc import Iterable
from datetime import timedelta

from django.core import signing
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from common import clock
from common.announce import announce
from portal.employer.statement import EVERYWHERE, HOME, periods_of
from portal.statements.statements import StatementPeriod, zone_of
from stations.models import StatementDelivery, StatementRecipient, Vehicle

SALT = "portal.employer.recipients"
QUESTIONS_A_DAY = 5
A_DAY = timedelta(days=1)
LOOKED_BACK = timedelta(days=100)


class RecipientRefusedError(Exception):
    """Not so, or not now; the text is for the driver."""


def token_of(recipient: StatementRecipient) -> str:
    """What stands in the link: it names the address too, so that one of before opens nothing of another address."""
    return signing.dumps([recipient.pk, recipient.address], salt=SALT, compress=True)


def recipient_of(token: str) -> StatementRecipient | None:
    """Whom a link is about; None where it is none of ours, or the address is another by now."""
    try:
        pk, address = signing.loads(token, salt=SALT)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    found = StatementRecipient.objects.select_related("vehicle__owner").filter(pk=pk, address=address)
    return found.filter(user__is_active=True).first()


@transaction.atomic
def recipient_ask(*, vehicle: Vehicle, address: str, home_only: bool) -> StatementRecipient:
    """Ask this address, in the place of the one before. Raises RecipientRefusedError."""
    asked = StatementDelivery.objects.filter(recipient__user=vehicle.owner, first_day=None)
    if asked.filter(requested_at__gte=clock.now() - A_DAY).count() >= QUESTIONS_A_DAY:
        raise RecipientRefusedError(_("You asked for many addresses today. Ask again tomorrow."))
    same = StatementRecipient.objects.filter(vehicle=vehicle, home_only=home_only)
    if same.filter(address=address, confirmed_at__isnull=False, stopped_at=None).exists():
        raise RecipientRefusedError(_("This address gets the statements already."))
    said = {"user": vehicle.owner, "address": address, "language": translation.get_language(), "asked_at": clock.now()}
    recipient, _made = StatementRecipient.objects.update_or_create(
        vehicle=vehicle, home_only=home_only, defaults={**said, "confirmed_at": None, "stopped_at": None}
    )
    # What was on its way to the address of before is not sent any more; the questions stay, as they are counted.
    recipient.deliveries.filter(sent_at=None, given_up_at=None).update(given_up_at=clock.now(), error="another address")
    delivery = StatementDelivery.objects.create(recipient=recipient, first_day=None)
    transaction.on_commit(lambda: delivery_announce(delivery.pk))
    return recipient


def recipient_confirm(*, recipient: StatementRecipient) -> None:
    """Yes, from the month on that is not over yet. Saying it again changes nothing."""
    mine = StatementRecipient.objects.filter(pk=recipient.pk, address=recipient.address)
    mine.filter(confirmed_at=None).update(confirmed_at=clock.now())
    mine.filter(stopped_at__isnull=False).update(confirmed_at=clock.now(), stopped_at=None)


def recipient_stop(*, recipient: StatementRecipient) -> None:
    """No, or no longer."""
    StatementRecipient.objects.filter(pk=recipient.pk, stopped_at=None).update(stopped_at=clock.now())


def delivery_announce(delivery_id: int) -> None:
    """Let a worker send it now; without one, the sweep finds it within a minute."""
    announce("ledger.tasks.statement_delivery", delivery_id)


def deliveries_open() -> int:
    """Open what is due: each month once, a day after it is over. Repeating it is harmless; returns how many."""
    wanted = StatementRecipient.objects.filter(confirmed_at__isnull=False, stopped_at=None, user__is_active=True)
    rows = [row for one in wanted.select_related("vehicle__owner").iterator(chunk_size=500) for row in _due(one)]
    # ignore_conflicts: another beat opened it at this moment
    return len(StatementDelivery.objects.bulk_create(rows, ignore_conflicts=True))


def _due(recipient: StatementRecipient) -> Iterable[StatementDelivery]:
    assert recipient.confirmed_at is not None  # asked for by the query
    opened = set(recipient.deliveries.exclude(first_day=None).values_list("first_day", flat=True))
    where = zone_of(recipient.user)
    for _year, months in periods_of(recipient.vehicle, HOME if recipient.home_only else EVERYWHERE):
        for counts in months:
            of: StatementPeriod = counts.period
            end = of.bounds(where)[1]
            now = clock.now()
            if of.first_day not in opened and recipient.confirmed_at < end <= now - A_DAY and end > now - LOOKED_BACK:
                yield StatementDelivery(recipient=recipient, first_day=of.first_day)
