"""The alarm on the nodes: one that is cut off, or serves another chain, is passed over, so somebody has to be told."""

from ledger.alerts import alert_close, alert_raise
from ledger.chain.node import chain
from ledger.chain.nodes import Standing
from ledger.errors import ChainUnreachable, WrongChain
from ledger.models import Alert

BEHIND, STRANGE = "node_behind", WrongChain.alert
SUBJECT_MAX = 100


def nodes_watch() -> None:
    """Open and close the alerts about single nodes. That no node at all is usable is told by whoever needs one."""
    try:
        nodes = chain().nodes
    except ChainUnreachable:  # none is configured
        return
    standings = nodes.standings()
    told: set[tuple[str, str]] = set()
    if any(standing.info and standing.usable for standing in standings):
        for standing in standings:
            if not standing.usable:
                told.add(_tell(standing, nodes.why_not(standing)))
    is_open = Alert.objects.filter(code__in=[BEHIND, STRANGE], closed_at__isnull=True).exclude(subject="")
    for found in set(is_open.values_list("code", "subject")) - told:
        alert_close(*found)


def _tell(standing: Standing, why: str) -> tuple[str, str]:
    code, subject = BEHIND if standing.ours else STRANGE, standing.url[:SUBJECT_MAX]
    alert_raise(code, subject, why)
    return code, subject
