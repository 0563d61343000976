"""What a session keeps of its place and its tariff, in words: a person reads the admin, not a program."""

import json
from decimal import Decimal, InvalidOperation

from django.utils.translation import gettext

from stations.charging.words import NONE, plain
from stations.models import ChargingSession
from stations.tariffs.terms import Term, terms_of

NAMED = ("name", "id", "time_zone")


def place_words(session: ChargingSession) -> str:
    """All that is kept of the place: "Harbour (HH-1), DEU, time zone Europe/Berlin"."""
    kept = session.location if isinstance(session.location, dict) else {}
    name, code, zone = (str(kept.get(key) or "") for key in NAMED)
    parts = [f"{name} ({code})" if name and code else name or code]
    parts += [str(value) for key, value in kept.items() if key not in NAMED and value]
    parts += [gettext("time zone %(name)s") % {"name": zone}] if zone else []
    return ", ".join(filter(None, parts)) or NONE


def tariff_words(session: ChargingSession) -> str:
    """All that was promised: "Day (T-1): 0.35 EUR per kWh, 0.5 EUR per session, 19 % VAT included"."""
    kept = session.tariff if isinstance(session.tariff, dict) else {}
    if not kept:
        return gettext("none")
    if kept.get("elements"):
        told = "; ".join(_term(one, str(kept.get("currency", ""))) for one in terms_of(kept))
        told = told or json.dumps(kept["elements"])
        return f"{kept.get('name') or NONE} ({kept.get('id') or NONE}): {told}"
    currency, vat = str(kept.get("currency", "")), kept.get("vat_percent")
    parts = [
        gettext("%(price)s per kWh") % {"price": _exact(kept.get("price_per_kwh"), currency)},
        gettext("%(price)s per session") % {"price": _exact(kept.get("price_per_session"), currency)},
        gettext("%(percent)s %% VAT included") % {"percent": _exact(vat)} if vat else gettext("no VAT"),
    ]
    return f"{kept.get('name') or NONE} ({kept.get('id') or NONE}): {', '.join(parts)}"


def _term(term: Term, currency: str) -> str:
    said = f"{_exact(term.price, currency)} {term.per}"
    return f"{said} ({term.when})" if term.when else said


def _exact(value: object, unit: str = "") -> str:
    """The price as it is kept; where somebody spoilt it, what stands there."""
    try:
        return f"{plain(Decimal(str(value)))} {unit}".rstrip()
    except (InvalidOperation, ValueError):
        return str(value)
