"""What stations may say over REST, strictly, and what they are answered.

Unknown members, floats, numbers as text, times without offset and times that cannot be now are refused.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from api.forms import DECIMAL, IDENTIFIER, METER_MAX_WH, NUMBER_MAX, TIME
from api.strict_fields import FlagField, StrictSerializer, TextField, WholeNumberField, described
from stations.cards.services import TokenRef
from stations.charging.sessions import Sample
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
# OCPP 2.0.1 MeasurandEnumType and its units; energy in Wh only, so that it stays a whole number.
UNITS = {
    "Current.Export": ["A"],
    "Current.Import": ["A"],
    "Current.Offered": ["A"],
    "Energy.Active.Export.Interval": ["Wh"],
    "Energy.Active.Export.Register": ["Wh"],
    "Energy.Active.Import.Interval": ["Wh"],
    "Energy.Active.Import.Register": ["Wh"],
    "Energy.Active.Net": ["Wh"],
    "Energy.Reactive.Export.Interval": ["varh"],
    "Energy.Reactive.Export.Register": ["varh"],
    "Energy.Reactive.Import.Interval": ["varh"],
    "Energy.Reactive.Import.Register": ["varh"],
    "Frequency": ["Hz"],
    "Power.Active.Export": ["W", "kW"],
    "Power.Active.Import": ["W", "kW"],
    "Power.Factor": ["Percent"],
    "Power.Offered": ["W", "kW"],
    "Power.Reactive.Export": ["var", "kvar"],
    "Power.Reactive.Import": ["var", "kvar"],
    "SoC": ["Percent"],
    "Temperature": ["Celsius", "Fahrenheit", "K"],
    "Voltage": ["V"],
}
PHASES = ["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
CONTEXTS = [
    "Interruption.Begin",
    "Interruption.End",
    "Other",
    "Sample.Clock",
    "Sample.Periodic",
    "Transaction.Begin",
    "Transaction.End",
    "Trigger",
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


class QuantityField(serializers.Field[Decimal, Any, str, Any]):
    """A JSON integer, or (units other than Wh) a decimal number as text, exact to four digits. Never a float."""

    def to_internal_value(self, data: Any) -> Decimal:
        """The exact number; a fraction comes as text, since JSON's numbers are not exact."""
        whole = type(data) is int and abs(data) <= METER_MAX_WH
        if not whole and not (isinstance(data, str) and DECIMAL.fullmatch(data)):
            raise serializers.ValidationError(
                f'expected a whole number, or text like "230.5" with at most four digits after the point,'
                f" got {described(data)}"
            )
        return Decimal(data) + 0  # -0 is 0


class TokenSerializer(StrictSerializer):
    uid = TextField(pattern=IDENTIFIER)
    type = TextField(one_of=list(IdToken.Type.values), default=IdToken.Type.ISO14443.value)

    def to_internal_value(self, data: Any) -> TokenRef:
        """The token that was shown, as stations/cards/services.py takes it."""
        return TokenRef(**super().to_internal_value(data))


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


class SampleSerializer(StrictSerializer):
    sampled_at = MomentField()
    value = QuantityField()
    measurand = TextField(one_of=list(UNITS), default="Energy.Active.Import.Register")
    unit = TextField(one_of=sorted({unit for units in UNITS.values() for unit in units}), default="Wh")
    phase = TextField(one_of=PHASES, default="")
    # OCPP's name; DRF takes declared fields off the class, so its own `context` stays what it is.
    context = TextField(one_of=CONTEXTS, default="Sample.Periodic")  # type: ignore[assignment]

    def to_internal_value(self, data: Any) -> Sample:
        """The sample; its unit must be one of the measurand's, and Wh are whole."""
        sample = Sample(**super().to_internal_value(data))
        units = UNITS[sample.measurand]
        if sample.unit not in units:
            message = f"expected {' or '.join(units)} for {sample.measurand}, got {sample.unit}"
            raise serializers.ValidationError({"unit": [message]})
        if sample.unit == "Wh" and type(data["value"]) is not int:
            raise serializers.ValidationError({"value": [f"expected whole Wh, got {described(data['value'])}"]})
        return sample


class MeterValuesSerializer(StrictSerializer):
    values = serializers.ListField(child=SampleSerializer(), allow_empty=False, max_length=SAMPLES_MAX)


class MeterValuesAnswerSerializer(serializers.Serializer[Any]):
    accepted = serializers.IntegerField()
    repeated = serializers.IntegerField()


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
