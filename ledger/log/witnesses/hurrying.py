"""Having workers ask the witnesses that are due."""

from common.announce import announce
from ledger.log.witnesses.owing import owing

ASK = "ledger.tasks.witness_ask"


def witnesses_hurry() -> None:
    """Each that is due, in a task of its own."""
    for owed in owing():
        if owed.is_due:
            announce(ASK, owed.witness.pk, expires=30)
