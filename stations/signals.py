"""What stations tell the packages above them."""

from django.dispatch import Signal

# Sent inside the transaction that closed the sessions, with sessions=list[ChargingSession].
# A receiver that raises rolls the closing back: a session is never closed without its ledger entry.
sessions_closed = Signal()
