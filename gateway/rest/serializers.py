"""What stations may say over REST, strictly, and what they are answered.

Unknown members, floats, numbers as text, times without offset and times that cannot be now are refused. Meter values
are read leniently: one that is not understood is set aside, at the cost of no other.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from api.forms import IDENTIFIER, METER_MAX_WH, NUMBER_MAX, TIME, described
from api.strict_fields import FlagField, StrictSerializer, TextField, WholeNumberField
from stations.cards.services import TokenRef
from stations.charging.asides import Aside
from stations.charging.vocabulary import (
    NotUnderstood,
    Sample,
    sample_read,
)
from stations.metering.received import SIGNED_MEMBERS, NotSigned, SignedText, signed_said
from stations.models import ChargingSession, IdToken

SAMPLES_MAX = 200
# A station may have been offline for long, and its clock may be off; more than that is a clock never set.
PAST_MAX = timedelta(days=366)
FUTURE_MAX = timedelta(hours=24)

# OCPP 2.0.1 ReasonEnumType and OCPP 1.6 Reason
STOP_REASONS = [
    "DeAuthorized",
    "EmergencyStop",
    "EnergyLimitReached",
    "EVDisconnected",
    "GroundFault",
    "HardReset",
    "ImmediateReset",
    "Local",
    "LocalOutOfCredit",
    "MasterPass",
    "Other",
    "OvercurrentFault",
    "PowerLoss",
    "PowerQuality",
    "Reboot",
    "Remote",
    "SOCLimitReached",
    "SoftReset",
    "StoppedByEV",
    "TimeLimitReached",
    "Timeout",
    "UnlockCommand",
]


class MomentField(serializers.Field[datetime, Any, str, Any]):
    """An RFC 3339 timestamp with offset, near enough to now to be true; UTC inside."""

    def to_internal_value(self, data: Any) -> datetime:
        """The moment in UTC; one that no clock of a station can mean, long ago or to come, is refused."""
        if not isinstance(data, str) or not TIME.fullmatch(data):
            raise serializers.ValidationError(f"expected YYYY-MM-DDThh:mm:ssZ or with an offset, got {described(data)}")
        try:
            moment = datetime.fromisoformat(data).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError(f"expected a date and time that exist, got {described(data)}") from error
        now = timezone.now()
        if not now - PAST_MAX <= moment <= now + FUTURE_MAX:
            raise serializers.ValidationError(
                f"expected at most {PAST_MAX.days} days ago and {FUTURE_MAX // timedelta(hours=1)} hours ahead,"
                f" got {described(data)}; it is {now:%Y-%m-%dT%H:%M:%SZ}"
            )
        return moment


class TokenSerializer(StrictSerializer):
    uid = TextField(pattern=IDENTIFIER)
    type = TextField(one_of=list(IdToken.Type.values), default=IdToken.Type.ISO14443.value)

    def to_internal_value(self, data: Any) -> TokenRef:
        """The token that was shown, as stations/cards/services.py takes it."""
        return TokenRef(**super().to_internal_value(data))


@dataclass(frozen=True)
class SignedRead:
    """The same of texts that a meter signed."""

    texts: list[SignedText]
    aside: list[Aside]


class SignedField(serializers.Field[SignedRead, Any, str, Any]):
    """A list of signed texts (stations/metering/received.py). One that cannot be kept costs no other."""

    def to_internal_value(self, data: Any) -> SignedRead:
        """A list of objects is expected, each with its `text` as the meter gave it."""
        if not isinstance(data, list) or len(data) > SAMPLES_MAX:
            got = f"{len(data)}" if isinstance(data, list) else described(data)
            raise serializers.ValidationError(f"expected a list of at most {SAMPLES_MAX} signed values, got {got}")
        read = SignedRead([], [])
        for index, said in enumerate(data):
            if not isinstance(said, dict) or said.keys() - SIGNED_MEMBERS:
                words = f"expected an object of {', '.join(sorted(SIGNED_MEMBERS))}, got {described(said)}"
                raise serializers.ValidationError({str(index): [words]})
            try:
                read.texts.append(signed_said(said))
            except NotSigned as error:
                read.aside.append(Aside("signed value", str(error), said, index))
        return read


class StartSerializer(StrictSerializer):
    """The members of `services.session_start`."""

    transaction_id = TextField(pattern=IDENTIFIER)
    evse_id = WholeNumberField(minimum=1, maximum=NUMBER_MAX, default=1)
    connector_id = WholeNumberField(minimum=1, maximum=NUMBER_MAX, default=1)
    started_at = MomentField()
    meter_start_wh = WholeNumberField(minimum=0, maximum=METER_MAX_WH)
    id_token = TokenSerializer(allow_null=True, default=None, source="token")
    offline = FlagField(default=False)


class StopSerializer(StrictSerializer):
    """The members of `services.session_close`."""

    stopped_at = MomentField()
    meter_stop_wh = WholeNumberField(minimum=0, maximum=METER_MAX_WH)
    stop_reason = TextField(one_of=STOP_REASONS, default="")
    signed_meter_values = SignedField(default=lambda: SignedRead([], []))


@dataclass(frozen=True)
class Read:
    """What of a list of values is understood, and what is not."""

    samples: list[Sample]
    aside: list[Aside]


class ReadField(serializers.Field[Read, Any, str, Any]):
    """A list of sampled values (stations/charging/vocabulary.py). One that is not understood costs no other."""

    def to_internal_value(self, data: Any) -> Read:
        """A list of objects is expected; what each says is taken, or set aside with the reason."""
        if not isinstance(data, list) or not 1 <= len(data) <= SAMPLES_MAX:
            got = f"{len(data)}" if isinstance(data, list) else described(data)
            raise serializers.ValidationError(f"expected a list of 1 to {SAMPLES_MAX} values, got {got}")
        read = Read([], [])
        for index, said in enumerate(data):
            if not isinstance(said, dict):
                raise serializers.ValidationError({str(index): [f"expected an object, got {described(said)}"]})
            try:
                read.samples.append(sample_read(said, _sampled_at(said)))
            except NotUnderstood as error:
                read.aside.append(Aside(error.subject, str(error), said, index))
        return read


def _sampled_at(said: dict[str, Any]) -> datetime:
    try:
        return MomentField().to_internal_value(said.get("sampled_at"))
    except serializers.ValidationError as error:
        raise NotUnderstood("sampled_at", f"sampled_at: {error.detail[0]}") from error  # type: ignore[index]


class MeterValuesSerializer(StrictSerializer):
    """At least one of the two. What is set aside of signed values is counted on after the values."""

    values = ReadField(required=False)
    signed_meter_values = SignedField(required=False)

    def validate(self, attrs: Any) -> Any:
        """Something is said."""
        if not attrs:
            raise serializers.ValidationError("expected values or signed_meter_values")
        return {"values": Read([], []), "signed_meter_values": SignedRead([], [])} | attrs


class AsideSerializer(serializers.Serializer[Aside]):
    """A value that was not taken: which one of the list, counted from 0, and why."""

    index = serializers.IntegerField()
    reason = serializers.CharField()


class MeterValuesAnswerSerializer(serializers.Serializer[Any]):
    """`set_aside` is there where something was not understood; it is counted for the operator."""

    accepted = serializers.IntegerField()
    repeated = serializers.IntegerField()
    set_aside = AsideSerializer(many=True, required=False)


class BootSerializer(StrictSerializer):
    """What still runs after the station started anew (OCPP's BootNotification says less); none if none is named."""

    running = serializers.ListField(child=TextField(pattern=IDENTIFIER), default=list, max_length=100)
    booted_at = MomentField(allow_null=True, default=None)


class BootAnswerSerializer(serializers.Serializer[Any]):
    """The numbers of the sessions that are over."""

    ended = serializers.ListField(child=serializers.CharField())


class TokenAnswerSerializer(serializers.ModelSerializer[IdToken]):
    class Meta:
        model = IdToken
        fields = ["uid", "type"]
        read_only_fields = fields


@extend_schema_serializer(component_name="ReportedSession")
class SessionSerializer(serializers.ModelSerializer[ChargingSession]):
    """A session as its station sees it; energy in Wh, null while it runs or where it must not be billed.

    `tariff`: as promised at the start (stations/tariffs/pricing.py), {} where none applied; `cost_minor` then stays
    null.
    """

    evse_id = serializers.IntegerField(source="connector.evse_id")
    connector_id = serializers.IntegerField(source="connector.connector_id")
    id_token = TokenAnswerSerializer(allow_null=True)

    class Meta:
        model = ChargingSession
        fields = [
            "id",
            "transaction_id",
            "evse_id",
            "connector_id",
            "id_token",
            "status",
            "started_at",
            "stopped_at",
            "meter_start_wh",
            "meter_stop_wh",
            "energy_wh",
            "cost_minor",
            "currency",
            "tariff",
            "stop_reason",
            "flags",
        ]
        read_only_fields = fields
