"""Which tariff a charge gets: its card's own, its customer's group's, else the outlet's, else the site's.

Of several agreements the card's goes before the group's, one for this site before one for all sites, and the older
one before the newer, never the cheaper one: so it can be told beforehand.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Q

from stations.models import Connector, CustomerGroup, IdToken, PriceAgreement, Tariff

Asked = tuple[Connector, IdToken | None, datetime]


def tariff_for(connector: Connector, token: IdToken | None, moment: datetime) -> Tariff | None:
    """The tariff of a charge that begins then, there, with that card; None where charging is free of any."""
    return tariffs_for([(connector, token, moment)])[0]


def tariffs_for(asked: Sequence[Asked]) -> list[Tariff | None]:
    """The same for many at once, with two queries at most. `station__site__tariff` of each outlet is loaded."""
    by_card, by_customer = _agreements([token for _, token, _ in asked if token is not None])
    return [_best(one, by_card, by_customer) for one in asked]


def _best(
    asked: Asked, by_card: dict[int, list[PriceAgreement]], by_customer: dict[int, list[PriceAgreement]]
) -> Tariff | None:
    connector, token, moment = asked
    site = connector.station.site
    found = [*by_card.get(token.pk, []), *by_customer.get(token.customer_id or 0, [])] if token else []
    holding = [one for one in found if one.tariff.holds_at(moment) and one.tariff.currency == site.currency]
    here = [one for one in holding if one.site_id in {site.pk, None}]
    best = min(here, key=lambda one: (one.id_token_id is None, one.site_id is None, one.pk), default=None)
    return best.tariff if best else connector.tariff_at(moment)


def _agreements(
    tokens: Sequence[IdToken],
) -> tuple[dict[int, list[PriceAgreement]], dict[int, list[PriceAgreement]]]:
    """By card, and by customer through their groups."""
    by_card: dict[int, list[PriceAgreement]] = {}
    by_customer: dict[int, list[PriceAgreement]] = {}
    customers = {token.customer_id for token in tokens if token.customer_id is not None}
    members: dict[int, list[int]] = {}
    if customers:
        rows = CustomerGroup.customers.through.objects.filter(user__in=customers).order_by("pk")
        for group_id, customer_id in rows.values_list("customergroup_id", "user_id"):
            members.setdefault(group_id, []).append(customer_id)
    if tokens:
        wanted = Q(id_token__in={token.pk for token in tokens}) | Q(group__in=members)
        for row in PriceAgreement.objects.filter(wanted).select_related("tariff").order_by("pk"):
            if row.id_token_id is not None:
                by_card.setdefault(row.id_token_id, []).append(row)
            for customer_id in members.get(row.group_id or 0, ()):
                by_customer.setdefault(customer_id, []).append(row)
    return by_card, by_customer
