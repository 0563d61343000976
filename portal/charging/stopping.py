"""What the page of a running charge says of stopping it."""

from typing import Any

from django.http import HttpRequest

from portal.charging.asking import can_stop, stop_latest
from portal.charging.words import stopping_words
from stations.models import ChargingSession


def stopping_of(request: HttpRequest, session: ChargingSession) -> dict[str, Any]:
    """Whether the reader may stop it, and how far that is; nothing for others' charges, nor in a support view."""
    if session.is_closed or session.customer_id != request.user.pk or hasattr(request, "support"):
        return {}
    asked = stop_latest(session)
    may = can_stop(session) and not (asked and asked.is_open)
    return {"may_stop": may, "stopping": stopping_words(asked) if asked else ""}
