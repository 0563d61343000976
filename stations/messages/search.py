"""Finding messages among millions: by indexes where there are some, else in windows of ids; never a count of all.

Ids rise with time but for seconds, so that a range of time is one of ids, too. What has no index (action, message id,
direction, kind) is looked for among WINDOW_IDS messages at a time, unless station or charge have narrowed them before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Max, Q, QuerySet

from stations.models import OcppMessage, Station

PAGE_ROWS = 50
WINDOW_IDS = 500_000
ANSWERS = {OcppMessage.Kind.RESULT, OcppMessage.Kind.ERROR}
NEAR_ROWS = 1000  # among so many of the station's own the other half is looked for
SLACK = timedelta(minutes=1)  # messages of several processes are not stored in the order of their times


@dataclass(frozen=True)
class Choice:
    """Which messages; what is None or "" narrows nothing. `action`: how it begins, in any letters."""

    station: Station | None = None
    session: UUID | None = None
    action: str = ""
    message_id: str = ""
    direction: str = ""
    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def rows(self) -> QuerySet[OcppMessage]:
        """Those that are meant, in no order yet."""
        found: Q = Q()
        if self.station is not None:
            found &= Q(station=self.station)
        if self.session is not None:
            found &= Q(session=self.session)
        if self.action:
            found &= Q(action__istartswith=self.action)
        exact = {"message_id": self.message_id, "direction": self.direction, "kind": self.kind}
        found &= Q(**{name: value for name, value in exact.items() if value})
        return OcppMessage.objects.filter(found & self._in_time()).select_related("station")

    def _in_time(self) -> Q:
        found = Q()
        if self.since is not None:
            before = OcppMessage.objects.filter(at__lt=self.since - SLACK).order_by("-at").values_list("pk", flat=True)
            found &= Q(at__gte=self.since, pk__gt=before.first() or 0)
        if self.until is not None:
            found &= Q(at__lt=self.until)
            after = OcppMessage.objects.filter(at__gt=self.until + SLACK).order_by("at").values_list("pk", flat=True)
            if (end := after.first()) is not None:
                found &= Q(pk__lt=end)
        return found

    @property
    def needs_windows(self) -> bool:
        """Whether no index finds them."""
        sifted = self.action or self.message_id or self.direction or self.kind
        return bool(sifted) and self.station is None and self.session is None


@dataclass(frozen=True)
class Found:
    """A page, the newest first. `older`, `newer`: the id before or after which another page is; None: there is none.

    `looked_to`: the id down to which was looked, where that was not the beginning of all.
    """

    rows: Sequence[OcppMessage]
    older: int | None = None
    newer: int | None = None
    looked_to: int | None = None


def page_before(choice: Choice, before: int | None = None, size: int = PAGE_ROWS) -> Found:
    """The newest messages below the id `before`, or of all."""
    rows, looked_to = choice.rows.order_by("-pk"), None
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if choice.needs_windows:
        end = before if before is not None else (OcppMessage.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        rows, looked_to = rows.filter(pk__gte=end - WINDOW_IDS), max(end - WINDOW_IDS, 0) or None
    found = list(rows[: size + 1])
    more, shown = len(found) > size, found[:size]
    if looked_to is not None and (more or not _begins_before(looked_to)):
        looked_to = None
    older = shown[-1].pk if more else looked_to
    newer = None if before is None else (shown[0].pk if shown else before - 1)
    return Found(shown, older, newer, looked_to)


def page_after(choice: Choice, after: int, size: int = PAGE_ROWS) -> Found:
    """The messages that came next after the id `after`; where nothing did, the newest page."""
    rows = choice.rows.filter(pk__gt=after).order_by("pk")
    if choice.needs_windows:
        rows = rows.filter(pk__lte=after + WINDOW_IDS)
    found = list(rows[: size + 1])
    if len(found) < size:  # less than a page is left: the newest page holds it
        return page_before(choice)
    shown = found[:size][::-1]
    return Found(shown, older=shown[-1].pk, newer=shown[0].pk if len(found) > size else None)


def _begins_before(pk: int) -> bool:
    return OcppMessage.objects.filter(pk__lt=pk).exists()


def chunks(choice: Choice, *, size: int, most: int, before: int | None = None) -> Iterator[Sequence[OcppMessage]]:
    """Lists of at most `size` messages, the newest first, `most` in all; each is a query of its own."""
    while most > 0:
        found = page_before(choice, before, min(size, most))
        if found.rows:
            yield found.rows
            most -= len(found.rows)
        if found.older is None:
            return
        before = found.older


def counterpart(message: OcppMessage) -> OcppMessage | None:
    """The answer to a call, or the call that this answers: the nearest of the same id, the other way."""
    way, back = OcppMessage.Direction, message.kind in ANSWERS
    if message.kind not in {*ANSWERS, OcppMessage.Kind.CALL} or not message.message_id:
        return None
    near = OcppMessage.objects.filter(station=message.station_id)
    near = near.filter(pk__lt=message.pk).order_by("-pk") if back else near.filter(pk__gt=message.pk).order_by("pk")
    other = way.OUT if message.direction == way.IN else way.IN
    wanted = {OcppMessage.Kind.CALL} if back else ANSWERS
    for pk, message_id, direction, kind in near.values_list("pk", "message_id", "direction", "kind")[:NEAR_ROWS]:
        if (message_id, direction) == (message.message_id, other) and kind in wanted:
            return OcppMessage.objects.select_related("station").filter(pk=pk).first()
    return None
