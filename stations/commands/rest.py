"""REST: what is asked of stations, and what became of it."""

from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import translation
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Program
from api.filters import MomentFilter, OneOfFilter
from api.forms import described
from api.lists import DetailView, ListView, RowsView
from api.strict_fields import StrictSerializer, TextField, WholeNumberField
from api.view import etag
from stations.commands.kinds import KINDS, NAMES
from stations.commands.params import ParamsWrong
from stations.commands.requesting import VALID_FOR_MAX, command_request, params_shown
from stations.commands.sweeping import command_cancel
from stations.models import Command, Station

SCOPE, RIGHT = "stations.command", "stations.add_command"
ASKABLE = [kind.name for kind in KINDS.values() if not kind.own]


class CommandFilter(django_filters.FilterSet):  # type: ignore[misc]  # django-filter has no types
    kind = OneOfFilter(names=list(NAMES), help_text="Of this kind.")
    state = OneOfFilter(names=list(Command.State.values), help_text="In this state.")
    asked_from = MomentFilter(field_name="asked_at", lookup_expr="gte", help_text="Asked at this moment or later.")
    asked_before = MomentFilter(field_name="asked_at", lookup_expr="lt", help_text="Asked before this moment.")


class ParamsField(serializers.Field[Any, Any, Any, Any]):
    """A JSON object; what may be in it depends on the kind (stations/commands/kinds.py)."""

    def to_internal_value(self, data: Any) -> Any:
        """An object, nothing else; its members are checked with the kind."""
        if not isinstance(data, dict):
            raise serializers.ValidationError(f"expected an object, got {described(data)}")
        return data

    def to_representation(self, value: Any) -> Any:
        """As it is kept."""
        return value


class CommandBody(StrictSerializer):
    kind = TextField(one_of=ASKABLE)
    params = ParamsField(required=False)
    valid_for_s = WholeNumberField(minimum=1, maximum=int(VALID_FOR_MAX.total_seconds()), required=False)


class CommandSerializer(serializers.ModelSerializer[Command]):
    station = serializers.CharField(source="station.identity")
    kind = serializers.ChoiceField(choices=list(KINDS))
    params = serializers.SerializerMethodField()
    answer = serializers.SerializerMethodField()

    class Meta:
        model = Command
        fields = [
            *("id", "station", "kind", "params", "session", "by", "asked_at", "valid_until", "state", "action"),
            *("sent_at", "answered_at", "answer", "words", "progress", "progress_at"),
        ]
        read_only_fields = fields

    def get_params(self, command: Command) -> dict[str, Any]:
        """Without secrets."""
        return params_shown(command, KINDS.get(command.kind))

    def get_answer(self, command: Command) -> dict[str, Any] | None:
        """What the station answered, word for word; null before it has."""
        answer: dict[str, Any] | None = command.answer
        return answer


class CommandRows(RowsView):
    """Staff see all commands, a program those to stations of its sites, a person their own."""

    queryset = Command.objects.select_related("station")
    serializer_class = CommandSerializer
    ordering = ("-id",)


class StationCommandsView(CommandRows, ListView):
    """What is asked of one station."""

    body_class, filterset_class = CommandBody, CommandFilter
    scopes, rights = {"GET": SCOPE, "POST": SCOPE}, {"POST": RIGHT}
    operations = {"GET": "commands_list", "POST": "commands_create"}
    statuses = {"POST": 202}

    def station(self) -> Station:
        """The station that the address names; 404 where the caller may not see it."""
        stations = Station.objects.visible_to(self.request.user)
        return get_object_or_404(stations, identity=self.kwargs["identity"])

    def visible(self) -> QuerySet[Command]:
        """Of this station alone."""
        return super().visible().filter(station=self.station())

    def post(self, request: Request, **kwargs: Any) -> Response:
        """202 with the command, which waits; the same Idempotency-Key again gets the same answer."""
        station = self.station()
        body = self.body()

        def act() -> Response:
            command = self.asked(station, body)
            data = self.shown(command)
            address = request.build_absolute_uri(reverse("api-command", args=[command.pk]))
            return Response(data, status=202, headers={"Location": address, "ETag": etag(data)})

        return self.once(request, act)

    def asked(self, station: Station, body: dict[str, Any]) -> Command:
        """Raises ValidationError with the path of each parameter that is wrong."""
        user: Any = self.request.user
        is_program = isinstance(user, Program)
        who: dict[str, Any] = {"by": Command.By.PROGRAM if is_program else Command.By.OPERATOR}
        who |= {"client": user.client} if is_program else {"user": user}
        if "valid_for_s" in body:
            who["valid_for"] = timedelta(seconds=body["valid_for_s"])
        try:
            with translation.override("en"):  # programs read what is wrong as the document describes it
                return command_request(station=station, kind=KINDS[body["kind"]], params=body.get("params", {}), **who)
        except ParamsWrong as error:
            found = {".".join(filter(None, ("params", path))): [words] for path, words in error.errors.items()}
            raise exceptions.ValidationError(found) from error


class CommandView(CommandRows, DetailView):
    scopes, rights = {"GET": SCOPE, "DELETE": SCOPE}, {"DELETE": RIGHT}
    operations = {"GET": "commands_get", "DELETE": "commands_cancel"}

    def delete(self, request: Request, **kwargs: Any) -> Response:
        """Take it back while it waits: 204; 409 where it was sent or is over."""
        command: Command = self.row()

        def act() -> Response:
            if not command_cancel(command):
                raise NotWaiting
            return Response(status=204)

        return self.once(request, act)


class NotWaiting(exceptions.APIException):
    status_code = 409
    default_code = "not_waiting"
    default_detail = "it was sent, or is over: only what waits can be cancelled"
