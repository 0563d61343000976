"""Filters of the REST API's lists; each is refused where it cannot be meant, and so is one that there is not."""

import django_filters

from api.filters import NameFilter, OneOfFilter
from stations.identifiers import station_forms, token_forms
from stations.models import Connector, IdToken


class StationFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    site = NameFilter(field_name="site__code", help_text="At the site with this code.")


class ConnectorFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    site = NameFilter(field_name="station__site__code", help_text="At the site with this code.")
    station = NameFilter(
        field_name="station__canonical", forms=station_forms, help_text="Of the station with this identity."
    )
    status = OneOfFilter(names=list(Connector.Status.values), help_text="With this status.")


class IdTokenFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    uid = NameFilter(field_name="canonical", forms=token_forms, help_text="With this uid, in whatever letters.")
    type = OneOfFilter(names=list(IdToken.Type.values), help_text="Of this type.")
