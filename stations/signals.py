"""What stations tell the packages above them."""

from django.dispatch import Signal

# Sent inside the transaction that closed the sessions, with sessions=list[ChargingSession].
# A receiver that raises rolls the closing back: a session is never closed without its ledger entry.
sessions_closed = Signal()

# Sent inside the transaction in which charges began, with sessions=list[ChargingSession].
sessions_opened = Signal()

# Sent inside the transaction in which commands came to an end, with commands=list[Command]. One that timed out may end
# once more, when its answer comes after all.
commands_finished = Signal()

# Sent inside the transaction in which all of `former`'s sessions with `id_token` went to somebody else (None: nobody).
sessions_moved = Signal()

# Sent inside the transaction that deletes closed sessions again, with session_ids=list[UUID]. Who has recorded one of
# them, or is about to, raises ImportStateError: then all of them stay.
sessions_taken_back = Signal()
