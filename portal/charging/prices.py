"""What charging at an outlet costs, before it begins: for each card that has a price of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from stations.agreements.agreed import Asked, tariffs_for
from stations.cards.words import token_name
from stations.models import Connector, IdToken, Tariff
from stations.tariffs.terms import Term, terms_of


@dataclass(frozen=True)
class Prices:
    """A tariff in words, and the names of the cards that charge at it; none for whoever has no card."""

    cards: list[str]
    currency: str
    terms: list[Term]


def prices_of(connector: Connector, cards: Sequence[IdToken], moment: datetime) -> list[Prices]:
    """The tariffs of charges that would begin then, one for all cards as a rule."""
    asked: list[Asked] = [(connector, card, moment) for card in cards] or [(connector, None, moment)]
    names: dict[Tariff, list[str]] = {}
    for (_, card, _), tariff in zip(asked, tariffs_for(asked), strict=True):
        if tariff is not None:
            names.setdefault(tariff, []).append(token_name(card.type, card.uid) if card else "")
    return [Prices(sorted(named), tariff.currency, terms_of(tariff.snapshot())) for tariff, named in names.items()]
