"""PURE: sites and tariffs as OCPI objects (mod_locations, mod_tariffs).

A station's outlets with the same EVSE number are one EVSE. Its uid follows from the station's identity, which never
changes; it is a technical name, the one for people is `evse_id`.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

from stations.identifiers import evse_id_canonical
from stations.ocpi.forms import Form
from stations.ocpi.tariffs import tariff_members
from stations.ocpi.values import date_time

if TYPE_CHECKING:
    from stations.models import Connector, Site, Tariff

EVSE_NAMESPACE = uuid.UUID("b1c5a3f4-93e2-4c0e-8f3d-6a1f0d2c7e55")
# One car at an EVSE: if one of its outlets is in use, the EVSE is. The first that occurs is the EVSE's.
STATUSES = {
    "OCCUPIED": "CHARGING",
    "RESERVED": "RESERVED",
    "AVAILABLE": "AVAILABLE",
    "UNAVAILABLE": "INOPERATIVE",
    "FAULTED": "OUTOFORDER",
    "UNKNOWN": "UNKNOWN",
}


@dataclass(frozen=True)
class Party:
    """Who we are in every object: country (ISO 3166-1 alpha-2) and party id of the operator."""

    country_code: str
    party_id: str

    @property
    def fields(self) -> dict[str, str]:
        return {"country_code": self.country_code, "party_id": self.party_id}


def evse_uid(station_identity: str, evse_id: int) -> str:
    return str(uuid.uuid5(EVSE_NAMESPACE, f"{station_identity}/{evse_id}"))


def location(site: "Site", connectors: Sequence["Connector"], *, party: Party, updated: datetime) -> dict[str, Any]:
    """Location with its EVSEs; `connectors` are the published ones, by station and EVSE."""
    postal_code = {"postal_code": site.postal_code} if site.postal_code else {}
    return {
        **party.fields,
        "id": site.code,
        "publish": site.public,
        "name": site.name,
        "address": site.address,
        "city": site.city,
        **postal_code,
        "country": site.country,
        "coordinates": {"latitude": f"{site.latitude:.6f}", "longitude": f"{site.longitude:.6f}"},
        "evses": evses(connectors),
        "time_zone": site.time_zone,
        "last_updated": date_time(updated),
    }


def evses(connectors: Sequence["Connector"]) -> list[dict[str, Any]]:
    ordered = sorted(connectors, key=lambda one: (one.station.identity, one.evse_id, one.connector_id))
    groups = groupby(ordered, key=lambda one: (one.station, one.evse_id))
    return [evse(list(group)) for _, group in groups]


def evse(connectors: Sequence["Connector"]) -> dict[str, Any]:
    first = connectors[0]
    updated = max(first.station.updated_at, *(one.updated_at for one in connectors))
    statuses = {one.status for one in connectors}
    return {
        "uid": evse_uid(first.station.identity, first.evse_id),
        "evse_id": evse_id_canonical(first.emi3_id),
        "status": next(told for ours, told in STATUSES.items() if ours in statuses),
        "connectors": [connector(one) for one in connectors],
        "last_updated": date_time(updated),
    }


def connector(one: "Connector") -> dict[str, Any]:
    power = {"max_electric_power": one.max_power_w} if one.max_power_w else {}
    tariff = one.tariff or one.station.site.tariff
    return {
        "id": str(one.connector_id),
        "standard": one.standard,
        "format": one.format,
        "power_type": one.power_type,
        "max_voltage": one.max_voltage,
        "max_amperage": one.max_amperage,
        **power,
        **({"tariff_ids": [tariff.code]} if tariff else {}),
        "last_updated": date_time(one.updated_at),
    }


def tariff(row: "Tariff", *, party: Party, language: str, form: Form) -> dict[str, Any]:
    """Tariff as it is now."""
    limits = {"start_date_time": row.valid_from, "end_date_time": row.valid_to}
    return {
        **tariff_of(row.snapshot(), party=party, language=language, form=form),
        **{name: date_time(moment) for name, moment in limits.items() if moment},
        "last_updated": date_time(row.updated_at),
    }


def tariff_of(snapshot: Mapping[str, Any], *, party: Party, language: str, form: Form) -> dict[str, Any]:
    """Tariff as a session keeps it, but for `last_updated`."""
    name = {"tariff_alt_text": [{"language": language, "text": snapshot["name"]}]} if snapshot.get("name") else {}
    return {
        **party.fields,
        "id": snapshot["id"],
        "currency": snapshot["currency"],
        **name,
        **tariff_members(snapshot, form),
    }
