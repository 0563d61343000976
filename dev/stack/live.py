"""The demo's live stations: their site, tariff, outlets and credentials, for dev/parts/station.py to report with.

Import it only after django.setup(), as dev/stack/portal.py.
"""

import json
from decimal import Decimal
from pathlib import Path

from dev.common.files import replace
from dev.stack.moved import PRICE_PER_KWH
from stations.models import Connector, IdToken, Site, Station, Tariff
from stations.places.credentials import credential_hash, station_credential_set

# identity: seconds of a charge and of the pause after it, most power in W
STATIONS = {"DEMO-LIVE-1": (720, 120, 11_000), "DEMO-LIVE-2": (420, 180, 7_400)}
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
}
TARIFF = {
    "name": "Demo tariff",
    "currency": "USD",
    "price_per_kwh": PRICE_PER_KWH,
    "price_per_session": Decimal("0.50"),
    "vat_percent": None,
}
OUTLET = {
    "standard": "IEC_62196_T2",
    "format": "SOCKET",
    "power_type": "AC_3_PHASE",
    "max_voltage": 230,
    "max_amperage": 16,
}


def ensure_live_stations(file: Path, tokens: list[IdToken]) -> None:
    """Make what is missing of them, and write who they are and with which cards they charge; others keep nothing of it.

    What an operator changed meanwhile stays, but for a credential that the stations would not know.
    """
    tariff, _ = Tariff.objects.get_or_create(code="US*EVP*DEMO", defaults=TARIFF)
    site, made = Site.objects.get_or_create(code="DEMO-LIVE", defaults={**SITE, "tariff": tariff})
    if made:  # the real sites, too: what charges there from now on has a price
        Site.objects.filter(tariff=None, currency=tariff.currency).update(tariff=tariff)
    known = {one["identity"]: one for one in json.loads(file.read_text())} if file.exists() else {}
    told = []
    for place, (identity, (charge_s, pause_s, power_w)) in enumerate(STATIONS.items()):
        station = _station(site, identity, place + 1, power_w)
        credential = known.get(identity, {}).get("credential", "")
        if not credential or station.credential_hash != credential_hash(credential):
            credential = station_credential_set(station=station)
        token = tokens[place % len(tokens)] if tokens else None
        shown = {"uid": token.uid, "type": token.type} if token else None
        times = {"charge_s": charge_s, "pause_s": pause_s, "power_w": power_w}
        told.append({"identity": identity, "credential": credential, "token": shown, **times})
    replace(file, json.dumps(told, indent=1) + "\n")


def _station(site: Site, identity: str, number: int, power_w: int) -> Station:
    described = {"vendor": "EVPortal", "model": "simulated, AC", "firmware_version": "demo"}
    station, _ = Station.objects.get_or_create(identity=identity, defaults={"site": site, **described})
    outlet = {**OUTLET, "emi3_id": f"US*EVP*E{number:04}*1", "max_power_w": power_w}
    Connector.objects.get_or_create(station=station, evse_id=1, connector_id=1, defaults=outlet)
    return station
