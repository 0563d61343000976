"""What nobody waits for any more: commands whose station did not come in time, or whose gateway died over them."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from stations.models import Command
from stations.signals import commands_finished

# The gateway itself notes what is not answered; this finds what one that was killed did not note.
WORDS_MAX = 500
MARGIN = timedelta(seconds=60)
UNHEARD = "the gateway ended before an answer came; the station may have done it"


def commands_end(rows: QuerySet[Command], *, state: str, words: str = "") -> int:
    """These are over, and whoever asked for them hears of it; returns how many.

    What another process ends in this moment is left to it.
    """
    with transaction.atomic():
        ended = list(rows.select_for_update(skip_locked=True, of=("self",), no_key=True).select_related("station"))
        if ended:
            told = {"state": state, "answered_at": timezone.now()} | ({"words": words[:WORDS_MAX]} if words else {})
            Command.objects.filter(pk__in=[command.pk for command in ended]).update(**told)
            for command in ended:
                vars(command).update(told)
            commands_finished.send(sender=Command, commands=ended)
    return len(ended)


def commands_expire() -> int:
    """Those that waited until they were not wanted any more; how many."""
    waited = Command.objects.filter(state=Command.State.WAITING, valid_until__lte=timezone.now())
    return commands_end(waited, state=Command.State.EXPIRED)


def commands_time_out() -> int:
    """Those that were sent and of which nothing was heard; how many. A late answer is still taken."""
    latest = timezone.now() - timedelta(seconds=settings.OCPP_CALL_TIMEOUT_S) - MARGIN
    sent = Command.objects.filter(state=Command.State.SENT, sent_at__lt=latest)
    return commands_end(sent, state=Command.State.TIMED_OUT, words=UNHEARD)


def command_cancel(command: Command) -> bool:
    """Take it back while it waits; False where it was sent meanwhile or is over."""
    waiting = Command.objects.filter(pk=command.pk, state=Command.State.WAITING)
    return bool(commands_end(waiting, state=Command.State.CANCELLED))
