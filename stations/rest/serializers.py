"""Sites, stations, connectors and tokens as the REST API shows them, and what operators may write of them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from api.forms import IDENTIFIER, NUMBER_MAX, TIME, described
from api.strict_fields import PLAIN_TEXT, FlagField, StrictSerializer, TextField, WholeNumberField
from common.decimal_text import decimal_text
from stations.models import Connector, IdToken, Site, Station, Tariff
from stations.tariffs.currencies import DIGITS, is_currency

IDENTITY = r"[A-Za-z0-9][A-Za-z0-9*_=:+|@.\-]{0,47}"  # OCPP 2.0.1, as it stands in the station's address
TARIFF_CODE = r"[A-Za-z0-9][A-Za-z0-9*_=:|@.\-]{0,35}"
PRICE = r"[0-9]{1,6}(\.[0-9]{1,4})?"
# OCPI 2.2.1 ConnectorType and PowerType, those of cars
STANDARDS = [
    *("CHADEMO", "CHAOJI", "DOMESTIC_A", "DOMESTIC_B", "DOMESTIC_C", "DOMESTIC_D", "DOMESTIC_E", "DOMESTIC_F"),
    *("DOMESTIC_G", "DOMESTIC_H", "DOMESTIC_I", "DOMESTIC_J", "DOMESTIC_K", "DOMESTIC_L", "GBT_AC", "GBT_DC"),
    *("IEC_60309_2_single_16", "IEC_60309_2_three_16", "IEC_60309_2_three_32", "IEC_60309_2_three_64", "IEC_62196_T1"),
    *("IEC_62196_T1_COMBO", "IEC_62196_T2", "IEC_62196_T2_COMBO", "IEC_62196_T3A", "IEC_62196_T3C", "NEMA_5_20"),
    *("NEMA_6_30", "NEMA_6_50", "NEMA_10_30", "NEMA_10_50", "NEMA_14_30", "NEMA_14_50", "TESLA_R", "TESLA_S"),
]
POWER_TYPES = ["AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC"]


def text(maximum: int, minimum: int = 0, **kwargs: Any) -> TextField:
    """A field of printable text of that length."""
    return TextField(pattern=f"{PLAIN_TEXT}{{{minimum},{maximum}}}", **kwargs)


class CurrencyField(TextField):
    """A currency of ISO 4217 in which a price may be."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(one_of=list(DIGITS), **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """The code; the message names the standard, not its 165 codes."""
        if not isinstance(data, str) or not is_currency(data):
            raise serializers.ValidationError(f"expected a currency of ISO 4217 such as EUR, got {described(data)}")
        return data


class SiteSerializer(serializers.ModelSerializer[Site]):
    class Meta:
        model = Site
        fields = ["code", "name", "address", "city", "country", "time_zone", "currency"]
        read_only_fields = fields


class SiteBody(StrictSerializer):
    """A change names only what changes; `code` is given once and stays."""

    name = text(255, 1)
    address = text(255, required=False)
    city = text(100, required=False)
    country = TextField(pattern=r"([A-Z]{3})?", required=False)
    time_zone = TextField(pattern=r"[A-Za-z0-9_+\-/]{1,64}", required=False)
    currency = CurrencyField(required=False)


class NewSiteBody(SiteBody):
    code = TextField(pattern=IDENTIFIER)


class StationSerializer(serializers.ModelSerializer[Station]):
    """`connected`, `ocpp_version`, `booted_at` are OCPP's; `security_profile` is told to who runs stations."""

    site = serializers.CharField(source="site.code")
    connected = serializers.SerializerMethodField()
    security_profile = serializers.SerializerMethodField()

    class Meta:
        model = Station
        fields = [
            *("identity", "site", "vendor", "model", "serial_number", "firmware_version"),
            *("enabled", "security_profile", "time_zone", "connected", "connected_at", "ocpp_version", "booted_at"),
            "last_seen_at",
        ]
        read_only_fields = fields

    def get_connected(self, station: Station) -> bool:
        """Over OCPP, now."""
        return bool(station.connection)

    def get_security_profile(self, station: Station) -> int | None:
        """The least of OCPP's security profiles that is accepted of it; null for drivers."""
        return station.security_profile if self.context["request"].user.has_perm("stations.view_station") else None


class StationBody(StrictSerializer):
    """A change names only what changes; `identity` is given once and stays."""

    site = TextField(pattern=IDENTIFIER)
    vendor = text(50, required=False)
    model = text(50, required=False)
    serial_number = text(50, required=False)
    firmware_version = text(50, required=False)
    enabled = FlagField(required=False)
    security_profile = WholeNumberField(minimum=0, maximum=3, required=False)
    time_zone = TextField(pattern=r"[A-Za-z0-9_+\-/]{0,64}", required=False)


class NewStationBody(StationBody):
    identity = TextField(pattern=IDENTITY)


class ConnectorSerializer(serializers.ModelSerializer[Connector]):
    station = serializers.CharField(source="station.identity")
    site = serializers.CharField(source="station.site.code")

    class Meta:
        model = Connector
        fields = [
            *("id", "site", "station", "evse_id", "connector_id", "standard", "power_type", "max_power_w", "status"),
            *("ocpp_status", "error_code", "status_at"),
        ]
        read_only_fields = fields


class ConnectorBody(StrictSerializer):
    """A change names only what changes; station and numbers are given once and stay. `status` is the station's word."""

    standard = TextField(one_of=STANDARDS, required=False)
    power_type = TextField(one_of=POWER_TYPES, required=False)
    max_power_w = WholeNumberField(minimum=1, maximum=NUMBER_MAX, required=False, allow_null=True)


class NewConnectorBody(ConnectorBody):
    station = TextField(pattern=IDENTITY)
    evse_id = WholeNumberField(minimum=1, maximum=NUMBER_MAX, required=False)
    connector_id = WholeNumberField(minimum=1, maximum=NUMBER_MAX, required=False)


class TariffSerializer(serializers.ModelSerializer[Tariff]):
    """Prices in units of the currency, VAT included, exact, as text; `elements` (OCPI) instead of the first two."""

    price_per_kwh = serializers.SerializerMethodField()
    price_per_session = serializers.SerializerMethodField()
    vat_percent = serializers.SerializerMethodField()
    elements = serializers.ListField(child=serializers.DictField())
    type = serializers.CharField(allow_blank=True, help_text="OCPI TariffType; empty: for everybody")
    min_price = serializers.SerializerMethodField()
    max_price = serializers.SerializerMethodField()

    class Meta:
        model = Tariff
        fields = [
            *("code", "name", "currency", "price_per_kwh", "price_per_session", "vat_percent"),
            *("elements", "min_price", "max_price", "type"),
            *("valid_from", "valid_to", "updated_at"),
        ]
        read_only_fields = fields

    def get_price_per_kwh(self, tariff: Tariff) -> str:
        """Exact, as text."""
        return decimal_text(tariff.price_per_kwh)

    def get_price_per_session(self, tariff: Tariff) -> str:
        """Exact, as text."""
        return decimal_text(tariff.price_per_session)

    def get_vat_percent(self, tariff: Tariff) -> str | None:
        """Exact, as text; null where no VAT is told."""
        return None if tariff.vat_percent is None else decimal_text(tariff.vat_percent)

    def get_min_price(self, tariff: Tariff) -> str | None:
        """Exact, as text; null where there is none."""
        return None if tariff.min_price is None else decimal_text(tariff.min_price)

    def get_max_price(self, tariff: Tariff) -> str | None:
        """Exact, as text; null where there is none."""
        return None if tariff.max_price is None else decimal_text(tariff.max_price)


class DecimalTextField(TextField):
    """A decimal number as text, exact."""

    def to_internal_value(self, data: Any) -> Any:
        """The exact number."""
        return Decimal(super().to_internal_value(data))


class MomentTextField(TextField):
    """Any RFC 3339 timestamp with offset; UTC inside."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(pattern=TIME.pattern, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        """The moment in UTC."""
        text = super().to_internal_value(data)
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError(f"expected a date and time that exist, got {text!a}") from error


class TariffBody(StrictSerializer):
    """A change names only what changes, and holds for sessions that start from then on; `code` stays."""

    name = text(255, 1)
    currency = CurrencyField(required=False)
    price_per_kwh = DecimalTextField(pattern=PRICE, required=False)
    price_per_session = DecimalTextField(pattern=PRICE, required=False)
    vat_percent = DecimalTextField(pattern=r"[0-9]{1,3}(\.[0-9]{1,2})?", required=False, allow_null=True)
    elements = serializers.ListField(child=serializers.DictField(), required=False, max_length=100)
    min_price = DecimalTextField(pattern=PRICE, required=False, allow_null=True)
    max_price = DecimalTextField(pattern=PRICE, required=False, allow_null=True)
    type = serializers.ChoiceField(choices=Tariff.Type.choices, required=False, allow_blank=True)
    valid_from = MomentTextField(required=False, allow_null=True)
    valid_to = MomentTextField(required=False, allow_null=True)


class NewTariffBody(TariffBody):
    code = TextField(pattern=TARIFF_CODE)


class IdTokenSerializer(serializers.ModelSerializer[IdToken]):
    """A card, an app user or a contract; `linked`: it belongs to a customer."""

    linked = serializers.SerializerMethodField()

    class Meta:
        model = IdToken
        fields = ["id", "uid", "type", "contract_id", "linked"]
        read_only_fields = fields

    def get_linked(self, token: IdToken) -> bool:
        """Whether it belongs to somebody; not to whom."""
        return token.customer_id is not None
