"""The proof in the words that a driver reads: how a session came onto the chain, and the check's steps."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ledger.models import ChainTransaction, LedgerEntry

Status = ChainTransaction.Status
# The titles of ledger/receipts/receipt.py's steps, in the reader's language (the tests compare).
TITLES = (
    _("The record and the salt give the digest"),
    _("The chain and the account are the pinned ones"),
    _("The block is irreversible"),
    _("The block id is the hash of its header"),
    _("The block's transaction root is that of all its transactions"),
    _("The transaction was executed"),
    _("The transaction id is the hash of a transaction in the block"),
    _("The published key signed the transaction"),
    _("The transaction records this id and digest"),
    _("The chain's table holds the same digest"),
    _("The contract is the published one, and unchanged since"),
    _("The meter signed what was charged"),
)
# What it means that a step failed, by its number; the third cannot: a block that is not final yet is undecided.
MEANINGS = {
    1: _("This record was changed after it was recorded."),
    2: _("This receipt is of another chain or of another account than the published ones."),
    4: _("The receipt names a block that is not on the chain."),
    5: _("The nodes show other transactions than the block was made of."),
    6: _("The transaction was not carried out, so it recorded nothing."),
    7: _("The transaction that the receipt names is not in its block."),
    8: _("It was not signed with the published key, made in the published TPM."),
    9: _("The transaction recorded something else."),
    10: _("The chain's table says something else than the receipt."),
    11: _("The contract was replaced since it was published, so what its table says proves nothing."),
    12: _("What the meter signed does not hold, or says something else than the record."),
}
# The three verdicts, the same words everywhere; in other languages the English one, which the script says, beside it.
VERDICTS = {
    "VERIFIED": _("VERIFIED"),
    "NOT VALID": _("NOT VALID"),
    "NOT DECIDED": _("NOT DECIDED"),
}

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
    in_block = gettext("In block %(number)s") % {"number": intcomma(block)} if block else gettext("In a block")
    stored = gettext("with everything that is recorded of it, when it ended")
    by_key = gettext("with the operator's key, which the signing device holds")
    kept = gettext("of the chain, where every node keeps it")
    settled = gettext("nobody can take it back any more, we included")
    return [
        Milestone(True, gettext("Stored"), stored, entry.opened_at),
        Milestone(signed, gettext("Signed"), by_key, _at(row, "signed_at")),
        Milestone(status in SENT, gettext("Sent"), gettext("to the chain"), _at(row, "sent_at")),
        Milestone(block is not None, in_block, kept),
        Milestone(final, gettext("Final"), settled, _at(row, "irreversible_at")),
    ]


def _at(row: ChainTransaction | None, field: str) -> datetime | None:
    found: datetime | None = getattr(row, field, None)
    return found
