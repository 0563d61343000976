"""Template tags for the proof of a session: how it came onto the chain, and the link that checks it."""

from django import template

from ledger.models import LedgerEntry
from ledger.receipts.checks import check_fragment
from ledger.receipts.words import Milestone, milestones
from stations.models import ChargingSession

register = template.Library()


@register.simple_tag
def milestones_of(entry: LedgerEntry | None) -> list[Milestone]:
    """How the session came onto the chain, in the order of time; [] where it has no record."""
    return milestones(entry) if entry else []


@register.simple_tag
def fragment_of(session: ChargingSession) -> str:
    """What stands behind the # of the public check's address; "" where no receipt can be made."""
    return check_fragment(session)
