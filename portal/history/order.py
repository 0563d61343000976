"""The orders of the history's list and file, by the name that an address gives them."""

from django.db.models import F, OrderBy
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from stations.models import ChargingSessionQuerySet

# Each order is total, so that a row stands on one page only. Costs are compared within a currency.
_NEWEST = [F("started_at").desc(), F("id").desc()]
SORTS: dict[str, tuple[Promise, list[OrderBy]]] = {
    "newest": (_("Newest"), _NEWEST),
    "oldest": (_("Oldest"), [F("started_at").asc(), F("id").asc()]),
    "energy": (_("Energy"), [F("energy_wh").desc(nulls_last=True), *_NEWEST]),
    "cost": (_("Cost"), [F("currency").asc(), F("cost_minor").desc(nulls_last=True), *_NEWEST]),
    "duration": (_("Duration"), [OrderBy(F("stopped_at") - F("started_at"), descending=True), *_NEWEST]),
}
USUAL = "newest"
BY_TIME = ("newest", "oldest")


def ordered(sessions: ChargingSessionQuerySet, sort: str) -> ChargingSessionQuerySet:
    """In the order of that name, which is one of SORTS."""
    return sessions.order_by(*SORTS[sort][1])
