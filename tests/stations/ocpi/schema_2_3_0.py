"""OCPI 2.3.0's tables as JSON Schema: where they differ from 2.2.1's (schema.py), as its changelog and tables say.

What was added and is optional (`parking`, `help_phone`, `capabilities`, ...) is left out: we tell none of it, and what
is not in a table is refused. An OpenEnum takes any text; of those only values that the text names are let in here.
"""

from tests.stations.ocpi import schema
from tests.stations.ocpi.schema import NUMBER, Schema, ci_string, many, one_of, string, table


def changed(old: Schema, *, required: dict[str, Schema] | None = None, **properties: Schema) -> Schema:
    """A table in which these properties have another type; `required`: those that came, or another type of such."""
    found = old["properties"] | properties | (required or {})
    names = [*old["required"], *(name for name in required or {} if name not in old["required"])]
    return old | {"properties": found, "required": names}


# Chapter "Types"
TAX_AMOUNT = table({"name": string(1000), "amount": NUMBER}, {"account_number": string(1000), "percentage": NUMBER})
PRICE = table({"before_taxes": NUMBER}, {"taxes": many(TAX_AMOUNT)})
ROLES = one_of("CPO", "EMSP", "NAP", "NSP", "OTHER", "SCSP")

# mod_tariffs
PRICE_LIMIT = table({"before_taxes": NUMBER}, {"after_taxes": NUMBER})
TARIFF = changed(
    schema.TARIFF,
    required={"tax_included": one_of("YES", "NO", "N/A")},
    min_price=PRICE_LIMIT,
    max_price=PRICE_LIMIT,
    preauthorize_amount=NUMBER,
)

# mod_locations
CONNECTOR_TYPE = one_of(*schema.CONNECTOR_TYPE["enum"], "MCS", "SAE_J3400")
CONNECTOR = changed(schema.CONNECTOR, standard=CONNECTOR_TYPE)
EVSE = changed(schema.EVSE, connectors=many(CONNECTOR, at_least=1))
LOCATION = changed(schema.LOCATION, evses=many(EVSE), address=string(255), state=string(45))

# mod_sessions, mod_cdrs
CDR_TOKEN = changed(schema.CDR_TOKEN, type=one_of("AD_HOC_USER", "APP_USER", "EMAID", "OTHER", "RFID"))
SESSION = changed(schema.SESSION, total_cost=PRICE, cdr_token=CDR_TOKEN)
CDR = changed(
    schema.CDR,
    cdr_token=CDR_TOKEN,
    cdr_location=changed(schema.CDR_LOCATION, connector_standard=CONNECTOR_TYPE),
    tariffs=many(TARIFF),
    total_cost=PRICE,
    **{f"total_{part}_cost": PRICE for part in ("fixed", "energy", "time", "parking", "reservation")},
)

# Chapter "Credentials"
CREDENTIALS = changed(
    schema.CREDENTIALS, roles=many(changed(schema.ROLE, role=ROLES), at_least=1), hub_party_id=ci_string(5)
)
OBJECTS = {"locations": LOCATION, "tariffs": TARIFF, "sessions": SESSION, "cdrs": CDR}
