"""The signed texts of charges that go on: stored as they came, each once, in a number of queries that stays."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Func, IntegerField

from common.database.inserting import columns_insert
from stations.errors import SessionEndedError
from stations.metering.received import BYTES_MAX, SignedText
from stations.metering.registering import Seen, keys_seen
from stations.models import ChargingSession, SignedMeterValue

# Of a charge: they become part of its record. Begin and end find room when all between has filled it.
TEXTS_MAX, TOGETHER_MAX = 200, 2 * BYTES_MAX
BOUNDARY = "Transaction."


class InBytes(Func):
    """How long a text is in UTF-8, which both databases keep."""

    function = "octet_length"
    output_field = IntegerField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """SQLite has it since 3.43; a blob's length is the same."""
        return self.as_sql(compiler, connection, template="length(CAST(%(expressions)s AS BLOB))", **context)


@dataclass(frozen=True)
class SignedOf:
    """One text of an open charge, which is locked."""

    charge: ChargingSession
    signed: SignedText
    received_at: datetime

    @property
    def key(self) -> tuple[UUID, str]:
        """The same text of the same charge is the same row."""
        return (self.charge.pk, text_sha256(self.signed.text))


def text_sha256(text: str) -> str:
    """In hex, of its UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def signed_store(told: Sequence[SignedOf]) -> list[SignedOf]:
    """Store what is new of these; returns those that found no room. A key that came along waits to be confirmed."""
    if not told:
        return []
    rows = SignedMeterValue.objects.filter(session__in={one.charge.pk for one in told}).order_by()
    stored = list(rows.values_list("session_id", "text_sha256", InBytes("text")))
    known = {(session, digest) for session, digest, _ in stored}
    texts, filled = Counter(session for session, *_ in stored), Counter[UUID]()
    for session, _, length in stored:
        filled[session] += length
    new: dict[tuple[UUID, str], SignedOf] = {}
    without_room = []
    for one in told:
        if one.key in known or one.key in new or one.charge.person_erased:
            continue
        factor = 2 if one.signed.context.startswith(BOUNDARY) else 1
        pk, length = one.charge.pk, len(one.signed.text.encode())
        if texts[pk] >= factor * TEXTS_MAX or filled[pk] + length > factor * TOGETHER_MAX:
            without_room.append(one)
            continue
        new[one.key] = one
        texts[pk] += 1
        filled[pk] += length
    _insert(new)
    keys_seen([Seen(one.charge, one.signed) for one in told if one.signed.public_key])
    return without_room


def _insert(new: dict[tuple[UUID, str], SignedOf]) -> None:
    if not new:
        return
    names = ("format", "encoding", "context", "text")
    columns: dict[str, list[Any]] = {name: [getattr(one.signed, name) for one in new.values()] for name in names}
    columns |= {"session_id": [pk for pk, _ in new], "text_sha256": [digest for _, digest in new]}
    columns_insert(SignedMeterValue, columns | {"received_at": [one.received_at for one in new.values()]})


@transaction.atomic
def signed_add(*, session: ChargingSession, texts: Sequence[SignedText], received_at: datetime) -> int:
    """Store what is new of these; returns how many that were. A text that is already there is no error.

    Raises SessionEndedError for new ones after the stop, and where one charge has no room for more.
    """
    locked = ChargingSession.objects.select_for_update(no_key=True).get(pk=session.pk)
    told = [SignedOf(locked, one, received_at) for one in texts]
    if locked.is_closed:
        known = already_stored([locked.pk])
        if all(one.key in known for one in told):
            return 0
        raise SessionEndedError(f"expected signed values before the stop, session {session.transaction_id} has stopped")
    before = locked.signed_texts.count()
    if signed_store(told):
        raise SessionEndedError("expected fewer or shorter signed values of one charge")
    return locked.signed_texts.count() - before


def already_stored(sessions: Sequence[UUID]) -> set[tuple[UUID, str]]:
    """The texts of charges that have ended, as `SignedOf.key` names them: what is told again of them is no news."""
    rows = ChargingSession.objects.filter(pk__in=sessions).order_by().values_list("pk", "signed_meter_values")
    return {(pk, text_sha256(element["text"])) for pk, elements in rows for element in elements}
