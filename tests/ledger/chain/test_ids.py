"""Ledger ids come above what the chain has already, on either database."""

import pytest

from ledger.errors import LedgerError
from ledger.models import LedgerEntry
from ledger.recording.ids import LAST_ID, ids_above
from tests.conftest import CloseSessions

pytestmark = pytest.mark.django_db(transaction=True, reset_sequences=True)


def newest(close_sessions: CloseSessions) -> int:
    (session,) = close_sessions()
    return LedgerEntry.objects.get(session=session).pk


@pytest.mark.parametrize("last", [1, 2, 5000, 2**40])
def test_the_next_id_is_above_the_chains_last(close_sessions: CloseSessions, last: int) -> None:
    ids_above(last)
    assert newest(close_sessions) == last + 1
    assert newest(close_sessions) == last + 2


def test_ids_are_never_drawn_lower_than_before(close_sessions: CloseSessions) -> None:
    ids_above(0)
    first = newest(close_sessions)
    assert first == 1
    ids_above(100)
    ids_above(7)
    assert newest(close_sessions) == 101
    ids_above(101)
    assert newest(close_sessions) == 102


@pytest.mark.parametrize("last", [-1, LAST_ID, 2**64 - 2])
def test_an_id_that_fits_into_no_database_is_refused(close_sessions: CloseSessions, last: int) -> None:
    with pytest.raises(LedgerError, match="no id above it fits"):
        ids_above(last)
    assert newest(close_sessions) == 1
