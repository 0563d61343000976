"""The filters of the REST API's list of sessions."""

from typing import Any

import django_filters
from django.db.models import QuerySet

from api.filters import MomentFilter, NameFilter, OneOfFilter
from ledger.state.filters import IN_STATE
from stations.identifiers import station_forms, token_forms
from stations.models import ChargingSession


class SessionFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    date_from = MomentFilter(field_name="started_at", lookup_expr="gte", help_text="Started at this moment or later.")
    date_to = MomentFilter(field_name="started_at", lookup_expr="lt", help_text="Started before this moment.")
    updated_from = MomentFilter(
        field_name="updated_at",
        lookup_expr="gte",
        help_text="Reported or changed at this moment or later; of the record's progress tell webhooks.",
    )
    site = NameFilter(field_name="station__site__code", help_text="At the site with this code.")
    station = NameFilter(
        field_name="station__canonical", forms=station_forms, help_text="At the station with this identity."
    )
    token = NameFilter(
        field_name="id_token__canonical",
        forms=token_forms,
        help_text="Charged with the card or contract of this uid, in whatever letters.",
    )
    status = OneOfFilter(names=list(ChargingSession.Status.values), help_text="With this status.")
    ledger_state = OneOfFilter(names=list(IN_STATE), method="by_state", help_text="With a record in this state.")
    order = OneOfFilter(
        names=["started_at", "-started_at", "updated_at"],
        method="unchanged",
        help_text="By this, then by id: rising, or falling (`-started_at`, which is what you get without it).",
    )

    def by_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """As the history's filter finds them."""
        return rows.filter(IN_STATE[value])

    def unchanged(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """The view orders; pages depend on it."""
        return rows
