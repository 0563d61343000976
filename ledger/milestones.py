"""The way of a session onto the chain, step by step, in the words that its driver reads."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from ledger.models import ChainTransaction, LedgerEntry

Status = ChainTransaction.Status
SENT = {Status.SENT, Status.IN_BLOCK, Status.IRREVERSIBLE}


@dataclass(frozen=True)
class Milestone:
    """One step; `at` is None where it is not done, or where the time was not kept."""

    done: bool
    title: str
    explanation: str
    at: datetime | None = None


def milestones(entry: LedgerEntry) -> list[Milestone]:
    """From the entry's own row, without asking anybody: what the portal says, which a check then proves."""
    row = entry.transaction
    status = row.status if row else ""
    signed, final = bool(row and row.signature), status == Status.IRREVERSIBLE
    block = row.block_num if row and status in {Status.IN_BLOCK, Status.IRREVERSIBLE} else None
    in_block = _("In block %(number)s") % {"number": intcomma(block)} if block else _("In a block")
    return [
        Milestone(True, _("Stored"), _("with everything that is recorded of it, when it ended"), entry.opened_at),
        Milestone(
            signed, _("Signed"), _("with the operator's key, which the signing device holds"), _at(row, "signed_at")
        ),
        Milestone(status in SENT, _("Sent"), _("to the chain"), _at(row, "sent_at")),
        Milestone(block is not None, in_block, _("of the chain, where every node keeps it")),
        Milestone(final, _("Final"), _("nobody can take it back any more, we included"), _at(row, "irreversible_at")),
    ]


def _at(row: ChainTransaction | None, field: str) -> datetime | None:
    found: datetime | None = getattr(row, field, None)
    return found
