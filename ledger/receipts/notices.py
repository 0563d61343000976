"""What a reader has to know beside the steps of a check, in sentences: credited, producers, contract, hosts, pins."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from ledger.receipts.receipt import Notices, Pins


@dataclass(frozen=True)
class NoticeWords:
    """One sentence; `loud` where it limits what the verdict is worth, or says that the charge does not count."""

    code: str
    text: str
    loud: bool


def notice_words(notices: Notices, pins: Pins) -> list[NoticeWords]:
    """The loud ones first."""
    found = [*_credited(notices), _producers(notices), _contract(notices), _hosts(notices), *_pins(pins)]
    return sorted(found, key=lambda words: not words.loud)


def _credited(notices: Notices) -> Iterator[NoticeWords]:
    if notices.credited:
        text = gettext("This charge was taken back: entry %(id)s of the ledger is its credit.")
        yield NoticeWords("credited", text % {"id": notices.credited}, loud=True)


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
