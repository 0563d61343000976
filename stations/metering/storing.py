"""The signed texts of charges that go on: stored as they came, each once, in a number of queries that stays."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Length

from common.database.inserting import columns_insert
from stations.errors import SessionEndedError
from stations.metering.received import SignedText
from stations.metering.registering import Seen, keys_seen
from stations.models import ChargingSession, SignedMeterValue

# Of a charge: they become part of its record. Begin and end find room when all between has filled it.
TEXTS_MAX, LETTERS_MAX = 200, 131_072
BOUNDARY = "Transaction."


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
    stored = list(rows.values_list("session_id", "text_sha256", Length("text")))
    known = {(session, digest) for session, digest, _ in stored}
    texts, letters = Counter(session for session, *_ in stored), Counter[UUID]()
    for session, _, length in stored:
        letters[session] += length
    new: dict[tuple[UUID, str], SignedOf] = {}
    without_room = []
    for one in told:
        if one.key in known or one.key in new:
            continue
        factor = 2 if one.signed.context.startswith(BOUNDARY) else 1
        pk, length = one.charge.pk, len(one.signed.text)
        if texts[pk] >= factor * TEXTS_MAX or letters[pk] + length > factor * LETTERS_MAX:
            without_room.append(one)
            continue
        new[one.key] = one
        texts[pk] += 1
        letters[pk] += length
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
