"""REST for staff and programs of a site: a station's messages, events and configuration, as OCPP brought them."""

from datetime import UTC
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers

from accounts.models import User
from accounts.privacy.access_log import Look, access_note_all
from api.filters import MomentFilter, NameFilter, OneOfFilter
from api.lists import ListView
from stations.messages.cards import holders
from stations.models import ChargingSession, OcppMessage, Station, StationEvent, StationVariable


class IdFilter(django_filters.UUIDFilter):  # type: ignore[misc]  # django-filter has no types
    schema = {"type": "string", "format": "uuid"}


class MessageFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    action = NameFilter(field_name="action", help_text="Of this action; an answer has that of what it answers.")
    session = IdFilter(field_name="session", help_text="About the charge with this id.")
    message_id = NameFilter(field_name="message_id", help_text="With this message id.")
    direction = OneOfFilter(names=list(OcppMessage.Direction.values), help_text="From the station, or to it.")
    kind = OneOfFilter(names=list(OcppMessage.Kind.values), help_text="Of this kind.")
    since = MomentFilter(field_name="at", lookup_expr="gte", help_text="At this time or later.")
    until = MomentFilter(field_name="at", lookup_expr="lt", help_text="Before this time.")


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    kind = OneOfFilter(names=list(StationEvent.Kind.values), help_text="Of this kind.")
    severity = OneOfFilter(names=list(StationEvent.Severity.values), help_text="With this severity.")
    since = MomentFilter(field_name="at", lookup_expr="gte", help_text="At this time or later.")
    until = MomentFilter(field_name="at", lookup_expr="lt", help_text="Before this time.")


class VariableFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    component = NameFilter(field_name="component", help_text="Of this component; a key of OCPP 1.6 has none.")
    variable = NameFilter(field_name="variable", help_text="With this name; of OCPP 1.6 a key.")


class MessageSerializer(serializers.ModelSerializer[OcppMessage]):
    """`text`: the frame as it was sent, to the letter."""

    session = serializers.UUIDField(source="session_id", allow_null=True)
    at = serializers.DateTimeField(default_timezone=UTC)

    class Meta:
        model = OcppMessage
        fields = ["id", "at", "direction", "kind", "action", "message_id", "session", "text"]
        read_only_fields = fields


class EventSerializer(serializers.ModelSerializer[StationEvent]):
    """`words`: what happened, in English; `data`: as the station said it."""

    class Meta:
        model = StationEvent
        fields = ["id", "at", "kind", "severity", "words", "data"]
        read_only_fields = fields


class VariableSerializer(serializers.ModelSerializer[StationVariable]):
    """OCPP 2.x component and variable, or a key of OCPP 1.6, whose component is empty. Numbers of 0: of all."""

    class Meta:
        model = StationVariable
        fields = [
            *("id", "component", "component_instance", "evse_id", "connector_id", "variable", "instance", "attribute"),
            *("value", "mutability", "data_type", "unit", "reported_at"),
        ]
        read_only_fields = fields


class OfStationView(ListView):
    """Rows of the station that the address names: for staff, and for programs that see its site; else 404."""

    ordering: tuple[str, ...] = ("-id",)

    def visible(self) -> QuerySet[Any]:
        """Of the one station. A driver who charged there sees it, but not what it says of all others."""
        reader: Any = self.request.user
        stations = Station.objects.visible_to(reader).identified(self.kwargs["identity"])
        right = f"stations.view_{self.queryset.model._meta.model_name}"
        return self.queryset.filter(station=get_object_or_404(stations if reader.has_perm(right) else stations.none()))


class StationMessagesView(OfStationView):
    queryset = OcppMessage.objects.all()
    serializer_class, filterset_class = MessageSerializer, MessageFilter
    # They name charges and cards: a token that reads stations alone does not open them.
    scopes, operations = {"GET": "sessions.read"}, {"GET": "stations_messages"}

    def looked_at(self, rows: list[OcppMessage]) -> None:
        """Whose charges they are about, and whose cards they name."""
        caller: Any = self.request.user
        viewer = caller if isinstance(caller, User) else f"program {caller.client.name}"
        ids = {row.session_id for row in rows if row.session_id}
        charged = ChargingSession.objects.filter(pk__in=ids, customer__isnull=False).order_by()
        whose = {*charged.values_list("customer", flat=True), *holders(row.text for row in rows)}
        access_note_all(viewer=viewer, customers=whose, what=Look.API, subject="OCPP messages")


class StationEventsView(OfStationView):
    queryset = StationEvent.objects.all()
    serializer_class, filterset_class = EventSerializer, EventFilter
    scopes, operations = {"GET": "stations.read"}, {"GET": "stations_events"}
    ordering = ("-at", "-id")


class StationVariablesView(OfStationView):
    queryset = StationVariable.objects.all()
    serializer_class, filterset_class = VariableSerializer, VariableFilter
    scopes, operations = {"GET": "stations.read"}, {"GET": "stations_variables"}
    ordering = ("id",)
