"""What the ledger tells the packages and rooms beside it."""

from django.dispatch import Signal

# Sent in the database transaction in which a chain transaction is said to be irreversible; argument `row`, the
# ChainTransaction. A receiver that raises rolls it back, so what it writes stands if, and only if, it is said.
transactions_recorded = Signal()
