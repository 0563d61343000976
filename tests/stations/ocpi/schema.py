"""OCPI 2.2.1's tables as JSON Schema: chapters 8 (locations), 9 (sessions), 10 (CDRs), 11 (tariffs), 16 (types).

Written from the specification's tables, property by property, not from our code. Members that are not in a table are
refused, so that a misspelt optional one shows. Numbers have at most four decimals; whether a number is a JSON number
with exactly these digits is looked at in the text itself (`numbers`).
"""

import re
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator

Schema = dict[str, Any]


def ci_string(length: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": length, "pattern": r"^[\x20-\x7e]*$"}


def string(length: int) -> Schema:
    return {"type": "string", "minLength": 1, "maxLength": length, "pattern": r"^[^\x00-\x1f\x7f]*$"}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


def many(item: Schema, *, at_least: int = 0) -> Schema:
    return {"type": "array", "items": item, "minItems": at_least}


def table(required: dict[str, Schema], optional: dict[str, Schema] | None = None) -> Schema:
    """Card. 1 and + are required, ? and * optional."""
    properties = required | (optional or {})
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


BOOLEAN: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "number"}
INT: Schema = {"type": "integer"}
URL = string(255)
DATE_TIME: Schema = {
    "type": "string",
    "maxLength": 25,
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,4})?Z?$",
}
PRICE = table({"excl_vat": NUMBER}, {"incl_vat": NUMBER})
DISPLAY_TEXT = table({"language": string(2), "text": string(512)})
OWNER: dict[str, Schema] = {"country_code": ci_string(2), "party_id": ci_string(3)}
ALPHA_3: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}
ISO_4217: Schema = {"type": "string", "pattern": "^[A-Z]{3}$"}

GEO_LOCATION = table(
    {
        "latitude": {"type": "string", "maxLength": 10, "pattern": r"^-?[0-9]{1,2}\.[0-9]{5,7}$"},
        "longitude": {"type": "string", "maxLength": 11, "pattern": r"^-?[0-9]{1,3}\.[0-9]{5,7}$"},
    }
)
CONNECTOR_TYPE = one_of(
    *("CHADEMO", "CHAOJI", "DOMESTIC_A", "DOMESTIC_B", "DOMESTIC_C", "DOMESTIC_D", "DOMESTIC_E", "DOMESTIC_F"),
    *("DOMESTIC_G", "DOMESTIC_H", "DOMESTIC_I", "DOMESTIC_J", "DOMESTIC_K", "DOMESTIC_L", "DOMESTIC_M", "DOMESTIC_N"),
    *("DOMESTIC_O", "GBT_AC", "GBT_DC", "IEC_60309_2_single_16", "IEC_60309_2_three_16", "IEC_60309_2_three_32"),
    *("IEC_60309_2_three_64", "IEC_62196_T1", "IEC_62196_T1_COMBO", "IEC_62196_T2", "IEC_62196_T2_COMBO"),
    *("IEC_62196_T3A", "IEC_62196_T3C", "NEMA_5_20", "NEMA_6_30", "NEMA_6_50", "NEMA_10_30", "NEMA_10_50"),
    *("NEMA_14_30", "NEMA_14_50", "PANTOGRAPH_BOTTOM_UP", "PANTOGRAPH_TOP_DOWN", "TESLA_R", "TESLA_S"),
)
CONNECTOR_FORMAT = one_of("SOCKET", "CABLE")
POWER_TYPE = one_of("AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC")

CONNECTOR = table(
    {
        "id": ci_string(36),
        "standard": CONNECTOR_TYPE,
        "format": CONNECTOR_FORMAT,
        "power_type": POWER_TYPE,
        "max_voltage": INT,
        "max_amperage": INT,
        "last_updated": DATE_TIME,
    },
    {"max_electric_power": INT, "tariff_ids": many(ci_string(36)), "terms_and_conditions": URL},
)
EVSE = table(
    {
        "uid": ci_string(36),
        "status": one_of(
            *("AVAILABLE", "BLOCKED", "CHARGING", "INOPERATIVE", "OUTOFORDER", "PLANNED", "REMOVED", "RESERVED"),
            "UNKNOWN",
        ),
        "connectors": many(CONNECTOR, at_least=1),
        "last_updated": DATE_TIME,
    },
    {"evse_id": ci_string(48), "floor_level": string(4), "coordinates": GEO_LOCATION, "physical_reference": string(16)},
)
LOCATION = table(
    {
        **OWNER,
        "id": ci_string(36),
        "publish": BOOLEAN,
        "address": string(45),
        "city": string(45),
        "country": ALPHA_3,
        "coordinates": GEO_LOCATION,
        "time_zone": string(255),
        "last_updated": DATE_TIME,
    },
    {"name": string(255), "postal_code": string(10), "state": string(20), "evses": many(EVSE)},
)

PRICE_COMPONENT = table(
    {"type": one_of("ENERGY", "FLAT", "PARKING_TIME", "TIME"), "price": NUMBER, "step_size": INT}, {"vat": NUMBER}
)
RESTRICTIONS = table(
    {},
    {
        **{name: string(5) for name in ("start_time", "end_time")},
        **{name: string(10) for name in ("start_date", "end_date")},
        **{f"{limit}_{of}": NUMBER for limit in ("min", "max") for of in ("kwh", "current", "power")},
        **{f"{limit}_duration": INT for limit in ("min", "max")},
        "day_of_week": many(string(9)),
        "reservation": one_of("RESERVATION", "RESERVATION_EXPIRES"),
    },
)
TARIFF = table(
    {
        **OWNER,
        "id": ci_string(36),
        "currency": ISO_4217,
        "elements": many(
            table({"price_components": many(PRICE_COMPONENT, at_least=1)}, {"restrictions": RESTRICTIONS}), at_least=1
        ),
        "last_updated": DATE_TIME,
    },
    {
        "type": one_of("AD_HOC_PAYMENT", "PROFILE_CHEAP", "PROFILE_FAST", "PROFILE_GREEN", "REGULAR"),
        "tariff_alt_text": many(DISPLAY_TEXT),
        "tariff_alt_url": URL,
        "min_price": PRICE,
        "max_price": PRICE,
        "start_date_time": DATE_TIME,
        "end_date_time": DATE_TIME,
    },
)

CDR_TOKEN = table(
    {
        **OWNER,
        "uid": ci_string(36),
        "type": one_of("AD_HOC_USER", "APP_USER", "OTHER", "RFID"),
        "contract_id": ci_string(36),
    }
)
CHARGING_PERIOD = table(
    {
        "start_date_time": DATE_TIME,
        "dimensions": many(
            table(
                {
                    "type": one_of(
                        *("CURRENT", "ENERGY", "ENERGY_EXPORT", "ENERGY_IMPORT", "MAX_CURRENT", "MIN_CURRENT"),
                        *("MAX_POWER", "MIN_POWER", "PARKING_TIME", "POWER", "RESERVATION_TIME", "STATE_OF_CHARGE"),
                        "TIME",
                    ),
                    "volume": NUMBER,
                }
            ),
            at_least=1,
        ),
    },
    {"tariff_id": ci_string(36)},
)
AUTH_METHOD = one_of("AUTH_REQUEST", "COMMAND", "WHITELIST")
SESSION = table(
    {
        **OWNER,
        "id": ci_string(36),
        "start_date_time": DATE_TIME,
        "kwh": NUMBER,
        "cdr_token": CDR_TOKEN,
        "auth_method": AUTH_METHOD,
        "location_id": ci_string(36),
        "evse_uid": ci_string(36),
        "connector_id": ci_string(36),
        "currency": ISO_4217,
        "status": one_of("ACTIVE", "COMPLETED", "INVALID", "PENDING", "RESERVATION"),
        "last_updated": DATE_TIME,
    },
    {
        "end_date_time": DATE_TIME,
        "authorization_reference": ci_string(36),
        "meter_id": string(255),
        "charging_periods": many(CHARGING_PERIOD),
        "total_cost": PRICE,
    },
)
CDR_LOCATION = table(
    {
        "id": ci_string(36),
        "address": string(45),
        "city": string(45),
        "country": ALPHA_3,
        "coordinates": GEO_LOCATION,
        "evse_uid": ci_string(36),
        "evse_id": ci_string(48),
        "connector_id": ci_string(36),
        "connector_standard": CONNECTOR_TYPE,
        "connector_format": CONNECTOR_FORMAT,
        "connector_power_type": POWER_TYPE,
    },
    {"name": string(255), "postal_code": string(10), "state": string(20)},
)
SIGNED_VALUE = table(
    {"nature": one_of("Start", "End", "Intermediate"), "plain_data": string(512), "signed_data": string(5000)}
)
SIGNED_DATA = table(
    {"encoding_method": ci_string(36), "signed_values": many(SIGNED_VALUE, at_least=1)},
    {"encoding_method_version": INT, "public_key": ci_string(512), "url": string(512)},
)
CDR = table(
    {
        **OWNER,
        "id": ci_string(39),
        "start_date_time": DATE_TIME,
        "end_date_time": DATE_TIME,
        "cdr_token": CDR_TOKEN,
        "auth_method": AUTH_METHOD,
        "cdr_location": CDR_LOCATION,
        "currency": ISO_4217,
        "charging_periods": many(CHARGING_PERIOD, at_least=1),
        "total_cost": PRICE,
        "total_energy": NUMBER,
        "total_time": NUMBER,
        "last_updated": DATE_TIME,
    },
    {
        "session_id": ci_string(36),
        "authorization_reference": ci_string(36),
        "meter_id": string(255),
        "signed_data": SIGNED_DATA,
        "tariffs": many(TARIFF),
        **{f"total_{part}_cost": PRICE for part in ("fixed", "energy", "time", "parking", "reservation")},
        "total_parking_time": NUMBER,
        "remark": string(255),
        "invoice_reference_id": ci_string(39),
        "credit": BOOLEAN,
        "credit_reference_id": ci_string(39),
        "home_charging_compensation": BOOLEAN,
    },
)
ROLE = table(
    {
        "role": one_of("CPO", "EMSP", "HUB", "NAP", "NSP", "OTHER", "SCSP"),
        "business_details": table({"name": string(100)}, {"website": URL}),
        **OWNER,
    }
)
CREDENTIALS = table(
    {"token": {"type": "string", "pattern": r"^[\x21-\x7e]{1,64}$"}, "url": URL, "roles": many(ROLE, at_least=1)}
)
VERSION = table({"version": string(5), "url": URL})
DETAILS = table(
    {
        "version": string(5),
        "endpoints": many(
            table({"identifier": string(20), "role": one_of("SENDER", "RECEIVER"), "url": URL}), at_least=1
        ),
    }
)
ENVELOPE = table({"status_code": INT, "timestamp": DATE_TIME}, {"data": {}, "status_message": string(1000)})

OBJECTS = {"locations": LOCATION, "tariffs": TARIFF, "sessions": SESSION, "cdrs": CDR}
FOUR_DECIMALS = re.compile(r"-?\d+(\.\d{1,4})?")


def check(schema: Schema, value: Any) -> None:
    """Raise with the first difference."""
    Draft202012Validator(schema).validate(plain(value))


def plain(value: Any) -> Any:
    """As jsonschema reads it: numbers were parsed as Decimal, digit by digit, and each has four decimals at most."""
    if isinstance(value, Decimal):
        assert FOUR_DECIMALS.fullmatch(str(value)), f"OCPI numbers have four decimals, got {value}"
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value
