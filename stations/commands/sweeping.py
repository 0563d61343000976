"""What nobody waits for any more: commands whose station did not come in time, or whose gateway died over them."""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from stations.models import Command

# The gateway itself notes what is not answered; this finds what one that was killed did not note.
MARGIN = timedelta(seconds=60)
UNHEARD = "the gateway ended before an answer came; the station may have done it"


def commands_expire() -> int:
    """Those that waited until they were not wanted any more; how many."""
    now = timezone.now()
    waited = Command.objects.filter(state=Command.State.WAITING, valid_until__lte=now)
    return waited.update(state=Command.State.EXPIRED, answered_at=now)


def commands_time_out() -> int:
    """Those that were sent and of which nothing was heard; how many. A late answer is still taken."""
    now = timezone.now()
    latest = now - timedelta(seconds=settings.OCPP_CALL_TIMEOUT_S) - MARGIN
    sent = Command.objects.filter(state=Command.State.SENT, sent_at__lt=latest)
    return sent.update(state=Command.State.TIMED_OUT, answered_at=now, words=UNHEARD)


def command_cancel(command: Command) -> bool:
    """Take it back while it waits; False where it was sent meanwhile or is over."""
    waiting = Command.objects.filter(pk=command.pk, state=Command.State.WAITING)
    return bool(waiting.update(state=Command.State.CANCELLED, answered_at=timezone.now()))
