"""Lists in pages (chapter 4.1.4): oldest change first, `date_from` included, `date_to` excluded.

The Link to the next page carries, beside `offset`, how far one got (`after`): a page begins behind the last object
of the one before, whatever changes meanwhile. A row that changes moves to the end and is told again; none is missed,
and the thousandth page costs as much as the first. Who counts `offset` without it gets what OCPI describes.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.utils.http import urlencode
from redis.exceptions import RedisError

from stations.ocpi.errors import Invalid
from stations.ocpi.values import date_time_read

log = logging.getLogger(__name__)

M = TypeVar("M", bound=Model)
LIMIT_MAX = 100
OFFSET_MAX = 2**31 - 1
COUNT_KEPT_S = 60
DATES = ("date_from", "date_to")


@dataclass(frozen=True)
class Wanted:
    """What of a list was asked for."""

    date_from: datetime | None
    date_to: datetime | None
    offset: int
    limit: int
    after: str

    @property
    def is_first_page(self) -> bool:
        return not self.after and not self.offset


@dataclass(frozen=True)
class Page(Generic[M]):
    rows: Sequence[M]
    total: int
    next_query: str  # "" on the last page

    def headers(self, address: str) -> dict[str, str]:
        """`address`: of the list, without query."""
        link = {"Link": f'<{address}?{self.next_query}>; rel="next"'} if self.next_query else {}
        return {"X-Total-Count": str(self.total), "X-Limit": str(LIMIT_MAX), **link}


def wanted(query: QueryDict, *, date_from_required: bool = False) -> Wanted:
    """The parameters of a request; raises Invalid."""
    moments = {name: date_time_read(name, str(query[name])) if name in query else None for name in DATES}
    if date_from_required and moments["date_from"] is None:
        raise Invalid("date_from: expected a time, as sessions are asked for by when they changed")
    return Wanted(
        **moments,
        offset=_number("offset", query.get("offset", "0"), minimum=0),
        limit=min(_number("limit", query.get("limit", str(LIMIT_MAX)), minimum=1), LIMIT_MAX),
        after=query.get("after", ""),
    )


def _number(name: str, text: str, *, minimum: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 20) or not minimum <= int(text) <= OFFSET_MAX:
        raise Invalid(f"{name}: expected a whole number from {minimum}, got {text[:20]!a}")
    return int(text)


def page(rows: QuerySet[M], asked: Wanted, *, changed: str, query: QueryDict, count_key: str) -> Page[M]:
    """One page of `rows`, whose field `changed` is their last_updated. `count_key` names the list and its reader."""
    if asked.date_from:
        rows = rows.filter(**{f"{changed}__gte": asked.date_from})
    if asked.date_to:
        rows = rows.filter(**{f"{changed}__lt": asked.date_to})
    total = _total(rows, asked, count_key)
    ordered = rows.order_by(changed, "pk")
    start = 0 if asked.after else asked.offset
    if asked.after:
        ordered = _behind(ordered, asked.after, changed)
    found = list(ordered[start : start + asked.limit + 1])
    shown = found[: asked.limit]
    more = len(found) > asked.limit
    return Page(shown, total, _next_query(query, asked, shown[-1], changed) if more else "")


def _next_query(query: QueryDict, asked: Wanted, last: Model, changed: str) -> str:
    moment = getattr(last, changed).astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    kept = [(name, str(query[name])) for name in DATES if name in query]
    place = [("offset", str(asked.offset + asked.limit)), ("limit", str(asked.limit)), ("after", f"{moment}_{last.pk}")]
    return urlencode(kept + place)


def _behind(rows: QuerySet[M], after: str, changed: str) -> QuerySet[M]:
    moment_text, _, pk_text = after.partition("_")
    moment = date_time_read("after", moment_text)
    field: Any = rows.model._meta.pk
    try:
        pk = field.to_python(pk_text)
    except ValidationError as error:
        raise Invalid("after: expected what a Link to a next page says") from error
    # The first condition alone lets the database begin in the middle of its index.
    return rows.filter(**{f"{changed}__gte": moment}).filter(Q(**{f"{changed}__gt": moment}) | Q(pk__gt=pk))


def _total(rows: QuerySet[Any], asked: Wanted, count_key: str) -> int:
    """How many there are in all: counted for a first page, for those after it at most a minute old."""
    filters = hashlib.sha256(f"{asked.date_from} {asked.date_to}".encode()).hexdigest()[:16]
    key = f"ocpi_count_{count_key}_{filters}"
    kept = None if asked.is_first_page else _cache(lambda: cache.get(key))
    if isinstance(kept, int):
        return kept
    total = rows.order_by().count()
    _cache(lambda: cache.set(key, total, COUNT_KEPT_S))
    return total


def _cache(use: Callable[[], Any]) -> Any:
    try:
        return use()
    except (RedisError, OSError) as error:
        log.warning("OCPI counts anew, cache unavailable: %s", type(error).__name__)
        return None
