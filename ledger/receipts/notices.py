"""What a reader has to know beside a check: credited, signed, producers, contract, hosts, pins; in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ledger.receipts.receipt import Notices, Pins


@dataclass(frozen=True)
class NoticeWords:
    """One sentence; `loud` where it limits what the verdict is worth, or says that the charge does not count."""

    code: str
    text: str
    loud: bool


def notice_words(notices: Notices, pins: Pins) -> list[NoticeWords]:
    """The loud ones first."""
    found = [
        *_credited(notices),
        *_signed(notices),
        _producers(notices),
        _contract(notices),
        _hosts(notices),
        *_pins(pins),
    ]
    return sorted(found, key=lambda words: not words.loud)


def _credited(notices: Notices) -> Iterator[NoticeWords]:
    if notices.credited:
        text = gettext("This charge was taken back: entry %(id)s of the ledger is its credit.")
        yield NoticeWords("credited", text % {"id": notices.credited}, loud=True)


# What the meter signed, and whether that limits what the verdict is worth.
_SIGNED: dict[str, tuple[Any, bool]] = {
    "VERIFIED (key pinned)": (_("The meter signed what was charged, with its published key."), False),
    "VERIFIED (key of the record)": (
        _("The meter signed what was charged, with the key that the record names: compare it with the meter's own."),
        False,
    ),
    "NOT SIGNED": (_("The meter signed nothing of this charge: what was measured is the operator's word."), True),
    "NOT CHECKED": (
        _("What the meter signed is not checked here: what was measured is the operator's word until it is."),
        True,
    ),
    "FAILED": (_("What the meter signed does not prove this charge."), True),
}


def _signed(notices: Notices) -> Iterator[NoticeWords]:
    if notices.signed:
        text, loud = _SIGNED[notices.signed]
        yield NoticeWords("signed", str(text), loud)


def _producers(notices: Notices) -> NoticeWords:
    count = notices.producers
    if count is None:
        return NoticeWords("producers", gettext("No node says how many producers the chain has."), loud=True)
    text = ngettext("The chain has %(count)d producer.", "The chain has %(count)d producers.", count) % {"count": count}
    if count < 2:
        text += " " + gettext("A chain with one producer proves nothing against its operator.")
    return NoticeWords("producers", text, loud=count < 2)


def _contract(notices: Notices) -> NoticeWords:
    code, names = "replaceable_by", notices.replaceable_by
    if names is None:
        return NoticeWords(code, gettext("No node says who could replace the contract."), loud=True)
    if not names:
        text = gettext("Nobody can replace the contract, but the producers of the chain together.")
        return NoticeWords(code, text, loud=False)
    text = gettext("The contract, and with it what it holds, could be replaced by whoever holds %(names)s.")
    return NoticeWords(code, text % {"names": ", ".join(names)}, loud=True)


def _hosts(notices: Notices) -> NoticeWords:
    count = notices.hosts
    text = ngettext("%(count)d host answered.", "%(count)d hosts answered.", count) % {"count": count}
    if count == 1:
        text += " " + gettext("Whoever runs it may have altered what all its nodes say.")
    return NoticeWords("hosts", text, loud=count < 2)


def _pins(pins: Pins) -> Iterator[NoticeWords]:
    if pins.code_hash is None or pins.code_updated is None:
        text = gettext(
            "Hash and time of the contract's last change are not both published here: that it was replaced, used and "
            "put back would not be noticed."
        )
        yield NoticeWords("pins", text, loud=True)
