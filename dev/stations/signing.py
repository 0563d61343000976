"""PURE: what the meter of an outlet signs: the begin and the end of a charge, in OCMF, with the number of its text."""

from datetime import UTC, datetime

from dev.stations.device.meter import Sample
from dev.stations.device.settings import ENERGY
from dev.stations.device.state import Charge, Outlet
from dev.stations.device.told import Told
from dev.stations.ocmf import SignedMeter

BEGIN, END = "Transaction.Begin", "Transaction.End"


def meter_of(identity: str, secret: str, number: int, texts: int = 0) -> SignedMeter:
    """The meter of a station's outlet, which has signed so many texts; `secret`: in hex, of the whole station."""
    return SignedMeter(f"1EVP-{identity}-{number}"[:50], secret=int(secret, 16) + number, pagination=texts)


def signed(told: Told, outlet: Outlet, charge: Charge, context: str, moment: float, register_wh: int) -> list[Sample]:
    """What is signed of a charge that begins to flow, or ends after it did; nothing where the meter signs nothing."""
    if not told.meter_secret or charge.signed != (context == END):
        return []
    made = meter_of(told.identity, told.meter_secret, charge.outlet, outlet.signed)
    at, uid = datetime.fromtimestamp(moment, UTC), charge.token.uid if charge.token else ""
    text = made.begin(register_wh, at, uid) if context == BEGIN else made.end(register_wh, at, uid)
    outlet.signed, charge.signed = made.pagination, True
    return [Sample(ENERGY, float(register_wh), "Wh", context, signed=text)]
