"""The demo's live stations: their site, tariff, outlets and credentials, for dev/stations to report with.

Import it only after django.setup(), as dev/stack/portal.py.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

from dev.common.files import replace
from dev.stack.moved import PRICE_PER_KWH
from dev.stations.signing import meter_of
from stations.metering.registering import key_add
from stations.models import Connector, IdToken, MeterPublicKey, Site, Station, Tariff
from stations.places.credentials import credential_hash, station_credential_set

CURRENTS = {
    # standard, format and power type (OCPI); phases, volts and amperes
    "AC 1": ("IEC_62196_T2", "SOCKET", "AC_1_PHASE", 1, 230, 32),
    "AC 3": ("IEC_62196_T2", "SOCKET", "AC_3_PHASE", 3, 230, 16),
    "DC": ("IEC_62196_T2_COMBO", "CABLE", "DC", 1, 400, 125),
}


@dataclass(frozen=True)
class Kind:
    """What sort of station it is, and how its day looks."""

    version: str
    current: str
    power_w: int
    charge_s: float
    pause_s: float
    outlets: int = 1
    settings: Mapping[str, str] = field(default_factory=dict)
    signs: bool = False  # its meters sign OCMF, and their keys are registered


STATIONS = {
    "DEMO-LIVE-1": Kind("1.6", "AC 3", 11_000, 720, 120, signs=True),
    "DEMO-LIVE-2": Kind("1.6", "AC 1", 7_400, 420, 180, outlets=2),
    "DEMO-LIVE-3": Kind("2.0.1", "AC 3", 11_000, 600, 150, 1, {"TxCtrlr.TxStartPoint": "EVConnected"}, signs=True),
    "DEMO-LIVE-4": Kind("2.1", "DC", 50_000, 900, 200, settings={"TxCtrlr.TxStartPoint": "Authorized"}),
}
SITE = {
    "name": "Riverside car park (simulated)",
    "address": "1 River Street",
    "city": "Atlanta",
    "postal_code": "30303",
    "country": "USA",
    "latitude": Decimal("33.753746"),
    "longitude": Decimal("-84.386330"),
    "public": True,
    "time_zone": "America/New_York",
    "currency": "USD",
    "unknown_cards": True,  # those of the data set belong to nobody yet
}
TARIFF = {
    "name": "Demo tariff",
    "currency": "USD",
    "price_per_kwh": PRICE_PER_KWH,
    "price_per_session": Decimal("0.50"),
    "vat_percent": None,
}


def ensure_live_stations(file: Path, tokens: list[IdToken]) -> None:
    """Make what is missing of them, and write who they are and with which cards they charge: the first at the first.

    What an operator changed meanwhile stays, but for a credential that the stations would not know.
    """
    tariff, _ = Tariff.objects.get_or_create(code="US*EVP*DEMO", defaults=TARIFF)
    site, made = Site.objects.get_or_create(code="DEMO-LIVE", defaults={**SITE, "tariff": tariff})
    if made:  # the real sites, too: what charges there from now on has a price
        Site.objects.filter(tariff=None, currency=tariff.currency).update(tariff=tariff)
    if not Station.objects.filter(site=site, identity=list(STATIONS)[-1]).exists():  # also a demo of before
        Site.objects.filter(pk=site.pk).update(unknown_cards=True)
    known = {one["identity"]: one for one in json.loads(file.read_text())} if file.exists() else {}
    cards = cycle([{"uid": token.uid, "type": token.type} for token in tokens] or [None])
    told = []
    for place, (identity, kind) in enumerate(STATIONS.items(), 1):
        station = _station(site, identity, place, kind)
        credential = known.get(identity, {}).get("credential", "")
        if not credential or station.credential_hash != credential_hash(credential):
            credential = station_credential_set(station=station)
        standing = {name: value for name, value in asdict(kind).items() if name not in ("current", "signs")}
        if kind.signs:
            standing["meter_secret"] = known.get(identity, {}).get("meter_secret") or secrets.token_hex(31)
            _keys_register(station, kind, standing["meter_secret"])
        current, phases = kind.current.split()[0], CURRENTS[kind.current][3]
        own = [card for card in (next(cards) for _ in range(kind.outlets)) if card]
        told.append({"identity": identity, "credential": credential, "current": current, "phases": phases} | standing)
        told[-1] |= {"tokens": own, "model": f"Simulated {current}"}
    replace(file, json.dumps(told, indent=1) + "\n")


def _keys_register(station: Station, kind: Kind, secret: str) -> None:
    """As somebody would from the meters' plates."""
    for number in range(1, kind.outlets + 1):
        meter = meter_of(station.identity, secret, number)
        connector = Connector.objects.get(station=station, evse_id=number, connector_id=1)
        where: dict[str, Any] = {"station": station, "connector": connector, "meter_serial": meter.serial}
        key = meter.public_key.hex()
        if not MeterPublicKey.objects.filter(**where, public_key=key).exists():  # withdrawn stays withdrawn
            key_add(**where, text=key, by=None)


def _station(site: Site, identity: str, number: int, kind: Kind) -> Station:
    standard, form, power_type, _, volts, amperes = CURRENTS[kind.current]
    described = {"vendor": "EVPortal", "model": f"Simulated {kind.current.split()[0]}", "firmware_version": "1.0.0"}
    station, _ = Station.objects.get_or_create(identity=identity, defaults={"site": site, **described})
    outlet = {"standard": standard, "format": form, "power_type": power_type, "max_power_w": kind.power_w}
    outlet |= {"max_voltage": volts, "max_amperage": amperes}
    for evse in range(1, kind.outlets + 1):
        named = {"emi3_id": f"US*EVP*E{number:04}*{evse}"}
        Connector.objects.get_or_create(station=station, evse_id=evse, connector_id=1, defaults=outlet | named)
    return station
