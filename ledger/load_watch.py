"""Raises an alert where a site draws more than its limit allows, as operators look at alerts first."""

from common import clock
from ledger.alerts import alert_close, alert_raise
from ledger.models import Alert
from stations.load.held import limits_exceeded

CODE = "load_limit"


def load_watch() -> int:
    """Open, count and close; returns how many sites are over their limits."""
    exceeded = {f"site {limit.site.code}"[:100]: limit for limit in limits_exceeded(clock.now())}
    for subject, limit in exceeded.items():
        since = f"{limit.exceeded_since:%Y-%m-%d %H:%M} UTC"
        alert_raise(CODE, subject, f"{limit.site.name}: {limit.exceeded_a} A are drawn on a phase since {since}")
    over = Alert.objects.filter(code=CODE, closed_at__isnull=True).exclude(subject__in=exceeded)
    for subject in over.values_list("subject", flat=True):
        alert_close(CODE, subject)
    return len(exceeded)
