"""What a driver reads of outlets, starts and stops: what is, and what to do."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from portal.charging.outlets import Hindrance
from stations.models import Command

FREE = gettext_lazy("Ready")
SHORT: dict[Hindrance, Promise] = {
    Hindrance.AWAY: gettext_lazy("The station is away"),
    Hindrance.BUSY: pgettext_lazy("outlet", "In use"),
    Hindrance.FAULTED: gettext_lazy("Out of order"),
    Hindrance.CLOSED: gettext_lazy("Out of service"),
    Hindrance.RESERVED: gettext_lazy("Reserved for somebody else"),
}
TODO: dict[Hindrance, Promise] = {
    Hindrance.AWAY: gettext_lazy(
        "It has no connection to us at the moment. Try with your card at the station, or take another one."
    ),
    Hindrance.BUSY: gettext_lazy(
        "A charge goes on here. It is free again when that has ended and the car is unplugged."
    ),
    Hindrance.FAULTED: gettext_lazy("The station reports a fault here. Take another outlet."),
    Hindrance.CLOSED: gettext_lazy("The operator has taken it out of service. Take another outlet."),
    Hindrance.RESERVED: gettext_lazy("Take another outlet, or wait until the reservation is over."),
}
STATE = Command.State
STARTING: dict[str, Promise] = {
    STATE.WAITING: gettext_lazy("The station is being called."),
    STATE.SENT: gettext_lazy("The station was asked to start. It has not answered yet."),
    STATE.ACCEPTED: gettext_lazy("The station is ready. If the car is not plugged in yet, do it now."),
    STATE.REJECTED: gettext_lazy(
        "The station refused. Nothing was started. See that the car is plugged in, and what the station shows."
    ),
    STATE.REFUSED: gettext_lazy("The station did not understand. Nothing was started. Use your card at the station."),
    STATE.UNSUPPORTED: gettext_lazy("This station cannot be started from here. Use your card at the station."),
    STATE.TIMED_OUT: gettext_lazy("The station did not answer. It may start all the same: look at what it shows."),
    STATE.EXPIRED: gettext_lazy("The station could not be reached. Nothing was started."),
    STATE.CANCELLED: gettext_lazy("This was cancelled. Nothing was started."),
}
STOPPING: dict[str, Promise] = {
    STATE.WAITING: gettext_lazy("The station is being called to stop."),
    STATE.SENT: gettext_lazy("The station was asked to stop. It has not answered yet."),
    STATE.ACCEPTED: gettext_lazy("The station stops the charge. Its last reading is on the way."),
    STATE.REJECTED: gettext_lazy("The station refused to stop. Stop at the station, with your card."),
    STATE.REFUSED: gettext_lazy("The station did not understand. Stop at the station, with your card."),
    STATE.UNSUPPORTED: gettext_lazy("This station cannot be stopped from here. Stop at the station, with your card."),
    STATE.TIMED_OUT: gettext_lazy("The station did not answer. Try again, or stop at the station, with your card."),
    STATE.EXPIRED: gettext_lazy("The station could not be reached. Try again, or stop at the station, with your card."),
    STATE.CANCELLED: gettext_lazy("The charge goes on."),
}


def short(hindrance: Hindrance | None) -> Any:
    """How an outlet is, in a few words."""
    return SHORT[hindrance] if hindrance else FREE


def refusal_words(reason: str, hindrance: Hindrance | None) -> str:
    """Why a press did nothing."""
    if hindrance is not None:
        return f"{SHORT[hindrance]}. {TODO[hindrance]}"
    if reason == "card":
        return _("This card cannot be used here: it is blocked, has expired, or is not yours any more.")
    return _("Too many tries at once. Nothing was changed: wait some minutes.")


def never_began() -> str:
    """After a yes nothing came."""
    return _("No charge began. The station waits for a car for a minute or two only: plug it in, and start again.")


def starting_words(command: Command) -> Any:
    """How far a start is."""
    return STARTING[command.state]


def stopping_words(command: Command) -> Any:
    """How far a stop is."""
    return STOPPING[command.state]
