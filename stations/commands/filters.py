"""Filters of the list of commands."""

import django_filters

from api.filters import MomentFilter, OneOfFilter
from stations.commands.kinds import NAMES
from stations.models import Command


class CommandFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    kind = OneOfFilter(names=list(NAMES), help_text="Of this kind.")
    state = OneOfFilter(names=list(Command.State.values), help_text="In this state.")
    asked_from = MomentFilter(field_name="asked_at", lookup_expr="gte", help_text="Asked at this moment or later.")
    asked_before = MomentFilter(field_name="asked_at", lookup_expr="lt", help_text="Asked before this moment.")
