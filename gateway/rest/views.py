"""REST for stations: start a session, report meter values, stop it, ask for it. Every message may be repeated.

Errors are problem+json (api/problems.py): 400 `invalid_request`, `invalid_json`; 401 `credentials_invalid`,
`not_authenticated`; 404 `not_found`; 405; 409 `session_conflict`, `session_closed`; 413 `request_too_large`;
415; 422 `connector_unknown`, `stop_before_start`; 429 `throttled` and 503 `unavailable`, with Retry-After.
"""

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.parsers import StrictJSONParser
from gateway.rest.authentication import IsStation, StationAuthentication, StationCaller
from gateway.rest.serializers import (
    MeterValuesAnswerSerializer,
    MeterValuesSerializer,
    SessionSerializer,
    StartSerializer,
    StopSerializer,
)
from gateway.rest.throttling import StationThrottle
from stations.charging.asides import set_aside
from stations.charging.sessions import meter_values_add, session_close, session_start
from stations.models import ChargingSession, SetAside, Station


class StationView(APIView):
    """What all have in common: the caller is a station and sees its own sessions only."""

    authentication_classes = [StationAuthentication]
    permission_classes = [IsStation]
    parser_classes = [StrictJSONParser]
    throttle_classes = [StationThrottle]

    @property
    def station(self) -> Station:
        """The station that calls."""
        assert isinstance(self.request.user, StationCaller), "IsStation comes before"
        return self.request.user.station

    def get_queryset(self) -> QuerySet[ChargingSession]:
        """Its own sessions: others do not exist for it."""
        return ChargingSession.objects.filter(station=self.station).select_related("connector", "id_token")

    def get_session(self, transaction_id: str) -> ChargingSession:
        """By the number that the station gave it; 404 where it gave none such."""
        return get_object_or_404(self.get_queryset(), transaction_id=transaction_id)


class SessionsView(StationView):
    serializer_class, body_class = SessionSerializer, StartSerializer
    operations, also = {"POST": "station_start"}, (200,)

    def post(self, request: Request) -> Response:
        """Start: 201 with the session, 200 where the same start was reported before."""
        message = StartSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        session, created = session_start(station=self.station, **message.validated_data)
        return Response(SessionSerializer(session).data, status=201 if created else 200)


class SessionView(StationView):
    serializer_class, operations = SessionSerializer, {"GET": "station_session"}

    def get(self, request: Request, transaction_id: str) -> Response:
        """The session as it is known here."""
        return Response(SessionSerializer(self.get_session(transaction_id)).data)


class MeterValuesView(StationView):
    serializer_class, body_class = MeterValuesAnswerSerializer, MeterValuesSerializer
    operations, statuses = {"POST": "station_meter_values"}, {"POST": 200}

    def post(self, request: Request, transaction_id: str) -> Response:
        """Meter values: 200 with the number of new ones, of those that were there already, and what was set aside."""
        session = self.get_session(transaction_id)
        message = MeterValuesSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        read = message.validated_data["values"]
        accepted = meter_values_add(session=session, samples=read.samples)
        set_aside(station=self.station, kind=SetAside.Kind.VALUE, asides=read.aside)
        answer = {"accepted": accepted, "repeated": len(read.samples) - accepted, "set_aside": read.aside}
        if not read.aside:
            del answer["set_aside"]
        return Response(MeterValuesAnswerSerializer(answer).data)


class StopView(StationView):
    serializer_class, body_class = SessionSerializer, StopSerializer
    operations, statuses = {"POST": "station_stop"}, {"POST": 200}

    def post(self, request: Request, transaction_id: str) -> Response:
        """Stop: 200 with the closed session, the first time as every time."""
        session = self.get_session(transaction_id)
        message = StopSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        session, _ = session_close(session=session, **message.validated_data)
        return Response(SessionSerializer(session).data)
