"""Examples of the OpenAPI document for places and what OCPP brought of them; tests/api/test_openapi.py checks these."""

from typing import Any

Schema = dict[str, Any]
UUID = "6c1f0f5e-5f1c-4a55-9d7e-0d0a8f2d3c11"


def page(*rows: Schema) -> Schema:
    """An example of a page that is the only one."""
    return {"next": None, "previous": None, "results": list(rows)}


SITE: Schema = {
    "code": "S1",
    "name": "Market hall",
    "address": "Am Hafen 1",
    "city": "Hamburg",
    "country": "DEU",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
}
LIMIT_BODY: Schema = {
    "enabled": True,
    "amperes": 63,
    "phases": 3,
    "reserve": 3,
    "voltage": 230,
    "periods": [{"weekdays": [1, 2, 3, 4, 5], "starts": "17:00", "ends": "20:00", "amperes": 32}],
}
LIMIT: Schema = {"site": "S1", "time_zone": "Europe/Berlin", **LIMIT_BODY}
STATION: Schema = {
    "identity": "CP-MARKET-1",
    "site": "S1",
    "vendor": "ACME",
    "model": "Wall 22",
    "serial_number": "0815",
    "firmware_version": "1.4.2",
    "enabled": True,
    "security_profile": 2,
    "time_zone": "",
    "connected": True,
    "connected_at": "2026-03-01T06:00:00Z",
    "ocpp_version": "2.0.1",
    "booted_at": "2026-03-01T06:00:01Z",
    "last_seen_at": "2026-03-01T08:45:00Z",
}
CONNECTOR: Schema = {
    "id": 7,
    "site": "S1",
    "station": "CP-MARKET-1",
    "evse_id": 1,
    "connector_id": 1,
    "standard": "IEC_62196_T2",
    "power_type": "AC_3_PHASE",
    "max_power_w": 22000,
    "status": "OCCUPIED",
    "ocpp_status": "Charging",
    "error_code": "",
    "status_at": "2026-03-01T08:00:00Z",
}
TOKEN: Schema = {"id": 7, "uid": "04D1E2F3A4B5C6", "type": "ISO14443", "contract_id": "", "linked": True}
TARIFF: Schema = {
    "code": "STANDARD",
    "name": "Standard",
    "currency": "EUR",
    "price_per_kwh": "0.27",
    "price_per_session": "1",
    "vat_percent": "19",
    "elements": [],
    "min_price": None,
    "max_price": None,
    "type": "",
    "valid_from": None,
    "valid_to": None,
    "updated_at": "2026-03-01T08:00:00Z",
}
MESSAGE: Schema = {
    "id": 4711,
    "at": "2026-03-01T08:00:01.250000Z",
    "direction": "IN",
    "kind": "CALL",
    "action": "StartTransaction",
    "message_id": "19223201",
    "session": UUID,
    "text": '[2,"19223201","StartTransaction",{"connectorId":1,"idTag":"04D1E2F3A4B5C6","meterStart":52340000}]',
}
EVENT: Schema = {
    "id": 7,
    "at": "2026-03-01T08:00:00Z",
    "kind": "STATUS",
    "severity": "WARNING",
    "words": "connector 1: GroundFailure",
    "data": {"connectorId": 1, "errorCode": "GroundFailure"},
}
VARIABLE: Schema = {
    "id": 7,
    "component": "OCPPCommCtrlr",
    "component_instance": "",
    "evse_id": 0,
    "connector_id": 0,
    "variable": "HeartbeatInterval",
    "instance": "",
    "attribute": "Actual",
    "value": "300",
    "mutability": "ReadWrite",
    "data_type": "integer",
    "unit": "s",
    "reported_at": "2026-03-01T06:00:05Z",
}
PLACES: dict[str, Schema] = {
    "sites_list": {"answer": page(SITE)},
    "sites_create": {"body": SITE, "answer": SITE},
    "sites_get": {"answer": SITE},
    "sites_update": {"body": {"name": "Market hall"}, "answer": SITE},
    "stations_list": {"answer": page(STATION)},
    "stations_create": {"body": {"identity": "CP-MARKET-1", "site": "S1", "vendor": "ACME"}, "answer": STATION},
    "stations_get": {"answer": STATION},
    "sites_limit": {"answer": LIMIT},
    "sites_limit_set": {"body": LIMIT_BODY, "answer": LIMIT},
    "stations_update": {"body": {"firmware_version": "1.4.2"}, "answer": STATION},
    "connectors_list": {"answer": page(CONNECTOR)},
    "connectors_create": {
        "body": {"station": "CP-MARKET-1", "evse_id": 1, "connector_id": 2, "max_power_w": 22000},
        "answer": CONNECTOR,
    },
    "connectors_get": {"answer": CONNECTOR},
    "connectors_update": {"body": {"max_power_w": 22000}, "answer": CONNECTOR},
    "tariffs_list": {"answer": page(TARIFF)},
    "tariffs_create": {
        "body": {"code": "STANDARD", "name": "Standard", "price_per_kwh": "0.27", "price_per_session": "1"},
        "answer": TARIFF,
    },
    "tariffs_get": {"answer": TARIFF},
    "tariffs_update": {"body": {"price_per_kwh": "0.29"}, "answer": TARIFF},
    "tokens_list": {"answer": page(TOKEN)},
    "tokens_get": {"answer": TOKEN},
    "stations_messages": {"answer": page(MESSAGE)},
    "stations_events": {"answer": page(EVENT)},
    "stations_variables": {"answer": page(VARIABLE)},
}
