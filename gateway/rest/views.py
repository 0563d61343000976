"""REST for stations: start a session, report meter values, stop it, ask for it, say that the station started anew.

Every message may be repeated.

Errors are problem+json (api/problems.py): 400 `invalid_request`, `invalid_json`; 401 `credentials_invalid`,
`not_authenticated`; 404 `not_found`; 405; 409 `session_conflict`, `session_closed`; 413 `request_too_large`;
415; 422 `connector_unknown`; 429 `throttled` and 503 `unavailable`, with Retry-After.
"""

from dataclasses import replace

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.parsers import StrictJSONParser
from gateway.rest.authentication import IsStation, StationAuthentication, StationCaller
from gateway.rest.serializers import (
    BootAnswerSerializer,
    BootSerializer,
    MeterValuesAnswerSerializer,
    MeterValuesSerializer,
    SessionSerializer,
    StartSerializer,
    StopSerializer,
)
from gateway.rest.throttling import StationThrottle
from stations.charging.asides import Aside, late_set_aside, set_aside
from stations.charging.ending import session_stop, station_rebooted
from stations.charging.numbers import is_ended_without_station, meant, of_station, start_subject
from stations.charging.sessions import meter_values_add, session_start
from stations.errors import SessionConflictError, SessionEndedError
from stations.metering.storing import signed_add
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

    def found(self, transaction_id: str) -> list[ChargingSession]:
        """Its sessions of this number, the newest first; 404 where it gave it to none."""
        sessions = of_station(self.station, transaction_id)
        if not sessions:
            raise Http404(f"no session {transaction_id}")
        return sessions

    def set_aside(self, kind: SetAside.Kind, *asides: Aside) -> None:
        """Count for the operator what was not taken."""
        set_aside(station=self.station, kind=kind, asides=asides)


class SessionsView(StationView):
    serializer_class, body_class = SessionSerializer, StartSerializer
    operations, also = {"POST": "station_start"}, (200,)

    def post(self, request: Request) -> Response:
        """Start: 201 with the session, 200 where the same start was reported before."""
        message = StartSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        start = message.validated_data
        try:
            session, created = session_start(station=self.station, **start)
        except SessionConflictError as error:
            subject = start_subject(start["transaction_id"], start["started_at"])
            self.set_aside(SetAside.Kind.START, Aside(subject, str(error), request.data))
            raise
        return Response(SessionSerializer(session).data, status=201 if created else 200)


class SessionView(StationView):
    serializer_class, operations = SessionSerializer, {"GET": "station_session"}

    def get(self, request: Request, transaction_id: str) -> Response:
        """The session as it is known here."""
        return Response(SessionSerializer(meant(self.found(transaction_id))).data)


class MeterValuesView(StationView):
    serializer_class, body_class = MeterValuesAnswerSerializer, MeterValuesSerializer
    operations, statuses = {"POST": "station_meter_values"}, {"POST": 200}

    def post(self, request: Request, transaction_id: str) -> Response:
        """Meter values: 200 with the number of new ones, of those that were there already, and what was set aside."""
        found = self.found(transaction_id)  # 404 before the message is looked at
        message = MeterValuesSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        read, signed = message.validated_data["values"], message.validated_data["signed_meter_values"]
        session = meant(found, max((one.sampled_at for one in read.samples), default=None))
        try:
            with transaction.atomic():
                accepted = meter_values_add(session=session, samples=read.samples)
                if signed.texts:
                    accepted += signed_add(session=session, texts=signed.texts, received_at=timezone.now())
        except SessionEndedError as error:
            if not is_ended_without_station(session):
                if signed.texts:
                    late_set_aside(session, "signed", str(error), request.data)
                raise
            return self.too_late(session, len(read.samples) + len(read.aside) + len(signed.texts), error)
        last = len(read.samples) + len(read.aside)
        aside = [*read.aside, *(replace(one, index=last + one.index) for one in signed.aside)]
        self.set_aside(SetAside.Kind.VALUE, *aside)
        repeated = len(read.samples) + len(signed.texts) - accepted
        answer = {"accepted": accepted, "repeated": repeated, "set_aside": aside}
        if not aside:
            del answer["set_aside"]
        return Response(MeterValuesAnswerSerializer(answer).data)

    def too_late(self, session: ChargingSession, count: int, error: SessionEndedError) -> Response:
        """The session was ended without its station, which could not know: kept for an operator, never repeated."""
        late_set_aside(session, "meter-values", str(error), self.request.data)
        asides = [Aside("", str(error), {}, index) for index in range(count)]
        return Response(MeterValuesAnswerSerializer({"accepted": 0, "repeated": 0, "set_aside": asides}).data)


class StopView(StationView):
    serializer_class, body_class = SessionSerializer, StopSerializer
    operations, statuses = {"POST": "station_stop"}, {"POST": 200}

    def post(self, request: Request, transaction_id: str) -> Response:
        """Stop: 200 with the closed session, the first time as every time."""
        found = self.found(transaction_id)  # 404 before the message is looked at
        message = StopSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        stop = message.validated_data
        signed = stop.pop("signed_meter_values")
        session = meant(found, stop["stopped_at"])
        waits = is_ended_without_station(session)
        try:
            with transaction.atomic():
                if signed.texts and not waits:
                    signed_add(session=session, texts=signed.texts, received_at=timezone.now())
                late = signed.texts if waits else ()
                session = session_stop(session=session, said=request.data, signed=late, **stop)
        except (SessionConflictError, SessionEndedError) as error:
            self.set_aside(SetAside.Kind.LATE, Aside(f"{session.transaction_id} stop", str(error), request.data))
            raise
        self.set_aside(SetAside.Kind.VALUE, *signed.aside)
        return Response(SessionSerializer(session).data)


class BootView(StationView):
    serializer_class, body_class = BootAnswerSerializer, BootSerializer
    operations, statuses = {"POST": "station_boot"}, {"POST": 200}

    def post(self, request: Request) -> Response:
        """The station started anew: what it does not name as running is ended."""
        message = BootSerializer(data=request.data)
        message.is_valid(raise_exception=True)
        said = message.validated_data
        ended = station_rebooted(station=self.station, running=said["running"], at=said["booted_at"] or timezone.now())
        return Response({"ended": [session.transaction_id for session in ended]})
