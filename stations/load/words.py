"""What the pages say of shares and days."""

from collections.abc import Mapping

from django.utils.dates import WEEKDAYS as DAY_NAMES
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stations.load.wishes import Reason
from stations.models.load import WEEKDAYS

REASONS: Mapping[Reason, Promise] = {
    Reason.SHARE: _("an equal share"),
    Reason.CAR: _("as much as its car draws, and a little more"),
    Reason.TURN: _("waits for its turn"),
    Reason.FREE: _("no car; may begin at once"),
    Reason.KEPT: _("no car; one that comes waits a moment"),
    Reason.AWAY: _("not connected: counted with what it was told last"),
    Reason.REFUSES: _("it does not take its limit: counted with what it may draw"),
    Reason.SMALL: _("the outlet has less than 6 A"),
}


def reason_words(reason: str) -> str:
    """ "" where it was not looked at yet."""
    return str(REASONS[Reason(reason)]) if reason else ""


def day_choices() -> list[tuple[str, str]]:
    """ISO weekdays, Monday first."""
    return [(day, str(DAY_NAMES[int(day) - 1])) for day in WEEKDAYS]
