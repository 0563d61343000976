"""Who was not let in, or thrown out: counted, for operators; what strangers can fill is bounded."""

import ipaddress
from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Upper
from django.utils import timezone

from stations.models import Station, StationRefusal

STRANGERS_MAX = 1000
WAITS_FOR = timedelta(days=7)


def refusal_note(*, identity: str, station: Station | None, reason: str, words: str = "", address: str = "") -> None:
    """Count one more refusal of `identity` for `reason` (StationRefusal.Reason).

    One row an identity and reason. A station of ours is counted under its own spelling, however it was written, so its
    rows are few; of identities that nobody knows the newest STRANGERS_MAX rows stay. What came is shortened and made
    printable: a stranger wrote it.
    """
    name = printable(station.identity if station else identity, 64)
    now = timezone.now()
    latest = {"words": printable(words, 300), "address": _address(address), "last_at": now}
    with transaction.atomic():
        if _counted(name, reason, station, latest):
            return
        row = StationRefusal(identity=name, reason=reason, station=station, first_at=now, **latest)
        # another process may be first: then its row is counted up like any other
        StationRefusal.objects.bulk_create([row], ignore_conflicts=True)
        _counted(name, reason, station, latest)
        if station is None:
            _strangers_bound()


def _counted(name: str, reason: str, station: Station | None, latest: Mapping[str, object]) -> int:
    rows = StationRefusal.objects.filter(identity=name, reason=reason)
    return rows.update(count=F("count") + 1, station=station, **latest)


def _strangers_bound() -> None:
    strangers = StationRefusal.objects.filter(station=None).order_by("-last_at", "-id")
    over = list(strangers.values_list("pk", flat=True)[STRANGERS_MAX:])
    if over:
        StationRefusal.objects.filter(pk__in=over, station=None).delete()


def printable(text: str, maximum: int) -> str:
    """At most `maximum` letters, "?" for those that no page and no database should get."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:maximum])


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text.split("%")[0]))
    except ValueError:
        return None


def refusals_waiting() -> QuerySet[StationRefusal]:
    """What somebody should see to: of the last week, and the station has neither come in nor been added since."""
    lately = Q(last_at__gt=timezone.now() - WAITS_FOR) & ~Q(reason=StationRefusal.Reason.REPLACED)
    added = Exists(Station.objects.filter(canonical=Upper(OuterRef("identity"))))
    stranger = Q(station=None) & ~added
    still_out = Q(station__connection="") & (Q(station__booted_at=None) | Q(last_at__gt=F("station__booted_at")))
    return StationRefusal.objects.filter(lately & (stranger | still_out)).select_related("station__site")
